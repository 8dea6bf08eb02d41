"""One received video stream: packets in, frames and feedback out.

It joins what each have a part of the truth: statistics, lost packets and their retransmissions, the frame buffer,
the playout delay and the sender's clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.rtp.announced import Announced
from peerix.core.rtp.clock import SenderClock, Unwrapper
from peerix.core.rtp.nack import NackGenerator
from peerix.core.rtp.packet import VIDEO_CLOCK_RATE
from peerix.core.rtp.playout import PlayoutDelay
from peerix.core.rtp.reception import ReceptionStatistics
from peerix.core.rtp.retransmission import read_rtx
from peerix.core.rtp.rtcp import Nack, PictureLoss
from peerix.core.rtp.video_buffer import VideoBuffer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from peerix.core.rtp.header_extensions import ColorSpace, HeaderExtensions
    from peerix.core.rtp.packet import RtpPacket
    from peerix.core.rtp.payload import VideoDepacketizer
    from peerix.core.rtp.rtcp import RtcpPacket, SenderReport
    from peerix.core.rtp.video_buffer import ReceivedFrame

MAXIMUM_PLAYOUT_DELAY = 1.0
"""Seconds of advised playout delay, at most."""


class VideoReceiver:
    """One encoding of one section.

    `formats` makes a depacketiser for each payload type, `rtx` gives the payload type that one of retransmissions
    repeats. Without a NACK in the descriptions `nack` is False.
    """

    __slots__ = (
        "_colors",
        "_formats",
        "_rtx",
        "_sender_ssrc",
        "_turns",
        "_unwrapper",
        "buffer",
        "clock",
        "nack",
        "payload_type",
        "playout",
        "statistics",
    )

    def __init__(
        self,
        sender_ssrc: int,
        formats: Mapping[int, Callable[[], VideoDepacketizer]],
        rtx: Mapping[int, int],
        *,
        nack: bool = True,
    ) -> None:
        self._sender_ssrc = sender_ssrc
        self._formats = formats
        self._rtx = rtx
        self.nack = NackGenerator() if nack else None
        self.statistics: ReceptionStatistics | None = None
        """None before the first packet; another one when the sender changes its SSRC."""
        self.clock = SenderClock(VIDEO_CLOCK_RATE)
        self.buffer: VideoBuffer | None = None
        self.payload_type: int | None = None
        self.playout = PlayoutDelay(VIDEO_CLOCK_RATE, 0.0, MAXIMUM_PLAYOUT_DELAY)
        self._turns = Announced(0)
        self._colors: Announced[ColorSpace | None] = Announced(None)
        self._unwrapper = Unwrapper(32)

    def receive(self, packet: RtpPacket, extensions: HeaderExtensions, now: float) -> list[ReceivedFrame]:
        """Take a packet of the stream and give the frames that it completes, in decoding order."""
        if packet.payload_type not in self._formats:
            return []
        statistics = self.statistics
        if statistics is None or statistics.ssrc != packet.ssrc:
            statistics = self._begin(packet.ssrc)
        extended = statistics.receive(packet.sequence_number, packet.timestamp, len(packet.payload), now)
        if extended is None:
            return []
        statistics.counters.header_octets += packet.overhead
        if self.nack is not None:
            self.nack.receive(extended, now)
        self._take_extensions(extended, extensions)
        return self._insert(extended, packet, now)

    def receive_retransmission(
        self, packet: RtpPacket, extensions: HeaderExtensions, now: float
    ) -> list[ReceivedFrame]:
        """Take a packet of the retransmission stream; see `receive`."""
        payload_type = self._rtx.get(packet.payload_type)
        if payload_type is None or self.statistics is None:
            return []
        counters = self.statistics.counters
        counters.header_octets += packet.overhead
        original = read_rtx(packet, self.statistics.ssrc, payload_type)
        if original is None:
            return []
        counters.repaired += 1
        counters.repaired_octets += len(original.payload)
        extended = self.statistics.extend(original.sequence_number)
        if extended is None or extended > self.statistics.highest:
            return []  # nobody asked for that yet
        if self.nack is not None:
            self.nack.receive(extended, now)
        self._take_extensions(extended, extensions)
        return self._insert(extended, original, now)

    def receive_sender_report(self, report: SenderReport, now: float) -> None:
        """Take a report of this source."""
        if self.statistics is not None and self.statistics.ssrc == report.ssrc:
            self.statistics.receive_sender_report(report, now)
            self.clock.receive_sender_report(report)

    def request_key_frame(self) -> None:
        """Ask for a key frame until one comes; before the first packet there is nobody to ask, nor a need."""
        if self.buffer is not None:
            self.buffer.request_key_frame()

    def next_timeout(self) -> float | None:
        """When `handle_timeout` wants to be called."""
        return None if self.buffer is None else self.buffer.next_timeout()

    def feedback_at(self) -> float | None:
        """When lost packets are to be asked for; key frames are asked for as packets come."""
        return None if self.nack is None else self.nack.next_timeout()

    def handle_timeout(self, now: float) -> list[ReceivedFrame]:
        """Give up what is overdue, and give the frames that can go on without it."""
        return [] if self.buffer is None else self._timed(self.buffer.handle_timeout(now), now)

    def feedback(self, now: float, round_trip: float | None) -> list[RtcpPacket]:
        """Give the requests that are to leave now: for lost packets, and for a key frame."""
        if self.statistics is None or self.buffer is None:
            return []
        requests: list[RtcpPacket] = []
        ssrc, counters = self.statistics.ssrc, self.statistics.counters
        if self.nack is not None and (lost := self.nack.due(now, round_trip)):
            counters.nacks += 1
            requests.append(Nack(self._sender_ssrc, ssrc, lost))
        if self.buffer.take_key_frame_request(now):
            counters.picture_losses += 1
            requests.append(PictureLoss(self._sender_ssrc, ssrc))
        return requests

    def _begin(self, ssrc: int) -> ReceptionStatistics:
        """Follow a new source: none of what was known of the old one holds."""
        self.statistics = ReceptionStatistics(ssrc, VIDEO_CLOCK_RATE)
        self.clock = SenderClock(VIDEO_CLOCK_RATE)
        self.buffer = None
        self.payload_type = None
        self._turns = Announced(0)
        self._colors = Announced(None)
        if self.nack is not None:
            self.nack = NackGenerator(self.nack.deadline)
        return self.statistics

    def _take_extensions(self, extended: int, extensions: HeaderExtensions) -> None:
        if extensions.orientation is not None:
            self._turns.receive(extended, extensions.orientation.rotation)
        if extensions.color_space is not None:
            self._colors.receive(extended, extensions.color_space)
        if extensions.playout_delay is not None:
            self.playout.set_bounds(extensions.playout_delay.minimum, extensions.playout_delay.maximum)

    def _insert(self, extended: int, packet: RtpPacket, now: float) -> list[ReceivedFrame]:
        if self.buffer is None or packet.payload_type != self.payload_type:
            if self.statistics is not None and extended < self.statistics.highest and self.buffer is not None:
                return []  # late, of the codec before
            self.buffer = VideoBuffer(self._formats[packet.payload_type]())
            self.payload_type = packet.payload_type
        frames = self.buffer.insert(extended, packet, now)
        return self._timed(frames, now) if frames else frames

    def _timed(self, frames: list[ReceivedFrame], now: float) -> list[ReceivedFrame]:
        for frame in frames:
            time = self._unwrapper.unwrap(frame.timestamp)
            self.playout.arrived(time, now)
            frame.playout_at = self.playout.playout_at(time)
            frame.rotation = self._turns.take(frame.end)
            frame.color_space = self._colors.take(frame.end)
            if self.statistics is not None:
                self.statistics.counters.frames += 1
                self.statistics.counters.key_frames += frame.key_frame
            if frame.key_frame and self.nack is not None:
                self.nack.forget_before(frame.end)
        return frames
