"""Session descriptions (RFC 8866): their model, reading and writing them, and the JSON that carries them.

    text --parse--> Description --write--> text

`description` holds the model, `values` and `rtp` the typed values of attributes, `messages` what applications
exchange. What the descriptions mean for a session is the business of `peerix.core.jsep`.
"""

from __future__ import annotations

from peerix.core.sdp.description import (
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_SCTP_PORT,
    Attribute,
    Attributes,
    Description,
    Line,
    MediaSection,
    attributes_of,
    read_direction,
    read_setup,
)
from peerix.core.sdp.errors import SdpError
from peerix.core.sdp.messages import IceCandidate, SdpType, SessionDescription
from peerix.core.sdp.parse import MAX_MEDIA_SECTIONS, MAX_SDP_LENGTH, parse
from peerix.core.sdp.rtp import (
    MAX_SSRC,
    Fmtp,
    HeaderExtension,
    Rid,
    RtcpFeedback,
    RtpMap,
    Simulcast,
    SimulcastAlternative,
    Ssrc,
    SsrcGroup,
    read_parameters,
)
from peerix.core.sdp.values import Direction, Fingerprint, Group, Msid, Origin, SctpMap, Setup, direction_of
from peerix.core.sdp.write import write

__all__ = [
    "DEFAULT_MAX_MESSAGE_SIZE",
    "DEFAULT_SCTP_PORT",
    "MAX_MEDIA_SECTIONS",
    "MAX_SDP_LENGTH",
    "MAX_SSRC",
    "Attribute",
    "Attributes",
    "Description",
    "Direction",
    "Fingerprint",
    "Fmtp",
    "Group",
    "HeaderExtension",
    "IceCandidate",
    "Line",
    "MediaSection",
    "Msid",
    "Origin",
    "Rid",
    "RtcpFeedback",
    "RtpMap",
    "SctpMap",
    "SdpError",
    "SdpType",
    "SessionDescription",
    "Setup",
    "Simulcast",
    "SimulcastAlternative",
    "Ssrc",
    "SsrcGroup",
    "attributes_of",
    "direction_of",
    "parse",
    "read_direction",
    "read_parameters",
    "read_setup",
    "write",
]
