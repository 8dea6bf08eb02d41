"""Two agents on a small simulated link, in virtual time."""

from __future__ import annotations

import heapq
import random
from typing import TYPE_CHECKING

from peerix.core.ice import Candidate, IceAgent, IceEvent, IceStateChanged, SendPathChanged, host_candidate

if TYPE_CHECKING:
    from collections.abc import Callable

Address = tuple[str, int]
START = 1000.0
"""What the clock of a link shows first."""

Filter = "Callable[[Address, Address, bytes], bool]"


class Side:
    """An agent, its sockets (port number = socket name) and what it reported."""

    def __init__(self, agent: IceAgent) -> None:
        self.agent = agent
        self.sockets: dict[int, Address] = {}
        self.events: list[IceEvent] = []
        self.sent: list[tuple[float, int, Address, bytes]] = []

    @property
    def states(self) -> list[str]:
        return [event.state.value for event in self.events if isinstance(event, IceStateChanged)]

    @property
    def paths(self) -> list[tuple[int, Address]]:
        return [(event.port, event.address) for event in self.events if isinstance(event, SendPathChanged)]


class Link:
    """Carries datagrams between the sockets of the sides after `latency` seconds; NATs and losses are functions.

    `nat` maps (source, destination) to the source that the receiver sees; `drop` tells what is lost; both
    see addresses before translation. `inbound` maps a public destination to the private one behind it.
    """

    def __init__(self, *sides: Side, latency: float = 0.01) -> None:
        self.sides = sides
        self.latency = latency
        self.now = START
        self.drop: Callable[[Address, Address, bytes], bool] = lambda _source, _destination, _data: False
        self.nat: Callable[[Address, Address], Address] = lambda source, _destination: source
        self.inbound: dict[Address, Address] = {}
        self._queue: list[tuple[float, int, Address, Address, bytes]] = []
        self._count = 0

    def flush(self) -> None:
        for side in self.sides:
            for port, destination, data in side.agent.datagrams_to_send(self.now):
                source = side.sockets[port]
                side.sent.append((self.now, port, destination, data))
                self.inject(source, destination, data)
            side.events += side.agent.poll_events()

    def inject(self, source: Address, destination: Address, data: bytes) -> None:
        if self.drop(source, destination, data):
            return
        self._count += 1
        seen = self.nat(source, destination)
        item = (self.now + self.latency, self._count, seen, self.inbound.get(destination, destination), data)
        heapq.heappush(self._queue, item)

    def _deliver(self, source: Address, destination: Address, data: bytes) -> None:
        for side in self.sides:
            for port, address in side.sockets.items():
                if address == destination:
                    side.agent.receive_datagram(port, source, data, self.now)

    def step(self, until: float) -> bool:
        """Do the next thing that is due before `until`."""
        self.flush()
        timeouts = [timeout for side in self.sides if (timeout := side.agent.next_timeout()) is not None]
        next_at = min([*timeouts, *(item[0] for item in self._queue[:1])], default=until)
        if next_at >= until:
            self.now = until
            return False
        self.now = max(self.now, next_at)
        while self._queue and self._queue[0][0] <= self.now:
            _, _, source, destination, data = heapq.heappop(self._queue)
            self._deliver(source, destination, data)
        for side in self.sides:
            side.agent.handle_timeout(self.now)
        self.flush()
        return True

    def run(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> bool:
        end = self.now + seconds
        steps = 0
        while not until():
            steps += 1
            assert steps < 20000, "the agents spin"
            if not self.step(end):
                break
        self.flush()
        return until()


def make_agent(seed: int, *, controlling: bool) -> IceAgent:
    return IceAgent(controlling=controlling, random_bytes=random.Random(seed).randbytes)


def make_side(seed: int, *hosts: str, controlling: bool) -> Side:
    side = Side(make_agent(seed, controlling=controlling))
    for index, host in enumerate(hosts):
        add_host(side, host, 1000 * (seed % 60) + index, START)
    return side


def add_host(side: Side, host: str, port: int, now: float, *, local_preference: int = 65535) -> Candidate:
    side.sockets[port] = (host, port)
    candidate = host_candidate(host, port, local_preference=local_preference)
    return side.agent.add_local_candidate(candidate, port, now)


def describe(source: Side, target: Side, now: float, *, candidates: bool = True, ended: bool = False) -> None:
    """Hand the description of `source` to `target`."""
    target.agent.set_remote_parameters(source.agent.local_parameters, now)
    if candidates:
        for candidate in source.agent.local_candidates:
            target.agent.add_remote_candidate(Candidate.parse(candidate.to_sdp()), now)
    if ended:
        source.agent.end_of_local_candidates(now)
        target.agent.end_of_remote_candidates(now)


def make_link(a: str | tuple[str, ...] = "192.0.2.1", b: str | tuple[str, ...] = "192.0.2.2", **options: float) -> Link:
    hosts_a, hosts_b = ((item,) if isinstance(item, str) else item for item in (a, b))
    one = make_side(1, *hosts_a, controlling=True)
    two = make_side(2, *hosts_b, controlling=False)
    return Link(one, two, **options)


def connect(link: Link, seconds: float = 5.0) -> None:
    one, two = link.sides
    describe(one, two, link.now)
    describe(two, one, link.now)
    assert link.run(seconds, until=lambda: selected(link)), (one.states, two.states)


def selected(link: Link) -> bool:
    return all(side.agent.selected_pair is not None for side in link.sides)
