"""HyStart++ (RFC 9406): slow start ends when round trips get longer, before the queue overflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peerix.core.sctp.delivery import DeliverySample

MIN_RTT_THRESH = 0.004
"""RFC 9406 section 4.3."""

MAX_RTT_THRESH = 0.016
"""RFC 9406 section 4.3."""

MIN_RTT_DIVISOR = 8
"""RFC 9406 section 4.3."""

N_RTT_SAMPLE = 8
"""Round trips that have to be seen in a round before it counts."""

CSS_GROWTH_DIVISOR = 4
"""How much slower conservative slow start grows."""

CSS_ROUNDS = 5
"""Rounds of conservative slow start after which it is over."""

_NONE = 3600.0


class HyStart:
    """Watches the least round trip of each round.

    :ivar done: slow start is over.
    """

    __slots__ = ("_baseline", "_css_rounds", "_last", "_least", "_samples", "done")

    def __init__(self) -> None:
        self._last = _NONE
        self._least = _NONE
        self._samples = 0
        self._baseline = 0.0
        """The round trip at which conservative slow start began; 0 outside of it."""
        self._css_rounds = 0
        self.done = False

    def growth(self, sample: DeliverySample) -> float:
        """Return the packets to grow by for each one acknowledged."""
        if sample.round_start:
            self._start_round()
        if sample.rtt is not None:
            self._least = min(self._least, sample.rtt)
            self._samples += 1
        if self._samples >= N_RTT_SAMPLE:
            self._judge()
        return 1 / CSS_GROWTH_DIVISOR if self._baseline else 1.0

    def _start_round(self) -> None:
        if self._baseline:
            self._css_rounds += 1
            self.done = self._css_rounds >= CSS_ROUNDS
        self._last, self._least, self._samples = self._least, _NONE, 0

    def _judge(self) -> None:
        if self._baseline:
            if self._least < self._baseline:
                self._baseline = 0.0  # The delay was a passing one.
                self._css_rounds = 0
            return
        if self._last >= _NONE:
            return
        threshold = max(MIN_RTT_THRESH, min(self._last / MIN_RTT_DIVISOR, MAX_RTT_THRESH))
        if self._least >= self._last + threshold:
            self._baseline = self._least
            self._css_rounds = 0
