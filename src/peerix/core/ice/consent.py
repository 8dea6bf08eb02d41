"""Consent to send, and whether the path is alive (RFC 7675).

Time is measured from the last valid answer, never by counting requests: a process that gets little CPU
sends few of them.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.ice.pair import CandidatePair

CONSENT_PERIOD = 5.0
"""Seconds between checks, randomised between 0.8 and 1.2 times that (RFC 7675 5.1)."""

CHECK_GRID = 0.5
"""Seconds. Checks are due at multiples of this: those of all connections of a process, and of both ends when they share
a clock, then come in the same wake-ups, and an idle process sleeps longer."""

DISCONNECTED_AFTER = 5.0
"""Seconds without a valid answer after which people are told."""

UNANSWERED_GRACE = 2.0
"""Seconds that a check must have been unanswered before they are told: the period may be longer than
`DISCONNECTED_AFTER`, and then the answer to the check that has just been sent is not overdue."""

DOUBT_PATIENCE = 0.5
"""Seconds (or two round trips, when those are longer) that a path which may be gone has for the answer to a check: the
other side has moved, or this host has. Then other paths have their turn, long before people are told."""

CONSENT_TIMEOUT = 30.0
"""Seconds without a valid answer after which nothing may be sent any more (RFC 7675 5.1)."""


class Liveness(Enum):
    """What the answers say about the path."""

    ALIVE = "alive"
    DOUBTED = "doubted"
    """There are signs that it is gone, and no answer to the contrary."""
    SILENT = "silent"
    EXPIRED = "expired"


class Consent:
    """The consent of the path in use."""

    __slots__ = (
        "_checked_at",
        "_doubt_ends_at",
        "_next_check_at",
        "_no_doubt_before",
        "_random_bytes",
        "_unanswered_since",
        "answered_at",
        "liveness",
        "pair",
    )

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self.pair: CandidatePair | None = None
        self.liveness = Liveness.ALIVE
        self.answered_at = 0.0
        self._checked_at = 0.0
        self._next_check_at: float | None = None
        self._unanswered_since: float | None = None
        self._doubt_ends_at: float | None = None
        self._no_doubt_before = 0.0

    def watch(self, pair: CandidatePair, now: float) -> None:
        """Watch another pair from now on. Its last answer is where its time starts."""
        answered_at = pair.counters.responded_at
        self.pair = pair
        self.answered_at = now if answered_at is None else answered_at
        self.liveness = Liveness.ALIVE
        self._unanswered_since = self._doubt_ends_at = None
        self._checked_at = self.answered_at
        self._next_check_at = max(self._after_interval(self.answered_at), now)

    def stop(self, now: float) -> None:
        """The path is gone: there is nothing to check, and the time without an answer goes on."""
        self.pair = None
        self._next_check_at = self._doubt_ends_at = None
        if self._unanswered_since is None:
            self._unanswered_since = min(self.answered_at, now - UNANSWERED_GRACE)
        self.answered_at = min(self.answered_at, now - DISCONNECTED_AFTER)

    def answered(self, now: float) -> None:
        """A valid answer came on the pair that is watched."""
        if self.liveness is not Liveness.EXPIRED:
            self.answered_at = now
            self.liveness = Liveness.ALIVE
            self._unanswered_since = self._doubt_ends_at = None

    def doubt(self, now: float) -> None:
        """Something says that the path may be gone: it is checked at once, and has to answer soon.

        The next doubts have to wait until this one is settled: whoever repeats the other side's packets gets no more
        than two checks a second out of us.
        """
        if self._next_check_at is not None and self.pair is not None and now >= self._no_doubt_before:
            round_trip_time = self.pair.counters.round_trip_time or 0.0
            self._doubt_ends_at = self._no_doubt_before = now + max(DOUBT_PATIENCE, 2 * round_trip_time)
            self._next_check_at = now

    def follow(self, now: float) -> bool:
        """The other side has checked the path: tell whether our check goes out now, beside the answer.

        It does when the least interval is over. One timer then serves both sides, and four wake-ups do what took six.
        """
        earliest = self._checked_at + 0.8 * CONSENT_PERIOD
        if self._next_check_at is None or self._unanswered_since is not None or now < earliest:
            return False
        self._next_check_at = now
        return True

    def take_check(self, now: float) -> bool:
        """Tell whether a check is due, and if so note that it goes out now."""
        if self._next_check_at is None or self._next_check_at > now or self.liveness is Liveness.EXPIRED:
            return False
        self._checked_at = now
        self._next_check_at = self._after_interval(now)
        if self._unanswered_since is None:
            self._unanswered_since = now
        return True

    def update(self, now: float) -> bool:
        """Bring `liveness` up to date. True: the path was found to be silent just now."""
        if self._unanswered_since is None:
            return False
        if now >= self.answered_at + CONSENT_TIMEOUT:
            self.liveness = Liveness.EXPIRED
        elif now >= self._silent_at(self._unanswered_since) and self.liveness is not Liveness.SILENT:
            self.liveness = Liveness.SILENT
            return True
        elif self._doubt_ends_at is not None and now >= self._doubt_ends_at and self.liveness is Liveness.ALIVE:
            self.liveness = Liveness.DOUBTED
            return True
        return False

    def next_timeout(self) -> float | None:
        """Return when `take_check` or `update` has something to do."""
        if self.liveness is Liveness.EXPIRED:
            return None
        deadlines = [] if self._next_check_at is None else [self._next_check_at]
        if self._unanswered_since is not None:
            deadlines.append(self.answered_at + CONSENT_TIMEOUT)
            if self.liveness is not Liveness.SILENT:
                deadlines.append(self._silent_at(self._unanswered_since))
            if self._doubt_ends_at is not None and self.liveness is Liveness.ALIVE:
                deadlines.append(self._doubt_ends_at)
        return min(deadlines, default=None)

    def delay(self, seconds: float) -> None:
        """Do not count `seconds` in which this process did not run."""
        self.answered_at += seconds
        self._checked_at += seconds
        if self._next_check_at is not None:
            self._next_check_at += seconds
        if self._unanswered_since is not None:
            self._unanswered_since += seconds
        if self._doubt_ends_at is not None:
            self._doubt_ends_at += seconds

    def _silent_at(self, unanswered_since: float) -> float:
        return max(self.answered_at + DISCONNECTED_AFTER, unanswered_since + UNANSWERED_GRACE)

    def _after_interval(self, time: float) -> float:
        """A random time on the grid, 0.8 to 1.2 periods later."""
        first = (time + 0.8 * CONSENT_PERIOD) // CHECK_GRID + 1
        last = (time + 1.2 * CONSENT_PERIOD) // CHECK_GRID
        return (first + int.from_bytes(self._random_bytes(2), "big") % int(last - first + 1)) * CHECK_GRID
