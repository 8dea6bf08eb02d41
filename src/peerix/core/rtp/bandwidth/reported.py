"""The bitrate by receiver reports and REMB, for receivers that do not tell when packets arrived.

The receiver's estimate (draft-alvestrand-rmcat-remb-03) is believed as long as little is lost. Without one the bitrate
grows until packets are lost (draft-ietf-rmcat-gcc-02 section 6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.rtp.bandwidth.rates import (
    HEADROOM,
    INCREASE,
    LOSS_HIGH,
    LOSS_LOW,
    AcknowledgedRate,
    LossBasedLimit,
)

if TYPE_CHECKING:
    from peerix.core.rtp.rtcp import ReportBlock

REPORT_TIMEOUT = 5.0
"""Seconds without a report, while packets leave, after which the bitrate is halved: reports may be as rare as that."""

MAX_SOURCES = 256
"""Sources of ours whose last report is remembered."""


class ReportedRate:
    """The bitrate, bit/s, of what leaves without transport-wide numbers.

    :ivar limit: what the receiver says that it takes; infinity when it says nothing.
    :ivar loss: of the packets that the last reports told of.
    """

    __slots__ = ("_grown", "_grown_at", "_heard_at", "_leaving", "_loss_based", "_reported", "_sent_at", "limit")

    def __init__(self, start: float) -> None:
        self._grown = start
        self._grown_at: float | None = None
        self._heard_at: float | None = None
        self._sent_at = float("-inf")
        self._leaving = AcknowledgedRate()
        self._loss_based = LossBasedLimit()
        self._reported: dict[int, tuple[int, int]] = {}
        self.limit = float("inf")

    @property
    def bitrate(self) -> float:
        """What may be sent."""
        told = self._grown if self.limit == float("inf") else self.limit
        return min(told, self._loss_based.limit)

    @property
    def loss(self) -> float:
        """The share of packets that was lost of late."""
        return self._loss_based.loss

    def sent(self, size: int, now: float) -> None:
        """Note a packet that leaves."""
        if self._heard_at is None:
            self._heard_at = now
        self._sent_at = now
        self._leaving.receive(size, now)

    def receive_report(self, block: ReportBlock, round_trip: float, now: float) -> None:
        """Take what the other side says of a source of ours."""
        self._heard_at = now
        before = self._reported.get(block.ssrc)
        self._reported[block.ssrc] = (block.highest_sequence, block.cumulative_lost)
        if len(self._reported) > MAX_SOURCES:
            del self._reported[next(iter(self._reported))]
        if before is None:
            return
        total = block.highest_sequence - before[0] & 0xFFFFFFFF
        if total > 1 << 31:
            return  # the source began anew, or the report was overtaken
        lost = min(max(block.cumulative_lost - before[1], 0), total)
        self._loss_based.receive(lost, total, self.bitrate, None, round_trip, now)
        self._grow(now)

    def halve_when_nothing_is_heard(self, now: float) -> None:
        """React to the passing of time."""
        at = self.next_timeout()
        if at is not None and now >= at:
            self._heard_at = now
            self._grown = self._loss_based.limit = self.bitrate / 2

    def next_timeout(self) -> float | None:
        """When nothing was heard for long, though packets left."""
        if self._heard_at is None or self._sent_at <= self._heard_at:
            return None
        return self._heard_at + REPORT_TIMEOUT

    def _grow(self, now: float) -> None:
        elapsed = 0.0 if self._grown_at is None else min(now - self._grown_at, 1.0)
        self._grown_at = now
        if self.loss > LOSS_HIGH:
            self._grown = min(self._grown, self._loss_based.limit)
        elif self.loss < LOSS_LOW:
            leaving = self._leaving.bitrate() or 0.0
            most = max(leaving * HEADROOM, self._grown)  # nobody knows the path beyond what was tried
            self._grown = min(self._grown * (1 + INCREASE) ** elapsed, most)
