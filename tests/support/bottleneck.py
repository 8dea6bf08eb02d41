"""Several associations that share one bottleneck in virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

from tests.core.sctp.pairs import START, End, association
from tests.support.simnet import Link, Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.core.sctp import SctpConfig
    from tests.support.simnet import Datagram

OVERHEAD = 65
"""Bytes on the wire beyond an SCTP packet: a DTLS record, UDP and IPv4."""

MESSAGE = bytes(30_000)
BUFFERED = 1_000_000


class Side:
    """The ends of all flows on one side of the bottleneck; a flow's number goes before its packets."""

    def __init__(self, here: str, there: str) -> None:
        self.here = here
        self.there = there
        self.ends: list[End] = []

    def receive(self, datagrams: Sequence[Datagram], now: float) -> None:
        batches: dict[int, list[Datagram]] = {}
        for source, destination, data in datagrams:
            batches.setdefault(data[0], []).append((source, destination, data[OVERHEAD:]))
        for number, batch in batches.items():
            self.ends[number].receive(batch, now)

    def handle_timeout(self, now: float) -> None:
        for end in self.ends:
            at = end.next_timeout()
            if at is not None and at <= now:
                end.handle_timeout(now)

    def next_timeout(self) -> float | None:
        return min((at for end in self.ends if (at := end.next_timeout()) is not None), default=None)

    def to_send(self, now: float) -> list[Datagram]:
        """Let the flows take turns, packet by packet."""
        turns = [
            [bytes([number]).ljust(OVERHEAD, b"\0") + data for _, _, data in end.to_send(now)]
            for number, end in enumerate(self.ends)
        ]
        return [(self.here, self.there, data) for turn in zip_longest(*turns) for data in turn if data is not None]


class Bulk(End):
    """An end that always has something to send on stream 0, from `starts_at` on."""

    starts_at = float("inf")

    def to_send(self, now: float) -> Sequence[Datagram]:
        while now >= self.starts_at and self.association.total_buffered < BUFFERED:
            self.association.send_message(0, 53, MESSAGE, now=now)
        return list(super().to_send(now))

    def next_timeout(self) -> float | None:
        at = super().next_timeout()
        if self.association.counters.sent.messages:
            return at
        return self.starts_at if at is None else min(at, self.starts_at)


class Tally(End):
    """An end that counts what arrives, and keeps nothing but what is not bulk."""

    received = 0

    def poll(self, now: float) -> None:
        super().poll(now)
        bulk = [data for stream, data in self.messages if not stream]
        if bulk:
            self.received += sum(map(len, bulk))
            self.messages = [(stream, data) for stream, data in self.messages if stream]
            self.arrivals.clear()


@dataclass(slots=True)
class Bottleneck:
    """Flows from left to right through one link; the way back has the same latency and no limit.

    :ivar queue_samples: seconds of queue, every 5 ms of `run`.
    """

    link: Link
    configs: Sequence[SctpConfig]
    starts: Sequence[float] = ()
    seed: int = 0
    packet_size: int = 1432
    tick: float = 0.0
    network: Network = field(init=False)
    senders: list[Bulk] = field(default_factory=list)
    receivers: list[Tally] = field(default_factory=list)
    queue_samples: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.network = Network(seed=self.seed, now=START, tick=self.tick)
        left, right = Side("left", "right"), Side("right", "left")
        for number, config in enumerate(self.configs):
            for side, kind, flows in ((left, Bulk, self.senders), (right, Tally, self.receivers)):
                made = association(
                    self.seed + 2 * number + (side is right), max_packet_size=self.packet_size, config=config
                )
                end = kind(made, side.here, side.there)
                side.ends.append(end)
                flows.append(end)  # type: ignore[arg-type]
        self.network.attach(left, "left")
        self.network.attach(right, "right")
        self.network.connect("left", "right", self.link, Link(latency=self.link.latency))
        for sender, receiver in zip(self.senders, self.receivers, strict=True):
            sender.association.connect(START)
            receiver.association.connect(START)
        self.network.run(2.0)
        for sender, after in zip(self.senders, self.starts or [0.0] * len(self.configs), strict=True):
            sender.starts_at = self.network.now + after

    def run(self, seconds: float) -> list[float]:
        """Let time pass; return what each flow delivered in it, in bytes a second."""
        before = [receiver.received for receiver in self.receivers]
        state = self.network.states["left", "right"]
        end = self.network.now + seconds
        while self.network.now < end:
            self.network.run(min(0.005, end - self.network.now + 1e-9))
            self.queue_samples.append(max(state.free_at - self.network.now, 0.0))
        return [(receiver.received - start) / seconds for receiver, start in zip(self.receivers, before, strict=True)]
