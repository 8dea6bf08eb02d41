"""What a session reports, beside the events of its data channels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from peerix.core.datachannel import ChannelEvent
from peerix.core.ice import Candidate, IceState
from peerix.core.jsep import SignalingState, Transceiver
from peerix.core.sdp import IceCandidate
from peerix.core.session.media.events import MediaEvent


class ConnectionState(StrEnum):
    """The W3C `RTCPeerConnectionState` values."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    CLOSED = "closed"


class IceGatheringState(StrEnum):
    """The W3C `RTCIceGatheringState` values."""

    NEW = "new"
    GATHERING = "gathering"
    COMPLETE = "complete"


@dataclass(slots=True)
class NegotiationNeeded:
    """An offer has to be made (W3C section 4.7.3)."""


@dataclass(slots=True)
class LocalCandidate:
    """A candidate for the other side; None is the end of gathering."""

    candidate: IceCandidate | None


@dataclass(slots=True)
class IceServerFailed:
    """A STUN or TURN server gave no candidate (W3C RTCPeerConnectionIceErrorEvent). Others may.

    `url` names the server, `code` is its STUN error code or 701 when it did not answer.
    """

    url: str
    code: int
    reason: str


@dataclass(slots=True)
class SignalingStateChanged:
    """The signalling state is now `state`."""

    state: SignalingState


@dataclass(slots=True)
class IceConnectionStateChanged:
    """The ICE connection state is now `state`."""

    state: IceState


@dataclass(slots=True)
class IceGatheringStateChanged:
    """The ICE gathering state is now `state`."""

    state: IceGatheringState


@dataclass(slots=True)
class ConnectionStateChanged:
    """The connection state is now `state`."""

    state: ConnectionState


@dataclass(slots=True)
class GatheringNeeded:
    """A local description was set: sockets are wanted, and their addresses as candidates."""


@dataclass(slots=True)
class ResolutionNeeded:
    """A remote candidate names its host; it is wanted back with the address."""

    candidate: Candidate


@dataclass(slots=True)
class TracksChanged:
    """The other side began or ceased to send: `added` and `removed` are the transceivers that receive it."""

    added: tuple[Transceiver, ...]
    removed: tuple[Transceiver, ...]


SessionEvent: TypeAlias = (
    NegotiationNeeded
    | LocalCandidate
    | IceServerFailed
    | SignalingStateChanged
    | IceConnectionStateChanged
    | IceGatheringStateChanged
    | ConnectionStateChanged
    | GatheringNeeded
    | ResolutionNeeded
    | ChannelEvent
    | TracksChanged
    | MediaEvent
)
"""`TracksChanged` and `MediaEvent` come only of a session that was made with media."""
