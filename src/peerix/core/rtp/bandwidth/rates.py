"""From what is seen of the path to a bitrate: what arrives, how delay and loss change the estimate (bit/s)."""

from __future__ import annotations

from collections import deque

from peerix.core.rtp.bandwidth.trendline import Usage

WINDOW = 0.5
"""Seconds over which what arrives is averaged."""

DECREASE = 0.85
"""Of what arrives, when the queue grows (draft-ietf-rmcat-gcc-02 section 5.5)."""

INCREASE = 0.08
"""Share a second by which the estimate grows far from the capacity (section 5.5)."""

HEADROOM = 1.5
"""The estimate is at most this much of what arrives: nobody knows the path beyond what was tried."""

LOSS_HIGH = 0.1
LOSS_LOW = 0.02
"""Above the one the bitrate falls with the loss, below the other it may rise (section 6)."""

_MIN_ADDITIVE = 4_000.0
_DECREASE_INTERVAL = 0.3


class AcknowledgedRate:
    """The bitrate that arrives, by the receiver's clock."""

    __slots__ = ("_arrivals", "_bytes")

    def __init__(self) -> None:
        self._arrivals: deque[tuple[float, int]] = deque()
        self._bytes = 0

    def receive(self, size: int, arrived_at: float) -> None:
        """Take one packet."""
        self._arrivals.append((arrived_at, size))
        self._bytes += size
        while self._arrivals and self._arrivals[0][0] < arrived_at - WINDOW:
            self._bytes -= self._arrivals.popleft()[1]

    def reset(self) -> None:
        """Forget what arrived before the bitrate changed much."""
        self._arrivals.clear()
        self._bytes = 0

    def bitrate(self) -> float | None:
        """Give it; None as long as there is too little to tell."""
        if len(self._arrivals) < 10:
            return None
        span = self._arrivals[-1][0] - self._arrivals[0][0]
        return (self._bytes - self._arrivals[0][1]) * 8 / span if span > WINDOW / 4 else None


class DelayBasedRate:
    """Grows as long as the queue does not, and falls below what arrives when it does (section 5.5)."""

    __slots__ = ("_capacity", "_deviation", "_holding", "_updated_at", "bitrate", "decreased_at")

    def __init__(self, bitrate: float) -> None:
        self.bitrate = bitrate
        self.decreased_at = float("-inf")
        self._capacity: float | None = None
        """Where the queue began to grow, on average, and how much that varies, relative."""
        self._deviation = 0.2
        self._holding = False
        self._updated_at: float | None = None

    def set_bitrate(self, bitrate: float) -> None:
        """Take what a probe has found."""
        self.bitrate = bitrate
        self._capacity = None

    def update(self, usage: Usage, arriving: float | None, round_trip: float, now: float) -> None:
        """React to the usage of the path; `arriving` is the bitrate that arrives."""
        elapsed = 0.0 if self._updated_at is None else min(now - self._updated_at, 1.0)
        self._updated_at = now
        if usage is Usage.OVERUSE:
            self._decrease(arriving, round_trip, now)
        elif usage is Usage.UNDERUSE:
            self._holding = True  # the queue is emptying: let it
        elif self._holding:
            self._holding = False
        else:
            self._increase(arriving, round_trip, elapsed)

    def _decrease(self, arriving: float | None, round_trip: float, now: float) -> None:
        if now - self.decreased_at < min(max(round_trip, 0.1), _DECREASE_INTERVAL):
            return  # the last decrease was not felt yet
        self.decreased_at = now
        self._holding = True
        wanted = (self.bitrate if arriving is None else arriving) * DECREASE
        if arriving is not None:
            self._learn_capacity(arriving)
        self.bitrate = min(self.bitrate, wanted)

    def _increase(self, arriving: float | None, round_trip: float, elapsed: float) -> None:
        if self._capacity is not None and arriving is not None and not self._is_near(arriving):
            self._capacity = None  # the path has changed
        if self._capacity is None:
            grown = self.bitrate * (1 + INCREASE) ** elapsed
        else:
            # One packet more in a response time.
            packet_bits = max(self.bitrate / 30 / 8 / 1200, 1.0) ** 0.5 * 1200 * 8
            grown = self.bitrate + max(packet_bits / (2 * (round_trip + 0.1)), _MIN_ADDITIVE) * elapsed
        if arriving is not None:
            grown = min(grown, max(arriving * HEADROOM + 10_000, self.bitrate))
        self.bitrate = grown

    def _is_near(self, arriving: float) -> bool:
        return self._capacity is None or arriving <= self._capacity * (1 + 3 * self._deviation)

    def _learn_capacity(self, arriving: float) -> None:
        capacity = self._capacity
        if capacity is None or not self._is_near(arriving) or arriving < capacity * (1 - 3 * self._deviation):
            self._capacity = arriving
            return
        self._capacity = capacity + 0.05 * (arriving - capacity)
        error = abs(arriving - capacity) / capacity
        self._deviation = min(max(self._deviation + 0.05 * (error - self._deviation), 0.05), 0.3)


class LossBasedLimit:
    """A limit that only heavy loss sets, and that rises again when the loss is gone (section 6)."""

    __slots__ = ("_lost", "_since", "_total", "_updated_at", "limit", "loss")

    def __init__(self) -> None:
        self.limit = float("inf")
        self.loss = 0.0
        """The share of the last interval."""
        self._lost = 0
        self._total = 0
        self._since = float("-inf")
        self._updated_at = float("-inf")

    def receive(
        self, lost: int, total: int, target: float, arriving: float | None, round_trip: float, now: float
    ) -> None:
        """Take the results of packets; `target` is the bitrate in force, `arriving` what arrives."""
        self._lost += lost
        self._total += total
        interval = _DECREASE_INTERVAL + round_trip
        if now - self._since < interval or self._total < 20:
            return
        elapsed = min(now - self._since, 1.0)
        self.loss = max(self._lost, 0) / self._total
        self._lost = self._total = 0
        self._since = now
        if self.loss > LOSS_HIGH:
            # What a full queue dropped was sent before the delays told of it: what arrives is no less for that.
            self.limit = max(target * (1 - 0.5 * self.loss), (arriving or 0.0) * DECREASE)
        elif self.loss < LOSS_LOW:
            self.limit *= (1 + INCREASE) ** elapsed
            if self.limit > 2 * target:
                self.limit = float("inf")

    def raise_to(self, bitrate: float) -> None:
        """Take what a probe has found."""
        self.limit = max(self.limit, bitrate)
