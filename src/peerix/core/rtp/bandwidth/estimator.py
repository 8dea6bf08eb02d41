"""Send-side bandwidth estimation: what the path carries, from the delay, the loss, and probes (GCC).

packets leave  --sent-->  SentPackets  --feedback-->  results  -->  trend, arriving rate, loss, probes  -->  bitrate
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.rtp.bandwidth.probing import Prober
from peerix.core.rtp.bandwidth.rates import LOSS_HIGH, LOSS_LOW, AcknowledgedRate, DelayBasedRate, LossBasedLimit
from peerix.core.rtp.bandwidth.reported import ReportedRate
from peerix.core.rtp.bandwidth.sent_packets import NO_PROBE, SentPackets
from peerix.core.rtp.bandwidth.standing_queue import StandingQueue
from peerix.core.rtp.bandwidth.trendline import TrendlineEstimator, Usage

if TYPE_CHECKING:
    from peerix.core.rtp.bandwidth.sent_packets import PacketResult
    from peerix.core.rtp.rtcp import ReportBlock, TransportFeedback

START_BITRATE = 300_000.0
MIN_BITRATE = 30_000.0
"""Bit/s below which nothing useful can be sent."""

FEEDBACK_TIMEOUT = 1.0
"""Seconds without feedback, while packets are in flight, after which the bitrate is halved; three round trips if those
are more."""

_DEFAULT_ROUND_TRIP = 0.1


class BandwidthEstimator:
    """The bitrate of everything that is sent on one transport, in bit/s.

    Without transport-wide feedback it is that of `reported`: what reports and REMB tell.
    `maximum` is what is wanted at most; nothing beyond is searched for.
    """

    __slots__ = (
        "_acknowledged",
        "_before_silence",
        "_delay_based",
        "_heard_at",
        "_loss_based",
        "_maximum",
        "_standing",
        "_started",
        "_trendline",
        "prober",
        "reported",
        "sent_packets",
    )

    def __init__(self, maximum: float, start: float = START_BITRATE) -> None:
        self._maximum = maximum
        self._delay_based = DelayBasedRate(start)
        self._loss_based = LossBasedLimit()
        self._standing = StandingQueue()
        self._trendline = TrendlineEstimator()
        self._acknowledged = AcknowledgedRate()
        self._heard_at = 0.0
        self._before_silence = 0.0
        """The bitrate before nothing was heard for long; 0 while something is."""
        self._started = False
        self.prober = Prober()
        self.reported = ReportedRate(start)
        self.sent_packets = SentPackets()

    @property
    def bitrate(self) -> float:
        """What may be sent."""
        if self._started:
            found = min(self._delay_based.bitrate, self._loss_based.limit, self.reported.limit)
        else:
            found = self.reported.bitrate
        return max(min(found, self._maximum), MIN_BITRATE)

    @property
    def usage(self) -> Usage:
        """What the delays say of the path."""
        return self._trendline.usage

    @property
    def loss(self) -> float:
        """The share of packets that was lost of late."""
        return self._loss_based.loss if self._started else self.reported.loss

    @property
    def round_trip_time(self) -> float | None:
        """Seconds, with what the receiver waited before its feedback."""
        return self.sent_packets.round_trip_time

    def set_maximum(self, maximum: float) -> None:
        """Want another bitrate at most; when it is more than before, it is searched for at once."""
        if maximum > self._maximum:
            self.prober.hurry()
        self._maximum = maximum

    def set_remote_limit(self, bitrate: float) -> None:
        """Take what the receiver says that it takes (REMB)."""
        self.reported.limit = bitrate

    def sent(self, size: int, now: float) -> int:
        """Note a packet that leaves now, `size` bytes with all headers, and give its transport-wide number."""
        if not self._started:
            self._started = True
            self._heard_at = now
            self.prober.start(self._delay_based.bitrate, self._maximum, now)
        probe = self.prober.active
        if probe is None:
            return self.sent_packets.add(size, now)
        number = self.sent_packets.add(size, now, probe.number)
        self.prober.sent(size, now)
        return number

    def sent_untold(self, size: int, now: float) -> None:
        """Note a packet that leaves without a number, since nobody would tell when it arrived."""
        self.reported.sent(size, now)

    def receive_report(self, block: ReportBlock, round_trip: float | None, now: float) -> None:
        """Take what a receiver report says of packets without numbers."""
        self.reported.receive_report(block, _DEFAULT_ROUND_TRIP if round_trip is None else round_trip, now)

    def receive_feedback(self, feedback: TransportFeedback, now: float) -> None:
        """Take transport-wide feedback."""
        results = self.sent_packets.receive(feedback, now)
        if not results:
            return
        self._heard_at = now
        found = self._take_results(results, now)
        round_trip = self.sent_packets.round_trip_time or _DEFAULT_ROUND_TRIP
        lost = sum(result.arrived_at is None for result in results)
        if self._before_silence:
            self._end_silence(lost / len(results))
        arriving = self._acknowledged.bitrate()
        self._loss_based.receive(lost, len(results), self.bitrate, arriving, round_trip, now)
        wanted = self._standing.receive(results, self.bitrate, arriving, round_trip, now)
        if found is not None and self.usage is not Usage.OVERUSE and not self._standing.is_standing:
            self._take_probe(found)
            arriving = None
        # What is wanted later begins no lower than on a new path, even if little was wanted for long.
        self._delay_based.bitrate = min(self._delay_based.bitrate, max(self._maximum, START_BITRATE))
        if wanted is not None:
            self._delay_based.set_bitrate(wanted)
        elif not self._standing.is_standing or self.usage is Usage.OVERUSE:
            self._delay_based.update(self.usage, arriving, round_trip, now)
        if self.usage is Usage.OVERUSE or self.loss > LOSS_HIGH or self._standing.is_standing:
            self.prober.postpone(now)
        elif self.usage is Usage.NORMAL:
            self.prober.search(self.bitrate, min(self._maximum, self.reported.limit), now)

    def next_timeout(self) -> float | None:
        """When `handle_timeout` wants to be called."""
        if not self._started:
            return self.reported.next_timeout()
        if not self.sent_packets.in_flight:
            return None
        return self._heard_at + max(FEEDBACK_TIMEOUT, 3 * (self.sent_packets.round_trip_time or 0.0))

    def handle_timeout(self, now: float) -> None:
        """Halve the bitrate when nothing is heard: the path may be full beyond its queue."""
        if not self._started:
            self.reported.halve_when_nothing_is_heard(now)
            return
        at = self.next_timeout()
        if at is not None and now >= at:
            self._heard_at = now
            self._before_silence = max(self._before_silence, self.bitrate)
            self._delay_based.set_bitrate(max(self.bitrate / 2, MIN_BITRATE))
            self.prober.postpone(now)

    def _end_silence(self, loss: float) -> None:
        """Go on as before when packets arrived all the time: it was the feedback that was late or lost."""
        if loss < LOSS_LOW:
            self._delay_based.set_bitrate(max(self._before_silence, self._delay_based.bitrate))
        self._before_silence = 0.0

    def _take_results(self, results: list[PacketResult], now: float) -> float | None:
        """Feed the parts; gives what a probe has found."""
        found: float | None = None
        for result in results:
            if result.arrived_at is not None:
                if result.probe == NO_PROBE:  # a probe makes a queue of its own
                    self._trendline.receive(result.sent_at, result.arrived_at)
                self._acknowledged.receive(result.size, result.arrived_at)
            if result.probe != NO_PROBE:
                measured = self.prober.receive(result, now)
                found = measured if measured is not None else found
        return found

    def _take_probe(self, measured: float) -> None:
        # A probe that found less than the estimate was disturbed: the delays will tell.
        if measured > self.bitrate:
            self._delay_based.set_bitrate(min(measured, self._maximum))
            self._loss_based.raise_to(measured)
            self._acknowledged.reset()
