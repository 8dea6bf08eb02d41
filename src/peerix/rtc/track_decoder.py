"""Decodes a received track while somebody reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from peerix.core.sdp import read_parameters
from peerix.rtc.codec_registry import find_decoder
from peerix.rtc.codec_thread import codec_thread
from peerix.rtc.encoded_frame import EncodedFrame
from peerix.rtc.media_track import MAX_FRAMES, FrameReader, MediaTrack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from peerix.core.jsep import BoundCodec
    from peerix.core.rtp.header_extensions import ColorSpace
    from peerix.rtc.codec_registry import Decoder
    from peerix.rtc.codec_thread import CodecThread

MAX_BATCH = 25
"""Frames a trip to the worker thread."""


class Unit(NamedTuple):
    """What goes into a decoder; `data` None is a piece of sound that is missing, which `recovery` may repeat."""

    codec: BoundCodec
    data: bytes | None
    time: float
    duration: float
    key_frame: bool = True
    silence: bool = False
    rotation: int = 0
    level: int | None = None
    color_space: ColorSpace | None = None
    recovery: bytes | None = None

    def frame(self, data: bytes) -> EncodedFrame:
        """What a decoder takes, and who reads encoded frames."""
        return EncodedFrame(
            data,
            self.time,
            self.key_frame,
            self.duration,
            self.codec.codec.mime_type,
            self.rotation,
            self.level,
            self.color_space,
        )


@dataclass(slots=True)
class DecodingCounters:
    """What became of what was to be decoded.

    :ivar frames: that came out.
    :ivar undecodable: pieces of sound that arrived and could not be decoded.
    :ivar unrecovered: lost ones that the packet behind them repeats, of which the decoder makes no use.
    :ivar concealed: how much both were, in units of the codec's clock.
    :ivar concealments: how often it began with one of them that something was made up.
    """

    frames: int = 0
    undecodable: int = 0
    unrecovered: int = 0
    concealed: int = 0
    concealments: int = 0

    def add(self, other: DecodingCounters) -> None:
        """Count what was counted apart."""
        self.frames += other.frames
        self.undecodable += other.undecodable
        self.unrecovered += other.unrecovered
        self.concealed += other.concealed
        self.concealments += other.concealments


@dataclass(slots=True)
class _Decoded:
    """What came of a batch.

    :ivar is_stuck: a key frame is needed to go on.
    """

    frames: list[Any] = field(default_factory=list[Any])
    is_stuck: bool = False
    counters: DecodingCounters = field(default_factory=DecodingCounters)


class _Decoding:
    """A decoder, made anew when the other side takes another codec. Used in its thread; `lose` while that rests."""

    def __init__(self) -> None:
        self._codec: BoundCodec | None = None
        self._decoder: Decoder[Any] | None = None
        self._synced = False
        self._is_made_up = False
        """The last piece of sound was."""

    def lose(self) -> None:
        """Frames are missing: those that refer to them would show rubbish."""
        self._synced = False

    def decode(self, units: list[Unit]) -> _Decoded:
        """Decode some frames."""
        batch = _Decoded()
        for unit in units:
            decoder = self._decoder_of(unit.codec)
            if unit.codec.codec.kind == "audio":
                self._synced = True
                batch.frames += self._sound(decoder, unit, batch.counters)
                continue
            self._synced = self._synced or unit.key_frame
            if self._synced and unit.data is not None:
                decoded = decoder.decode(unit.frame(unit.data))
                self._synced = bool(decoded)
                batch.frames += decoded
        batch.is_stuck, batch.counters.frames = not self._synced, len(batch.frames)
        return batch

    def _sound(self, decoder: Decoder[Any], unit: Unit, counters: DecodingCounters) -> Sequence[Any]:
        """Decode a piece of sound: itself, else what repeats it, else what the decoder makes up."""
        is_unused = unit.data is not None or unit.recovery is not None
        if is_unused and (decoded := _decode_or_recover(decoder, unit)):
            self._is_made_up = False
            return decoded
        if is_unused:
            counters.undecodable += unit.data is not None
            counters.unrecovered += unit.data is None
            counters.concealed += round(unit.duration * unit.codec.codec.clock_rate)
            counters.concealments += not self._is_made_up
        self._is_made_up = not unit.silence
        conceal = getattr(decoder, "conceal", None)
        return () if conceal is None else conceal(unit.time, unit.duration, silence=unit.silence)

    def _decoder_of(self, codec: BoundCodec) -> Decoder[Any]:
        if self._decoder is None or self._codec != codec:
            self.close()
            self._codec, self._synced = codec, False
            self._decoder = find_decoder(codec.codec.mime_type)(read_parameters(codec.parameters))
        return self._decoder

    def close(self) -> None:
        """Free the decoder."""
        if self._decoder is not None:
            self._decoder.close()


def _decode_or_recover(decoder: Decoder[Any], unit: Unit) -> Sequence[Any]:
    if unit.data is not None:
        return decoder.decode(unit.frame(unit.data))
    recover = getattr(decoder, "recover", None)
    return () if recover is None else recover(unit.time, unit.duration, unit.recovery)


class TrackDecoder:
    """The decoder of a track and what waits for it.

    :param track: whose readers get the decoded frames.
    :param request_key_frame: called when the decoder cannot go on without one.
    :ivar counters: what became of frames.
    """

    __slots__ = ("_request_key_frame", "_track", "_units", "counters")

    def __init__(self, track: MediaTrack[Any], request_key_frame: Callable[[], None]) -> None:
        self._track = track
        self._request_key_frame = request_key_frame
        self._units: FrameReader[Unit] | None = None
        self.counters = DecodingCounters()

    def put(self, unit: Unit) -> None:
        """Take a frame; it is dropped while nobody reads the track."""
        if self._units is not None:
            self._units.put(unit)

    def end(self) -> None:
        """No more frames will come."""
        if self._units is not None:
            self._units.end()

    async def run(self) -> None:
        """Decode until the track ends."""
        track = self._track
        while True:
            await track.wait_watched()
            if track.ended:
                return
            self._units = FrameReader(MAX_FRAMES[track.kind])
            if track.kind == "video":
                self._request_key_frame()
            decoding = _Decoding()
            try:
                async with codec_thread(decoding.close) as thread:
                    await self._decode(self._units, decoding, thread)
            finally:
                self._units = None

    async def _decode(self, units: FrameReader[Unit], decoding: _Decoding, thread: CodecThread[Unit, _Decoded]) -> None:
        track, lost = self._track, 0

        def prepare(batch: list[Unit]) -> Callable[[], _Decoded]:
            nonlocal lost
            if units.lost != lost and track.kind == "video":
                lost = units.lost
                decoding.lose()
            return partial(decoding.decode, batch)

        def deliver(decoded: _Decoded) -> None:
            if decoded.is_stuck:
                self._request_key_frame()
            self.counters.add(decoded.counters)
            for frame in decoded.frames:
                track.deliver(frame)
            if not track.watched:
                thread.finish()

        await thread.work(units, prepare, deliver, MAX_BATCH)
