"""Whatever happens for a while, two agents whose networks work again agree on one path."""

from __future__ import annotations

import random

import pytest

from peerix.core.ice import Candidate
from tests.core.ice.link import Address, Link, Side, add_host, describe, make_side

CALM = 25.0
"""Seconds within which both sides agree once the networks work."""


class Rough:
    """Two sides with several networks each, and things that happen to them."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.one = make_side(1, "192.0.2.1", "10.1.0.1", controlling=self.chance.random() < 0.8)
        self.two = make_side(2, "192.0.2.2", "10.1.0.2", controlling=self.chance.random() < 0.2)
        self.link = Link(self.one, self.two, latency=self.chance.choice([0.0, 0.005, 0.08]))
        self.dead: set[tuple[str, str]] = set()
        self.loss = 0.0
        self.next_port = 3000
        self.link.drop = self.drop

    def drop(self, source: Address, destination: Address, _data: bytes) -> bool:
        return (source[0], destination[0]) in self.dead or self.chance.random() < self.loss

    def hosts(self, side: Side) -> list[str]:
        return [address[0] for address in side.sockets.values()]

    def kill_path(self) -> None:
        ours, theirs = self.chance.choice(self.hosts(self.one)), self.chance.choice(self.hosts(self.two))
        self.dead |= {(ours, theirs), (theirs, ours)} if self.chance.random() < 0.6 else {(ours, theirs)}

    def revive(self) -> None:
        self.dead.clear()

    def lose(self) -> None:
        self.loss = self.chance.choice([0.0, 0.1, 0.4])

    def join_network(self) -> None:
        source, target = self.chance.sample([self.one, self.two], 2)
        if len(source.sockets) < 4:
            self.next_port += 1
            preference = self.chance.randrange(65536)
            host = f"172.16.0.{self.next_port - 3000}"
            candidate = add_host(source, host, self.next_port, self.link.now, local_preference=preference)
            target.agent.add_remote_candidate(Candidate.parse(candidate.to_sdp()), self.link.now)

    def leave_network(self) -> None:
        side = self.chance.choice([self.one, self.two])
        if len(side.sockets) > 1:
            port = self.chance.choice(list(side.sockets))
            del side.sockets[port]
            side.agent.remove_local_port(port, self.link.now)

    def restart(self) -> None:
        self.one.agent.restart(self.link.now)
        self.link.run(self.chance.random() * 2)
        self.two.agent.restart(self.link.now)
        describe(self.one, self.two, self.link.now)
        self.link.run(self.chance.random())
        describe(self.two, self.one, self.link.now)

    def live(self, happenings: int) -> None:
        actions = [self.kill_path, self.revive, self.lose, self.join_network, self.leave_network, self.restart]
        for _ in range(happenings):
            self.chance.choice(actions)()
            self.link.run(self.chance.random() * 4)

    def agree(self) -> bool:
        ours, theirs = self.one.agent.send_path, self.two.agent.send_path
        if ours is None or theirs is None or not (self.one.agent.selected_pair and self.two.agent.selected_pair):
            return False
        return self.one.sockets[ours[0]] == theirs[1] and self.two.sockets[theirs[0]] == ours[1]


@pytest.mark.parametrize("seed", range(60))
def test_agents_agree_on_one_path_after_rough_times(seed: int) -> None:
    rough = Rough(seed)
    describe(rough.one, rough.two, rough.link.now)
    describe(rough.two, rough.one, rough.link.now)
    rough.live(12)
    rough.revive()
    rough.loss = 0.0
    if "failed" in {rough.one.agent.state.value, rough.two.agent.state.value}:
        rough.restart()
    rough.link.run(CALM)
    assert rough.agree(), (rough.one.states, rough.two.states, rough.one.agent.send_path, rough.two.agent.send_path)
    assert {rough.one.agent.state.value, rough.two.agent.state.value} == {"connected"}
    rough.link.run(60.0)
    assert rough.agree()
    assert rough.one.agent.controlling != rough.two.agent.controlling
