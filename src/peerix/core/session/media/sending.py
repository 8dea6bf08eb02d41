"""What one transceiver sends: encoded frames into numbered packets, a stream for each encoding of a simulcast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.rtp.header_extensions import (
    TRANSPORT_SEQUENCE,
    AudioLevel,
    ExtensionMap,
    HeaderExtensions,
    PlayoutDelay,
    VideoOrientation,
)
from peerix.core.rtp.payload import KEY_FRAME_TESTS, VIDEO_PACKETIZERS
from peerix.core.rtp.send_stream import SendStream, StreamParameters
from peerix.core.session.media.tones import Tones

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from peerix.core.jsep import BoundCodec, RtpParameters, Transceiver
    from peerix.core.rtp.payload import VideoPacketizer
    from peerix.core.rtp.retransmission import SentPacket

MAX_DATAGRAM = 1200
"""Bytes of UDP payload: what an unknown path carries, SRTP's own bytes among them."""

SRTP_OVERHEAD = 16
"""What the largest profile adds to a packet."""

_NO_CODECS = ("telephone-event", "red")
"""Formats of audio that say nothing by themselves."""


@dataclass(slots=True)
class OutgoingFrame:
    """A frame of video, or a piece of sound, that is to be sent; `timestamp` counts the codec's RTP clock."""

    data: bytes
    timestamp: int
    captured_at: float
    """Monotonic seconds."""
    rotation: int = 0
    """Degrees by which receivers turn the picture: 0, 90, 180 or 270."""
    audio_level: AudioLevel | None = None


class Encoding:
    """One stream of a section; it keeps its numbers as long as its SSRC stays.

    :ivar rid: its name in a simulcast, else empty.
    :ivar stream: the numbers, the history and the statistics.
    :ivar told_of_arrivals: whether the other side tells which of its packets arrived, and when.
    """

    __slots__ = ("_packetizer", "_packetizer_of", "_request", "_said", "rid", "stream", "told_of_arrivals")

    def __init__(self, rid: str, stream: SendStream) -> None:
        self.rid = rid
        self.stream = stream
        self.told_of_arrivals = False
        self._packetizer: VideoPacketizer | None = None
        self._packetizer_of = ""
        self._said: tuple[int, PlayoutDelay | None] | None = None
        self._request: int | None = None

    def packetize(self, bound: BoundCodec, frame: OutgoingFrame, delay: PlayoutDelay | None) -> list[SentPacket]:
        """Cut a frame into packets.

        :raises LocalProtocolError: it is no frame of the codec.
        """
        is_video = bound.codec.kind == "video"
        payloads = self._video_payloads(bound, frame.data) if is_video else [frame.data]
        packets = self.stream.number(payloads, bound.payload_type, frame.timestamp, frame.captured_at, marker=is_video)
        if packets and (marks := self._marks(bound, frame, delay)) is not None:
            if marks.playout_delay is not None:
                # Chromium looks for it in the first packet of a frame, and for the orientation in the last one.
                packets[0].marks = HeaderExtensions(playout_delay=marks.playout_delay)
            packets[-1].marks = marks
        self.stream.counters.frames += 1
        return packets

    def is_new_request(self, number: int) -> bool:
        """Take the number of a FIR; the same one again is the same request, repeated (RFC 5104 section 4.3.1.1)."""
        is_new, self._request = number != self._request, number
        return is_new

    def _video_payloads(self, bound: BoundCodec, data: bytes) -> list[bytes]:
        name = bound.codec.name.upper()
        if self._packetizer is None or self._packetizer_of != name:
            self._packetizer, self._packetizer_of = VIDEO_PACKETIZERS[name](), name
        return self._packetizer.packetize(data, MAX_DATAGRAM - SRTP_OVERHEAD - self.stream.overhead)

    def _marks(self, bound: BoundCodec, frame: OutgoingFrame, delay: PlayoutDelay | None) -> HeaderExtensions | None:
        """Say how the picture is to be turned and delayed with each key frame, and when that changes.

        3GPP TS 26.114 section 7.4.5 wants it on the last packet of a frame.
        """
        if bound.codec.kind == "audio":
            return None if frame.audio_level is None else HeaderExtensions(audio_level=frame.audio_level)
        wanted = (frame.rotation, delay)
        is_key = KEY_FRAME_TESTS[bound.codec.name.upper()](frame.data)
        self.stream.counters.key_frames += is_key
        if wanted == self._said and not is_key:
            return None
        self._said = wanted
        return HeaderExtensions(orientation=VideoOrientation(frame.rotation), playout_delay=delay)


class Sending:
    """The encodings of one section: one, or those of a simulcast that the other side takes.

    :param new_ssrc: chooses SSRCs for the encodings beside the first one, which descriptions do not name.
    :ivar parameters: what was agreed on.
    :ivar codec: what is sent: the first one that the other side takes.
    :ivar encodings: what is sent now, by RID; an only one has the empty name.
    :ivar tones: dial tones that wait for their time.
    :ivar playout_delay: what receivers are asked to wait, where they agreed on that extension.
    """

    __slots__ = (
        "_first_rid",
        "_known",
        "_new_ssrc",
        "_random_bytes",
        "_wall_offset",
        "codec",
        "encodings",
        "parameters",
        "playout_delay",
        "tones",
    )

    def __init__(
        self,
        transceiver: Transceiver,
        parameters: RtpParameters,
        *,
        wall_offset: float,
        random_bytes: Callable[[int], bytes],
        new_ssrc: Callable[[], int],
    ) -> None:
        self._wall_offset = wall_offset
        self._random_bytes = random_bytes
        self._new_ssrc = new_ssrc
        self._known: list[tuple[int, int, Encoding]] = []
        """SSRC, that of retransmissions, and the encoding, in the order of the transceiver's names."""
        self._first_rid = next(iter(transceiver.outgoing.rids), "")
        self.parameters: RtpParameters = parameters
        self.codec: BoundCodec = _codec_of(parameters)
        self.playout_delay: PlayoutDelay | None = None
        self.tones = Tones()
        self.encodings: dict[str, Encoding] = {}
        self._configure(transceiver)

    def set_parameters(self, transceiver: Transceiver, parameters: RtpParameters) -> None:
        """Go on as another negotiation says."""
        if parameters != self.parameters:
            self.parameters = parameters
            self.codec = _codec_of(parameters)
            self._configure(transceiver)

    def _configure(self, transceiver: Transceiver) -> None:
        names, agreed = transceiver.outgoing.rids, self.parameters.rids
        # Without a simulcast, only the first one of them is left (W3C WebRTC 4.4.1.5).
        places = {rid: names.index(rid) for rid in agreed if rid in names} if agreed else {"": 0}
        self.encodings = {rid: self._encoding(transceiver, place, rid) for rid, place in places.items()}

    def _encoding(self, transceiver: Transceiver, place: int, rid: str) -> Encoding:
        """The one that there is, even if it did not send for a while: numbers of an SSRC never begin again."""
        while len(self._known) <= place:
            outgoing = transceiver.outgoing
            ssrcs = (self._new_ssrc(), self._new_ssrc()) if self._known else (outgoing.ssrc, outgoing.rtx_ssrc)
            stream = SendStream(self._stream_parameters(*ssrcs, rid), self._random_bytes(8))
            self._known.append((*ssrcs, Encoding(rid, stream)))
        ssrc, rtx_ssrc, encoding = self._known[place]
        encoding.rid = rid
        encoding.stream.set_parameters(self._stream_parameters(ssrc, rtx_ssrc, rid))
        encoding.told_of_arrivals = any(uri == TRANSPORT_SEQUENCE for _, uri in self.parameters.extensions) and any(
            "transport-cc" in codec.feedback for codec in self.parameters.codecs
        )
        return encoding

    def _stream_parameters(self, ssrc: int, rtx_ssrc: int, rid: str) -> StreamParameters:
        rtx = {c.payload_type: c.rtx_payload_type for c in self.parameters.codecs if c.rtx_payload_type is not None}
        return StreamParameters(
            ssrc=ssrc,
            clock_rate=self.codec.codec.clock_rate,
            extensions=ExtensionMap(self.parameters.extensions),
            mid=self.parameters.mid,
            rid=rid or None,
            rtx_ssrc=rtx_ssrc if rtx else None,
            rtx_payload_types=rtx,
            wall_offset=self._wall_offset,
        )

    @property
    def tone_codec(self) -> BoundCodec | None:
        """The format of dial tones whose clock is that of the sound (RFC 4733 section 2.1), if both sides know it."""
        clock_rate = self.codec.codec.clock_rate
        known = (one for one in self.parameters.codecs if one.codec.name.lower() == "telephone-event")
        return next((one for one in known if one.codec.clock_rate == clock_rate), None)

    def tone_packets(self, now: float) -> list[SentPacket]:
        """Give the packets of dial tones that leave now."""
        bound = self.tone_codec
        if bound is None:
            self.tones.clear()
            return []
        return [
            stream.number_event(tone.payload, bound.payload_type, tone.began_at, marker=tone.first)
            for tone in self.tones.due(bound.codec.clock_rate, now)
            for stream in self.streams
        ]

    @property
    def streams(self) -> Iterable[SendStream]:
        """Those of all encodings."""
        return (encoding.stream for encoding in self.encodings.values())

    def encoding(self, rid: str) -> Encoding | None:
        """Give an encoding that is sent; the first one of a simulcast that was refused is the only one.

        Where no simulcast was wanted, an only encoding may have any name.
        """
        only = self.encodings.get("")
        is_first = not self._first_rid or rid in ("", self._first_rid)
        return only if only is not None and is_first else self.encodings.get(rid)


def _codec_of(parameters: RtpParameters) -> BoundCodec:
    codecs = parameters.codecs
    return next((one for one in codecs if one.codec.name.lower() not in _NO_CODECS), codecs[0])
