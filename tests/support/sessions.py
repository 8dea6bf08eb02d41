"""Whole sessions on a simulated network: ICE, SCTP, data channels and their negotiation in virtual time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeAlias

from peerix.core.datachannel import ChannelClosed, ChannelMessage, ChannelMessages, ChannelOpened, ChannelReceived
from peerix.core.dtls import Fingerprint
from peerix.core.session import ConnectionStateChanged, GatheringNeeded, LocalCandidate, Session, TracksChanged
from peerix.core.session.media import (
    BitrateChanged,
    FrameReceived,
    KeyFrameRequested,
    SessionMedia,
    SoundReceived,
)
from peerix.core.session.transport import FRAGMENTABLE
from tests.support.dtls_double import DtlsDouble
from tests.support.simnet import Fragmentable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from peerix.core.datachannel import Channel
    from peerix.core.session.media import MediaEvent
    from tests.support.simnet import Datagram, Network

Address: TypeAlias = tuple[str, int]


class SimulatedPeer:
    """A session as an endpoint of a simulated network, with one port on each of its addresses.

    What it receives is read at once; `messages` has it by label.
    """

    def __init__(
        self, network: Network, name: str, hosts: Sequence[str], *, seed: int = 0, media: bool = False
    ) -> None:
        digest = random.Random(f"certificate {name}{seed}").randbytes(32)
        fingerprint = Fingerprint("sha-256", digest.hex(":").upper())
        self.network = network
        self.session = Session(
            random_bytes=random.Random(f"{name}{seed}").randbytes,
            dtls=DtlsDouble(fingerprint),
            fingerprints=[fingerprint],
            receive_limit=4 * 1024 * 1024,
            media=SessionMedia(random.Random(f"media {name}{seed}").randbytes, 1_000_000.0) if media else None,
        )
        self.ports: list[Address] = [(host, 5000 + number) for number, host in enumerate(hosts)]
        self.messages: dict[str, list[str | bytes]] = {}
        self.arrivals: list[float] = []
        self.channels: dict[str, Channel] = {}
        self.closed: list[str] = []
        self.states: list[str] = []
        self.candidates: list[LocalCandidate] = []
        self.media_events: list[MediaEvent | TracksChanged] = []
        network.attach(self, *self.ports)

    # -- an endpoint of the network

    def receive(self, datagrams: Sequence[Datagram], now: float) -> None:
        for source, destination, data in datagrams:
            assert isinstance(source, tuple)
            port = self.ports.index(destination)  # type: ignore[arg-type]
            self.session.receive_datagrams(port, [(source, data, 0)], now)
        self.take_events(now)

    def handle_timeout(self, now: float) -> None:
        self.session.handle_timeout(now)
        self.take_events(now)

    def next_timeout(self) -> float | None:
        return self.session.next_timeout()

    def to_send(self, now: float) -> Iterable[Datagram]:
        for port, destination, buffer, size in self.session.datagrams_to_send(now):
            if size == FRAGMENTABLE:
                yield self.ports[port], destination, Fragmentable(buffer)
                continue
            step = size or len(buffer)
            for start in range(0, len(buffer), step):
                yield self.ports[port], destination, buffer[start : start + step]

    # -- what a shell does

    def take_events(self, now: float) -> None:
        while events := self.session.poll_events():
            for event in events:
                self._take(event, now)

    def _take(self, event: object, now: float) -> None:
        if isinstance(event, GatheringNeeded):
            for number, (host, port) in enumerate(self.ports):
                self.session.add_local_address(host, port, number, 65_535 - number, now)
            self.session.end_of_gathering(now)
        elif isinstance(event, ChannelMessage):
            self.messages.setdefault(event.channel.label, []).append(event.data)
            self.arrivals.append(now)
            self.session.association.release(event.size)
        elif isinstance(event, ChannelMessages):
            self.messages.setdefault(event.channel.label, []).extend(event.messages)
            self.arrivals += [now] * len(event.messages)
            self.session.association.release(event.size)
        elif isinstance(event, ChannelOpened | ChannelReceived):
            self.channels[event.channel.label] = event.channel
        elif isinstance(event, ChannelClosed):
            self.closed.append(event.channel.label)
        elif isinstance(event, ConnectionStateChanged):
            self.states.append(event.state.value)
        elif isinstance(event, FrameReceived | SoundReceived | KeyFrameRequested | BitrateChanged | TracksChanged):
            self.media_events.append(event)
        elif isinstance(event, LocalCandidate):
            self.candidates.append(event)

    def open(self, label: str, **options: object) -> Channel:
        channel = self.session.channels.open(label, now=self.network.now, **options)  # type: ignore[arg-type]
        self.session.data_channel_added()
        self.take_events(self.network.now)
        return channel

    def send(self, label: str, data: str | bytes) -> None:
        self.session.channels.send(self.channels[label], data, self.network.now)


def negotiate(offerer: SimulatedPeer, answerer: SimulatedPeer) -> None:
    """One offer and one answer, at once; candidates inside."""
    now = offerer.network.now
    for here, there in ((offerer, answerer), (answerer, offerer)):
        here.session.set_local_description(None, now)
        here.take_events(now)
        description = here.session.negotiation.local_description
        assert description is not None
        there.session.set_remote_description(description, now)
        there.take_events(now)
