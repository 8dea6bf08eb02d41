"""Offer and answer (RFC 9429): which descriptions a connection makes, and what those of the other side mean.

    application --create, set--> Negotiator --Applied--> ICE, DTLS, SCTP

`state` holds the table of signalling states, `offer` and `answer` make descriptions, `remote` reads those of
the other side, `outcome` draws the conclusions; `negotiator` composes them.
"""

from __future__ import annotations

from peerix.core.jsep.negotiator import Negotiator
from peerix.core.jsep.parameters import (
    MAX_MESSAGE_SIZE,
    Applied,
    DtlsRole,
    IceParameters,
    LocalTransport,
    SctpParameters,
)
from peerix.core.jsep.remote import MAX_REMOTE_CANDIDATES
from peerix.core.jsep.state import TRANSITIONS, Side, SignalingState, next_state

__all__ = [
    "MAX_MESSAGE_SIZE",
    "MAX_REMOTE_CANDIDATES",
    "TRANSITIONS",
    "Applied",
    "DtlsRole",
    "IceParameters",
    "LocalTransport",
    "Negotiator",
    "SctpParameters",
    "Side",
    "SignalingState",
    "next_state",
]
