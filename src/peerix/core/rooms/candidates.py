"""Remote candidates that wait for their description, and local ones that wait to travel together."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .descriptions import CandidateInit

MAX_CANDIDATES = 100
"""Candidates kept for one peer; the oldest goes first."""

MAX_PEERS = 256
"""Peers for which candidates are kept, known or not; the one kept longest goes first."""

DEBOUNCE = 0.05
"""Seconds of silence after which gathered candidates are sent over the driver."""

_ABSENT = object()


def fits(candidate: CandidateInit, ufrag: str | None) -> bool:
    """Whether a candidate belongs to a description whose first ufrag is `ufrag`, None when it has none.

    Browsers compare exactly: an absent fragment fits a description without one, a null fragment fits none.
    """
    return candidate.get("usernameFragment", _ABSENT) == (_ABSENT if ufrag is None else ufrag)


class CandidateQueue:
    """Candidates that came over the driver and cannot be used yet, for each peer id."""

    def __init__(self) -> None:
        self._peers: dict[str, deque[CandidateInit]] = {}

    def push(self, peer: str, candidate: CandidateInit) -> None:
        """Keep a candidate."""
        queue = self._peers.get(peer)
        if queue is None:
            if len(self._peers) >= MAX_PEERS:
                del self._peers[next(iter(self._peers))]
            queue = self._peers[peer] = deque(maxlen=MAX_CANDIDATES)
        queue.append(candidate)

    def pull(self, peer: str, ufrag: str | None) -> list[CandidateInit]:
        """Take those that fit a description with `ufrag`, in order; the others stay."""
        queue = self._peers.get(peer)
        if queue is None:
            return []
        taken = [candidate for candidate in queue if fits(candidate, ufrag)]
        left = [candidate for candidate in queue if not fits(candidate, ufrag)]
        if left:
            self._peers[peer] = deque(left, MAX_CANDIDATES)
        else:
            del self._peers[peer]
        return taken

    def clear(self, peer: str | None = None) -> None:
        """Forget the candidates of one peer, or of all."""
        if peer is None:
            self._peers.clear()
        else:
            self._peers.pop(peer, None)


class CandidateBatcher:
    """Gathers local candidates until none has come for `debounce` seconds."""

    def __init__(self, debounce: float = DEBOUNCE) -> None:
        self._debounce = debounce
        self._batch: list[CandidateInit] = []
        self._flush_at: float | None = None

    def push(self, candidate: CandidateInit, now: float) -> None:
        """Add a candidate; the time starts anew."""
        self._batch.append(candidate)
        self._flush_at = now + self._debounce

    def next_timeout(self) -> float | None:
        """When `take` gives something."""
        return self._flush_at

    def take(self, now: float) -> list[CandidateInit]:
        """Take the batch when it is due, else nothing."""
        if self._flush_at is None or now < self._flush_at:
            return []
        batch = self._batch
        self.clear()
        return batch

    def clear(self) -> None:
        """Drop the batch."""
        self._batch = []
        self._flush_at = None
