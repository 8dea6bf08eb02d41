"""Spreads packets over time, so that a large frame does not fill the queues of the path at once.

Audio leaves at once. Retransmissions go before video, and video before what only fills a probe.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

AUDIO, RETRANSMISSION, VIDEO = 0, 1, 2
"""Priorities, the first ones first."""

PACING_FACTOR = 2.5
"""How much faster than the estimate packets leave: frames are of different sizes, and none is to wait for long."""

BURST = 0.005
"""Seconds' worth that may leave in one wake-up."""

NEAR_BURST = 0.02
"""The same on a near path: of a frame there the wake-ups, of both ends, cost more than all else."""

NEAR = 0.005
"""Seconds of round trip below which a path is near: within one network, whose queues take more than a frame."""

PACKET = 1200
"""Bytes by which what leaves may be ahead of its time: a packet is not cut."""

MIN_SLEEP = 0.001
"""Seconds between two wake-ups; timers below that spin."""

MAX_QUEUED_TIME = 2.0
"""Seconds' worth that is kept; of more, the oldest packets of the lowest priority are dropped."""

_T = TypeVar("_T")


class Pacer(Generic[_T]):
    """A queue of whatever stands for a packet."""

    __slots__ = ("_budget", "_burst", "_queued_bytes", "_queues", "_rate", "_updated_at", "dropped")

    def __init__(self, bitrate: float, now: float) -> None:
        self._queues: tuple[deque[tuple[_T, int]], ...] = (deque(), deque(), deque())
        self._queued_bytes = 0
        self._rate = bitrate * PACING_FACTOR / 8
        self._budget = 0.0
        self._burst = BURST
        self._updated_at = now
        self.dropped = 0
        """Packets that were too many."""

    @property
    def queued_bytes(self) -> int:
        """What waits."""
        return self._queued_bytes

    @property
    def queue_time(self) -> float:
        """Seconds until what waits now has left; an encoder that sees much of that had better skip a frame."""
        return self._queued_bytes / self._rate

    def set_bitrate(self, bitrate: float, *, probing: float = 0.0) -> None:
        """Follow the estimate, bit/s; a probe says itself how fast it leaves."""
        self._rate = max(bitrate * PACING_FACTOR, probing) / 8

    def set_round_trip(self, seconds: float) -> None:
        """Let longer bursts leave on a near path."""
        self._burst = NEAR_BURST if seconds < NEAR else BURST

    def put(self, item: _T, size: int, priority: int) -> None:
        """Let a packet of `size` bytes wait for its turn."""
        self._queues[priority].append((item, size))
        self._queued_bytes += size
        while self._queued_bytes > MAX_QUEUED_TIME * self._rate and (
            queue := self._queues[VIDEO] or self._queues[RETRANSMISSION]
        ):
            self._queued_bytes -= queue.popleft()[1]
            self.dropped += 1

    def take(self, now: float) -> list[_T]:
        """Give the packets that leave now."""
        burst = self._rate * self._burst
        self._budget = min(self._budget + (now - self._updated_at) * self._rate, burst)
        self._updated_at = now
        leaving: list[_T] = []
        for priority, queue in enumerate(self._queues):
            # Audio borrows; the others leave while the budget is not used up.
            while queue and (priority == AUDIO or self._budget >= 0):
                item, size = queue.popleft()
                self._queued_bytes -= size
                self._budget -= size
                leaving.append(item)
        return leaving

    def spare(self, now: float) -> int:
        """Give the bytes that may leave now beside what waits: what a probe may be filled with."""
        if any(self._queues):
            return 0
        earned = self._budget + (now - self._updated_at) * self._rate
        return max(int(min(earned, self._rate * self._burst)), 0)

    def use(self, size: int) -> None:
        """Count what left beside the queue."""
        self._budget -= size

    def next_timeout(self) -> float | None:
        """When `take` has something to give; None when nothing waits."""
        if self._queues[AUDIO]:
            return self._updated_at
        if not self._queued_bytes:
            return None
        if self._budget >= 0:
            return self._updated_at
        # All that is left, or a burst, together: the last packet leaves no later than if each had a wake-up of its own.
        wanted = min(max(self._queued_bytes - PACKET, 0), self._rate * self._burst)
        return self._updated_at + max((wanted - self._budget) / self._rate, MIN_SLEEP)
