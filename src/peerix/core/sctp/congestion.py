"""Congestion control (RFC 9260 section 7.2) behind an interface of five calls."""

from __future__ import annotations

from typing import Protocol

INITIAL_PACKETS = 10
"""The initial window in packets (RFC 6928; RFC 9260 section 7.2.1 has 4,404 bytes, from before that)."""

MIN_PACKETS = 4
"""The window after a loss is at least so many packets (RFC 9260 section 7.2.3)."""


class CongestionControl(Protocol):
    """Decides how many bytes may be in flight.

    Calls say what happened; `cwnd` is the answer. Byte counts are user bytes of DATA chunks.
    """

    cwnd: int

    def receive_acked(self, acked: int, flight: int, rtt: float | None, now: float) -> None:
        """Take note of `acked` newly acknowledged bytes outside of recovery; `flight` was in flight before them."""

    def handle_loss(self, flight: int, now: float) -> None:
        """React to a loss; called once a window of data (RFC 9260 section 7.2.4)."""

    def handle_timeout(self, flight: int, now: float) -> None:
        """React to an expired T3-rtx timer (RFC 9260 section 7.2.3)."""

    def undo(self) -> None:
        """Take back the last reaction: the loss turned out to be reordering."""

    def set_packet_size(self, packet_size: int) -> None:
        """Go on with packets of another size."""


class NewReno:
    """Slow start and congestion avoidance of RFC 9260 section 7.2, with appropriate byte counting.

    A SACK here acknowledges a whole batch of packets, so slow start counts the bytes acknowledged (L without bound in
    the RFC's words); one packet for each SACK would take seconds to fill a path.
    """

    __slots__ = ("_before", "_packet_size", "_partial_bytes_acked", "cwnd", "ssthresh")

    def __init__(self, packet_size: int) -> None:
        self._packet_size = packet_size
        self.cwnd = INITIAL_PACKETS * packet_size
        self.ssthresh = 1 << 62
        self._partial_bytes_acked = 0
        self._before = (self.cwnd, self.ssthresh)

    def receive_acked(self, acked: int, flight: int, rtt: float | None, now: float) -> None:
        """Grow, but only while the window is in use (RFC 9260 section 7.2.1)."""
        if flight + self._packet_size < self.cwnd:
            return
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
        if self.ssthresh >= 1 << 62:
            self.cwnd = max(self.cwnd, INITIAL_PACKETS * packet_size)
