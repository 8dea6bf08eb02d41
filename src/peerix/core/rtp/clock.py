"""Clocks of RTP: NTP time, numbers that wrap, and which wall-clock time an RTP timestamp stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peerix.core.rtp.rtcp import SenderReport

NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 5905)."""


def ntp_of(unix_time: float) -> int:
    """Give the 64-bit NTP time of seconds since 1970."""
    return int((unix_time + NTP_EPOCH) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def unix_of(ntp_time: int) -> float:
    """Give the seconds since 1970 of a 64-bit NTP time."""
    return ntp_time / (1 << 32) - NTP_EPOCH


def compact_ntp(ntp_time: int) -> int:
    """Give the middle 32 bits, of which reports speak (RFC 3550 section 4)."""
    return ntp_time >> 16 & 0xFFFFFFFF


def round_trip(now_ntp: int, last: int, delay: int) -> float | None:
    """Compute the round trip from a report block or a DLRR (RFC 3550 section 6.4.1), seconds.

    None when the other side had nothing to answer yet, or answers nonsense.
    """
    if not last:
        return None
    elapsed = signed_difference(compact_ntp(now_ntp), last, 32) - delay
    return max(elapsed, 0) / 65_536 if elapsed > -6554 else None  # 0.1 s of clock drift is no nonsense


def signed_difference(a: int, b: int, bits: int) -> int:
    """Give a - b of two numbers that wrap at `bits` bits, as the shorter way around."""
    half = 1 << bits - 1
    return ((a - b + half) & (1 << bits) - 1) - half


class Unwrapper:
    """Makes steady numbers of those that wrap at `bits` bits; each is taken as near the one before."""

    __slots__ = ("_half", "_last", "_mask")

    def __init__(self, bits: int) -> None:
        self._half = 1 << bits - 1
        self._mask = (1 << bits) - 1
        self._last: int | None = None

    def unwrap(self, number: int) -> int:
        """Give the steady number."""
        last = self._last
        if last is not None:
            # As `signed_difference` does it; a call less for each packet.
            number = last + (number - last + self._half & self._mask) - self._half
        self._last = number
        return number


class SenderClock:
    """The relation of one source's timestamps to the wall clock of its sender, from sender reports."""

    __slots__ = ("_reference", "clock_rate")

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self._reference: tuple[float, int] | None = None

    def receive_sender_report(self, report: SenderReport) -> None:
        """Take the newest relation; a sender without a wall clock says 0 (RFC 3550 section 6.4.1)."""
        if report.ntp_time:
            self._reference = unix_of(report.ntp_time), report.rtp_time

    def wall_clock(self, timestamp: int) -> float | None:
        """Give when this was captured, in seconds since 1970 by the sender's clock; None before a report came."""
        if self._reference is None:
            return None
        time, reference = self._reference
        return time + signed_difference(timestamp, reference, 32) / self.clock_rate
