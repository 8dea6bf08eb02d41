"""A network in virtual time: whole protocol stacks meet on bad paths, the same way for the same seed.

An endpoint is anything with the four calls of a sans-I/O core. Addresses are whatever the endpoints use (a name, or a
tuple of host and port): a datagram is `(source, destination, data)`.
"""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from tests.support.nat import Nat

    Datagram: TypeAlias = tuple[Hashable, Hashable, bytes]

MAX_ROUNDS_WITHOUT_TIME = 10_000
"""Rounds at one moment after which something is said to spin."""


class Fragmentable(bytes):
    """A datagram that left without the don't-fragment bit: no MTU stops it."""


class Endpoint(Protocol):
    """What can be attached to a network."""

    def receive(self, datagrams: Sequence[Datagram], now: float) -> None:
        """Take datagrams that arrived together."""

    def handle_timeout(self, now: float) -> None:
        """Let what was due by now happen."""

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is to be called."""

    def to_send(self, now: float) -> Iterable[Datagram]:
        """Return what is to be sent now, nothing when there is nothing."""
        ...


@dataclass(slots=True)
class GilbertElliott:
    """Loss in bursts: a good and a bad state, each with its own loss.

    :ivar worsen: chance of going bad, for each datagram.
    :ivar recover: chance of getting good again.
    """

    worsen: float = 0.01
    recover: float = 0.3
    good_loss: float = 0.0
    bad_loss: float = 1.0


@dataclass(slots=True)
class Link:
    """One direction of a path. Times in seconds, sizes in bytes, chances from 0 to 1.

    :ivar latency: one way.
    :ivar jitter: up to so much is added to each datagram's latency; those that left later may arrive earlier.
    :ivar reordering: chance of `reordering_delay` on top.
    :ivar bandwidth: bytes a second, None for no limit.
    :ivar queue: bytes that wait for the bandwidth; more are dropped.
    :ivar mtu: larger datagrams vanish, unless they are `Fragmentable`.
    :ivar down: nothing passes.
    """

    latency: float = 0.0
    jitter: float = 0.0
    reordering: float = 0.0
    reordering_delay: float = 0.01
    duplication: float = 0.0
    loss: float = 0.0
    bursts: GilbertElliott | None = None
    bandwidth: float | None = None
    queue: int = 262_144
    mtu: int | None = None
    down: bool = False


@dataclass(slots=True)
class LinkState:
    """What a link has done."""

    free_at: float = 0.0
    bad: bool = False
    sent: int = 0
    dropped: int = 0
    delivered_bytes: int = 0
    largest_queue: float = 0.0


@dataclass(slots=True)
class Network:
    """Endpoints and the links between them.

    :ivar tick: datagrams that arrive within one tick arrive together, as they do for a process that is woken up.
    :ivar default: the link between addresses for which no other was set.
    :ivar nats: who is inside of one is seen by those outside under its public address, and only reached as it allows.
        Links are those between the sender's own address and the destination that it sends to.
    """

    seed: int = 0
    tick: float = 0.0
    default: Link = field(default_factory=Link)
    now: float = 100.0
    links: dict[tuple[Hashable, Hashable], Link] = field(default_factory=dict)
    states: dict[tuple[Hashable, Hashable], LinkState] = field(default_factory=lambda: defaultdict(LinkState))
    endpoints: dict[Hashable, Endpoint] = field(default_factory=dict)
    nats: list[Nat] = field(default_factory=list)
    _chance: random.Random = field(init=False)
    _on_the_way: list[tuple[float, int, Datagram]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def attach(self, endpoint: Endpoint, *addresses: Hashable) -> None:
        """Let an endpoint receive what is sent to these addresses."""
        for address in addresses:
            self.endpoints[address] = endpoint

    def connect(self, a: Hashable, b: Hashable, link: Link, back: Link | None = None) -> None:
        """Set the links between two addresses; `back` is the way from `b` to `a` if it is not the same."""
        self.links[a, b] = link
        self.links[b, a] = back or link

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass; return whether `until` came true (always, when there is none)."""
        end = self.now + seconds
        rounds = 0
        while True:
            self._flush()
            if until is not None and until():
                return True
            at = self._next_moment()
            if at is None or at > end:
                self.now = end
                return until is None
            rounds = rounds + 1 if at <= self.now else 0
            assert rounds < MAX_ROUNDS_WITHOUT_TIME, "something happens for ever while no time passes"
            self.now = max(self.now, at)
            self._deliver()
            self._expire()

    def _parties(self) -> list[Endpoint]:
        return list(dict.fromkeys(self.endpoints.values()))

    def _next_moment(self) -> float | None:
        deadlines = [at for party in self._parties() if (at := party.next_timeout()) is not None]
        if self._on_the_way:
            deadlines.append(self._on_the_way[0][0])
        return min(deadlines, default=None)

    def _flush(self) -> None:
        for party in self._parties():
            for _ in range(MAX_ROUNDS_WITHOUT_TIME):
                datagrams = list(party.to_send(self.now))
                if not datagrams:
                    break
                for datagram in datagrams:
                    self._send(datagram)
            else:
                raise AssertionError("an endpoint never stops sending")

    def _send(self, datagram: Datagram) -> None:
        source, destination, data = datagram
        translated = self._leave(source, destination)
        if translated is None:
            return
        link = self.links.get((source, destination), self.default)
        state = self.states[source, destination]
        state.sent += 1
        if self._is_lost(link, state, data):
            state.dropped += 1
            return
        departure = self.now
        if link.bandwidth is not None:
            waiting = max(state.free_at - self.now, 0.0) * link.bandwidth
            if waiting + len(data) > link.queue:
                state.dropped += 1
                return
            state.largest_queue = max(state.largest_queue, waiting)
            departure = state.free_at = max(state.free_at, self.now) + len(data) / link.bandwidth
        copies = 2 if self._chance.random() < link.duplication else 1
        for _ in range(copies):
            self._schedule(link, departure, (translated, destination, data))

    def _nat_around(self, address: Hashable) -> Nat | None:
        return next((nat for nat in self.nats if _host(address) in nat.inside), None)

    def _leave(self, source: Hashable, destination: Hashable) -> Hashable | None:
        """The source as the receiver sees it; None when a NAT does not let the datagram through."""
        nat = self._nat_around(source)
        if nat is None or _host(destination) in nat.inside or not self._are_addresses(source, destination):
            return source
        if _host(destination) == nat.public and not nat.hairpin:
            return None
        return nat.translate_out(source, destination, self.now)  # type: ignore[arg-type]

    def _arrive(self, source: Hashable, destination: Hashable) -> Hashable | None:
        """The destination behind its NAT; None when nobody is there for this source."""
        for nat in self.nats:
            if _host(destination) == nat.public:
                return nat.translate_in(source, destination[1], self.now)  # type: ignore[arg-type,index]
        around = self._nat_around(destination)
        return destination if around is None or _host(source) in around.inside else None

    @staticmethod
    def _are_addresses(*addresses: Hashable) -> bool:
        return all(isinstance(address, tuple) for address in addresses)

    def _is_lost(self, link: Link, state: LinkState, data: bytes) -> bool:
        if link.down:
            return True
        if link.mtu is not None and len(data) > link.mtu and not isinstance(data, Fragmentable):
            return True
        bursts = link.bursts
        if bursts is not None:
            state.bad = self._chance.random() < (1 - bursts.recover if state.bad else bursts.worsen)
            if self._chance.random() < (bursts.bad_loss if state.bad else bursts.good_loss):
                return True
        return self._chance.random() < link.loss

    def _schedule(self, link: Link, departure: float, datagram: Datagram) -> None:
        at = departure + link.latency + self._chance.random() * link.jitter
        if self._chance.random() < link.reordering:
            at += link.reordering_delay
        if self.tick:
            at = -(-at // self.tick) * self.tick
        heapq.heappush(self._on_the_way, (at, next(self._order), datagram))

    def _deliver(self) -> None:
        arrived: dict[int, tuple[Endpoint, list[Datagram]]] = {}
        while self._on_the_way and self._on_the_way[0][0] <= self.now:
            _, _, datagram = heapq.heappop(self._on_the_way)
            source, destination, data = datagram
            endpoint = self.endpoints.get(inner := self._arrive(source, destination))
            if endpoint is not None:
                self.states[source, destination].delivered_bytes += len(data)
                arrived.setdefault(id(endpoint), (endpoint, []))[1].append((source, inner, data))
        for endpoint, datagrams in arrived.values():
            endpoint.receive(datagrams, self.now)

    def _expire(self) -> None:
        for party in self._parties():
            deadline = party.next_timeout()
            if deadline is not None and deadline <= self.now:
                party.handle_timeout(self.now)


def _host(address: Hashable) -> Hashable:
    return address[0] if isinstance(address, tuple) else address
