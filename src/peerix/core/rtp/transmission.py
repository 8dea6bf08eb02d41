"""What is known of one source that we send: counts, sender reports, and the round trip that reports tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.rtp.clock import compact_ntp, ntp_of, round_trip
from peerix.core.rtp.rtcp import SenderReport

if TYPE_CHECKING:
    from peerix.core.rtp.rtcp import ReportBlock

MAX_REFERENCE_TIMES = 32
"""Receivers whose reference times are remembered for an answer."""


class TransmissionStatistics:
    """Counts of `ssrc`; `wall_offset` is the wall clock (seconds since 1970) minus the monotonic clock `now`."""

    __slots__ = (
        "_reference",
        "_wall_offset",
        "block",
        "clock_rate",
        "octets",
        "packets",
        "round_trip_time",
        "round_trips",
        "ssrc",
        "total_round_trip_time",
    )

    def __init__(self, ssrc: int, clock_rate: int, wall_offset: float) -> None:
        self.ssrc = ssrc
        self.clock_rate = clock_rate
        self._wall_offset = wall_offset
        self._reference: tuple[float, int] | None = None
        self.packets = 0
        self.octets = 0
        """Of payloads."""
        self.round_trip_time: float | None = None
        """Seconds; None before the other side answered a report."""
        self.round_trips = 0
        """How often it was measured."""
        self.total_round_trip_time = 0.0
        self.block: ReportBlock | None = None
        """What the other side said last of this source."""

    @property
    def fraction_lost(self) -> float:
        """The share of packets that did not arrive between the last two reports."""
        return 0.0 if self.block is None else self.block.fraction_lost / 256

    @property
    def remote_lost(self) -> int:
        """Packets that did not arrive; duplicates make it negative."""
        return 0 if self.block is None else self.block.cumulative_lost

    @property
    def remote_jitter(self) -> float:
        """Seconds."""
        return 0.0 if self.block is None else self.block.jitter / self.clock_rate

    def count(self, packets: int, octets: int) -> None:
        """Count packets that left, and the bytes of their payloads."""
        self.packets += packets
        self.octets += octets

    def set_reference(self, timestamp: int, captured_at: float) -> None:
        """Tell that what has this timestamp was captured at that monotonic time."""
        self._reference = captured_at, timestamp

    def timestamp_at(self, time: float) -> int | None:
        """Give the timestamp of what is captured at a monotonic time; None as long as nothing was."""
        if self._reference is None:
            return None
        captured_at, timestamp = self._reference
        return timestamp + round((time - captured_at) * self.clock_rate) & 0xFFFFFFFF

    def sender_report(self, now: float) -> SenderReport | None:
        """Make a report; None as long as nothing was sent."""
        rtp_time = self.timestamp_at(now)
        if rtp_time is None or not self.packets:
            return None
        return SenderReport(self.ssrc, ntp_of(now + self._wall_offset), rtp_time, self.packets, self.octets)

    def receive_report_block(self, block: ReportBlock, now: float) -> None:
        """Take what the other side says of this source."""
        self.block = block
        measured = round_trip(ntp_of(now + self._wall_offset), block.last_sender_report, block.delay_since_last)
        if measured is not None:
            self.round_trip_time = measured
            self.round_trips += 1
            self.total_round_trip_time += measured


class ReferenceTimes:
    """Remembers the reference times of receivers (RRTR) until they are answered (DLRR, RFC 3611 section 4.5)."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: dict[int, tuple[int, float]] = {}

    def receive(self, ssrc: int, ntp_time: int, now: float) -> None:
        """Remember one; of too many the oldest is forgotten."""
        self._times.pop(ssrc, None)
        if len(self._times) >= MAX_REFERENCE_TIMES:
            del self._times[next(iter(self._times))]
        self._times[ssrc] = compact_ntp(ntp_time), now

    def take(self, now: float) -> list[tuple[int, int, int]]:
        """Give SSRC, time and delay (65,536ths of a second) of what is to be answered, and forget it."""
        answers = [
            (ssrc, time, min(int((now - arrival) * 65_536), 0xFFFFFFFF))
            for ssrc, (time, arrival) in self._times.items()
        ]
        self._times.clear()
        return answers
