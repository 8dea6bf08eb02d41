"""Whether the queue of the path grows (draft-ietf-rmcat-gcc-02 section 5, with a line through the delays).

Packets that left together form a group. How much later each group arrives, compared with the one before, is summed up;
the slope of that sum over the last groups is the trend, and a threshold that adapts tells what is too much.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

BURST = 0.005
"""Seconds: packets that left within belong together."""

WINDOW = 20
"""Groups through which the line goes."""

SMOOTHING = 0.9
"""Of the summed delays."""

GAIN = 4.0
MAX_DELTAS = 60
"""What the slope is multiplied with, as browsers do; it makes it comparable with the threshold in ms."""

THRESHOLD = 12.5
MIN_THRESHOLD = 6.0
MAX_THRESHOLD = 600.0
"""Milliseconds (section 5.4)."""

GROWING = 0.0087
SHRINKING = 0.039
"""How fast the threshold follows, in 1/ms: it is to shrink slower than competing TCP lets delays grow (section 5.4)."""

OVERUSE_TIME = 0.01
"""Seconds that the trend has to be too large."""

_MAX_GAP = 2.0
"""Seconds without packets after which delays before and after have nothing to do with each other."""


class Usage(Enum):
    """What the trend says of the path."""

    NORMAL = "normal"
    OVERUSE = "overuse"
    UNDERUSE = "underuse"


@dataclass(slots=True)
class _Group:
    first_sent: float
    last_sent: float
    last_arrived: float


class TrendlineEstimator:
    """Fed with packets that arrived, in the order of sending."""

    __slots__ = (
        "_before",
        "_count",
        "_group",
        "_over_count",
        "_over_since",
        "_points",
        "_smoothed",
        "_summed",
        "_threshold",
        "_updated_at",
        "_usage",
        "trend",
    )

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self._threshold = THRESHOLD
        self._usage = Usage.NORMAL
        self.trend = 0.0
        """In the unit of the threshold."""
        self._group: _Group | None = None
        self._before: _Group | None = None
        self._over_since: float | None = None
        self._updated_at: float | None = None
        self._begin()

    @property
    def usage(self) -> Usage:
        """What the last packet made of it."""
        return self._usage

    def receive(self, sent_at: float, arrived_at: float) -> None:
        """Take one packet: when it left by our clock, when it arrived by the receiver's; seconds."""
        group = self._group
        if group is None:
            self._group = _Group(sent_at, sent_at, arrived_at)
        elif sent_at < group.first_sent:
            return  # of a group that is closed
        elif self._belongs(group, sent_at, arrived_at):
            group.last_sent = max(group.last_sent, sent_at)
            group.last_arrived = max(group.last_arrived, arrived_at)
        else:
            if self._before is not None:
                self._close(self._before, group)
            self._before = group
            self._group = _Group(sent_at, sent_at, arrived_at)

    def _begin(self) -> None:
        self._points.clear()
        self._group = self._before = None
        self._summed = self._smoothed = 0.0
        self._count = 0
        self._over_since = self._updated_at = None
        self._over_count = 0
        self._usage = Usage.NORMAL  # what was seen before a pause says nothing of the path after it
        self.trend = 0.0

    def _belongs(self, group: _Group, sent_at: float, arrived_at: float) -> bool:
        if sent_at - group.first_sent <= BURST:
            return True
        # What arrived in one piece although it left apart was held up somewhere: it says nothing of the queue's growth.
        later = arrived_at - group.last_arrived
        return later - (sent_at - group.last_sent) < 0 and later <= BURST and arrived_at - group.last_arrived >= 0

    def _close(self, before: _Group, group: _Group) -> None:
        sent = group.last_sent - before.last_sent
        arrived = group.last_arrived - before.last_arrived
        if arrived < 0 or arrived - sent > _MAX_GAP or sent > _MAX_GAP:
            self._begin()
            return
        self._count += 1
        self._summed += (arrived - sent) * 1000
        self._smoothed += (self._summed - self._smoothed) * (1 - SMOOTHING)
        self._points.append((group.last_arrived * 1000, self._smoothed))
        if len(self._points) == WINDOW:
            previous, self.trend = self.trend, _slope(self._points) * min(self._count, MAX_DELTAS) * GAIN
            self._detect(previous, sent, group.last_arrived)

    def _detect(self, previous: float, sent: float, now: float) -> None:
        if self.trend > self._threshold:
            self._over_since = now - sent / 2 if self._over_since is None else self._over_since
            self._over_count += 1
            if now - self._over_since > OVERUSE_TIME and self._over_count > 1 and self.trend >= previous:
                self._over_count = 0
                self._usage = Usage.OVERUSE
        else:
            self._over_since = None
            self._over_count = 0
            self._usage = Usage.UNDERUSE if self.trend < -self._threshold else Usage.NORMAL
        self._adapt(now)

    def _adapt(self, now: float) -> None:
        distance = abs(self.trend) - self._threshold
        elapsed = 0.0 if self._updated_at is None else min(now - self._updated_at, 0.1) * 1000
        self._updated_at = now
        if distance > 15:
            return  # a sudden jump is not the competition of another flow (section 5.4)
        factor = SHRINKING if distance < 0 else GROWING
        self._threshold = min(max(self._threshold + factor * distance * elapsed, MIN_THRESHOLD), MAX_THRESHOLD)


def _slope(points: deque[tuple[float, float]]) -> float:
    """Fit a line by least squares."""
    # From the first point on, so that squares of small numbers are summed up: one pass, and no generators.
    origin_x, origin_y = points[0]
    sum_x = sum_y = sum_xx = sum_xy = 0.0
    for x, y in points:
        x -= origin_x  # noqa: PLW2901
        y -= origin_y  # noqa: PLW2901
        sum_x += x
        sum_y += y
        sum_xx += x * x
        sum_xy += x * y
    count = len(points)
    denominator = sum_xx - sum_x * sum_x / count
    return (sum_xy - sum_x * sum_y / count) / denominator if denominator > 0 else 0.0
