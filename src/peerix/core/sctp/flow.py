"""How much may be on the path and when: the congestion controller with what it measures by and what carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sctp.delivery import DeliverySampler
from peerix.core.sctp.pacing import MIN_RTT, Pacer

if TYPE_CHECKING:
    from peerix.core.sctp.congestion import CongestionControl
    from peerix.core.sctp.outstanding import Delivered
    from peerix.core.sctp.timer import RetransmissionTimeout


class Flow:
    """One path's worth of sending.

    :ivar congestion: decides.
    :ivar pacer: holds back what is too early.
    """

    __slots__ = ("_lost", "_sampler", "_timeout", "congestion", "pacer")

    def __init__(self, congestion: CongestionControl, timeout: RetransmissionTimeout) -> None:
        self._timeout = timeout
        self._lost = 0
        self._sampler = DeliverySampler()
        self.congestion = congestion
        self.pacer = Pacer()

    @property
    def _rate(self) -> float:
        """The pacing rate, 0 where nothing is paced."""
        return self.congestion.pacing_rate if self._timeout.min_rtt >= MIN_RTT else 0.0

    def allowance(self, limit: int, room: int, now: float) -> int:
        """How many packets of `room` user bytes may leave now, `limit` at most."""
        rate = self._rate
        return min(limit, -(-self.pacer.allowance(rate, now) // room)) if rate else limit

    def note_sent(self, flight_before: int, flight: int, now: float) -> None:
        """So much was in flight before and after a flush."""
        if flight > flight_before:
            self._sampler.note_sent(flight_before, flight, now)
            rate = self._rate
            if rate:
                self.pacer.spend(flight - flight_before, rate, now)

    def note_app_limited(self, flight: int) -> None:
        """The window has room, but there is nothing to send, or the peer takes no more."""
        if flight < self.congestion.cwnd:
            self._sampler.note_app_limited(flight)

    def note_lost(self, size: int) -> None:
        """So many bytes were found to be lost; the controller hears of it with the next SACK."""
        self._lost += size

    def receive_acked(self, delivered: Delivered, flight: int, now: float, *, recovering: bool) -> None:
        """Tell the controller what a SACK told; so much was in flight before it."""
        sample = self._sampler.sample(delivered, self._timeout.min_rtt, now)
        sample.lost, self._lost = self._lost, 0
        sample.flight = flight
        sample.srtt = self._timeout.srtt
        sample.recovering = recovering
        if delivered.sends == 1:
            sample.rtt = now - delivered.sent_at
        self.congestion.receive_acked(sample, now)
