"""What may be in flight at most, whatever a model of the path says."""

from __future__ import annotations

UNLIMITED = 1 << 62


class Ceiling:
    """Lowered when a queue overflows, raised again by probes.

    :ivar size: bytes; `UNLIMITED` before a queue has overflowed.
    """

    __slots__ = ("_growth", "_quiet_until", "_undo", "size")

    def __init__(self) -> None:
        self.size = UNLIMITED
        self._undo = UNLIMITED
        self._growth = 1
        """Packets by which the next round of a probe raises it."""
        self._quiet_until = 0.0

    def may_fall(self, now: float) -> bool:
        """Whether what is lost now was sent after the ceiling was lowered."""
        return now >= self._quiet_until

    def lower(self, size: int, until: float) -> None:
        """A queue overflows; what tells of the same overflow, until then, changes nothing."""
        self._undo, self.size = self.size, size
        self._quiet_until = until

    def undo(self) -> None:
        """Nothing was lost after all."""
        self.size = max(self.size, self._undo)

    def start_probe(self) -> None:
        """Begin with small steps."""
        self._growth = 1

    def grow(self, packet_size: int) -> None:
        """A round of a probe went well: the next one may take twice as much more."""
        self.size += self._growth * packet_size
        self._growth *= 2
