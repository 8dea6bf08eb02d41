"""Video on a link that becomes narrow, with queues of many sizes that drop at their end, in virtual time.

An encoder follows its bitrate by and by, sends somewhat more than it is told, and its pictures are of different sizes:
so the queue of the narrow link is full soon, and the delays in it grow no more.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

import pytest

from peerix.core.session.media import BitrateChanged, KeyFrameRequested
from tests.simulation.test_media import RATE, vp8
from tests.support.media_peers import MediaPeer, media_peers
from tests.support.simnet import Link

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.simnet import Datagram

WIDE, NARROW = 4e6, 1e6
FALL, RISE, END = 8, 18, 30
"""Seconds."""

BDP = 7_500
"""Bytes: that of the narrow link, at a round trip of 60 ms."""

SPREAD = 0.3
KEY_FRAME = 4
"""Of the size of other pictures."""

LAG = 6
"""Pictures that it takes the encoder to follow."""


class Encoder:
    """Makes pictures of different sizes, and more of them than it is told."""

    def __init__(self, peer: MediaPeer, overshoot: float, seed: int) -> None:
        self.peer, self.overshoot = peer, overshoot
        self.chance = random.Random(seed)
        self.target = self.bitrate = 300e3
        (self.mid,) = peer.media.sending
        self.is_key_wanted = True
        self.number = self.seen = 0

    def send(self) -> None:
        for _, event in self.peer.events[self.seen :]:
            if isinstance(event, BitrateChanged):
                self.target = event.bitrate * self.overshoot
            elif isinstance(event, KeyFrameRequested):
                self.is_key_wanted = True
        self.seen = len(self.peer.events)
        self.bitrate += (self.target - self.bitrate) / LAG
        size = self.bitrate / RATE / 8
        size *= KEY_FRAME if self.is_key_wanted else self.chance.lognormvariate(-(SPREAD**2) / 2, SPREAD)
        data = vp8(self.number, int(size), key=self.is_key_wanted)
        self.peer.media.send(self.mid, data, self.number * 3000, self.peer.network.now)
        self.is_key_wanted = False
        self.number += 1


@dataclass(slots=True, frozen=True)
class Ride:
    """What the sender sent, bits in each tenth of a second, and how long the queue was after each picture, seconds."""

    sent: list[float]
    queues: list[float]

    def time_until(self, begin: int, end: int, low: float, high: float) -> float:
        """Seconds from `begin` until a whole second is within the bounds."""
        for tenth in range(10 * begin, 10 * end - 9):
            if low <= sum(self.sent[tenth : tenth + 10]) <= high:
                return tenth / 10 - begin
        return float("inf")

    def rate(self, begin: int, end: int) -> float:
        return fmean(self.sent[10 * begin : 10 * end]) * 10

    def queue(self, begin: int, end: int) -> float:
        return median(self.queues[RATE * begin : RATE * end])


def ride(seed: int, queue: int, overshoot: float) -> Ride:
    """From a wide link onto a narrow one, and back."""
    links = [Link(latency=0.03, bandwidth=rate / 8, queue=queue) for rate in (WIDE, NARROW)]
    a, _ = media_peers(links[0], seed=seed)
    a.media.set_maximum(6e6)
    network, began, to_send = a.network, a.network.now, a.to_send
    sent = [0.0] * (10 * END + 10)
    queues: list[float] = []

    def count(now: float) -> Iterable[Datagram]:
        for datagram in to_send(now):
            sent[int((now - began) * 10)] += len(datagram[2]) * 8
            yield datagram

    a.to_send = count  # type: ignore[method-assign]
    encoder = Encoder(a, overshoot, seed)
    for number in range(RATE * END):
        network.default = links[RATE * FALL <= number < RATE * RISE]
        encoder.send()
        network.run(began + (number + 1) / RATE - network.now)
        queues.append(max(network.states["a", "b"].free_at - network.now, 0.0))
    return Ride(sent, queues)


CASES = [
    pytest.param(
        seed, queue, overshoot, marks=() if (seed, overshoot) == (1, 1.1) and queue in {2, 8} else pytest.mark.slow
    )
    for seed in (1, 2, 3)
    for queue in (1, 2, 4, 8)
    for overshoot in (1.0, 1.1)
]


@pytest.mark.parametrize(("seed", "queue", "overshoot"), CASES)
def test_a_full_queue_makes_the_sender_send_less_until_it_is_empty(seed: int, queue: int, overshoot: float) -> None:
    ridden = ride(seed, queue * BDP, overshoot)
    assert ridden.time_until(FALL, RISE, 0, NARROW) < 2
    assert ridden.rate(FALL + 2, RISE) < NARROW
    assert ridden.rate(FALL + 2, RISE) > 0.6 * NARROW
    assert ridden.queue(FALL + 4, RISE) < 0.05
    assert ridden.time_until(RISE, END, 0.75 * WIDE, 2 * WIDE) < 10
