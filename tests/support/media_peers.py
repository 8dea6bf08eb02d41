"""Two ends of a media transport on a simulated network: RTP, its feedback and its pacing, in virtual time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from peerix.core.jsep import LocalTransport, Negotiator
from peerix.core.sdp import Direction, Fingerprint
from peerix.core.session.media import DEFAULT_CAPABILITIES, MediaTransport
from peerix.core.srtp import AEAD_AES_128_GCM, SrtpKeys, SrtpSession
from tests.support.simnet import Link, Network

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from peerix.core.jsep import MediaCapabilities
    from peerix.core.session.media import MediaEvent
    from tests.support.simnet import Datagram

KEYS = {name: random.Random(name).randbytes(28) for name in ("a", "b")}


class MediaPeer:
    """One end: what it heard is in `events`, what it is asked to send goes by `send`."""

    def __init__(
        self, network: Network, name: str, other: str, capabilities: MediaCapabilities = DEFAULT_CAPABILITIES
    ) -> None:
        self.network, self.name, self.other = network, name, other
        self.negotiator = Negotiator(random_bytes=random.Random(name).randbytes, capabilities=capabilities)
        self.media = MediaTransport(random.Random(f"media {name}").randbytes, 1_000_000.0, network.now)
        self.events: list[tuple[float, MediaEvent]] = []
        network.attach(self, name)

    @property
    def transport(self) -> LocalTransport:
        return LocalTransport(self.name * 4, self.name * 22, [Fingerprint("sha-256", (bytes(32).hex(":")))])

    def add(self, kind: str, direction: Direction = Direction.SENDRECV, rids: Sequence[str] = ()) -> None:
        self.negotiator.add_transceiver(kind, direction=direction, rids=rids)  # type: ignore[arg-type]

    def start(self) -> None:
        self.media.start(SrtpSession(SrtpKeys(AEAD_AES_128_GCM, KEYS[self.name], KEYS[self.other])))

    def configure(self) -> None:
        self.media.configure(self.negotiator.transceivers)

    # -- an endpoint of the network

    def receive(self, datagrams: Sequence[Datagram], now: float) -> None:
        self.media.receive([data for _, _, data in datagrams], now)
        self.take_events(now)

    def handle_timeout(self, now: float) -> None:
        self.media.handle_timeout(now)
        self.take_events(now)

    def next_timeout(self) -> float | None:
        return self.media.next_timeout()

    def to_send(self, now: float) -> Iterable[Datagram]:
        for data in self.media.datagrams_to_send(now):
            yield self.name, self.other, data

    def take_events(self, now: float) -> None:
        self.events += ((now, event) for event in self.media.poll_events())


def negotiate(offerer: MediaPeer, answerer: MediaPeer) -> None:
    """One offer and one answer."""
    offer = offerer.negotiator.create_offer(offerer.transport)
    offerer.negotiator.set_local(offer, offerer.transport)
    answerer.negotiator.set_remote(offer)
    for transceiver in answerer.negotiator.transceivers:
        transceiver.direction = Direction.SENDRECV
    answer = answerer.negotiator.create_answer(answerer.transport)
    answerer.negotiator.set_local(answer, answerer.transport)
    offerer.negotiator.set_remote(answer)
    offerer.configure()
    answerer.configure()


def media_peers(
    link: Link,
    *,
    seed: int = 0,
    kinds: Sequence[str] = ("video",),
    rids: Sequence[str] = (),
    capabilities: MediaCapabilities = DEFAULT_CAPABILITIES,
) -> tuple[MediaPeer, MediaPeer]:
    """Two ends that have agreed on one section of each kind, sent both ways; video of the first in encodings.

    :param capabilities: of the second one.
    """
    network = Network(seed=seed, default=link, tick=0.001)
    a, b = MediaPeer(network, "a", "b"), MediaPeer(network, "b", "a", capabilities)
    for kind in kinds:
        a.add(kind, rids=rids if kind == "video" else ())
    negotiate(a, b)
    a.start()
    b.start()
    return a, b
