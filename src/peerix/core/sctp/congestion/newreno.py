"""The congestion control of RFC 9260 section 7.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sctp.congestion.control import INITIAL_PACKETS, MIN_PACKETS, fills_window

if TYPE_CHECKING:
    from peerix.core.sctp.delivery import DeliverySample

SLOW_START_PACING = 2.0
"""The pacing rate in windows a round trip: with less the window could not double in one."""

PACING = 1.2
"""The same afterwards; above one, so that the window stays in use whatever the round trip does."""

UNLIMITED = 1 << 62


class NewReno:
    """Slow start and congestion avoidance of RFC 9260 section 7.2, with appropriate byte counting.

    A SACK here acknowledges a whole batch of packets, so slow start counts the bytes acknowledged (L without bound in
    the RFC's words); one packet for each SACK would take seconds to fill a path.
    """

    __slots__ = ("_before", "_packet_size", "_partial_bytes_acked", "cwnd", "pacing_rate", "ssthresh")

    def __init__(self, packet_size: int) -> None:
        self._packet_size = packet_size
        self.cwnd = INITIAL_PACKETS * packet_size
        self.pacing_rate = 0.0
        self.ssthresh = UNLIMITED
        self._partial_bytes_acked = 0
        self._before = (self.cwnd, self.ssthresh)

    def receive_acked(self, sample: DeliverySample, now: float) -> None:
        """Grow, but only outside of recovery and while the window is in use (RFC 9260 section 7.2.1)."""
        if not sample.recovering and fills_window(sample.flight, self.cwnd, self._packet_size):
            self._grow(sample.acked)
        if sample.srtt:
            gain = SLOW_START_PACING if self.cwnd < self.ssthresh else PACING
            self.pacing_rate = gain * self.cwnd / sample.srtt

    def _grow(self, acked: int) -> None:
        if self.cwnd < self.ssthresh:
            self.cwnd = min(self.cwnd + acked, max(self.ssthresh, self.cwnd))
            return
        self._partial_bytes_acked += acked
        if self._partial_bytes_acked >= self.cwnd:
            self._partial_bytes_acked -= self.cwnd
            self.cwnd += self._packet_size

    def handle_loss(self, flight: int, now: float) -> None:
        """Halve the window."""
        self._before = (self.cwnd, self.ssthresh)
        self.ssthresh = max(self.cwnd // 2, MIN_PACKETS * self._packet_size)
        self.cwnd = self.ssthresh
        self._partial_bytes_acked = 0

    def handle_timeout(self, flight: int, now: float) -> None:
        """Start again with one packet."""
        self._before = (self.cwnd, self.ssthresh)
        self.ssthresh = max(self.cwnd // 2, MIN_PACKETS * self._packet_size)
        self.cwnd = self._packet_size
        self._partial_bytes_acked = 0

    def undo(self) -> None:
        """Go back to the window before the last loss where it was larger."""
        cwnd, ssthresh = self._before
        self.cwnd = max(self.cwnd, cwnd)
        self.ssthresh = max(self.ssthresh, ssthresh)

    def set_packet_size(self, packet_size: int) -> None:
        """Keep the window, but never below what a start would have when packets get larger."""
        self._packet_size = packet_size
        if self.ssthresh >= UNLIMITED:
            self.cwnd = max(self.cwnd, INITIAL_PACKETS * packet_size)
