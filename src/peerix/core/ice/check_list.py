"""The check list: which pairs there are and which is checked next (RFC 8445 6.1.2, 6.1.4, RFC 8838 12).

Order of checks: triggered ones first and at once (the other side paces them); then the first check of each
foundation, at once for the first `MAX_UNPACED_CHECKS` of them; then the rest, best first, one every Ta. Pairs of this
host are all paced: the first one answers before the next one is due, as a rule, and then that is not needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.ice.pair import CandidatePair, PairState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


MAX_PAIRS = 100
"""RFC 8445 6.1.2.5."""

MAX_UNPACED_CHECKS = 16
"""How many first checks of a foundation a list sends without pacing. More would let a description with a
hundred invented candidates turn this host into a burst of packets."""

TA = 0.05
"""Seconds between paced checks (RFC 8445 14.2)."""

TA_SAME_HOST = 0.005
"""Seconds between paced checks whose packets stay on this host: no network can be congested by them."""

FROZEN_PATIENCE = 0.5
"""A check that had no answer for so many seconds no longer keeps the other pairs of its foundation frozen."""

_UNCHECKED = (PairState.FROZEN, PairState.WAITING)


class Pacer:
    """When the next paced check may go out, separately for pairs of this host and for others."""

    __slots__ = ("next_local_at", "next_remote_at", "unpaced_left")

    def __init__(self) -> None:
        self.next_local_at = 0.0
        self.next_remote_at = 0.0
        self.unpaced_left = MAX_UNPACED_CHECKS

    def next_at(self, pair: CandidatePair) -> float:
        """Return when `pair` may be checked."""
        return self.next_local_at if pair.same_host else self.next_remote_at

    def sent(self, pair: CandidatePair, now: float) -> None:
        """Note that an ordinary check of `pair` goes out now."""
        if pair.same_host:
            self.next_local_at = now + TA_SAME_HOST
        else:
            self.next_remote_at = now + TA


class CheckList:
    """All pairs of one ICE session, best first."""

    __slots__ = ("_by_key", "_pacer", "_triggered", "pairs")

    def __init__(self) -> None:
        self.pairs: list[CandidatePair] = []
        self._by_key: dict[tuple[int, tuple[str, int]], CandidatePair] = {}
        self._triggered: list[CandidatePair] = []  # few; an empty deque has 760 bytes
        self._pacer = Pacer()

    def __iter__(self) -> Iterator[CandidatePair]:
        return iter(self.pairs)

    def find(self, port: int, address: tuple[str, int]) -> CandidatePair | None:
        """Return the pair of a socket and a remote address."""
        return self._by_key.get((port, address))

    def add(self, pair: CandidatePair, keep: Iterable[CandidatePair | None] = ()) -> bool:
        """Add a pair unless its socket and address are paired already (the pruning of RFC 8445 6.1.2.4).

        A full list makes room by dropping its worst pair that is neither in use (`keep`) nor better than
        the new one; the answer is False when there is none.
        """
        key = pair.port, pair.address
        if key in self._by_key:
            return False
        if len(self.pairs) >= MAX_PAIRS and not self._make_room(pair, keep):
            return False
        self._by_key[key] = pair
        self.pairs.append(pair)
        busy = (PairState.WAITING, PairState.IN_PROGRESS)
        held = any(other.state in busy and other.foundation == pair.foundation for other in self.pairs)
        pair.state = PairState.FROZEN if held else PairState.WAITING
        self.sort()
        return True

    def _make_room(self, pair: CandidatePair, keep: Iterable[CandidatePair | None]) -> bool:
        kept = list(keep)
        for other in reversed(self.pairs):
            if other.priority >= pair.priority:
                return False
            if other.state is not PairState.SUCCEEDED and other not in kept:
                self.remove(other)
                return True
        return False

    def remove(self, pair: CandidatePair) -> None:
        """Take a pair out."""
        self.pairs.remove(pair)
        del self._by_key[pair.port, pair.address]
        if pair in self._triggered:
            self._triggered.remove(pair)

    def sort(self) -> None:
        """Order the pairs again after their priorities changed."""
        if len(self.pairs) > 1:
            self.pairs.sort(key=lambda pair: -pair.priority)

    def best_valid(self, other_than: CandidatePair | None = None) -> CandidatePair | None:
        """Return the best pair whose check succeeded."""
        for pair in self.pairs:
            if pair.state is PairState.SUCCEEDED and pair is not other_than:
                return pair
        return None

    def is_finished(self) -> bool:
        """Tell whether every check has ended (also when there is no pair)."""
        return all(pair.state in (PairState.SUCCEEDED, PairState.FAILED) for pair in self.pairs)

    def trigger(self, pair: CandidatePair) -> None:
        """Queue a triggered check (RFC 8445 7.3.1.4)."""
        pair.state = PairState.WAITING
        if pair not in self._triggered:
            self._triggered.append(pair)

    def unfreeze(self, foundation: tuple[str, str]) -> None:
        """Let the other pairs of a foundation that works be checked (RFC 8445 7.2.5.3.3)."""
        for pair in self.pairs:
            if pair.state is PairState.FROZEN and pair.foundation == foundation:
                pair.state = PairState.WAITING

    def next_check(self, now: float, *, above: int = -1) -> CandidatePair | None:
        """Return the pair to check now, None when none is due. It counts as checked from here on.

        Ordinary checks of pairs whose priority is not above `above` are left out: a path that good is in
        use already.
        """
        if self._triggered:
            triggered = self._triggered.pop(0)
            if triggered.same_host:
                self._pacer.sent(triggered, now)
            return triggered
        if self._none_above(above):
            return None
        pair = self._first_of_foundation(above)
        if pair is not None:
            self._pacer.unpaced_left -= 1
            self._pacer.sent(pair, now)
            return pair
        for candidate in self._ordinary(now, above):
            if self._pacer.next_at(candidate) <= now:
                self._pacer.sent(candidate, now)
                return candidate
        return None

    def next_check_at(self, now: float, *, above: int = -1) -> float | None:
        """Return when `next_check` has something to give, None when it waits for something else than time."""
        if self._triggered:
            return now
        if self._none_above(above):
            return None
        if self._first_of_foundation(above) is not None:
            return now
        waits = [max(self._pacer.next_at(pair), now) for pair in self._ordinary(now, above)]
        thaws = [
            pair.counters.checked_at + FROZEN_PATIENCE
            for pair in self.pairs
            if pair.state is PairState.IN_PROGRESS and self._holds_frozen(pair, above)
        ]
        later = waits + [at for at in thaws if at > now]
        return min(later) if later else None

    def _none_above(self, above: int) -> bool:
        """Tell at one look what an idle connection asks again and again: its path is the best there is."""
        return not self.pairs or self.pairs[0].priority <= above

    def _holds_frozen(self, holder: CandidatePair, above: int) -> bool:
        return any(
            pair.state is PairState.FROZEN and pair.foundation == holder.foundation and pair.priority > above
            for pair in self.pairs
        )

    def _first_of_foundation(self, above: int) -> CandidatePair | None:
        if not self._pacer.unpaced_left:
            return None
        checked = {pair.foundation for pair in self.pairs if pair.state not in _UNCHECKED}
        for pair in self.pairs:
            is_next = pair.state is PairState.WAITING and pair.priority > above and not pair.same_host
            if is_next and pair.foundation not in checked:
                return pair
        return None

    def _ordinary(self, now: float, above: int) -> list[CandidatePair]:
        """The pairs that may be checked, the best first: waiting ones, else thawed ones (RFC 8445 6.1.4.2)."""
        waiting = [pair for pair in self.pairs if pair.state is PairState.WAITING and pair.priority > above]
        if waiting:
            return waiting
        held = {
            pair.foundation
            for pair in self.pairs
            if pair.state is PairState.IN_PROGRESS and now - pair.counters.checked_at < FROZEN_PATIENCE
        }
        return [
            pair
            for pair in self.pairs
            if pair.state is PairState.FROZEN and pair.priority > above and pair.foundation not in held
        ]
