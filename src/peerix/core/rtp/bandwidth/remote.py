"""The estimate at the receiver, for senders that know REMB and no transport-wide feedback.

The time of sending is in each packet (abs-send-time), so the trend of the delay can be seen here as well
(draft-ietf-rmcat-gcc-02 section 1, draft-alvestrand-rmcat-remb-03).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.rtp.bandwidth.rates import AcknowledgedRate, DelayBasedRate
from peerix.core.rtp.bandwidth.trendline import TrendlineEstimator
from peerix.core.rtp.clock import Unwrapper
from peerix.core.rtp.header_extensions import ABS_SEND_TIME_UNITS
from peerix.core.rtp.rtcp import MaximumBitrate

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERVAL = 1.0
"""Seconds between two reports; a fall is told at once."""

WORTH_TELLING = 0.97
"""An estimate below this much of the last one told is told at once."""

UPDATE_INTERVAL = 0.05
"""Seconds between two looks at the trend."""

MIN_BITRATE = 30_000.0
MAX_BITRATE = 50_000_000.0

_RESPONSE_TIME = 0.1


class RemoteEstimator:
    """What the path to us carries, all sources together, bit/s.

    It grows by what arrives and cannot probe: a sender that sends little is told little more.
    """

    __slots__ = ("_arriving", "_rate", "_ssrc", "_told", "_told_at", "_trendline", "_unwrapper", "_update_at")

    def __init__(self, ssrc: int) -> None:
        self._ssrc = ssrc
        self._arriving = AcknowledgedRate()
        self._rate: DelayBasedRate | None = None
        self._trendline = TrendlineEstimator()
        self._unwrapper = Unwrapper(24)
        self._update_at = float("-inf")
        self._told = 0.0
        self._told_at = float("-inf")

    @property
    def bitrate(self) -> float | None:
        """The estimate; None as long as too little came."""
        return None if self._rate is None else min(max(self._rate.bitrate, MIN_BITRATE), MAX_BITRATE)

    def receive(self, abs_send_time: int, size: int, now: float) -> None:
        """Take one packet of `size` bytes with all headers."""
        self._trendline.receive(self._unwrapper.unwrap(abs_send_time) / ABS_SEND_TIME_UNITS, now)
        self._arriving.receive(size, now)
        if now < self._update_at:
            return
        self._update_at = now + UPDATE_INTERVAL
        arriving = self._arriving.bitrate()
        if self._rate is not None:
            self._rate.update(self._trendline.usage, arriving, _RESPONSE_TIME, now)
        elif arriving is not None:
            self._rate = DelayBasedRate(arriving)

    def report(self, ssrcs: Sequence[int], now: float) -> MaximumBitrate | None:
        """Give the report that is to leave now, if any; `ssrcs` are the sources that it is for."""
        bitrate = self.bitrate
        if bitrate is None or not ssrcs:
            return None
        if now - self._told_at < INTERVAL and bitrate >= self._told * WORTH_TELLING:
            return None
        self._told, self._told_at = bitrate, now
        return MaximumBitrate(self._ssrc, int(bitrate), tuple(ssrcs[:255]))
