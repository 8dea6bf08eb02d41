"""What a member of a room does with signalling packets: discovery, connections, reconnection.

    a joins:  a --announce--> room
              m --invoke----> a        every member m
              a --offer-----> m        a creates a connection and offers: the newcomer does
              m --answer----> a        m creates a connection and answers
              both exchange candidates

Announcing creates nothing; being invoked does, and so does being offered. There is no farewell: who leaves
closes its connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from peerix.core.errors import SignalingError

from .candidates import CandidateQueue, fits
from .descriptions import CandidateInit, SignalDescription, read_candidate, read_description, ufrag_of
from .identity import is_polite
from .json import JsonValue
from .reconnection import Reconnections
from .signaling import SignalPacket, SignalType

if TYPE_CHECKING:
    from collections.abc import Callable


MAX_REMOTES = 256
"""Connections and pending verifications of one member; further members are not let in."""


@dataclass(slots=True)
class PublishSignal:
    """Pack it and publish it to the namespace of member `to`, or of the room when None."""

    type: SignalType
    to: str | None
    payload: Sequence[object] | None


@dataclass(slots=True)
class VerifyPeer:
    """Ask the application whether the member may come in; answer by `handle_verified`."""

    id: str
    metadata: JsonValue


@dataclass(slots=True)
class CreateConnection:
    """Create connection number `connection` with member `id`, its control channel first."""

    id: str
    metadata: JsonValue
    polite: bool
    connection: int


@dataclass(slots=True)
class DescriptionReceived:
    """Give it to the connection's RemoteNegotiation."""

    id: str
    connection: int
    description: SignalDescription


@dataclass(slots=True)
class CandidatesReceived:
    """Give them to the connection's RemoteNegotiation: they fit its remote description."""

    id: str
    connection: int
    candidates: list[CandidateInit]


@dataclass(slots=True)
class SignalRejected:
    """A member's packet made no sense."""

    id: str
    error: SignalingError


Action: TypeAlias = (
    PublishSignal | VerifyPeer | CreateConnection | DescriptionReceived | CandidatesReceived | SignalRejected
)


@dataclass(slots=True)
class _Remote:
    connection: int
    described: bool = False
    ufrag: str | None = None


@dataclass(slots=True)
class _Applicant:
    metadata: JsonValue
    offer: SignalDescription | None


class Membership:
    """One join of one room.

    Connections are numbered, and every report about one names its number, so that a late report about a
    closed connection cannot touch its successor.

    :param own_id: the id of this join.
    :param metadata: what the others get to see; None for nothing.
    :param verify: whether the application wants to be asked before a connection is made.
    :param random_bytes: for the jitter of reconnections.
    :param max_remotes: connections and pending verifications at most.
    """

    def __init__(
        self,
        *,
        own_id: str,
        metadata: object = None,
        verify: bool,
        random_bytes: Callable[[int], bytes],
        max_remotes: int = MAX_REMOTES,
    ) -> None:
        self.refused = 0
        """Members that were not let in because there were too many."""
        self._own_id = own_id
        self._metadata = metadata
        self._verify = verify
        self._max_remotes = max_remotes
        self._remotes: dict[str, _Remote] = {}
        self._applicants: dict[str, _Applicant] = {}
        self._candidates = CandidateQueue()
        self._reconnections = Reconnections(random_bytes, max_remotes)
        self._last_connection = 0
        self._actions: list[Action] = []

    def announce(self) -> None:
        """Both namespaces are subscribed, or the driver has turned active again."""
        self._actions.append(PublishSignal(SignalType.ANNOUNCE, None, None))

    def receive_packet(self, packet: SignalPacket, now: float) -> None:
        """A packet of another member. Never raises."""
        try:
            if packet.type is SignalType.ANNOUNCE:
                self._invoke(packet.sender)
            elif packet.type is SignalType.INVOKE:
                self._handle_invoke(packet)
            elif packet.type is SignalType.CANDIDATE:
                self._handle_candidates(packet)
            else:
                self._handle_description(packet)
        except SignalingError as error:
            self._actions.append(SignalRejected(packet.sender, error))

    def _invoke(self, to: str) -> None:
        payload = None if self._metadata is None else [self._metadata]
        self._actions.append(PublishSignal(SignalType.INVOKE, to, payload))

    def _handle_invoke(self, packet: SignalPacket) -> None:
        if packet.sender not in self._remotes and packet.sender not in self._applicants:
            self._admit(packet.sender, packet.payload[0] if packet.payload else None, None)

    def _handle_description(self, packet: SignalPacket) -> None:
        description = read_description(packet.payload[0] if packet.payload else None)
        if (packet.type is SignalType.OFFER) != (description.type == "offer"):
            raise SignalingError(f"a packet of type {packet.type.name} has an {description.type}")
        remote = self._remotes.get(packet.sender)
        if remote is not None:
            self._actions.append(DescriptionReceived(packet.sender, remote.connection, description))
        elif packet.type is SignalType.OFFER:
            metadata = packet.payload[1] if len(packet.payload) > 1 else None
            applicant = self._applicants.get(packet.sender)
            if applicant is None:
                self._admit(packet.sender, metadata, description)
            else:
                applicant.offer = description

    def _handle_candidates(self, packet: SignalPacket) -> None:
        remote = self._remotes.get(packet.sender)
        usable: list[CandidateInit] = []
        for value in packet.payload:
            candidate = read_candidate(value)
            if candidate is None:
                continue
            if remote is not None and remote.described and fits(candidate, remote.ufrag):
                usable.append(candidate)
            else:
                self._candidates.push(packet.sender, candidate)
        if remote is not None and usable:
            self._actions.append(CandidatesReceived(packet.sender, remote.connection, usable))

    def _admit(self, member: str, metadata: JsonValue, offer: SignalDescription | None) -> None:
        if len(self._remotes) + len(self._applicants) >= self._max_remotes:
            self.refused += 1
            return
        applicant = _Applicant(metadata, offer)
        if self._verify:
            self._applicants[member] = applicant
            self._actions.append(VerifyPeer(member, metadata))
        else:
            self._create(member, applicant)

    def handle_verified(self, member: str, accepted: bool) -> None:
        """The application has answered. A member that is not accepted hears nothing."""
        applicant = self._applicants.pop(member, None)
        if applicant is None:
            return
        if accepted:
            self._create(member, applicant)
        else:
            self._candidates.clear(member)

    def _create(self, member: str, applicant: _Applicant) -> None:
        self._last_connection += 1
        number = self._last_connection
        self._remotes[member] = _Remote(number)
        self._reconnections.suspend(member)
        polite = is_polite(self._own_id, member)
        self._actions.append(CreateConnection(member, applicant.metadata, polite, number))
        if applicant.offer is not None:
            self._actions.append(DescriptionReceived(member, number, applicant.offer))

    def handle_remote_description(self, member: str, connection: int, sdp: str) -> None:
        """A remote description was set, whichever way it came: candidates that fit it leave the queue."""
        remote = self._remote(member, connection)
        if remote is not None:
            remote.described = True
            remote.ufrag = ufrag_of(sdp)
            candidates = self._candidates.pull(member, remote.ufrag)
            if candidates:
                self._actions.append(CandidatesReceived(member, connection, candidates))

    def handle_connected(self, member: str, connection: int) -> None:
        """The connection works: failures count from zero again."""
        if self._remote(member, connection) is not None:
            self._reconnections.forget(member)

    def handle_failed(self, member: str, connection: int, now: float) -> None:
        """The connection failed: forget it; invite the member after a jitter, then with growing pauses."""
        if self._remote(member, connection) is not None:
            self._forget(member)
            self._reconnections.schedule(member, now)

    def handle_closed(self, member: str, connection: int) -> None:
        """The connection was closed, by either side: forget it, and do not invite the member."""
        if self._remote(member, connection) is not None:
            self._forget(member)
            self._reconnections.forget(member)

    def _remote(self, member: str, connection: int) -> _Remote | None:
        remote = self._remotes.get(member)
        return remote if remote is not None and remote.connection == connection else None

    def _forget(self, member: str) -> None:
        del self._remotes[member]
        self._candidates.clear(member)

    def leave(self) -> None:
        """Forget everything. The shell closes the connections."""
        self._remotes.clear()
        self._applicants.clear()
        self._candidates.clear()
        self._reconnections.clear()
        self._actions.clear()

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is due."""
        return self._reconnections.next_timeout()

    def handle_timeout(self, now: float) -> None:
        """Invite members whose connections failed. Unlike other invitations these always have a payload."""
        for member in self._reconnections.take_due(now):
            self._actions.append(PublishSignal(SignalType.INVOKE, member, [self._metadata]))

    def poll_actions(self) -> list[Action]:
        """Take what is to be done, in order."""
        actions = self._actions
        self._actions = []
        return actions
