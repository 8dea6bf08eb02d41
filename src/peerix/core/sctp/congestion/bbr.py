"""Congestion control by a model of the path, in the manner of BBR (draft-ietf-ccwg-bbr).

It sends at the bandwidth that the path was seen to deliver, keeps about one bandwidth-delay product in flight, and now
and then tries a little more. A loss as such says nothing: radio links lose packets while nothing is full. Losses
count together with round trips that are longer than the path's, or when they are many.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from peerix.core.sctp.congestion.ceiling import Ceiling
from peerix.core.sctp.congestion.control import INITIAL_PACKETS, MIN_PACKETS
from peerix.core.sctp.congestion.path_model import UNKNOWN, PathModel
from peerix.core.sctp.pacing import MIN_RTT

if TYPE_CHECKING:
    from peerix.core.sctp.delivery import DeliverySample

BETA = 0.7
"""What is left of the window when a queue overflows, as with CUBIC."""

PACING_MARGIN = 0.99
"""A little below the bandwidth, so that a queue drains in the end."""

FULL_ROUNDS = 3
"""Rounds without growth after which the path is full."""

FULL_GROWTH = 1.25
"""What counts as growth."""

UP_GROWTH = 1.15
"""The same for a probe."""

PROBE_RTT_TIME = 0.2
"""Seconds for which the path is left half empty, to see its round trip."""

PROBE_ROUNDS = 10.0
"""Round trips between probes for more bandwidth, and up to as many more, so that flows do not probe together."""

MIN_PROBE_INTERVAL = 0.25
"""Seconds; the same on short paths, so that the bandwidth of a busy machine is not that of its last millisecond."""

MAX_PROBE_INTERVAL = 2.0
"""Seconds; the same on long paths, and after probes that found nothing: each of them doubles the interval."""

FOUND = 1.1
"""By so much more bandwidth than before a probe, it was worth it: the next one follows at once."""

MAX_UP_ROUNDS = 8
"""A probe, or a drain, ends after so many rounds, when nothing else has ended it."""

MIN_GROWTH_ROUNDS = 2
"""A probe that had to raise the window goes on for so many rounds: others may have filled the queue."""

MAX_DOWN_ROUNDS = 3
"""After so many rounds what a probe has put into the queue is gone; what is still there belongs to others."""

BURST_PACKETS, BURST_TIME = 4, 0.002
"""Packets, or seconds' worth, that the window has room for on top: what leaves together and comes back together."""

UNPACED_BURST_PACKETS, UNPACED_BURST_TIME = 6, 0.009
"""The same on a path too short to be paced: full flushes are worth more there than a short queue."""

MAX_PACKET_INTERVAL = 0.25
"""Seconds. However slow the path seems, packets leave no further apart, as far as the window has room: a model that is
wrong is seen to be wrong by what arrives."""

SETTLED_ROUNDS = 2
"""Rounds of cruising after which round trips say how long the path takes without a queue of ours."""

WINDOW_MARGIN = 0.25
"""Bandwidth-delay products that the window has beyond what such round trips fill."""

OWN_QUEUE, MIN_OWN_QUEUE = 1 / 8, 0.003
"""Round trips that are longer than such ones by this part of the path's, in seconds at least, meet a queue of ours."""

OWN_QUEUE_PACING = 0.9
"""What is sent while they do, in bandwidths. The bandwidth is the most that was seen, and what a busy machine sees is
some per cent more than there is: at that rate a queue only grows until the window is full."""


class Gains:
    """What a phase sends.

    :ivar pacing: the pacing rate in bandwidths.
    :ivar window: the window in bandwidth-delay products.
    """

    __slots__ = ("pacing", "window")

    def __init__(self, pacing: float, window: float) -> None:
        self.pacing = pacing
        self.window = window


class Phase(Enum):
    """What the sender is up to."""

    STARTUP = Gains(2.77, 2.0)
    DRAIN = Gains(0.5, 2.0)
    DOWN = Gains(0.75, 2.0)
    CRUISE = Gains(1.0, 2.0)
    REFILL = Gains(1.0, 2.0)  # noqa: PIE796 - of another meaning
    UP = Gains(1.25, 2.25)
    PROBE_RTT = Gains(1.0, 0.5)


class Bbr:
    """One phase after the other: fill the path, drain the queue, then cruise, with a probe every few seconds."""

    __slots__ = (
        "_ceiling",
        "_full_bandwidth",
        "_model",
        "_packet_size",
        "_probed_bandwidth",
        "_rounds",
        "_settled_rtt",
        "_until",
        "_vain_probes",
        "cwnd",
        "pacing_rate",
        "phase",
    )

    def __init__(self, packet_size: int) -> None:
        self._packet_size = packet_size
        self._model = PathModel()
        self._full_bandwidth = 0.0
        self._ceiling = Ceiling()
        self._settled_rtt = UNKNOWN
        """Seconds that the path takes on average without a queue of ours: jitter and what others send are in it."""
        self._vain_probes = 0
        """Probes in a row that found no more bandwidth than there was."""
        self._probed_bandwidth = 0.0
        self._rounds = 0
        """Rounds of this phase; in `STARTUP` those without growth."""
        self._until = 0.0
        """When this phase ends, for those that end by time."""
        self.cwnd = INITIAL_PACKETS * packet_size
        self.pacing_rate = 0.0
        self.phase = Phase.STARTUP

    def receive_acked(self, sample: DeliverySample, now: float) -> None:
        """Learn, decide, and set window and rate."""
        model = self._model
        model.update(sample, now)
        if sample.round_start:
            self._rounds += 1
        in_flight = sample.sent_flight or sample.flight
        if sample.lost and self._ceiling.may_fall(now) and model.overflows(in_flight, self._packet_size):
            self._handle_overflow(in_flight, sample, now)
        self._step(sample, now)
        self._watch_rtt(sample, now)
        self._set_pacing(sample)
        self._set_window(sample)

    def _step(self, sample: DeliverySample, now: float) -> None:
        """Let the phase decide whether it is over."""
        match self.phase:
            case Phase.STARTUP:
                self._startup(sample)
            case Phase.DRAIN:
                self._drain(sample, now)
            case Phase.DOWN:
                self._down(sample, now)
            case Phase.CRUISE:
                self._cruise(sample, now)
            case Phase.REFILL:
                self._refill(now)
            case Phase.UP:
                self._up(sample, now)
            case Phase.PROBE_RTT:
                self._probe_rtt(sample, now)

    def _enter(self, phase: Phase, until: float = 0.0) -> None:
        self.phase = phase
        self._rounds = 0
        self._until = until

    def _handle_overflow(self, in_flight: int, sample: DeliverySample, now: float) -> None:
        """A queue overflows: keep less in flight, until a probe finds room."""
        lowered = max(BETA * min(in_flight, self.cwnd), self._model.bdp, MIN_PACKETS * self._packet_size)
        self._ceiling.lower(int(lowered), now + (sample.srtt or 0.0))
        if self.phase is Phase.STARTUP:
            self._enter(Phase.DRAIN)
        elif self.phase in (Phase.UP, Phase.REFILL):
            self._go_down(now)

    def _startup(self, sample: DeliverySample) -> None:
        """Double each round until the bandwidth stays the same."""
        if not sample.round_start or sample.app_limited:
            self._rounds -= sample.round_start
            return
        if self._model.bandwidth >= self._full_bandwidth * FULL_GROWTH:
            self._full_bandwidth = self._model.bandwidth
            self._rounds = 0
        elif self._rounds >= FULL_ROUNDS and self._model.queueing:
            self._enter(Phase.DRAIN)  # Without a queue it was the sender that was slow.

    def _drain(self, sample: DeliverySample, now: float) -> None:
        """Let the queue of the start leave."""
        if self._rounds >= MAX_UP_ROUNDS or sample.flight - sample.acked <= self._model.bdp:
            self._go_down(now)

    def _go_down(self, now: float) -> None:
        self._model.next_cycle()
        self._enter(Phase.DOWN, now + self._probe_interval(now))

    def _probe_interval(self, now: float) -> float:
        # Any number between 0 and 1 that another sender does not have at this moment.
        spread = now * 7919.0 % 1.0
        interval = max(PROBE_ROUNDS * self._model.min_rtt, MIN_PROBE_INTERVAL) * (1 << min(self._vain_probes, 4))
        return min(interval, MAX_PROBE_INTERVAL) * (1.0 + spread)

    def _down(self, sample: DeliverySample, now: float) -> None:
        """Give back what the probe has put into the queue."""
        if self._rounds >= MAX_DOWN_ROUNDS or sample.flight - sample.acked <= self._model.bdp:
            self._enter(Phase.CRUISE, self._until)
        self._cruise(sample, now)

    def _cruise(self, sample: DeliverySample, now: float) -> None:
        """Send what the path delivers, until it is time for a probe."""
        if sample.round_start and self.phase is Phase.CRUISE:
            self._look_back(sample, now)
        if now >= self._until:
            self._enter(Phase.REFILL)

    def _look_back(self, sample: DeliverySample, now: float) -> None:
        """See what the last probe has brought, and whether the path still is what it was then."""
        if self._rounds == SETTLED_ROUNDS and sample.srtt:
            self._settled_rtt = sample.srtt
            self._vain_probes += 1
            if self._model.bandwidth >= FOUND * self._probed_bandwidth > 0:
                self._vain_probes = 0
                self._until = now
        elif self._rounds > SETTLED_ROUNDS and self._model.queueing:
            # It has become slower, or others have come: what it was is forgotten sooner.
            self._vain_probes = 0
            self._until = min(self._until, now + self._probe_interval(now))

    def _refill(self, now: float) -> None:
        """Fill the path for a round, so that the probe shows something."""
        if self._rounds:
            self._ceiling.start_probe()
            self._full_bandwidth = self._probed_bandwidth = self._model.bandwidth
            self._enter(Phase.UP, now + self._model.min_rtt)

    def _up(self, sample: DeliverySample, now: float) -> None:
        """Send more than the path delivers, to see whether it delivers more; if so, go on."""
        if sample.round_start and self._model.bandwidth >= UP_GROWTH * self._full_bandwidth:
            self._full_bandwidth = self._model.bandwidth
            self._until = now + self._model.min_rtt
            self._rounds = 0
        if self._ceiling.size < self._unlimited_window():
            if sample.round_start and not sample.app_limited:
                self._ceiling.grow(self._packet_size)
            full = self._rounds >= MIN_GROWTH_ROUNDS
        else:
            full = now >= self._until
        full = full and sample.flight >= Phase.UP.value.pacing * self._model.bdp
        if full or self._rounds >= MAX_UP_ROUNDS:
            self._go_down(now)

    def _probe_rtt(self, sample: DeliverySample, now: float) -> None:
        """Wait until the queue, if it is ours, must be gone."""
        if not self._until:
            if sample.flight - sample.acked <= self._window():
                self._until = now + PROBE_RTT_TIME
                self._rounds = 0
        elif now >= self._until and self._rounds:
            self._model.accept_rtt(now)
            if self._full_bandwidth:
                self._go_down(now)
            else:
                self._enter(Phase.STARTUP)

    def _watch_rtt(self, sample: DeliverySample, now: float) -> None:
        if not self._model.is_stale(now) or self.phase is Phase.PROBE_RTT:
            return
        if sample.sent_flight <= MIN_PACKETS * self._packet_size or self._model.min_rtt < MIN_RTT:
            self._model.accept_rtt(now)
        else:
            self._enter(Phase.PROBE_RTT)

    def _unlimited_window(self) -> int:
        """The window that the model asks for."""
        model = self._model
        gains = self.phase.value
        window = gains.window * model.bdp
        if model.min_rtt >= MIN_RTT:
            # Before the first time that the path was quiet this is more than any phase wants.
            filled = model.bandwidth * self._settled_rtt * gains.pacing + WINDOW_MARGIN * model.bdp
            window = min(window, filled)
        if self.phase is not Phase.PROBE_RTT:
            if model.min_rtt < MIN_RTT:
                packets, seconds = UNPACED_BURST_PACKETS, UNPACED_BURST_TIME
            else:
                packets, seconds = BURST_PACKETS, BURST_TIME
            window += max(packets * self._packet_size, model.bandwidth * seconds)
        return int(window)

    def _window(self) -> int:
        return max(min(self._unlimited_window(), self._ceiling.size), MIN_PACKETS * self._packet_size)

    def _set_pacing(self, sample: DeliverySample) -> None:
        gain = self.phase.value.pacing
        if self.phase is Phase.CRUISE and self._has_own_queue():
            gain = OWN_QUEUE_PACING
        rate = gain * self._model.bandwidth * PACING_MARGIN
        if self.phase is Phase.STARTUP:
            if not self.pacing_rate and sample.srtt:
                rate = max(rate, gain * self.cwnd / sample.srtt)
            rate = max(rate, self.pacing_rate)
        self.pacing_rate = max(rate, self._packet_size / MAX_PACKET_INTERVAL) if rate else 0.0

    def _has_own_queue(self) -> bool:
        """Whether the last two rounds took longer than the path and all others on it did after the last probe."""
        model = self._model
        if max(model.recent_rtt, self._settled_rtt) >= UNKNOWN:
            return False
        return model.recent_rtt - self._settled_rtt > max(OWN_QUEUE * model.min_rtt, MIN_OWN_QUEUE)

    def _set_window(self, sample: DeliverySample) -> None:
        if self._model.min_rtt >= UNKNOWN:
            return
        window = self._window()
        if self.phase is not Phase.STARTUP:
            self.cwnd = min(self.cwnd + sample.acked, window)
        elif self.cwnd < window:
            self.cwnd += sample.acked

    def handle_loss(self, flight: int, now: float) -> None:
        """Nothing: a loss counts with what else is known when its SACK has been read."""

    def handle_timeout(self, flight: int, now: float) -> None:
        """Start again with one packet; the model holds until it is seen to be wrong."""
        self.cwnd = self._packet_size

    def undo(self) -> None:
        """Take back the last reaction."""
        self._ceiling.undo()

    def set_packet_size(self, packet_size: int) -> None:
        """Keep the window, but never below what a start would have when packets get larger."""
        self._packet_size = packet_size
        if self.phase is Phase.STARTUP:
            self.cwnd = max(self.cwnd, INITIAL_PACKETS * packet_size)
