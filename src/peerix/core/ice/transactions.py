"""Binding requests in flight and their retransmission (RFC 8489 6.2.1, RFC 8445 14.3)."""

from __future__ import annotations

from dataclasses import dataclass

from peerix.core.ice.pair import CandidatePair
from peerix.core.stun.signed import IntegrityKey

INITIAL_RTO = 0.1
"""Seconds before the first retransmission of a check. RFC 8445 14.3 asks for 0.5 to spare the network; a
lost first check then costs every set-up half a second, and a handful of pairs with 100-byte packets is less
than a DNS client sends."""

MAX_RTO = 1.6
"""Seconds at which the back-off ends."""

MIN_RTO = 0.05
"""Seconds. The least RTO for a pair whose round trip is known."""

MAX_TRANSACTIONS = 512
"""Requests in flight: two for each of 100 pairs of two sessions, and room for consent checks."""


@dataclass(slots=True)
class Transaction:
    """One Binding request in flight.

    `key` checks the answer; `controlling` is the role that the request claims; `session` is the user name
    fragment of the session that sent it.
    """

    id: bytes
    pair: CandidatePair
    session: str
    key: IntegrityKey
    data: bytes
    controlling: bool
    nominating: bool
    started_at: float
    next_at: float
    rto: float
    transmissions_left: int
    retransmitted: bool = False

    def can_repeat(self, now: float) -> bool:
        """Tell whether the request may go out again before its time: not right after it was sent."""
        return self.transmissions_left > 0 and now - (self.next_at - self.rto) >= MIN_RTO


class Transactions:
    """The requests in flight, by transaction id."""

    __slots__ = ("_by_id",)

    def __init__(self) -> None:
        self._by_id: dict[bytes, Transaction] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, transaction: Transaction) -> None:
        """Keep a request that was just sent."""
        while len(self._by_id) >= MAX_TRANSACTIONS:
            del self._by_id[next(iter(self._by_id))]
        self._by_id[transaction.id] = transaction

    def get(self, transaction_id: bytes) -> Transaction | None:
        """Return the request with that id."""
        return self._by_id.get(transaction_id)

    def remove(self, transaction: Transaction) -> None:
        """Forget a request."""
        self._by_id.pop(transaction.id, None)

    def remove_pair(self, pair: CandidatePair) -> None:
        """Forget the requests of a pair."""
        for transaction in [item for item in self._by_id.values() if item.pair is pair]:
            del self._by_id[transaction.id]

    def remove_session(self, session: str) -> None:
        """Forget the requests of a session."""
        for transaction in [item for item in self._by_id.values() if item.session == session]:
            del self._by_id[transaction.id]

    def due(self, now: float) -> tuple[list[Transaction], list[Transaction]]:
        """Return the requests to send again now, and those that ended without an answer (which are forgotten)."""
        again: list[Transaction] = []
        ended: list[Transaction] = []
        for transaction in list(self._by_id.values()):
            if transaction.next_at > now:
                continue
            if transaction.transmissions_left:
                retransmit(transaction, now)
                again.append(transaction)
            else:
                del self._by_id[transaction.id]
                ended.append(transaction)
        return again, ended

    def next_timeout(self) -> float | None:
        """Return when `due` has something to give."""
        return min((transaction.next_at for transaction in self._by_id.values()), default=None)

    def delay(self, seconds: float) -> None:
        """Move every deadline: for so long this process did not run."""
        for transaction in self._by_id.values():
            transaction.next_at += seconds
            transaction.started_at += seconds


def retransmit(transaction: Transaction, now: float) -> None:
    """Note that `transaction` goes out once more now."""
    transaction.retransmitted = True
    transaction.transmissions_left -= 1
    transaction.rto = min(transaction.rto * 2, MAX_RTO)
    transaction.next_at = now + transaction.rto
