"""Which pair the controlling side nominates, and when (RFC 8445 8.1.1, regular nomination)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.ice.pair import CandidatePair, PairState

if TYPE_CHECKING:
    from peerix.core.ice.check_list import CheckList

DIRECT_WAIT = 0.1
"""Seconds that a first pair with a server-reflexive side waits for a better one. Data flows on the pair meanwhile."""

RELAY_WAIT = 0.5
"""Seconds that a first pair with a relay waits: a direct path may need a second try through the NATs."""

TAKEOVER_DELAY = 0.5
"""Seconds after a nomination before a better pair is nominated in its place: when several networks connect
at the same time, the path changes once and not once for each of them."""


class Nominator:
    """The decisions of the controlling side.

    A host pair is nominated as soon as it works: nothing better than a host pair can come but another host
    pair, and that is taken over later. A pair that a server is involved in waits for better ones that are
    still being checked, but not long.
    """

    __slots__ = ("_decide_at", "_selected_at", "pending")

    def __init__(self) -> None:
        self.pending: CandidatePair | None = None
        """The pair whose nominating check is in flight."""
        self._decide_at: float | None = None
        self._selected_at = 0.0

    def selected(self, now: float) -> None:
        """Note that a pair was selected."""
        self.pending = None
        self._decide_at = None
        self._selected_at = now

    def choose(
        self, check_list: CheckList, selected: CandidatePair | None, now: float, *, alive: bool
    ) -> CandidatePair | None:
        """Return the pair to nominate now, None when there is none or it is better to wait.

        `selected` is the pair in use; `alive` tells whether its path still answers.
        """
        best = check_list.best_valid(None if alive else selected)
        if best is None or self.pending is not None:
            self._decide_at = None
            return None
        if selected is None:
            return best if self._is_time(check_list, best, now) else None
        if not alive:
            return best
        if best.priority <= selected.priority:
            self._decide_at = None
            return None
        return best if self._is_due(self._selected_at + TAKEOVER_DELAY, now) else None

    def next_timeout(self) -> float | None:
        """Return when `choose` may decide what it put off."""
        return self._decide_at

    def delay(self, seconds: float) -> None:
        """Move every deadline: for so long this process did not run."""
        if self._decide_at is not None:
            self._decide_at += seconds

    def _is_time(self, check_list: CheckList, best: CandidatePair, now: float) -> bool:
        if best.is_host_pair or not any(
            pair.priority > best.priority and pair.state is not PairState.FAILED for pair in check_list
        ):
            return True
        relayed = "relay" in {best.local.type, best.remote.type}
        decide_at = now + (RELAY_WAIT if relayed else DIRECT_WAIT)
        self._decide_at = decide_at if self._decide_at is None else min(self._decide_at, decide_at)
        return now >= self._decide_at

    def _is_due(self, at: float, now: float) -> bool:
        self._decide_at = at if at > now else None
        return at <= now
