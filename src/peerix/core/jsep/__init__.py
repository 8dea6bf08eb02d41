"""Offer and answer (RFC 9429): which descriptions a connection makes, and what those of the other side mean.

    application --create, set--> Negotiator --Applied--> ICE, DTLS, SCTP

`negotiator` composes it all. `state` holds the table of signalling states, `descriptions` the four descriptions;
`offer`, `answer`, `sections` and `origin` make descriptions, `remote` reads and checks those of the other side,
`outcome` draws the conclusions for ICE, DTLS and SCTP, `candidates` adds what comes later.

Media: `capabilities` are injected; `transceivers` owns each `transceiver`; `codecs` finds ours in a section,
`payload_types` numbers them, `media_sections` writes and `rtp_parameters` reads sections, `needed` asks for an offer.
"""

from __future__ import annotations

from peerix.core.jsep.capabilities import Codec, Extension, MediaCapabilities, MediaKind
from peerix.core.jsep.codecs import BoundCodec
from peerix.core.jsep.negotiator import NO_MEDIA, Negotiator
from peerix.core.jsep.parameters import (
    MAX_MESSAGE_SIZE,
    Applied,
    DtlsRole,
    IceParameters,
    LocalTransport,
    SctpParameters,
    TrackChanges,
)
from peerix.core.jsep.remote import MAX_REMOTE_CANDIDATES
from peerix.core.jsep.state import TRANSITIONS, Side, SignalingState, next_state
from peerix.core.jsep.transceiver import Association, CreatedBy, Outgoing, RtpParameters, Source, Transceiver

__all__ = [
    "MAX_MESSAGE_SIZE",
    "MAX_REMOTE_CANDIDATES",
    "NO_MEDIA",
    "TRANSITIONS",
    "Applied",
    "Association",
    "BoundCodec",
    "Codec",
    "CreatedBy",
    "DtlsRole",
    "Extension",
    "IceParameters",
    "LocalTransport",
    "MediaCapabilities",
    "MediaKind",
    "Negotiator",
    "Outgoing",
    "RtpParameters",
    "SctpParameters",
    "Side",
    "SignalingState",
    "Source",
    "TrackChanges",
    "Transceiver",
    "next_state",
]
