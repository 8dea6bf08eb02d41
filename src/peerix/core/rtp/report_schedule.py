"""When RTCP leaves (RFC 3550 sections 6.2 and 6.3, RFC 4585 section 3).

Ours are sessions of two. So no dithering is needed for feedback, and it may leave at once as long as RTCP keeps to
its share of the bandwidth (RFC 4585 section 3.3, the immediate feedback mode).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

RTCP_SHARE = 0.05
"""Of the session's bandwidth (RFC 3550 section 6.2)."""

MINIMUM_INTERVAL = 1.0
"""Seconds between regular reports, on average; senders of video and audio alike, for round trips and lip sync."""

MIN_BANDWIDTH = 1_000.0
"""Bytes a second for RTCP, however small the session: feedback matters most where little fits."""

BURST = 0.5
"""Seconds' worth of the share that may leave at once."""

_COMPENSATION = 1.21828
"""e - 1.5: undoes what timer reconsideration makes of the average (RFC 3550 section 6.3.1)."""


class ReportSchedule:
    """One transport's regular reports and its allowance for feedback.

    `bandwidth` is that of the session in bytes a second; `random_bytes` spreads the reports.
    """

    __slots__ = ("_average_size", "_bandwidth", "_credit", "_credit_at", "_random_bytes", "next_report_at")

    def __init__(self, random_bytes: Callable[[int], bytes], bandwidth: float, now: float) -> None:
        self._random_bytes = random_bytes
        self._average_size = 128.0
        self._bandwidth = MIN_BANDWIDTH
        self.set_bandwidth(bandwidth)
        self._credit = self._bandwidth * BURST
        self._credit_at = now
        # RFC 3550 6.2: half the interval before the first report.
        self.next_report_at = now + self._interval() / 2

    def set_bandwidth(self, bandwidth: float) -> None:
        """Follow the bandwidth of the session, bytes a second."""
        self._bandwidth = max(bandwidth * RTCP_SHARE, MIN_BANDWIDTH)

    def receive_size(self, size: int) -> None:
        """Take the size of a compound packet that came, with all headers below."""
        self._average_size += (size - self._average_size) / 16

    def report_sent(self, size: int, now: float) -> None:
        """A regular compound packet of `size` bytes left; the next one is scheduled."""
        self.receive_size(size)
        self._spend(size, now)
        self.next_report_at = now + self._interval()

    def feedback_at(self, *, urgent: bool = False) -> float:
        """When feedback may leave early: once what left before is within the share.

        :param urgent: what cannot wait, requests for lost packets, may borrow as much as a burst.
        """
        credit = self._credit + self._bandwidth * BURST if urgent else self._credit
        return self._credit_at if credit > 0 else self._credit_at + (1.0 - credit) / self._bandwidth

    def feedback_sent(self, size: int, now: float) -> None:
        """Feedback of `size` bytes left, with all headers below."""
        self._spend(size, now)
        self.receive_size(size)

    def _spend(self, size: int, now: float) -> None:
        limit = self._bandwidth * BURST
        earned = max(now - self._credit_at, 0.0) * self._bandwidth
        self._credit = min(self._credit + earned, limit) - size
        self._credit_at = now

    def _interval(self) -> float:
        """Two members share the bandwidth; half to one and a half times the interval."""
        interval = max(2 * self._average_size / self._bandwidth, MINIMUM_INTERVAL)
        spread = 0.5 + int.from_bytes(self._random_bytes(2), "big") / 0x10000
        return interval * spread / _COMPENSATION
