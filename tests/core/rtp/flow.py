"""A sender with estimator and pacer, and a receiver with feedback, over a link in virtual time."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from peerix.core.rtp.arrivals import ArrivalRecorder
from peerix.core.rtp.bandwidth import BandwidthEstimator
from peerix.core.rtp.pacer import VIDEO, Pacer
from peerix.core.rtp.rtcp import TransportFeedback, read_compound, write_compound
from tests.core.rtp.link import Link

PACKET = 1200


@dataclass
class Flow:
    """Video of 30 frames a second that follows the estimate."""

    there: Link
    back: Link = field(default_factory=lambda: Link(9))
    maximum: float = 5_000_000
    estimator: BandwidthEstimator = field(init=False)
    rates: list[tuple[float, float]] = field(default_factory=list)
    now: float = 10.0
    worst_queue: float = 0.0

    def __post_init__(self) -> None:
        self.estimator = BandwidthEstimator(self.maximum)
        self.pacer: Pacer[int] = Pacer(self.estimator.bitrate, self.now)
        self.recorder = ArrivalRecorder(1)
        self.frame_at = self.now

    def run(self, seconds: float) -> Flow:
        end = self.now + seconds
        while self.now < end:
            self.step()
            self.now += 0.001
        return self

    def step(self) -> None:
        now, estimator = self.now, self.estimator
        if now >= self.frame_at:
            self.frame_at += 1 / 30
            size = int(estimator.bitrate / 30 / 8)
            while size > 0:
                self.pacer.put(max(min(size, PACKET), 40), max(min(size, PACKET), 40), VIDEO)
                size -= PACKET
        probe = estimator.prober.active
        self.pacer.set_bitrate(estimator.bitrate, probing=probe.bitrate if probe else 0.0)
        for size in self.pacer.take(now):
            self.send(size)
        while estimator.prober.active is not None and self.pacer.spare(now) > 0:
            self.send(PACKET)
            self.pacer.use(PACKET)
        arrived = self.there.receive(now)
        for at, packet in arrived:
            self.recorder.receive(struct.unpack_from("!H", packet)[0], 1, at)
        due_at = self.recorder.feedback_at
        if (arrived and self.recorder.is_ready(now)) or (due_at is not None and now >= due_at):
            self.back.send(write_compound(self.recorder.feedback()), now)
        for _, data in self.back.receive(now):
            for feedback in read_compound(data):
                if isinstance(feedback, TransportFeedback):
                    estimator.receive_feedback(feedback, now)
        estimator.handle_timeout(now)
        self.rates.append((now, estimator.bitrate))
        self.worst_queue = max(self.worst_queue, self.there.free_at - now)

    def send(self, size: int) -> None:
        number = self.estimator.sent(size, self.now)
        self.there.send(struct.pack("!H", number) + bytes(size - 2), self.now)

    def average(self, seconds: float) -> float:
        chosen = [rate for at, rate in self.rates if at >= self.now - seconds]
        return sum(chosen) / len(chosen)

    def time_until(self, begin: float, low: float, high: float) -> float:
        """Seconds from `begin` until the bitrate was first within the bounds."""
        return next((at - begin for at, rate in self.rates if at >= begin and low <= rate <= high), float("inf"))
