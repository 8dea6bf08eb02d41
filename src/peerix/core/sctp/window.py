"""The receive window: what is kept, and what the peer may therefore still send (RFC 9260 section 6.2)."""

from __future__ import annotations

FRAGMENT_OVERHEAD = 64
"""Bytes that a stored fragment counts beyond its payload, so that tiny ones cannot fill the memory."""

OPEN_FLOOR = 65_536
"""While the application has read everything so much stays open at least: an unfinished message must be able to end."""

SLACK = 262_144
"""Bytes above the limit that are still taken: what a peer sent before it learnt of a smaller window."""

REASSEMBLY_LIMIT = 67_108_864
"""Bytes of unfinished messages after which nothing more is taken, whatever else is free."""

MAX_UPDATE_STEP = 1_048_576
"""The peer hears at once of half the window or of this much that became free."""


class ReceiveWindow:
    """Counts bytes and works out a_rwnd.

    :ivar limit: the size of the window.
    :ivar held: bytes of whole messages that the application has not released.
    :ivar buffered: bytes of unfinished or out-of-order messages, with their overhead.
    :ivar advertised: what the peer was told last.
    """

    __slots__ = ("_reopen_below", "advertised", "buffered", "held", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self.buffered = 0
        self.advertised = limit
        self._reopen_below = -1

    @property
    def free(self) -> int:
        """The a_rwnd of this moment."""
        free = self.limit - self.held - self.buffered
        if self.held <= 0:
            return max(free, OPEN_FLOOR)
        return max(free, 0)

    def advertise(self) -> int:
        """Return a_rwnd and note that the peer is told so."""
        self.advertised = free = min(self.free, 0xFFFFFFFF)
        self._reopen_below = self.limit - free - min(self.limit // 2, MAX_UPDATE_STEP)
        return free

    def set_limit(self, limit: int) -> None:
        """Change the size of the window."""
        self.limit = limit
        self._reopen_below = limit - self.advertised - min(limit // 2, MAX_UPDATE_STEP)

    def release(self, size: int) -> bool:
        """Forget bytes that were read; return whether the peer must hear now of the room that this made."""
        self.held -= size
        return self.held + self.buffered <= self._reopen_below

    @property
    def is_full(self) -> bool:
        """Whether DATA must be dropped."""
        used = self.held + self.buffered
        if self.held > 0:
            return used >= self.limit + SLACK
        return used >= REASSEMBLY_LIMIT
