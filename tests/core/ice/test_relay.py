"""Two agents that only reach each other through a relay: the ICE agent and the TURN client together."""

from __future__ import annotations

import random

from peerix.core.ice import IceState, host_candidate, relayed_candidate
from peerix.core.turn import Allocated, TurnClient
from tests.core.ice.link import Side, describe, make_agent
from tests.core.turn.server import MAPPED, RELAYED, Server

OTHER = ("192.0.2.2", 2000)
RELAY_PORT = 77


class RelayWorld:
    """Side one has nothing but its relay; side two has one socket. Each hop takes 10 ms."""

    def __init__(self) -> None:
        self.now = 50.0
        self.server = Server()
        self.client = TurnClient(username="user", password="pass", random_bytes=random.Random(3).randbytes)
        self.one, self.two = Side(make_agent(1, controlling=True)), Side(make_agent(2, controlling=False))
        self.two.sockets[2000] = OTHER

    def tick(self) -> None:
        self.now += 0.01
        for _, destination, data in self.one.agent.datagrams_to_send(self.now):
            wrapped = self.client.wrap(destination, data, self.now)
            if wrapped is not None:
                self.to_server(wrapped)
        for data in self.client.data_to_send(self.now):
            self.to_server(data)
        for event in self.client.poll_events():
            if isinstance(event, Allocated):
                candidate = relayed_candidate(event.relayed[0], event.mapped, server="turn")
                self.one.agent.add_local_candidate(candidate, RELAY_PORT, self.now)
        for _, destination, data in self.two.agent.datagrams_to_send(self.now):
            if destination == RELAYED and OTHER[0] in self.server.permissions:
                self.to_client(self.server.relay_in(OTHER, data))

    def to_server(self, data: bytes) -> None:
        for answer in self.server.receive(data, self.now):
            self.to_client(answer)
        relayed, self.server.relayed = self.server.relayed, []
        for destination, payload in relayed:
            if destination == OTHER:
                self.two.agent.receive_datagram(2000, RELAYED, payload, self.now)

    def to_client(self, data: bytes) -> None:
        for source, payload in self.client.receive(data, self.now):
            self.one.agent.receive_datagram(RELAY_PORT, source, payload, self.now)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.01)):
            self.tick()


def test_agents_connect_and_stay_connected_through_a_relay() -> None:
    world = RelayWorld()
    world.two.agent.add_local_candidate(host_candidate(*OTHER), 2000, world.now)
    world.client.allocate(world.now)
    world.run(0.1)
    describe(world.one, world.two, world.now)
    describe(world.two, world.one, world.now)
    world.run(1.0)
    assert world.one.agent.send_path == (RELAY_PORT, OTHER)
    assert world.two.agent.send_path == (2000, RELAYED)
    pair = world.one.agent.selected_pair
    assert pair is not None
    assert (pair.local.type, pair.local.related) == ("relay", MAPPED)
    world.run(60.0)
    assert world.one.agent.state is world.two.agent.state is IceState.CONNECTED
