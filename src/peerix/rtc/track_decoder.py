"""Decodes a received track while somebody reads it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from peerix.core.sdp import read_parameters
from peerix.rtc.codec_registry import find_decoder
from peerix.rtc.codec_thread import codec_thread
from peerix.rtc.encoded_frame import EncodedFrame
from peerix.rtc.media_track import MAX_FRAMES, FrameReader, MediaTrack

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.jsep import BoundCodec
    from peerix.core.rtp.header_extensions import ColorSpace
    from peerix.rtc.codec_registry import Decoder
    from peerix.rtc.codec_thread import CodecThread

MAX_BATCH = 25
"""Frames a trip to the worker thread."""


class Unit(NamedTuple):
    """What goes into a decoder; `data` None is a piece of sound that is missing."""

    codec: BoundCodec
    data: bytes | None
    time: float
    duration: float
    key_frame: bool = True
    silence: bool = False
    rotation: int = 0
    level: int | None = None
    color_space: ColorSpace | None = None

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


class _Decoding:
    """A decoder, made anew when the other side takes another codec. Used in its thread; `lose` while that rests."""

    def __init__(self) -> None:
        self._codec: BoundCodec | None = None
        self._decoder: Decoder[Any] | None = None
        self._synced = False

    def lose(self) -> None:
        """Frames are missing: those that refer to them would show rubbish."""
        self._synced = False

    def decode(self, units: list[Unit]) -> tuple[list[Any], bool]:
        """Decode some frames; the second value tells whether a key frame is needed to go on."""
        frames: list[Any] = []
        for unit in units:
            decoder = self._decoder_of(unit.codec)
            if unit.data is None:
                conceal = getattr(decoder, "conceal", None)
                if conceal is not None:
                    frames += conceal(unit.time, unit.duration, silence=unit.silence)
                continue
            self._synced = self._synced or unit.key_frame
            if self._synced:
                decoded = decoder.decode(unit.frame(unit.data))
                self._synced = bool(decoded) or unit.codec.codec.kind == "audio"
                frames += decoded
        return frames, not self._synced

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


class TrackDecoder:
    """The decoder of a track and what waits for it.

    :param track: whose readers get the decoded frames.
    :param request_key_frame: called when the decoder cannot go on without one.
    :ivar frames: how many were decoded.
    """

    __slots__ = ("_request_key_frame", "_track", "_units", "frames")

    def __init__(self, track: MediaTrack[Any], request_key_frame: Callable[[], None]) -> None:
        self._track = track
        self._request_key_frame = request_key_frame
        self._units: FrameReader[Unit] | None = None
        self.frames = 0

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

    async def _decode(
        self, units: FrameReader[Unit], decoding: _Decoding, thread: CodecThread[Unit, tuple[list[Any], bool]]
    ) -> None:
        track, lost = self._track, 0

        def prepare(batch: list[Unit]) -> Callable[[], tuple[list[Any], bool]]:
            nonlocal lost
            if units.lost != lost and track.kind == "video":
                lost = units.lost
                decoding.lose()
            return partial(decoding.decode, batch)

        def deliver(decoded: tuple[list[Any], bool]) -> None:
            frames, is_stuck = decoded
            if is_stuck:
                self._request_key_frame()
            self.frames += len(frames)
            for frame in frames:
                track.deliver(frame)
            if not track.watched:
                thread.finish()

        await thread.work(units, prepare, deliver, MAX_BATCH)
