"""What a sender believes of its path: how much it carries, how long it takes, and whether its queue overflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peerix.core.sctp.delivery import DeliverySample

MIN_RTT_WINDOW = 10.0
"""Seconds after which the least round trip has to be seen again."""

IDLE_TIME = 1.0
"""Seconds between SACKs from which on the time between them does not count: nothing was sent that could tell."""

MIN_RTT_TOLERANCE = 1 / 32
"""A round trip so much longer than the least one still confirms it."""

QUEUE_DIVISOR = 4
"""Two rounds whose least round trip exceeds that of the path by this part of it have met a queue all the time."""

MIN_QUEUE = 0.004
"""Seconds of queue below which nothing is called one."""

LOSS_WITH_QUEUE = 0.02
"""Part of what is in flight: more losses a round, and a queue, mean that the queue overflows."""

LOSS_ALONE = 0.15
"""So many losses mean it whatever the round trips say: a shallow queue, or a policer."""

UNKNOWN = 3600.0


class PathModel:
    """Bandwidth, round trip, and the losses of this round.

    :ivar bandwidth: bytes a second, the most that was seen in the last two probing cycles.
    :ivar min_rtt: seconds, the least of the last while; `UNKNOWN` before the first.
    """

    __slots__ = (
        "_confirmed_at",
        "_last_cycle",
        "_last_round_rtt",
        "_least",
        "_round_lost",
        "_round_rtt",
        "_this_cycle",
        "_updated_at",
        "bandwidth",
        "min_rtt",
    )

    def __init__(self) -> None:
        self.bandwidth = 0.0
        self.min_rtt = UNKNOWN
        self._round_rtt = UNKNOWN
        self._last_round_rtt = UNKNOWN
        self._this_cycle = 0.0
        self._last_cycle = 0.0
        self._confirmed_at = 0.0
        self._least = UNKNOWN
        """The least round trip since the last one was too old."""
        self._round_lost = 0
        self._updated_at = 0.0

    @property
    def bdp(self) -> float:
        """Bytes that fill the path and no queue."""
        return self.bandwidth * self.min_rtt

    def update(self, sample: DeliverySample, now: float) -> None:
        """Learn from a SACK."""
        if now - self._updated_at > IDLE_TIME:
            self._confirmed_at += now - self._updated_at
        self._updated_at = now
        if sample.round_start:
            self._round_lost = 0
            self._last_round_rtt, self._round_rtt = self._round_rtt, UNKNOWN
        self._round_lost += sample.lost
        if sample.rtt is not None:
            self._update_rtt(sample.rtt, now)
        rate = sample.rate
        if rate > self._this_cycle and (rate > self.bandwidth or not sample.app_limited):
            self._this_cycle = rate
            self.bandwidth = max(rate, self._last_cycle)

    def _update_rtt(self, rtt: float, now: float) -> None:
        self._round_rtt = min(self._round_rtt, rtt)
        if rtt <= self.min_rtt * (1 + MIN_RTT_TOLERANCE):
            self.min_rtt = min(self.min_rtt, rtt)
            self._confirmed_at = now
            self._least = UNKNOWN
        elif self.is_stale(now):
            self._least = min(self._least, rtt)

    def is_stale(self, now: float) -> bool:
        """Whether the least round trip was not seen for long."""
        return now - self._confirmed_at > MIN_RTT_WINDOW

    def accept_rtt(self, now: float) -> None:
        """Believe in the least round trip that was seen since the old one was too old."""
        if self._least < UNKNOWN:
            self.min_rtt, self._least = self._least, UNKNOWN
        self._confirmed_at = now

    def next_cycle(self) -> None:
        """Forget the bandwidth of the cycle before the last one."""
        self._last_cycle, self._this_cycle = self._this_cycle, 0.0
        self.bandwidth = max(self._last_cycle, self._this_cycle) or self.bandwidth

    @property
    def recent_rtt(self) -> float:
        """Seconds: the least round trip of the last two rounds; `UNKNOWN` without any."""
        return min(self._round_rtt, self._last_round_rtt)

    @property
    def queueing(self) -> bool:
        """Whether all of the last two rounds met a queue."""
        return self.recent_rtt < UNKNOWN and self.is_delayed(self.recent_rtt)

    def is_delayed(self, rtt: float) -> bool:
        """Whether a round trip is so long that there must be a queue."""
        return rtt - self.min_rtt > max(self.min_rtt / QUEUE_DIVISOR, MIN_QUEUE)

    def overflows(self, in_flight: int, packet_size: int) -> bool:
        """Whether the losses of this round say that a queue overflows, and not only that the path loses some."""
        lost = self._round_lost
        if lost > max(LOSS_ALONE * in_flight, 8 * packet_size):
            return True
        return lost > max(LOSS_WITH_QUEUE * in_flight, packet_size) and self.queueing
