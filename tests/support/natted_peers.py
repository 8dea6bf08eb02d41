"""Sessions behind NATs in virtual time, and the STUN and TURN server that helps them out."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.session import GatheringNeeded, LocalCandidate
from peerix.core.stun import MessageClass, Method, StunError, parse, response_to
from peerix.core.stun.attributes import XOR_MAPPED_ADDRESS
from peerix.core.turn import Allocated, TurnClient, TurnState
from tests.core.turn.server import Server
from tests.support.sessions import Address, SimulatedPeer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.support.simnet import Datagram, Network

SERVER: Address = ("203.0.113.1", 3478)
RELAY_PORT = 99
TURN_SOCKET_PORT = 7000


class IceServers:
    """A STUN and TURN server for any number of clients, as an endpoint of a simulated network."""

    def __init__(self, network: Network, address: Address = SERVER) -> None:
        self._network = network
        self._address = address
        self._clients: dict[Address, Server] = {}
        self._outgoing: list[Datagram] = []
        network.attach(self, address)

    def receive(self, datagrams: Sequence[Datagram], now: float) -> None:
        for source, destination, data in datagrams:
            assert isinstance(source, tuple)
            if destination == self._address:
                self._receive_from_client(source, data, now)
            else:
                self._receive_from_peer(source, destination, data)

    def _receive_from_client(self, client: Address, data: bytes, now: float) -> None:
        mapped = _binding_answer(data, client)
        if mapped is not None:
            self._outgoing.append((self._address, client, mapped))
            return
        server = self._clients.get(client)
        if server is None:
            relayed = self._address[0], 40_000 + len(self._clients)
            server = self._clients[client] = Server(relayed, client)
            self._network.attach(self, relayed)
        self._outgoing += [(self._address, client, answer) for answer in server.receive(data, now)]
        self._outgoing += [(server.addresses[0], peer, payload) for peer, payload in server.relayed]
        server.relayed.clear()

    def _receive_from_peer(self, source: Address, relayed: object, data: bytes) -> None:
        for client, server in self._clients.items():
            if server.addresses[0] == relayed and server.is_allocated and source[0] in server.permissions:
                self._outgoing.append((self._address, client, server.relay_in(source, data)))

    def handle_timeout(self, now: float) -> None:
        pass

    def next_timeout(self) -> float | None:
        return None

    def to_send(self, now: float) -> Iterable[Datagram]:
        outgoing, self._outgoing = self._outgoing, []
        return outgoing


class LyingServer:
    """A STUN server that tells everybody an address that is somebody else's."""

    def __init__(self, network: Network, address: Address, lie: Address) -> None:
        self._address = address
        self._lie = lie
        self._outgoing: list[Datagram] = []
        network.attach(self, address)

    def receive(self, datagrams: Sequence[Datagram], now: float) -> None:
        for source, _, data in datagrams:
            if (answer := _binding_answer(data, self._lie)) is not None:
                self._outgoing.append((self._address, source, answer))

    def handle_timeout(self, now: float) -> None:
        pass

    def next_timeout(self) -> float | None:
        return None

    def to_send(self, now: float) -> Iterable[Datagram]:
        outgoing, self._outgoing = self._outgoing, []
        return outgoing


def _binding_answer(data: bytes, source: Address) -> bytes | None:
    try:
        message = parse(data)
    except StunError:
        return None
    if message.method != Method.BINDING:
        return None
    if message.message_class is not MessageClass.REQUEST:
        return b""
    return response_to(message).add(XOR_MAPPED_ADDRESS, source).to_bytes()


@dataclass(slots=True)
class ServerUse:
    """What a peer asks the server for; `turn` is its client of TURN, `socket` where that sends from."""

    stun: bool
    relay_only: bool
    turn: TurnClient | None
    socket: Address


class NattedPeer(SimulatedPeer):
    """A session that asks servers, and signals each candidate to its `partner` at once.

    :param stun: ask SERVER what it sees of the sockets.
    :param turn: have SERVER relay.
    :param relay_only: use nothing but the relay.
    """

    def __init__(
        self, network: Network, name: str, host: str, *, stun: bool = True, turn: bool = False, relay_only: bool = False
    ) -> None:
        super().__init__(network, name, [host])
        self.partner: NattedPeer | None = None
        client: TurnClient | None = None
        if turn or relay_only:
            seeded = random.Random(f"turn {name}").randbytes
            client = TurnClient(username="user", password="pass", random_bytes=seeded)
        self.uses = ServerUse(stun and not relay_only, relay_only, client, (host, TURN_SOCKET_PORT))
        network.attach(self, self.uses.socket)

    # -- an endpoint of the network

    def receive(self, datagrams: Sequence[Datagram], now: float) -> None:
        others: list[Datagram] = []
        for source, destination, data in datagrams:
            if destination == self.uses.socket and self.uses.turn is not None:
                for peer, payload in self.uses.turn.receive(data, now):
                    self.session.receive_datagrams(RELAY_PORT, [(peer, payload, 0)], now)
            else:
                others.append((source, destination, data))
        super().receive(others, now)

    def handle_timeout(self, now: float) -> None:
        if self.uses.turn is not None:
            self.uses.turn.handle_timeout(now)
        super().handle_timeout(now)

    def next_timeout(self) -> float | None:
        deadlines = [super().next_timeout(), None if self.uses.turn is None else self.uses.turn.next_timeout()]
        return min((at for at in deadlines if at is not None), default=None)

    def to_send(self, now: float) -> Iterable[Datagram]:
        turn = self.uses.turn
        if turn is not None and turn.state is TurnState.ALLOCATED:
            for candidate in self.session.transport.ice.remote_candidates:
                turn.permit(candidate.host, now)
        for port, destination, buffer, size in self.session.datagrams_to_send(now):
            step = size or len(buffer)
            for start in range(0, len(buffer), step):
                datagram = buffer[start : start + step]
                if port != RELAY_PORT:
                    yield self.ports[port], destination, datagram
                elif turn is not None and (wrapped := turn.wrap(destination, datagram, now)) is not None:
                    yield self.uses.socket, SERVER, wrapped
        if turn is not None:
            yield from ((self.uses.socket, SERVER, data) for data in turn.data_to_send(now))
            self._take_relay(turn, now)

    def _take_relay(self, turn: TurnClient, now: float) -> None:
        for event in turn.poll_events():
            if isinstance(event, Allocated):
                self.session.add_relayed_address(
                    event.relayed[0], event.mapped, RELAY_PORT, 65_535, now, server=SERVER[0], transport="udp"
                )
            self.session.end_of_gathering(now)
            self.take_events(now)

    # -- what a shell does

    def _take(self, event: object, now: float) -> None:
        if isinstance(event, LocalCandidate) and self.partner is not None:
            self.partner.session.negotiation.add_remote(event.candidate, now)
            self.partner.take_events(now)
        if not isinstance(event, GatheringNeeded):
            super()._take(event, now)
            return
        if not self.uses.relay_only:
            self.session.add_local_address(*self.ports[0], 0, 65_535, now)
        if self.uses.stun:
            self.session.add_stun_server(*SERVER, now)
        if self.uses.turn is None:
            self.session.end_of_gathering(now)
        elif self.uses.turn.state is TurnState.NEW:
            self.uses.turn.allocate(now)


def introduce(a: NattedPeer, b: NattedPeer) -> None:
    """An offer and an answer; candidates follow as they are found."""
    a.partner, b.partner = b, a
    now = a.network.now
    a.open("chat")
    for here, there in ((a, b), (b, a)):
        here.session.set_local_description(None, now)
        description = here.session.negotiation.local_description
        assert description is not None
        there.session.set_remote_description(description, now)
        here.take_events(now)
        there.take_events(now)


def types_in_use(peer: NattedPeer) -> tuple[str, str]:
    """The types of the two candidates of the selected pair; empty when there is none."""
    pair = peer.session.transport.ice.selected_pair
    return ("", "") if pair is None else (pair.local.type, pair.remote.type)
