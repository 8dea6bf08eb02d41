"""One WebRTC connection without I/O: the place where the protocols meet."""

from peerix.core.session.events import (
    ConnectionState,
    ConnectionStateChanged,
    GatheringNeeded,
    IceConnectionStateChanged,
    IceGatheringState,
    IceGatheringStateChanged,
    IceServerFailed,
    LocalCandidate,
    NegotiationNeeded,
    ResolutionNeeded,
    SessionEvent,
    SignalingStateChanged,
    TracksChanged,
)
from peerix.core.session.session import Session

__all__ = [
    "ConnectionState",
    "ConnectionStateChanged",
    "GatheringNeeded",
    "IceConnectionStateChanged",
    "IceGatheringState",
    "IceGatheringStateChanged",
    "IceServerFailed",
    "LocalCandidate",
    "NegotiationNeeded",
    "ResolutionNeeded",
    "Session",
    "SessionEvent",
    "SignalingStateChanged",
    "TracksChanged",
]
