"""Decoders of PyAV, set up for one frame in, one frame out."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import av
import numpy as np
from av.codec.context import ThreadType
from av.error import FFmpegError
from av.video.reformatter import ColorRange

if TYPE_CHECKING:
    from collections.abc import Callable

    from av import AudioFrame, VideoFrame

    from peerix.rtc.codec_registry import AudioDecoder, Decoder
    from peerix.rtc.encoded_frame import EncodedFrame

FrameT = TypeVar("FrameT")

TIME_BASE = Fraction(1, 1_000_000)

MAX_THREADS = 4
"""Threads a decoder of video."""

MATRICES = frozenset({1, 4, 5, 6, 7, 9})
"""Numbers of H.273, and of FFmpeg, by which colours are turned into brightness and difference: BT.709, 601, 2020."""

MAX_PIXELS = 8192 * 4320
"""The largest picture that is decoded; the other side says how large it is."""


class FfmpegDecoder(Generic[FrameT]):
    """A decoder of PyAV.

    :param name: what FFmpeg calls it.
    :param prepare: sets what the codec needs before it is opened.
    """

    __slots__ = ("_context",)

    def __init__(self, name: str, prepare: Callable[[av.CodecContext], None]) -> None:
        self._context = av.CodecContext.create(name, "r")
        prepare(self._context)

    def decode(self, frame: EncodedFrame) -> list[FrameT]:
        """Decode one frame; empty when it cannot be decoded."""
        packet = av.Packet(frame.data)
        packet.pts = packet.dts = round(frame.time / TIME_BASE)
        packet.time_base = TIME_BASE
        try:
            frames = self._context.decode(packet)  # type: ignore[attr-defined]
        except FFmpegError:
            return []
        for decoded in frames:
            decoded.time_base = TIME_BASE
        return frames  # type: ignore[no-any-return]

    def close(self) -> None:
        """Free the decoder."""
        # One that still holds frames may hang when it is freed.
        if self._context.is_open:
            try:
                self._context.decode(None)  # type: ignore[attr-defined]
            except FFmpegError:
                return


CONCEALED = 0.1
"""Seconds within which what is made up fades to silence."""


class FfmpegAudioDecoder(FfmpegDecoder["av.AudioFrame"]):
    """A decoder of sound. What is missing is the last sound once more, fading."""

    __slots__ = ("_faded", "_last")

    def __init__(self, name: str, prepare: Callable[[av.CodecContext], None]) -> None:
        super().__init__(name, prepare)
        self._last: av.AudioFrame | None = None
        self._faded = 0.0

    def decode(self, frame: EncodedFrame) -> list[AudioFrame]:
        """Decode one frame; empty when it cannot be decoded."""
        frames = super().decode(frame)
        if frames:
            self._last, self._faded = frames[-1], 0.0
        return frames

    def conceal(self, time: float, duration: float, *, silence: bool) -> list[AudioFrame]:
        """Make sound for a piece that was lost: none before the first one that arrived."""
        last = self._last
        if last is None:
            return []
        count = round(duration * last.sample_rate)
        samples = last.to_ndarray()
        planes = samples.shape[0]
        channels = last.layout.nb_channels // planes
        shaped = samples.reshape(planes, -1, channels)
        repeated = np.resize(shaped.swapaxes(0, 1), (count, planes, channels)).swapaxes(0, 1)
        begin = 0.0 if silence else max(1 - self._faded / CONCEALED, 0.0)
        self._faded += duration
        end = 0.0 if silence else max(1 - self._faded / CONCEALED, 0.0)
        envelope = np.linspace(begin, end, count, endpoint=False).reshape(1, count, 1)
        made_up: Any = (repeated * envelope).astype(samples.dtype).reshape(planes, -1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(made_up), format=last.format.name, layout=last.layout.name
        )
        frame.sample_rate = last.sample_rate
        frame.pts, frame.time_base = round(time / TIME_BASE), TIME_BASE
        return [frame]


class FfmpegVideoDecoder(FfmpegDecoder["av.VideoFrame"]):
    """A decoder of video. Its pictures say what their colours mean where somebody does, be it beside the codec."""

    __slots__ = ()

    def decode(self, frame: EncodedFrame) -> list[VideoFrame]:
        """Decode one frame; empty when it cannot be decoded."""
        frames = super().decode(frame)
        told = frame.color_space
        if told is not None and told.matrix in MATRICES:
            for decoded in frames:
                decoded.colorspace = told.matrix
                decoded.color_range = ColorRange.JPEG if told.is_full_range else ColorRange.MPEG
        return frames


def _prepare_video(context: av.CodecContext) -> None:
    # Threads by frame would hold frames back, and hang when they are freed with some inside.
    context.thread_type = ThreadType.SLICE
    context.thread_count = min(MAX_THREADS, os.cpu_count() or 1)
    context.options = {"max_pixels": str(MAX_PIXELS)}


def _prepare_dav1d(context: av.CodecContext) -> None:
    _prepare_video(context)
    context.options = {"max_pixels": str(MAX_PIXELS), "max_frame_delay": "1"}


def video_decoder(name: str) -> Callable[[dict[str, str]], Decoder[VideoFrame]]:
    """A factory of decoders of video that FFmpeg calls `name`."""
    prepare = _prepare_dav1d if name == "libdav1d" else _prepare_video

    def create(parameters: dict[str, str]) -> Decoder[VideoFrame]:
        return FfmpegVideoDecoder(name, prepare)

    return create


def audio_decoder(name: str, sample_rate: int, channels: int) -> Callable[[dict[str, str]], AudioDecoder]:
    """A factory of decoders of sound that FFmpeg calls `name`."""

    def prepare(context: av.CodecContext) -> None:
        assert isinstance(context, av.AudioCodecContext)
        context.sample_rate = sample_rate
        context.layout = "stereo" if channels == 2 else "mono"

    def create(parameters: dict[str, str]) -> AudioDecoder:
        return FfmpegAudioDecoder(name, prepare)

    return create
