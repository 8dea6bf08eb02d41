"""One ICE session: the checks between two user name fragments, from the first candidate to the selected pair.

An ICE restart makes a new session; the old one keeps its selected pair alive until the new one has selected
its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.deadlines import earliest
from peerix.core.ice.address import can_reach
from peerix.core.ice.candidate import Candidate
from peerix.core.ice.candidates import LocalCandidate, RemoteCandidates
from peerix.core.ice.check_list import CheckList
from peerix.core.ice.checker import Checker, Purpose
from peerix.core.ice.consent import Consent, Liveness
from peerix.core.ice.nomination import Nominator
from peerix.core.ice.pair import CandidatePair, PairState
from peerix.core.ice.selection import Selection
from peerix.core.stun.credentials import short_term_key
from peerix.core.stun.signed import IntegrityKey

if TYPE_CHECKING:
    from peerix.core.ice.binding import Check
    from peerix.core.ice.context import Context
    from peerix.core.ice.parameters import IceParameters
    from peerix.core.ice.transactions import Transaction

PATIENCE = 15.0
"""Seconds from the start of the checks until a session without a working pair has failed, when the other
side did not say that it has no more candidates, or when there is no pair at all: its checks may still come
from an address that was never signalled (RFC 8863)."""

MAX_EARLY_CHECKS = 16
"""Sources whose checks are kept until the description that they belong to comes (RFC 8445 7.3)."""


@dataclass(slots=True)
class Progress:
    """How far a session is."""

    started_at: float | None = None
    """When the checks began."""
    is_started: bool = False
    """Both sides' parameters are known."""
    has_retried: bool = False
    """Every pair failed before the patience ended, and was checked again."""
    gave_up: bool = False
    """Every check failed, and nothing more is expected."""
    was_connected: bool = False
    """There was a valid pair once."""


class IceSession:
    """The checks, the valid pairs and the consent of one session."""

    def __init__(self, context: Context, local_parameters: IceParameters) -> None:
        self._context = context
        self._checker: Checker | None = None
        self._early: dict[tuple[int, tuple[str, int]], Check] = {}
        self._nominator = Nominator()
        self.local_parameters = local_parameters
        self.local_key = IntegrityKey(short_term_key(local_parameters.pwd))
        self.remote_parameters: IceParameters | None = None
        self.check_list = CheckList()
        self.remote = RemoteCandidates()
        self.selection = Selection()
        self.consent = Consent(context.random_bytes)
        self.progress = Progress()

    def set_remote_parameters(self, parameters: IceParameters) -> None:
        """Start the checks. Checks of the other side that came before are looked at now."""
        self.remote_parameters = parameters
        self._checker = Checker(self._context, self.local_parameters, parameters)
        self.progress.is_started = True
        for candidate in self.remote:
            self._pair_remote(candidate)
        early, self._early = self._early, {}
        for (port, source), check in early.items():
            if check.remote_ufrag == parameters.ufrag:
                self.handle_check(port, source, check)

    def add_local(self, local: LocalCandidate) -> None:
        """Pair one more of our sockets."""
        if self.remote_parameters is not None:
            for candidate in self.remote:
                self._pair(local, candidate)

    def remove_port(self, port: int, now: float) -> None:
        """Forget the pairs of a socket that is gone."""
        for pair in [pair for pair in self.check_list if pair.port == port]:
            self._context.transactions.remove_pair(pair)
            self.check_list.remove(pair)
            self.selection.forget(pair)
            if self._nominator.pending is pair:
                self._nominator.pending = None
            if self.consent.pair is pair:
                self.consent.stop(now)

    def add_remote(self, candidate: Candidate) -> None:
        """Add a candidate that the other side signalled."""
        if not self.remote.add(candidate):
            self._context.counters.ignored_candidates += 1
        elif self.remote_parameters is not None:
            self._pair_remote(candidate)

    def _pair_remote(self, candidate: Candidate) -> None:
        address = candidate.host, candidate.port
        for local in self._context.local.bases():
            known = self.check_list.find(local.port, address)
            if known is None:
                self._pair(local, candidate)
            else:
                known.take_signalled(candidate)
        self.check_list.sort()

    def _pair(self, local: LocalCandidate, remote: Candidate) -> CandidatePair | None:
        if not can_reach(local.base, remote.host):
            return None
        same_host = self._context.local.is_on_this_host(remote.host)
        controlling = self._context.role.controlling
        pair = CandidatePair(local.port, local.candidate, remote, controlling=controlling, same_host=same_host)
        in_use = (self.selection.pair, self.consent.pair, self._nominator.pending)
        return pair if self.check_list.add(pair, in_use) else None

    def handle_check(self, port: int, source: tuple[str, int], check: Check, now: float | None = None) -> None:
        """React to a verified check, which has been answered already (RFC 8445 7.3.1.3 to 7.3.1.5)."""
        if self.remote_parameters is None:
            if len(self._early) < MAX_EARLY_CHECKS or (port, source) in self._early:
                self._early[port, source] = check
            return
        pair = self.check_list.find(port, source)
        if pair is None:
            pair = self._learn(port, source, check.priority)
            if self.selection.pair is not None and now is not None:
                # Why does the other side look for a path from an address it had not before? Perhaps it has moved.
                self.consent.doubt(now)
        if pair is None or self.consent.liveness is Liveness.EXPIRED:
            return
        pair.counters.requests_received += 1
        pair.counters.responses_sent += 1
        self._trigger(pair, now)
        if check.use_candidate and not self._context.role.controlling:
            self._nominated(pair, check.transaction_id, now)
        if pair is self.consent.pair and now is not None:
            self.consent.follow(now)

    def handle_repeated(self, pair: CandidatePair, transaction_id: bytes, now: float) -> bool:
        """Count a check of the pair that everybody agrees on (see `is_settled`); tell whether we check it now, too."""
        counters = pair.counters
        counters.requests_received += 1
        counters.responses_sent += 1
        if not self._context.role.controlling:
            pair.theirs.nomination = transaction_id
        return self.consent.follow(now)

    def is_settled(self, pair: CandidatePair) -> bool:
        """Tell whether a pair is selected, answers, and has nothing before it: as all do most of the time."""
        return (
            pair is self.selection.pair
            and pair is self.consent.pair
            and self.consent.liveness is Liveness.ALIVE
            and pair.state is PairState.SUCCEEDED
            and not pair.is_wanted
        )

    def _learn(self, port: int, source: tuple[str, int], priority: int) -> CandidatePair | None:
        local = self._context.local.base(port)
        remote = self.remote.learn(source, priority)
        return None if local is None or remote is None else self._pair(local, remote)

    def _trigger(self, pair: CandidatePair, now: float | None) -> None:
        if pair.state is PairState.IN_PROGRESS:
            # The other side is there but our check had no answer yet: probably it was lost at a NAT that is open now.
            # RFC 8445 7.3.1.4 starts a new check; sending the same one again does the same, and keeps the number of
            # requests in flight bounded. When both sides start at the same time, the answer is just on its way.
            if now is not None and self._checker is not None:
                self._checker.repeat(pair, now)
        elif pair.state is not PairState.SUCCEEDED:
            self.check_list.trigger(pair)

    def _nominated(self, pair: CandidatePair, transaction_id: bytes, now: float | None) -> None:
        """RFC 8445 7.3.1.5: a nominated pair is selected when our own check of it has succeeded."""
        if pair.theirs.nomination == transaction_id:
            return
        pair.theirs.nomination = transaction_id
        if pair.state is PairState.SUCCEEDED and now is not None:
            self._select_nominated(pair, now)
        else:
            pair.is_wanted = True

    def _select_nominated(self, pair: CandidatePair, now: float) -> None:
        if self.selection.accepts(pair, now, alive=self.consent.liveness is Liveness.ALIVE):
            pair.is_wanted = False
            self._select(pair, now)
        else:
            # It is wanted still, should the pair in use turn out to be gone.
            pair.is_wanted = True
            self.consent.doubt(now)

    def handle_success(self, transaction: Transaction, mapped: tuple[str, int], now: float) -> None:
        """A check succeeded (RFC 8445 7.2.5.3)."""
        pair = transaction.pair
        counters = pair.counters
        counters.responses_received += 1
        counters.responded_at = now
        if not transaction.retransmitted:
            counters.round_trip_time = now - transaction.started_at
            counters.total_round_trip_time += counters.round_trip_time
        if self.consent.liveness is Liveness.EXPIRED or self.check_list.find(pair.port, pair.address) is not pair:
            return
        local = self._mapped_candidate(pair, mapped)
        if local is not pair.local:
            pair.take_mapped(local)
            self.check_list.sort()
        if pair.state is not PairState.SUCCEEDED:
            pair.state = PairState.SUCCEEDED
            self.check_list.unfreeze(pair.foundation)
        if pair is self.consent.pair:
            self.consent.answered(now)
        if transaction.nominating and self._nominator.pending is pair:
            self._select(pair, now)
        elif pair.is_wanted:
            self._select_nominated(pair, now)

    def _mapped_candidate(self, pair: CandidatePair, mapped: tuple[str, int]) -> Candidate:
        known = self._context.local.mapped(pair.port, mapped)
        if known is not None:
            return known
        local = pair.local
        if local.type == "relay" or (local.host, local.port) == mapped:
            return local
        # RFC 8445 7.2.5.3.1: a NAT nobody had told us about. The foundation stays: it decides what else is
        # worth checking.
        base = local.related or (local.host, local.port)
        return Candidate(local.foundation, local.component, "udp", local.priority, mapped[0], mapped[1], "prflx", base)

    def handle_failure(self, transaction: Transaction) -> None:
        """A check had no answer or an error as its answer (RFC 8445 7.2.5.2)."""
        pair = transaction.pair
        if transaction.nominating and self._nominator.pending is pair:
            # It worked before: a plain check shows whether it still does, and other valid pairs have their turn.
            self._nominator.pending = None
            pair.state = PairState.WAITING
        elif pair.check_id == transaction.id and pair.state is PairState.IN_PROGRESS:
            pair.state = PairState.FAILED

    def handle_role_switch(self, transaction: Transaction | None = None) -> None:
        """Our role changed: priorities change, a nomination of ours is void, and the check is made again."""
        self._nominator.pending = None
        for pair in self.check_list:
            pair.rank(controlling=self._context.role.controlling)
        self.check_list.sort()
        if transaction is not None and transaction.pair.state is PairState.IN_PROGRESS:
            self.check_list.trigger(transaction.pair)

    def advance(self, now: float) -> None:
        """Do everything that is due: consent, checks, nomination."""
        if not self.progress.is_started or not self.keep_alive(now):
            return
        if self.progress.started_at is None:
            self.progress.started_at = now
        self._check(now)
        self._nominate(now)
        self._follow_path(now)
        self._consider_failure(now)

    def keep_alive(self, now: float) -> bool:
        """Do what is due for the path in use. False: consent has expired and nothing may be sent."""
        if self.consent.update(now):
            self.recheck()
        if self.consent.liveness is Liveness.EXPIRED:
            self._context.transactions.remove_session(self.local_parameters.ufrag)
            return False
        if self.consent.pair is not None and self.consent.take_check(now):
            self._send(self.consent.pair, now, Purpose.CONSENT)
        return True

    def _check(self, now: float) -> None:
        above = self._above()
        while (pair := self.check_list.next_check(now, above=above)) is not None:
            if pair.state is not PairState.SUCCEEDED:
                self._send(pair, now, Purpose.CHECK)

    def _send(self, pair: CandidatePair, now: float, purpose: Purpose) -> None:
        if self._checker is not None:
            self._checker.send(pair, now, purpose)

    def _above(self) -> int:
        """With a selected pair that works, only better ones are worth checking."""
        pair = self.selection.pair
        return -1 if pair is None or self.consent.liveness is not Liveness.ALIVE else pair.priority

    def _nominate(self, now: float) -> None:
        if not self._context.role.controlling:
            return
        alive = self.consent.liveness is Liveness.ALIVE
        pair = self._nominator.choose(self.check_list, self.selection.pair, now, alive=alive)
        if pair is not None:
            self._nominator.pending = pair
            self._send(pair, now, Purpose.NOMINATION)

    def _select(self, pair: CandidatePair, now: float) -> None:
        self._nominator.selected(now)
        self.selection.select(pair, now)
        for other in self.check_list:
            # RFC 8445 8.1.2: what is not better needs no more packets. It is checked again when the path
            # falls silent.
            if other.priority < pair.priority and other.state is PairState.IN_PROGRESS:
                self._context.transactions.remove_pair(other)
                other.state = PairState.FROZEN
        self._follow_path(now)

    def _follow_path(self, now: float) -> None:
        pair = self.path
        if pair is not None and pair is not self.consent.pair:
            self.progress.was_connected = True
            self.consent.watch(pair, now)

    def _consider_failure(self, now: float) -> None:
        progress = self.progress
        if progress.was_connected:
            return
        ended = self.remote.ended and self._context.local.ended and bool(self.check_list.pairs)
        finished = self.check_list.is_finished()
        is_over = now >= self._patience_ends_at()
        progress.gave_up = (finished and (ended or is_over)) or (progress.has_retried and is_over)
        if finished and not (progress.gave_up or progress.has_retried):
            # There is time left: a network that was gone for all of the first round may be back.
            progress.has_retried = bool(self.check_list.pairs)
            self.recheck()

    def _patience_ends_at(self) -> float:
        return (self.progress.started_at or 0.0) + PATIENCE

    def next_timeout(self, now: float) -> float | None:
        """Return when `advance` has something to do."""
        if not self.progress.is_started or self.consent.liveness is Liveness.EXPIRED:
            return None
        if self.progress.started_at is None:
            return now
        deadlines = [self.consent.next_timeout(), self.check_list.next_check_at(now, above=self._above())]
        if self._context.role.controlling:
            deadlines.append(self._nominator.next_timeout())
        if not self.progress.was_connected and now < self._patience_ends_at():
            deadlines.append(self._patience_ends_at())
        return earliest(deadlines)

    def delay(self, seconds: float) -> None:
        """Do not count `seconds` in which this process did not run."""
        self.consent.delay(seconds)
        self._nominator.delay(seconds)
        if self.progress.started_at is not None:
            self.progress.started_at += seconds

    def recheck(self) -> None:
        """Check the other pairs again, best first: the path in use has fallen silent."""
        for pair in self.check_list:
            if pair is not self.consent.pair and pair is not self._nominator.pending:
                self._context.transactions.remove_pair(pair)
                pair.state = PairState.WAITING

    @property
    def path(self) -> CandidatePair | None:
        """Where data goes: the selected pair, before that the best valid one (RFC 8445 12.1)."""
        if self.consent.liveness is Liveness.EXPIRED:
            return None
        if self.selection.pair is not None:
            return self.selection.pair
        silent = None if self.consent.liveness is Liveness.ALIVE else self.consent.pair
        return self.check_list.best_valid(silent) or self.consent.pair
