"""Sends checks: builds the request, starts its transaction, notes it at the pair (RFC 8445 7.2)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from peerix.core.ice.binding import check_attributes
from peerix.core.ice.pair import CandidatePair, PairState
from peerix.core.ice.transactions import INITIAL_RTO, MAX_RTO, MIN_RTO, Transaction, retransmit
from peerix.core.stun.credentials import short_term_key
from peerix.core.stun.message import TRANSACTION_ID_LENGTH
from peerix.core.stun.signed import BINDING_REQUEST, IntegrityKey, write_signed

if TYPE_CHECKING:
    from peerix.core.ice.context import Context
    from peerix.core.ice.parameters import IceParameters

CHECK_TRANSMISSIONS = 9
"""A check goes out at 0, 0.1, 0.3, 0.7, 1.5, 3.1, 4.7, 6.3 and 7.9 s, and has failed at 9.5 s."""

NOMINATION_TRANSMISSIONS = 6
"""A nominating check has failed at 4.7 s: the pair worked a moment ago, and another one may be waiting."""

CONSENT_TRANSMISSIONS = 6
"""A consent check goes out at 0, 0.25, 0.75, 1.75, 3.35 and 4.95 s, and is given up at 6.55 s: a single
lost packet must not be taken for a lost path."""

CONSENT_RTO = 0.25


class Purpose(StrEnum):
    """What a request is for."""

    CHECK = "check"
    NOMINATION = "nomination"
    CONSENT = "consent"


_TRANSMISSIONS = {
    Purpose.CHECK: CHECK_TRANSMISSIONS,
    Purpose.NOMINATION: NOMINATION_TRANSMISSIONS,
    Purpose.CONSENT: CONSENT_TRANSMISSIONS,
}


class Checker:
    """Sends the checks of one session."""

    __slots__ = ("_context", "_key", "_local", "_username")

    def __init__(self, context: Context, local: IceParameters, remote: IceParameters) -> None:
        self._context = context
        self._local = local
        self._key = IntegrityKey(short_term_key(remote.pwd))
        self._username = f"{remote.ufrag}:{local.ufrag}"

    def send(self, pair: CandidatePair, now: float, purpose: Purpose = Purpose.CHECK) -> None:
        """Send one request."""
        context, role = self._context, self._context.role
        # Consent checks of the selected pair repeat the nomination, as Chromium's do: a peer that missed it, or went
        # another way after a lost packet, comes back to the pair that we send on.
        repeats = purpose is Purpose.CONSENT and role.controlling and pair.nominated
        nominates = purpose is Purpose.NOMINATION or repeats
        attributes = check_attributes(
            self._username, pair.local.priority, role.tie_breaker, controlling=role.controlling, nominate=nominates
        )
        transaction_id = context.random_bytes(TRANSACTION_ID_LENGTH)
        rto = CONSENT_RTO if purpose is Purpose.CONSENT else _rto(pair)
        transaction = Transaction(
            id=transaction_id,
            pair=pair,
            session=self._local.ufrag,
            key=self._key,
            data=write_signed(BINDING_REQUEST, transaction_id, attributes, self._key),
            controlling=role.controlling,
            nominating=purpose is Purpose.NOMINATION,
            started_at=now,
            next_at=now + rto,
            rto=rto,
            transmissions_left=_TRANSMISSIONS[purpose] - 1,
        )
        context.transactions.add(transaction)
        _note(transaction, now, purpose)
        context.send_request(transaction)

    def repeat(self, pair: CandidatePair, now: float) -> None:
        """Send the check that is in flight again, unless that was done a moment ago."""
        transaction = self._context.transactions.get(pair.check_id or b"")
        if transaction is not None and transaction.can_repeat(now):
            retransmit(transaction, now)
            self._context.send_request(transaction)


def _note(transaction: Transaction, now: float, purpose: Purpose) -> None:
    pair = transaction.pair
    if purpose is Purpose.CONSENT:
        pair.counters.consent_requests_sent += 1
        return
    pair.check_id = transaction.id
    pair.counters.checked_at = now
    if purpose is Purpose.CHECK:
        pair.state = PairState.IN_PROGRESS


def _rto(pair: CandidatePair) -> float:
    round_trip_time = pair.counters.round_trip_time
    return INITIAL_RTO if round_trip_time is None else max(MIN_RTO, min(2 * round_trip_time, MAX_RTO))
