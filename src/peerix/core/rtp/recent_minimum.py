"""The least value of late, at a fixed price for each value."""

from __future__ import annotations

WINDOW = 10.0
"""Seconds for which a value counts at least; twice that at most, so that clocks that drift are followed."""


class RecentMinimum:
    """The least of the values of the last `WINDOW` seconds or a little more: that of two windows is kept."""

    __slots__ = ("_before", "_now", "_until")

    def __init__(self) -> None:
        self._now = self._before = float("inf")
        self._until = float("-inf")

    @property
    def value(self) -> float:
        """The least one; infinity before the first."""
        return min(self._now, self._before)

    def take(self, value: float, now: float) -> float:
        """Take a value and give the least one."""
        if now >= self._until:
            self._before, self._now = self._now, value
            self._until = now + WINDOW
        else:
            self._now = min(self._now, value)
        return self.value

    def forget(self) -> None:
        """Begin anew: what was seen says nothing of what comes."""
        self._now = self._before = float("inf")
        self._until = float("-inf")
