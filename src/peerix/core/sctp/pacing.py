"""When the next packets may leave, so that they do not all stand in the queue of the path's narrowest link."""

from __future__ import annotations

TICK = 0.001
"""Seconds' worth of packets that leave together; shells arm no timer below this."""

MAX_CREDIT = 0.002
"""Seconds' worth that may leave at once beyond a tick's after nothing was to be sent."""

MAX_LATENESS = 0.05
"""Seconds by which a wake-up may be late, as on a busy machine, and what was due is still made up for.

Without that a late sender is slower than its path, takes that for the path's speed, and gets slower and slower.
"""

MIN_RTT = 0.002
"""Paths with shorter round trips are not paced: no timer is fine enough, and large flushes are what makes them fast."""


class Pacer:
    """A debt that time pays off: packets leave while it is less than a tick, then not before it is paid.

    So what leaves is a tick's worth at least, however often the sender is woken.

    :ivar deadline: when the packets that wait for it may leave; None when none do.
    """

    __slots__ = ("_closed", "_paid_at", "_waiting", "deadline")

    def __init__(self) -> None:
        self._paid_at = 0.0
        self._closed = False
        self._waiting = False
        self.deadline: float | None = None

    def allowance(self, rate: float, now: float) -> int:
        """Bytes that may leave now at `rate` bytes a second; 0 when it is too early."""
        if self._closed and now < self._paid_at:
            return 0
        self._paid_at = max(self._paid_at, now - (MAX_LATENESS if self._waiting else MAX_CREDIT))
        self._closed = self._waiting = False
        return max(int((now + TICK - self._paid_at) * rate), 1)

    def spend(self, size: int, rate: float, now: float) -> None:
        """So many bytes have left."""
        self._paid_at += size / rate
        self._closed = self._paid_at >= now + TICK * 0.999

    def forgive(self, now: float) -> None:
        """Nothing was heard for long: what was sent before does not hold back what is sent now."""
        self._paid_at = min(self._paid_at, now)
        self._closed = False
        self.deadline = None

    def handle_timeout(self, now: float) -> None:
        """Let what waited go."""
        if self.deadline is not None and now >= self.deadline:
            self.deadline = None

    def wait(self, *, pending: bool) -> None:
        """Say whether anything waits."""
        self._waiting = pending and self._closed
        self.deadline = self._paid_at if self._waiting else None
