"""What is known of one source that we receive, and its report block (RFC 3550 sections A.1, A.3, A.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.rtp.clock import compact_ntp, signed_difference
from peerix.core.rtp.rtcp import ReportBlock

if TYPE_CHECKING:
    from peerix.core.rtp.rtcp import SenderReport

MAX_DROPOUT = 3000
"""A jump ahead that is still taken as loss (RFC 3550 section A.1)."""

MAX_MISORDER = 1000
"""How late a packet may come: retransmissions without a stream of their own come later than the 100 of RFC 3550."""


@dataclass(slots=True)
class ReceptionCounters:
    """What came of a source beside its payloads, and what was asked of it."""

    header_octets: int = 0
    """Bytes of headers, extensions and padding, those of repetitions too."""
    repaired: int = 0
    """Packets that came in the retransmission stream."""
    repaired_octets: int = 0
    nacks: int = 0
    """Packets of RTCP that asked for packets."""
    picture_losses: int = 0
    """Requests for a key frame."""
    frames: int = 0
    key_frames: int = 0


class ReceptionStatistics:
    """Sequence numbers, loss and jitter of `ssrc`, whose clock has `clock_rate` Hz."""

    __slots__ = (
        "_bad_sequence",
        "_base",
        "_last_arrival",
        "_report",
        "_told",
        "clock_rate",
        "counters",
        "highest",
        "jitter",
        "octets",
        "received",
        "ssrc",
    )

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        self.ssrc = ssrc
        self.clock_rate = clock_rate
        self.highest = -1
        """The extended highest sequence number; -1 before the first packet."""
        self.jitter = 0.0
        """In units of the clock."""
        self.received = 0
        self.octets = 0
        """Of payloads."""
        self._base = 0
        self._bad_sequence: int | None = None
        self._last_arrival: tuple[float, int] | None = None
        self._told = (0, 0)
        """What was expected and received when the last block was made."""
        self._report: tuple[SenderReport, float] | None = None
        self.counters = ReceptionCounters()

    @property
    def expected(self) -> int:
        """How many packets the sender sent as far as we can tell."""
        return self.highest - self._base + 1 if self.received else 0

    @property
    def lost(self) -> int:
        """How many did not come; duplicates make it negative."""
        return self.expected - self.received

    def receive(self, sequence_number: int, timestamp: int, size: int, now: float) -> int | None:
        """Count one packet and give its extended sequence number.

        None for a packet far off all others, which is to be dropped; a second one in sequence with it is a sender that
        began anew, and counting too.
        """
        highest = self.highest
        if highest < 0:
            self._begin(sequence_number)
            extended = sequence_number
        else:
            # As `signed_difference` does it; a call less for each packet.
            distance = (sequence_number - highest + 0x8000 & 0xFFFF) - 0x8000
            extended = highest + distance
            if not -MAX_MISORDER <= distance < MAX_DROPOUT:
                if sequence_number != self._bad_sequence:
                    self._bad_sequence = sequence_number + 1 & 0xFFFF
                    return None
                extended = (highest & ~0xFFFF) + 0x10000 + sequence_number
                self._begin(extended)
        self._bad_sequence = None
        self.received += 1
        self.octets += size
        if extended >= self.highest:
            self.highest = extended
            if self._last_arrival is not None:
                then, before = self._last_arrival
                ticks = (timestamp - before + 0x80000000 & 0xFFFFFFFF) - 0x80000000
                self.jitter += (abs((now - then) * self.clock_rate - ticks) - self.jitter) / 16
            self._last_arrival = now, timestamp
        return extended

    def extend(self, sequence_number: int) -> int | None:
        """Give the extended number of a packet that was repaired, and is not counted; None before the first packet."""
        if self.highest < 0:
            return None
        return self.highest + signed_difference(sequence_number, self.highest & 0xFFFF, 16)

    def receive_sender_report(self, report: SenderReport, now: float) -> None:
        """Remember a report for the answer to it."""
        self._report = report, now

    @property
    def sender_report(self) -> SenderReport | None:
        """What the sender said last of what it has sent."""
        return None if self._report is None else self._report[0]

    def report_block(self, now: float) -> ReportBlock:
        """Make the block of the next report; the fraction lost is since the one before."""
        expected, received = self.expected, self.received
        expected_now, received_now = expected - self._told[0], received - self._told[1]
        self._told = expected, received
        lost_now = expected_now - received_now
        fraction = min(lost_now * 256 // expected_now, 255) if expected_now > 0 and lost_now > 0 else 0
        last, delay = 0, 0
        if self._report is not None:
            report, arrival = self._report
            last = compact_ntp(report.ntp_time)
            delay = min(int((now - arrival) * 65_536), 0xFFFFFFFF)
        return ReportBlock(
            self.ssrc,
            fraction,
            min(max(self.lost, -0x800000), 0x7FFFFF),
            max(self.highest, 0) & 0xFFFFFFFF,
            min(int(self.jitter), 0xFFFFFFFF),
            last,
            delay,
        )

    def _begin(self, extended: int) -> None:
        self.highest = self._base = extended
        self.received = 0
        self._told = (0, 0)
        self._last_arrival = None
