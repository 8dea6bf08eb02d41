"""CUBIC (RFC 9438) with HyStart++ (RFC 9406)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sctp.congestion.control import INITIAL_PACKETS, MIN_PACKETS, fills_window
from peerix.core.sctp.congestion.hystart import HyStart
from peerix.core.sctp.congestion.newreno import PACING, SLOW_START_PACING, UNLIMITED

if TYPE_CHECKING:
    from peerix.core.sctp.delivery import DeliverySample

CUBIC_C = 0.4
"""C of RFC 9438 section 4.1, in packets a cubic second."""

BETA_CUBIC = 0.7
"""What is left of the window after a loss (RFC 9438 section 4.6)."""

ALPHA_CUBIC = 3 * (1 - BETA_CUBIC) / (1 + BETA_CUBIC)
"""Packets a round trip by which Reno would grow if it lowered its window as little (RFC 9438 section 4.3)."""


class Cubic:
    """A window that grows with the time since the last loss, whatever the round trip.

    Windows are kept in packets, as fractions.
    """

    __slots__ = (
        "_before",
        "_epoch",
        "_hystart",
        "_origin",
        "_packet_size",
        "_reno_window",
        "_time_to_origin",
        "_w_max",
        "_window",
        "cwnd",
        "pacing_rate",
        "ssthresh",
    )

    def __init__(self, packet_size: int) -> None:
        self._packet_size = packet_size
        self._window = float(INITIAL_PACKETS)
        self._w_max = 0.0
        self._origin = 0.0
        self._time_to_origin = 0.0
        """K of RFC 9438 section 4.2: seconds from the start of the epoch to `_origin`."""
        self._reno_window = 0.0
        self._epoch: float | None = None
        self._hystart = HyStart()
        self._before = (self._window, float(UNLIMITED), 0.0)
        self.cwnd = INITIAL_PACKETS * packet_size
        self.ssthresh = float(UNLIMITED)
        self.pacing_rate = 0.0

    def receive_acked(self, sample: DeliverySample, now: float) -> None:
        """Grow, outside of recovery and while the window is in use."""
        slow_start = self._window < self.ssthresh
        if not sample.recovering:
            if not fills_window(sample.flight, self.cwnd, self._packet_size):
                self._epoch = None  # The time in which nothing was sent does not count (RFC 9438 section 5.8).
            elif slow_start:
                self._window += self._hystart.growth(sample) * sample.acked / self._packet_size
                if self._hystart.done:
                    self.ssthresh = self._window
            elif sample.srtt:
                self._avoid_congestion(sample.acked / self._packet_size, sample.srtt, now)
            self.cwnd = int(self._window * self._packet_size)
        if sample.srtt:
            self.pacing_rate = (SLOW_START_PACING if slow_start else PACING) * self.cwnd / sample.srtt

    def _avoid_congestion(self, acked: float, srtt: float, now: float) -> None:
        """RFC 9438 sections 4.2 to 4.5."""
        if self._epoch is None:
            self._epoch = now
            self._reno_window = self._window
            self._origin = max(self._w_max, self._window)
            self._time_to_origin = ((self._origin - self._window) / CUBIC_C) ** (1 / 3)
        target = self._origin + CUBIC_C * (now + srtt - self._epoch - self._time_to_origin) ** 3
        target = min(max(target, self._window), 1.5 * self._window)
        self._reno_window += (ALPHA_CUBIC if self._reno_window < self._w_max else 1.0) * acked / self._window
        grown = self._window + (target - self._window) * acked / self._window
        self._window = max(grown, self._reno_window)

    def handle_loss(self, flight: int, now: float) -> None:
        """Lower the window to 0.7 of what it was, and leave room to others that came (RFC 9438 sections 4.6, 4.7)."""
        self._before = (self._window, self.ssthresh, self._w_max)
        window = self._window
        self._w_max = window * (1 + BETA_CUBIC) / 2 if window < self._w_max else window
        self.ssthresh = max(window * BETA_CUBIC, float(MIN_PACKETS))
        self._resize(self.ssthresh)

    def handle_timeout(self, flight: int, now: float) -> None:
        """Start again with one packet (RFC 9438 section 4.8)."""
        self.handle_loss(flight, now)
        self._resize(1.0)
        self._hystart = HyStart()

    def _resize(self, window: float) -> None:
        self._window = window
        self._epoch = None
        self.cwnd = int(window * self._packet_size)

    def undo(self) -> None:
        """Go back to the window before the last loss where it was larger (RFC 9438 section 4.9)."""
        window, ssthresh, w_max = self._before
        if window > self._window:
            self._resize(window)
            self.ssthresh = max(self.ssthresh, ssthresh)
            self._w_max = w_max

    def set_packet_size(self, packet_size: int) -> None:
        """Keep the window in bytes, but never below what a start would have when packets get larger."""
        window = self._window * self._packet_size / packet_size
        scale = self._packet_size / packet_size
        self._packet_size = packet_size
        if self.ssthresh >= UNLIMITED:
            window = max(window, float(INITIAL_PACKETS))
        else:
            self.ssthresh *= scale
        self._w_max *= scale
        self._resize(window)
