"""A room in virtual time: members as the cores make them, connections that answer with recorded descriptions."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from peerix.core.rooms.descriptions import SignalDescription
from peerix.core.rooms.membership import (
    CandidatesReceived,
    CreateConnection,
    DescriptionReceived,
    Membership,
    PublishSignal,
    VerifyPeer,
)
from peerix.core.rooms.namespaces import namespace
from peerix.core.rooms.negotiation import (
    AcceptAnswer,
    AcceptOffer,
    AddCandidate,
    MakeOffer,
    RemoteNegotiation,
    SendSignal,
)
from peerix.core.rooms.signaling import SignalingCodec, SignalPacket, SignalType

if TYPE_CHECKING:
    from peerix.core.rooms.identity import Identity


@dataclass
class Connection:
    """A connection that only notes what is done to it."""

    number: int
    negotiation: RemoteNegotiation
    state: str = "stable"
    calls: list[dict[str, Any]] = field(default_factory=list)

    def call(self, what: str, **details: Any) -> None:
        self.calls.append({"pc": self.number, "what": what, **details})


class Member:
    """One member of the room: its cores, and what it noted."""

    def __init__(self, room: Room, name: str, identity: Identity, metadata: Any) -> None:
        self.room = room
        self.name = name
        self.id = identity.id
        self.codec = SignalingCodec(
            identity, encryption=room.encryption, compression=room.compression, random_bytes=bytes
        )
        self.membership = Membership(
            own_id=identity.id, metadata=metadata, verify=True, random_bytes=lambda count: b"\xff" * count
        )
        self.metadata = metadata
        self.connections: dict[str, Connection] = {}
        self.verified: list[tuple[str, Any]] = []
        self.seen: dict[str, Any] = {}

    def receive(self, data: bytes) -> None:
        packet = self.codec.unpack(data)
        if packet is not None:
            self.membership.receive_packet(packet, self.room.now)
            self.act()

    def act(self) -> None:
        """Do what the membership wants."""
        for action in self.membership.poll_actions():
            if isinstance(action, PublishSignal):
                self.room.publish(self, action.to, action.type, action.payload)
            elif isinstance(action, VerifyPeer):
                self.verified.append((action.id, action.metadata))
                self.membership.handle_verified(action.id, accepted=True)
                self.act()
            elif isinstance(action, CreateConnection):
                self.create(action)
            elif isinstance(action, DescriptionReceived):
                self.connections[action.id].negotiation.handle_description(action.description)
            elif isinstance(action, CandidatesReceived):
                for candidate in action.candidates:
                    self.connections[action.id].negotiation.handle_candidate(candidate)
        for remote in list(self.connections):
            self.negotiate(remote)

    def create(self, action: CreateConnection) -> None:
        negotiation = RemoteNegotiation(polite=action.polite, metadata=self.metadata)
        connection = Connection(self.room.next_number(), negotiation)
        self.connections[action.id] = connection
        self.seen[action.id] = action.metadata
        connection.call("createDataChannel", label="", init={"id": 0, "negotiated": True, "ordered": True})
        self.room.created.append(self.name)

    def negotiate(self, remote: str) -> None:
        """Run the tasks of one connection."""
        connection = self.connections[remote]
        while (task := connection.negotiation.next_task(connection.state)) is not None:
            remote_sdp = ""
            if isinstance(task, MakeOffer):
                self.describe(remote, "offer")
            elif isinstance(task, AcceptOffer):
                if task.rollback:
                    connection.call("setLocalDescription", type="rollback")
                connection.call("setRemoteDescription", type="offer")
                remote_sdp = task.description.sdp
                self.describe(remote, "answer")
            elif isinstance(task, AcceptAnswer):
                connection.call("setRemoteDescription", type="answer")
                connection.state = "stable"
                remote_sdp = task.description.sdp
            elif isinstance(task, AddCandidate):
                connection.call("addIceCandidate", ufrag=task.candidate["usernameFragment"])
            connection.negotiation.task_done(remote_description_set=bool(remote_sdp))
            if remote_sdp:
                self.membership.handle_remote_description(remote, self.number_of(remote), remote_sdp)
                self.act()
        self.flush(remote)

    def number_of(self, remote: str) -> int:
        """Give the membership's number of a connection: every member of a scene has one a remote, in order."""
        return list(self.connections).index(remote) + 1

    def describe(self, remote: str, kind: str) -> None:
        connection = self.connections[remote]
        connection.call("setLocalDescription", type=kind)
        connection.state = "have-local-offer" if kind == "offer" else "stable"
        sdp, candidates = self.room.recorded(self.name, remote, kind)
        connection.negotiation.send_description(SignalDescription(kind, sdp), {})
        for candidate in candidates:
            connection.negotiation.send_candidate(candidate, self.room.now)

    def flush(self, remote: str) -> None:
        for output in self.connections[remote].negotiation.poll_outputs():
            assert isinstance(output, SendSignal)
            self.room.publish(self, remote, output.type, output.payload)


class Room:
    """A room with a broker that delivers in order, and the recording of a scene."""

    def __init__(self, scene: dict[str, Any]) -> None:
        config = scene["config"]
        self.scene = scene
        self.encryption: bool = config["signalingEncryption"]
        self.compression: bool = config["signalingCompression"]
        self.hashing: bool = config["namespaceHashing"]
        self.now = 0.0
        self.members: dict[str, Member] = {}
        self.order: list[str] = []
        self.published: list[tuple[str, SignalType, Any]] = []
        self.created: list[str] = []
        self.queue: deque[tuple[str, bytes]] = deque()
        self._connections = 0

    def next_number(self) -> int:
        self._connections += 1
        return self._connections - 1

    def join(self, name: str, identity: Identity, metadata: Any) -> None:
        self.members[name] = Member(self, name, identity, metadata)

    def name_of(self, remote: str) -> str:
        return next(name for name, member in self.members.items() if member.id == remote)

    def recorded(self, sender: str, remote: str, kind: str) -> tuple[str, list[Any]]:
        """Give the description and the candidates that the recorded sender made for the remote."""
        mine = [packet for packet in self.scene["packets"] if packet["from"] == sender]
        mine = [packet for packet in mine if packet["to"] == self.name_of(remote)]
        (sdp,) = [packet["json"][0]["sdp"] for packet in mine if packet["kind"] == kind]
        batches = [packet["json"] for packet in mine if packet["kind"] == "candidate"]
        # In a collision the candidates recorded are those of the description that survived.
        candidates = batches[0] if batches and batches[0][0]["usernameFragment"] in sdp else []
        return sdp, candidates

    def publish(self, sender: Member, to: str | None, kind: SignalType, payload: Any) -> None:
        data = sender.codec.pack(kind, payload, to)
        receiver = "(room)" if to is None else self.name_of(to)
        self.order.append(f"{sender.name}->{receiver}:{kind.name.lower()}")
        self.published.append((f"{sender.name}->{receiver}", kind, payload))
        self.queue.append((namespace(self.scene["room"] if to is None else to, hashing=self.hashing), data))

    def deliver(self) -> None:
        """Deliver until the broker is empty, a round at a time."""
        while self.queue:
            address, data = self.queue.popleft()
            for member in list(self.members.values()):
                names = (self.scene["room"], member.id)
                if address in {namespace(name, hashing=self.hashing) for name in names}:
                    member.receive(data)
            for member in self.members.values():
                for connection in member.connections.values():
                    if not any(call["what"] == "negotiationneeded" for call in connection.calls):
                        self.start(member, connection)

    def start(self, member: Member, connection: Connection) -> None:
        """A connection that was made for an invitation has something to negotiate; one made for an offer has not."""
        if not any(call["what"] == "setRemoteDescription" for call in connection.calls):
            connection.call("negotiationneeded")
            connection.negotiation.handle_negotiation_needed()
            member.act()

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for member in self.members.values():
            for remote, connection in member.connections.items():
                connection.negotiation.handle_timeout(self.now)
                member.flush(remote)
        self.deliver()


def packets_of(scene: dict[str, Any]) -> list[SignalPacket]:
    """Give the recorded packets as a receiver sees them."""
    return [
        SignalPacket(SignalType[packet["kind"].upper()], scene["peers"][packet["from"]]["id"], packet["json"] or [])
        for packet in scene["packets"]
    ]
