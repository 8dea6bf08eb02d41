"""What the sender makes of SACKs and of silence (RFC 9260 sections 6.3 and 7.2, RFC 8985 section 7).

Owns the T3-rtx timer, the tail-loss probe and the recovery period, and tells the congestion control what happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sctp.intervals import unwrap
from peerix.core.sctp.loss import LossDetector
from peerix.core.sctp.timer import RetransmissionTimeout, RetransmissionTimer

if TYPE_CHECKING:
    from peerix.core.sctp.chunks import Sack
    from peerix.core.sctp.counters import SentCounters
    from peerix.core.sctp.flow import Flow
    from peerix.core.sctp.outstanding import Outstanding

PEER_DELAYED_ACK = 0.2
"""Seconds for which a peer may delay the SACK of a lone packet (RFC 9260 section 6.2)."""

MIN_PROBE_TIMEOUT = 0.01
"""The shortest wait for a tail-loss probe, against timers that fire all the time on fast paths."""


class LossRecovery:
    """Repairs losses.

    :ivar flow: the congestion control of the path.
    :ivar peer_rwnd: the peer's window as it said last.
    :ivar silent: timeouts since the peer was heard (RFC 9260 section 8.1).
    :ivar probe_due: a tail-loss probe is to be sent now.
    :ivar packet_size: of the packets that are sent now.
    """

    __slots__ = (
        "_counters",
        "_probe_at",
        "_recovery_tsn",
        "detector",
        "flow",
        "outstanding",
        "packet_size",
        "peer_rwnd",
        "probe_due",
        "silent",
        "timeout",
        "timer",
    )

    def __init__(
        self,
        outstanding: Outstanding,
        flow: Flow,
        timeout: RetransmissionTimeout,
        packet_size: int,
        counters: SentCounters,
    ) -> None:
        self.outstanding = outstanding
        self.flow = flow
        self.timeout = timeout
        self.timer = RetransmissionTimer(timeout)
        self.detector = LossDetector(timeout)
        self.packet_size = packet_size
        self.peer_rwnd = 0
        self.silent = 0
        self.probe_due = False
        self._probe_at: float | None = None
        self._recovery_tsn: int | None = None
        self._counters = counters

    @property
    def recovering(self) -> bool:
        """Whether in fast recovery (RFC 9260 section 7.2.4)."""
        return self._recovery_tsn is not None

    def receive_sack(self, sack: Sack, now: float) -> bool:
        """Take a SACK; False when it acknowledges what was never sent (RFC 9260 section 6.2.1)."""
        outstanding = self.outstanding
        cumulative = unwrap(sack.cumulative_tsn, outstanding.cumulative)
        if cumulative < outstanding.cumulative:
            return True
        if cumulative >= outstanding.next_tsn:
            return False
        self.silent = 0
        reopened = self.peer_rwnd < self.packet_size <= sack.advertised_rwnd
        self.peer_rwnd = sack.advertised_rwnd
        flight, advanced = outstanding.flight, cumulative > outstanding.cumulative
        delivered = outstanding.acknowledge(cumulative, sack.gaps)
        if delivered.sends == 1:
            self.timeout.add_sample(now - delivered.sent_at)
        detector = self.detector
        if detector.note_wrong(len(sack.duplicates) + delivered.revived):
            self._recovery_tsn = None
            self.flow.congestion.undo()
        detector.note_delivered(delivered, now)
        if outstanding.has_reneged:
            self._counters.reneged += 1
            outstanding.renege()
        if self._recovery_tsn is not None and cumulative >= self._recovery_tsn:
            self._recovery_tsn = None
        if reopened and not advanced and outstanding.flight <= self.packet_size:
            self._repeat_window_probe()
        self._detect(flight, now)
        if delivered.size:
            self.flow.receive_acked(delivered, flight, now, recovering=self.recovering)
        self._restart_timers(now, progress=advanced or delivered.size > 0)
        return True

    def _detect(self, flight: int, now: float) -> None:
        """Look for losses; the first one of a window of data lowers the congestion window."""
        lost = self.detector.detect(self.outstanding, self.packet_size, now, recovering=self.recovering)
        if lost:
            self.flow.note_lost(sum(chunk[2] - chunk[1] for chunk in lost))
        if lost and self._recovery_tsn is None:
            self._recovery_tsn = self.outstanding.next_tsn - 1
            self._counters.fast_recoveries += 1
            self.detector.note_recovery(len(lost))
            self.flow.congestion.handle_loss(flight, now)

    def _repeat_window_probe(self) -> None:
        """The window opened and the peer had dropped our probe of it: send that again, it was no loss of the path."""
        self.outstanding.mark_all_lost()
        self.detector.forget_chunks()

    def _restart_timers(self, now: float, *, progress: bool) -> None:
        """RFC 9260 section 6.3.2 R2 and R3."""
        if not self.outstanding.is_waiting:
            self.timer.stop()
            self._probe_at = None
        elif progress or self.timer.deadline is None:
            self.timer.expirations = 0
            self.timer.start(now)
            self._arm_probe(now)

    def _arm_probe(self, now: float) -> None:
        """Expect an answer in two round trips; else probe (RFC 8985 section 7.2)."""
        srtt = self.timeout.srtt
        flight = self.outstanding.flight
        if srtt is None or not flight or self.timer.expirations:
            self._probe_at = None
            return
        wait = max(2 * srtt, MIN_PROBE_TIMEOUT)
        if flight < 2 * self.packet_size:
            wait += PEER_DELAYED_ACK
        at = now + wait
        self._probe_at = at if self.timer.deadline is None or at < self.timer.deadline else None

    def note_sent(self, now: float) -> None:
        """Chunks with TSNs were sent."""
        if self.timer.deadline is None:
            self.timer.start(now)
        self._arm_probe(now)

    def deadlines(self) -> tuple[float | None, ...]:
        """When `handle_timeout` has something to do."""
        return self.timer.deadline, self._probe_at, self.detector.deadline, self.flow.pacer.deadline

    def handle_timeout(self, now: float) -> None:
        """Decide what silence means."""
        outstanding = self.outstanding
        self.flow.pacer.handle_timeout(now)
        if self.detector.deadline is not None and now >= self.detector.deadline:
            self._detect(outstanding.flight, now)
        if self._probe_at is not None and now >= self._probe_at:
            self._probe_at = None
            self.probe_due = True
        if not self.timer.take_expired(now):
            return
        self._counters.timeouts += 1
        self.silent += 1
        probing_window = self.peer_rwnd < self.packet_size and outstanding.flight <= self.packet_size
        flight = outstanding.flight
        outstanding.mark_all_lost()
        self.detector.forget_chunks()
        self.detector.note_recovery(0)
        self.detector.stubborn = self.packet_size
        self._recovery_tsn = None
        self._probe_at = None
        self.probe_due = False
        if not probing_window:
            self.flow.congestion.handle_timeout(flight, now)
        self.flow.pacer.forgive(now)
        if outstanding.is_waiting:
            self.timer.start(now)

    def reset_path(self, flow: Flow, packet_size: int, now: float) -> None:
        """Go on over another path, of which nothing is known; ask at once what arrived (RFC 8985 section 7)."""
        self.flow = flow
        self.packet_size = packet_size
        self.timeout.reset()
        self.detector.reset()
        self._recovery_tsn = None
        self._probe_at = None
        self.timer.stop()
        if self.outstanding.is_waiting:
            self.timer.start(now)
            self.probe_due = True
