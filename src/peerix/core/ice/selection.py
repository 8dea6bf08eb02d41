"""Which pair carries the data once pairs are nominated (RFC 8445 8.1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peerix.core.ice.pair import CandidatePair

AGGRESSIVE_WINDOW = 3.0
"""Seconds after the first nomination in which only better pairs are taken over. Peers of RFC 5245 nominate
every pair in their first checks, and there the best one counts; after that time the other side's last word
does, even when it chose a worse pair."""


class Selection:
    """The selected pair of a session."""

    __slots__ = ("_first_at", "pair")

    def __init__(self) -> None:
        self.pair: CandidatePair | None = None
        self._first_at: float | None = None

    def select(self, pair: CandidatePair, now: float) -> None:
        """Select a pair that was nominated and works."""
        if self._first_at is None:
            self._first_at = now
        if self.pair is not None:
            self.pair.nominated = False
        pair.nominated = True
        self.pair = pair

    def forget(self, pair: CandidatePair) -> None:
        """Forget a pair that is gone."""
        if self.pair is pair:
            pair.nominated = False
            self.pair = None

    def accepts(self, pair: CandidatePair, now: float, *, alive: bool) -> bool:
        """Tell whether the controlled side follows a nomination of `pair`."""
        if self.pair is None or self._first_at is None or not alive:
            return True
        return pair.priority > self.pair.priority or now >= self._first_at + AGGRESSIVE_WINDOW
