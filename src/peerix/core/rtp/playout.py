"""How long to wait for packets of a stream: an estimate of its jitter, within bounds.

A packet's transit is its arrival minus its timestamp. The fastest recent transit is the base; the delay is chosen so
that all but a few percent of the packets come in time. It grows at once and shrinks slowly, so that one burst is not
followed by the next surprise.
"""

from __future__ import annotations

from collections import deque

from peerix.core.rtp.recent_minimum import RecentMinimum

QUANTILE = 0.97
"""The share of packets that are to come in time."""

WINDOW = 256
"""Packets looked at: five seconds of audio, the frames of eight seconds of video."""

SHRINKING = 0.02
"""Seconds by which the delay shrinks in a second."""

_RECOMPUTE = 8


class PlayoutDelay:
    """The delay of one stream; timestamps are steady numbers of `clock_rate` Hz, times are seconds."""

    __slots__ = (
        "_clock_rate",
        "_count",
        "_fastest",
        "_late",
        "_maximum",
        "_minimum",
        "_updated_at",
        "delay",
    )

    def __init__(self, clock_rate: int, minimum: float, maximum: float) -> None:
        self._clock_rate = clock_rate
        self._minimum = minimum
        self._maximum = maximum
        self._fastest = RecentMinimum()
        self._late: deque[float] = deque(maxlen=WINDOW)
        self._count = 0
        self._updated_at = 0.0
        self.delay = minimum
        """What is waited beyond the fastest transit."""

    def set_bounds(self, minimum: float, maximum: float) -> None:
        """Take other bounds, such as those that the sender wishes."""
        self._minimum, self._maximum = minimum, max(minimum, maximum)
        self.delay = min(max(self.delay, self._minimum), self._maximum)

    def arrived(self, timestamp: int, now: float) -> None:
        """Take one packet, or one frame when it is whole."""
        transit = now - timestamp / self._clock_rate
        self._fastest.take(transit, now)
        self._late.append(transit)
        self._count += 1
        if self._count <= _RECOMPUTE or not self._count % _RECOMPUTE:
            self._update(now)

    def playout_at(self, timestamp: int) -> float:
        """Tell when what has this timestamp is to be played; infinitely late before the first packet."""
        return self._fastest.value + timestamp / self._clock_rate + self.delay

    def _update(self, now: float) -> None:
        ordered = sorted(self._late)
        wanted = ordered[int((len(ordered) - 1) * QUANTILE)] - self._fastest.value
        shrunk = self.delay - SHRINKING * max(now - self._updated_at, 0.0)
        self._updated_at = now
        self.delay = min(max(wanted, shrunk, self._minimum), self._maximum)
