"""Two associations that talk to each other, at once or over a simulated network."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from peerix.core.sctp import (
    Association,
    AssociationEstablished,
    AssociationEvent,
    AssociationState,
    MessageReceived,
    MessagesReceived,
    NewReno,
    SctpConfig,
    is_probe,
)
from tests.support.simnet import Fragmentable, Link, Network

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from peerix.core.sctp.delivery import DeliverySample
    from tests.support.simnet import Datagram

START = 100_000.0
"""A clock counts from when the machine was started: what takes a missing time for 0 shows."""


class Unpaced(NewReno):
    """What the window has room for leaves at once: a test may then say which packets leave at which moment."""

    def receive_acked(self, sample: DeliverySample, now: float) -> None:
        super().receive_acked(sample, now)
        self.pacing_rate = 0.0


def random_bytes(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


def association(seed: int = 1, *, max_packet_size: int = 1160, config: SctpConfig | None = None) -> Association:
    return Association(random_bytes=random_bytes(seed), max_packet_size=max_packet_size, config=config)


class End:
    """An association as an endpoint of a network. What it delivers is released at once unless `reading` is False."""

    def __init__(self, association: Association, address: Hashable, peer: Hashable) -> None:
        self.association = association
        self.address = address
        self.peer = peer
        self.events: list[AssociationEvent] = []
        self.messages: list[tuple[int, bytes]] = []
        self.arrivals: list[float] = []
        self.reading = True
        self.most_packets = 64

    def receive(self, datagrams: Sequence[Datagram], now: float) -> None:
        self.association.receive_packets([data for _, _, data in datagrams], now)
        self.poll(now)

    def poll(self, now: float) -> None:
        for event in singly(self.association.poll_events()):
            if isinstance(event, MessageReceived):
                self.messages.append((event.stream_id, event.data))
                self.arrivals.append(now)
                if self.reading:
                    self.association.release(len(event.data))
            else:
                self.events.append(event)

    def handle_timeout(self, now: float) -> None:
        self.association.handle_timeout(now)
        self.poll(now)

    def next_timeout(self) -> float | None:
        return self.association.next_timeout()

    def to_send(self, now: float) -> Iterable[Datagram]:
        packets = self.association.packets_to_send(now, self.most_packets)
        self.poll(now)
        size = self.association.max_packet_size
        return [
            (self.address, self.peer, Fragmentable(packet) if len(packet) > size and not is_probe(packet) else packet)
            for packet in packets
        ]

    def on_stream(self, stream_id: int) -> list[bytes]:
        return [data for stream, data in self.messages if stream == stream_id]


class Pair:
    """Two ends, called a and b, and the network between them."""

    def __init__(
        self,
        link: Link | None = None,
        *,
        back: Link | None = None,
        seed: int = 0,
        tick: float = 0.0,
        config: SctpConfig | None = None,
        b_config: SctpConfig | None = None,
        max_packet_size: int = 1160,
    ) -> None:
        self.network = Network(seed=seed, tick=tick, now=START)
        if config is None:
            config = SctpConfig(path_mtu_discovery=False)
        self.a = End(association(seed * 2 + 1, max_packet_size=max_packet_size, config=config), "a", "b")
        self.b = End(association(seed * 2 + 2, max_packet_size=max_packet_size, config=b_config or config), "b", "a")
        self.network.attach(self.a, "a")
        self.network.attach(self.b, "b")
        self.network.connect("a", "b", link or Link(), back or link or Link())

    @property
    def now(self) -> float:
        return self.network.now

    def connect(self, seconds: float = 30.0) -> Pair:
        self.a.association.connect(self.now)
        self.b.association.connect(self.now)
        established = self.run(seconds, lambda: self.states() == (AssociationState.ESTABLISHED,) * 2)
        assert established
        for end in (self.a, self.b):
            assert isinstance(end.events.pop(0), AssociationEstablished)
        return self

    def states(self) -> tuple[AssociationState, AssociationState]:
        return self.a.association.state, self.b.association.state

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        return self.network.run(seconds, until)

    def send(self, data: bytes, stream_id: int = 0, *, ppid: int = 53, ordered: bool = True, **limits: float) -> None:
        self.a.association.send_message(
            stream_id,
            ppid,
            data,
            ordered=ordered,
            max_retransmits=int(limits["max_retransmits"]) if "max_retransmits" in limits else None,
            max_packet_life_time=limits.get("max_packet_life_time"),
            now=self.now,
        )


def exchange(a: Association, b: Association, now: float = START) -> None:
    """Let packets pass at once, in both directions, until both are silent."""
    for _ in range(10_000):
        there = a.packets_to_send(now, 64)
        if there:
            b.receive_packets(there, now)
        back = b.packets_to_send(now, 64)
        if back:
            a.receive_packets(back, now)
        if not there and not back:
            return
    raise AssertionError("they never fall silent")


def connected(config: SctpConfig | None = None, b_config: SctpConfig | None = None) -> tuple[Association, Association]:
    config = SctpConfig(congestion_control=Unpaced) if config is None else config
    a, b = association(1, config=config), association(2, config=b_config or config)
    a.connect(START)
    b.connect(START)
    exchange(a, b)
    a.poll_events()
    b.poll_events()
    return a, b


def singly(events: Iterable[AssociationEvent]) -> Iterator[AssociationEvent]:
    """The events with one for each message."""
    for event in events:
        if isinstance(event, MessagesReceived):
            for data in event.messages:
                yield MessageReceived(event.stream_id, event.ppid, data)
        else:
            yield event


def received(end: Association) -> list[MessageReceived]:
    """What arrived; everything else that happened is dropped."""
    messages = [event for event in singly(end.poll_events()) if isinstance(event, MessageReceived)]
    for message in messages:
        end.release(len(message.data))
    return messages
