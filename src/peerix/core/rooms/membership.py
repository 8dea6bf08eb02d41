"""What a member of a room does with signalling packets (signatures; bodies follow)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .json import JsonValue
from .signaling import SignalPacket, SignalType


@dataclass(slots=True)
class PublishSignal:
    """Pack it (`SignalingCodec.pack`) and publish it to the namespace of `to`, or of the room when None."""

    type: SignalType
    to: str | None
    payload: Sequence[object] | None


@dataclass(slots=True)
class VerifyPeer:
    """Ask the application; answer by `handle_verified(id, accepted, now)`. One at a time for each id."""

    id: str
    metadata: JsonValue


@dataclass(slots=True)
class CreateConnection:
    """Create the connection number `connection` to `id`."""

    id: str
    metadata: JsonValue
    polite: bool
    connection: int


@dataclass(slots=True)
class DescriptionReceived:
    """Give it to the connection's RemoteNegotiation."""

    id: str
    connection: int
    description: Mapping[str, JsonValue]


@dataclass(slots=True)
class CandidatesReceived:
    """Candidates that match the connection's remote description: give them to its RemoteNegotiation."""

    id: str
    connection: int
    candidates: list[dict[str, JsonValue]]


Action: TypeAlias = "PublishSignal | VerifyPeer | CreateConnection | DescriptionReceived | CandidatesReceived"


class Membership:
    def __init__(
        self,
        *,
        own_id: str,
        metadata: object = None,
        verify: bool,
        random_bytes: Callable[[int], bytes],
        max_remotes: int = 256,
    ) -> None: ...

    def announce(self) -> None:
        """Both namespaces are subscribed, or the driver turned active again."""
        ...

    def receive_packet(self, packet: SignalPacket, now: float) -> None: ...
    def handle_verified(self, id: str, accepted: bool, now: float) -> None: ...
    def handle_remote_description(self, id: str, connection: int, sdp: str) -> None:
        """A remote description was applied (whichever way it came): matching queued candidates come out."""
        ...

    def handle_connected(self, id: str, connection: int) -> None: ...
    def handle_failed(self, id: str, connection: int, now: float) -> None:
        """The connection failed: it is forgotten, and invokes follow after jitter, then with back-off."""
        ...

    def handle_closed(self, id: str, connection: int) -> None:
        """The connection closed without having failed (goodbye): forgotten, no reconnection."""
        ...

    def next_timeout(self) -> float | None: ...
    def handle_timeout(self, now: float) -> None: ...
    def poll_actions(self) -> list[Action]: ...
