"""A queue in which every packet waits, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from peerix.core.rtp.bandwidth import PacketResult
from peerix.core.rtp.bandwidth.rates import AcknowledgedRate
from peerix.core.rtp.bandwidth.standing_queue import (
    DRAIN_TIME,
    INTERVAL,
    MIN_WAIT,
    PATIENCE,
    SETTLE_TIME,
    QueueingDelay,
    StandingQueue,
)
from tests.core.rtp.flow import Flow
from tests.core.rtp.link import Link

CLOCKS = 7_000.0
"""What the other side's clock is ahead."""

PATH = 0.03
ROUND_TRIP = 0.1
STEP = 0.05


def lasting(waits: list[float], *, arriving: float = 1e6, path: float = PATH) -> bool:
    """Whether a queue stays, after feedback each `STEP` that tells of these waits."""
    delay = QueueingDelay()
    for number, wait in enumerate(waits):
        delay.receive(CLOCKS + path + wait, arriving, number * STEP)
    return delay.is_lasting((len(waits) - 1) * STEP)


LONG = [2 * MIN_WAIT] * (round(INTERVAL / STEP) + 2)


def test_packets_that_all_wait_are_a_queue_that_stays() -> None:
    assert lasting([0.0, *LONG])


def test_a_long_path_is_no_queue() -> None:
    assert not lasting(LONG)


def test_a_queue_that_empties_between_two_frames_does_not_stay() -> None:
    assert not lasting([0.0, *LONG, 0.0, *LONG[:2]])


def test_a_packet_behind_another_on_a_slow_path_is_no_queue() -> None:
    assert not lasting([0.0, *LONG], arriving=100e3)


def test_a_queue_that_stays_for_minutes_is_not_taken_for_the_path() -> None:
    assert lasting([0.0, *LONG * 200])


@dataclass
class Path:
    """A link of `rate` bit/s; what waits in its queue is ours, unless it is that of `others`, who make way for us."""

    rate: float = 1e6
    waiting: float = 0.0
    others: bool = False

    def __post_init__(self) -> None:
        self.now = 0.0
        self.number = 0
        self.arrived = AcknowledgedRate()
        self.queue = StandingQueue()

    def run(self, seconds: float, sent: float) -> list[float]:
        """Send so fast for a while, and give what was said of it."""
        said: list[float] = []
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            results = [self.result(sent, number) for number in range(5)]
            arriving = self.rate if self.waiting and not self.others else self.arrived.bitrate()
            wanted = self.queue.receive(results, sent, arriving, ROUND_TRIP, self.now)
            if wanted is not None:
                said.append(wanted)
        return said

    def result(self, sent: float, number: int) -> PacketResult:
        self.number += 1
        at, size = self.now - STEP + number * STEP / 5, round(sent * STEP / 8 / 5)
        arrived_at = CLOCKS + at + PATH + self.waiting
        self.arrived.receive(size, arrived_at)
        return PacketResult(self.number, size, at, arrived_at, 0)


def test_the_bitrate_falls_below_what_arrives_again_and_again_while_the_queue_stays() -> None:
    path = Path()
    path.run(1.0, 0.9e6)
    path.waiting = 0.2
    # All that arrives is what the link carries, whatever is sent; the first look only begins to wait.
    assert path.run(INTERVAL + 2 * (ROUND_TRIP + SETTLE_TIME) + 3 * STEP, 1.1e6) == [0.85e6, 0.85e6]
    assert path.queue.is_standing
    assert path.run(ROUND_TRIP + SETTLE_TIME, 0.9e6) == pytest.approx([0.85 * 0.9e6])


def test_a_queue_that_empties_soon_enough_is_left_to_it() -> None:
    path = Path()
    path.run(1.0, 0.9e6)
    path.waiting = 0.4
    path.run(INTERVAL + 3 * STEP, 0.8e6)
    assert path.queue.is_standing
    said: list[float] = []
    for _ in range(round(DRAIN_TIME / STEP)):
        path.waiting -= 1.2 * STEP * path.waiting / DRAIN_TIME + 0.003
        said += path.run(STEP, 0.8e6)
    assert said == []


def test_the_queue_of_others_is_put_up_with_and_the_bitrate_is_as_before() -> None:
    path = Path()
    path.run(1.0, 0.5e6)
    path.others, path.waiting = True, 0.2
    sent, bitrates = 0.5e6, [0.5e6]
    for _ in range(100):
        said = path.run(STEP, sent)
        bitrates += said
        sent = said[-1] if said else sent
    assert bitrates == pytest.approx([0.5e6, 0.425e6, 0.36125e6, 0.3070625e6, 0.5e6])
    assert not path.queue.is_standing
    assert path.run(PATIENCE - 10, 0.5e6) == []


def test_who_sends_too_much_is_not_taken_for_another() -> None:
    """The link becomes still narrower while its queue is full."""
    path = Path(waiting=0.0)
    path.run(1.0, 1e6)
    path.waiting = 0.2
    path.run(1.0, 1.1e6)
    path.rate = 0.4e6
    said = path.run(3.0, 0.7e6)
    assert said
    assert max(said) <= 0.85 * 0.4e6


class Occupied(Link):
    """A link whose queue others keep filled from some time on: they leave room for whatever comes."""

    filled_from = float("inf")

    def receive(self, now: float) -> list[tuple[float, bytes]]:
        if now >= self.filled_from:
            self.free_at = max(self.free_at, now + 0.15)
        return super().receive(now)


def test_beside_others_who_keep_the_queue_filled_the_bitrate_does_not_vanish() -> None:
    link = Occupied(1, rate=4e6 / 8)
    flow = Flow(link, maximum=2e6).run(4.0)
    link.filled_from = flow.now
    flow.run(10.0)
    assert flow.average(3.0) > 1e6
