"""What one transceiver receives: routed packets into frames and pieces of sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from peerix.core.deadlines import earliest
from peerix.core.rtp.audio_receiver import AudioFormats, AudioReceiver
from peerix.core.rtp.payload import AUDIO_CLOCK_RATES, VIDEO_DEPACKETIZERS
from peerix.core.rtp.routing import SectionRoutes
from peerix.core.rtp.timeline import StreamTimeline
from peerix.core.rtp.video_receiver import VideoReceiver
from peerix.core.session.media.events import FrameReceived, SoundReceived, ToneReceived

if TYPE_CHECKING:
    from peerix.core.jsep import BoundCodec, RtpParameters
    from peerix.core.rtp.audio_buffer import AudioUnit
    from peerix.core.rtp.header_extensions import HeaderExtensions
    from peerix.core.rtp.packet import RtpPacket
    from peerix.core.rtp.reception import ReceptionStatistics
    from peerix.core.rtp.routing import Route
    from peerix.core.rtp.rtcp import ReportBlock, RtcpPacket, SenderReport
    from peerix.core.rtp.timeline import SenderTimeline
    from peerix.core.rtp.video_buffer import ReceivedFrame

ReceivedMedia: TypeAlias = FrameReceived | SoundReceived | ToneReceived


class Receiving:
    """The streams of one section: one, or one for each encoding of a simulcast.

    :param kind: "audio" or "video".
    :param sender: the clock of whoever sends them.
    :ivar tells_maximum: whether the sender wants to hear what the path carries (REMB), and not when packets arrive.
    """

    __slots__ = ("_codecs", "_sender_ssrc", "_timelines", "audio", "mid", "parameters", "tells_maximum", "video")

    def __init__(self, kind: str, parameters: RtpParameters, sender_ssrc: int, sender: SenderTimeline) -> None:
        self.mid = parameters.mid or ""
        self.parameters = parameters
        self._codecs: dict[int, BoundCodec] = {codec.payload_type: codec for codec in parameters.codecs}
        self._sender_ssrc = sender_ssrc
        agreed = {feedback for codec in parameters.codecs for feedback in codec.feedback}
        self.tells_maximum = "goog-remb" in agreed and "transport-cc" not in agreed
        self._timelines = {rid: StreamTimeline(sender) for rid in parameters.rids or ("",)}
        self.audio: AudioReceiver | None = None
        self.video: dict[str, VideoReceiver] = {}
        if kind == "audio":
            self.audio = AudioReceiver(_audio_formats(parameters))
            self._timelines.setdefault("", StreamTimeline(sender))
        else:
            self.video = {rid: self._new_video() for rid in self._timelines}

    def _new_video(self) -> VideoReceiver:
        formats = {number: VIDEO_DEPACKETIZERS[bound.codec.name.upper()] for number, bound in self._codecs.items()}
        rtx = {c.rtx_payload_type: c.payload_type for c in self.parameters.codecs if c.rtx_payload_type is not None}
        nack = any("nack" in codec.feedback for codec in self.parameters.codecs)
        return VideoReceiver(self._sender_ssrc, formats, rtx, nack=nack)

    def routes(self) -> SectionRoutes:
        """What its packets are known by."""
        rtx = [c.rtx_payload_type for c in self.parameters.codecs if c.rtx_payload_type is not None]
        sources = [source.ssrc for source in self.parameters.sources]
        sources += [source.rtx_ssrc for source in self.parameters.sources if source.rtx_ssrc is not None]
        return SectionRoutes(
            self.mid, frozenset(self._codecs), frozenset(rtx), tuple(self.parameters.rids), tuple(sources)
        )

    def receive(self, route: Route, packet: RtpPacket, extensions: HeaderExtensions, now: float) -> list[ReceivedMedia]:
        """Take a packet and give what it makes whole."""
        if self.audio is not None:
            sounds = self._sounds(self.audio, self.audio.receive(packet, extensions, now), now)
            return sounds + self._tones(self.audio, packet)
        stream = self.video.get(route.rid)
        if stream is None:
            return []
        if route.retransmission:
            frames = stream.receive_retransmission(packet, extensions, now)
        else:
            frames = stream.receive(packet, extensions, now)
        return self._frames(route.rid, stream, frames, now) if frames else []

    def _tones(self, stream: AudioReceiver, packet: RtpPacket) -> list[ReceivedMedia]:
        codec = self._codecs.get(packet.payload_type)
        received: list[ReceivedMedia] = []
        while stream.tones:
            tone = stream.tones.popleft()
            if tone.digit is not None and codec is not None:
                received.append(ToneReceived(self.mid, tone.digit, tone.duration / codec.codec.clock_rate))
        return received

    def receive_sender_report(self, rid: str, report: SenderReport, now: float) -> None:
        """Take a report of one of its sources."""
        stream = self.audio or self.video.get(rid)
        if stream is not None:
            stream.receive_sender_report(report, now)
            self._timelines["" if stream is self.audio else rid].report_received()

    def request_key_frame(self, rid: str) -> None:
        """Ask for a key frame of an encoding."""
        stream = self.video.get(rid)
        if stream is not None:
            stream.request_key_frame()

    def next_timeout(self) -> float | None:
        """When `handle_timeout` wants to be called."""
        if self.audio is not None:
            return self.audio.next_timeout()
        return earliest([stream.next_timeout() for stream in self.video.values()])

    def handle_timeout(self, now: float) -> list[ReceivedMedia]:
        """Give what goes on without what is overdue."""
        if self.audio is not None:
            return self._sounds(self.audio, self.audio.handle_timeout(now), now)
        received: list[ReceivedMedia] = []
        for rid, stream in self.video.items():
            received += self._frames(rid, stream, stream.handle_timeout(now), now)
        return received

    def requests_at(self) -> float | None:
        """When lost packets are to be asked for."""
        return earliest([stream.feedback_at() for stream in self.video.values()])

    def requests(self, now: float, round_trip: float | None) -> list[RtcpPacket]:
        """What is to be asked for now."""
        return [request for stream in self.video.values() for request in stream.feedback(now, round_trip)]

    def report_blocks(self, now: float) -> list[ReportBlock]:
        """What arrived of each source."""
        return [statistics.report_block(now) for statistics in self.statistics()]

    def ssrcs(self) -> list[int]:
        """The sources from which something came."""
        return [statistics.ssrc for statistics in self.statistics()]

    def statistics(self) -> list[ReceptionStatistics]:
        """What is known of each source."""
        streams = (self.audio, *self.video.values())
        return [stream.statistics for stream in streams if stream is not None and stream.statistics is not None]

    def codec_of(self, stream: AudioReceiver | VideoReceiver) -> BoundCodec | None:
        """Give the codec of what comes; None before anything did."""
        return None if stream.payload_type is None else self._codecs.get(stream.payload_type)

    def _frames(self, rid: str, stream: VideoReceiver, frames: list[ReceivedFrame], now: float) -> list[ReceivedMedia]:
        codec = self.codec_of(stream)
        if codec is None:
            return []
        time_of, clock = self._timelines[rid].time_of, stream.clock
        return [
            FrameReceived(self.mid, rid, codec, frame, frame.rotation, time_of(frame.timestamp, clock, now))
            for frame in frames
        ]

    def _sounds(self, stream: AudioReceiver, units: list[AudioUnit], now: float) -> list[ReceivedMedia]:
        codec, clock = self.codec_of(stream), stream.clock
        if codec is None or clock is None:
            return []
        time_of = self._timelines[""].time_of
        return [
            SoundReceived(self.mid, codec, unit, time_of(unit.timestamp, clock, now), stream.level) for unit in units
        ]


def _audio_formats(parameters: RtpParameters) -> AudioFormats:
    names = {codec.payload_type: codec.codec.name.upper() for codec in parameters.codecs}
    return AudioFormats(
        {number: name for number, name in names.items() if name in AUDIO_CLOCK_RATES},
        frozenset(number for number, name in names.items() if name == "RED"),
        frozenset(number for number, name in names.items() if name == "TELEPHONE-EVENT"),
    )
