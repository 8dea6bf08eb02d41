"""How much is sent again at most.

On a path that has become narrow, what its full queue dropped is asked for again and again: sent again, it would keep
the queue full, and be dropped again. What is not repaired in time is made good by a key frame, which costs less.
"""

from __future__ import annotations

from collections import deque

WINDOW = 0.5
"""Seconds over which is counted: for as long a receiver waits for a packet."""

SHARE = 0.3
"""Of what the path carries."""


class RepairBudget:
    """Counts what is sent again on one transport."""

    __slots__ = ("_bytes", "_spent")

    def __init__(self) -> None:
        self._spent: deque[tuple[float, int]] = deque()
        self._bytes = 0

    @property
    def bitrate(self) -> float:
        """Bits a second that were spent of late, as of the last call with a time."""
        return self._bytes * 8 / WINDOW

    def expire(self, now: float) -> None:
        """Forget what was spent long ago."""
        while self._spent and self._spent[0][0] <= now - WINDOW:
            self._bytes -= self._spent.popleft()[1]

    def spend(self, size: int, path: float, now: float) -> bool:
        """Take `size` bytes if there is room for them on a path of so many bits a second."""
        self.expire(now)
        if self._spent and (self._bytes + size) * 8 > SHARE * path * WINDOW:
            return False
        self._spent.append((now, size))
        self._bytes += size
        return True
