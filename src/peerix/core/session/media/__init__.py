"""Audio and video of a session: SRTP, RTP and its feedback joined with what the descriptions agreed on.

received datagram --> SRTP --> Router --> VideoReceiver, AudioReceiver --> FrameReceived, SoundReceived
frame to send --> Sending (payloads, numbers) --> Pacer --> SRTP --> datagram
RTCP --> reports, lost packets, key frames, bandwidth --> KeyFrameRequested, BitrateChanged
"""

from __future__ import annotations

from peerix.core.session.media.events import (
    BitrateChanged,
    FrameReceived,
    KeyFrameRequested,
    MediaEvent,
    SoundReceived,
    ToneReceived,
)
from peerix.core.session.media.formats import DEFAULT_CAPABILITIES
from peerix.core.session.media.session_media import SessionMedia
from peerix.core.session.media.transport import MediaTransport

__all__ = [
    "DEFAULT_CAPABILITIES",
    "BitrateChanged",
    "FrameReceived",
    "KeyFrameRequested",
    "MediaEvent",
    "MediaTransport",
    "SessionMedia",
    "SoundReceived",
    "ToneReceived",
]
