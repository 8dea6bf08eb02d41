"""Sets of transmission sequence numbers kept as intervals, and the way from 32 bits to numbers that never wrap.

Inside this package a TSN is an int that only grows; 32 bits of it are on the wire. Comparing is plain then, and
serial arithmetic (RFC 1982) is needed at the two edges only.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

TSN_MASK = 0xFFFFFFFF


def unwrap(wire: int, near: int) -> int:
    """Return the number closest to `near` whose low 32 bits are `wire`."""
    return near + ((wire - near + 0x80000000) & TSN_MASK) - 0x80000000


class IntervalSet:
    """A set of ints as sorted intervals that neither overlap nor touch.

    Memory and time follow the number of gaps, not the number of members. `starts` and `ends` (inclusive) are open to
    hot loops that extend the last interval in place.
    """

    __slots__ = ("ends", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    def __contains__(self, value: int) -> bool:
        index = bisect_right(self.starts, value) - 1
        return index >= 0 and value <= self.ends[index]

    def __len__(self) -> int:
        """Return the number of intervals."""
        return len(self.starts)

    def add(self, value: int) -> bool:
        """Add one number; return False when it was there already."""
        starts, ends = self.starts, self.ends
        right = bisect_right(starts, value)
        left = right - 1
        if left >= 0 and value <= ends[left]:
            return False
        joins_left = left >= 0 and ends[left] + 1 == value
        joins_right = right < len(starts) and starts[right] == value + 1
        if joins_left and joins_right:
            ends[left] = ends[right]
            del starts[right], ends[right]
        elif joins_left:
            ends[left] = value
        elif joins_right:
            starts[right] = value
        else:
            starts.insert(right, value)
            ends.insert(right, value)
        return True

    def add_range(self, start: int, end: int) -> list[tuple[int, int]]:
        """Add `start` to `end` inclusive; return the parts of it that were not there before."""
        starts, ends = self.starts, self.ends
        first = bisect_left(ends, start - 1)
        if first < len(starts) and starts[first] <= start and end <= ends[first]:
            return []
        new: list[tuple[int, int]] = []
        cursor, last = start, first
        while last < len(starts) and starts[last] <= end + 1:
            if cursor < starts[last]:
                new.append((cursor, starts[last] - 1))
            cursor = max(cursor, ends[last] + 1)
            last += 1
        if cursor <= end:
            new.append((cursor, end))
        if first < last:
            start = min(start, starts[first])
            end = max(end, ends[last - 1])
        starts[first:last] = [start]
        ends[first:last] = [end]
        return new

    def remove_to(self, value: int) -> None:
        """Remove every member up to and including `value`."""
        count = bisect_left(self.ends, value + 1)
        del self.starts[:count], self.ends[:count]
        if self.starts and self.starts[0] <= value:
            self.starts[0] = value + 1

    def clear(self) -> None:
        """Remove everything."""
        self.starts.clear()
        self.ends.clear()
