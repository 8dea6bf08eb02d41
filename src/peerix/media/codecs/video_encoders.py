"""Encoders of video: libvpx (VP8, VP9), x264 (H.264) and SVT-AV1, set up for one frame in, one frame out, no delay."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

import av
from av.error import FFmpegError
from av.video.frame import PictureType
from av.video.reformatter import ColorRange

from peerix.core.errors import PeerixError
from peerix.media.codecs.scheduling import usual_scheduling
from peerix.media.frames import COLORSPACE, PictureFitter, clockwise
from peerix.rtc.encoded_frame import EncodedFrame

if TYPE_CHECKING:
    from av import VideoCodecContext, VideoFrame

    from peerix.rtc.codec_registry import EncoderSettings

TIME_BASE = Fraction(1, 90_000)

MAX_THREADS = 4
"""Threads an encoder: the gain of more is small, and other streams want their turn."""

ONE_THREAD, TWO_THREADS = 1280 * 720, 1920 * 1080
"""Pixels that one thread, and two, encode in much less than the time of a frame."""

REOPEN_RATIO = 1.15
"""How far the wanted bitrate of an encoder that has to begin anew moves before it does: that costs a key frame."""

REOPEN_INTERVAL = 1.0
"""Seconds between two such beginnings, unless the bitrate falls by half: too much on a full link is worse."""


class FfmpegVideoEncoder:
    """An encoder of PyAV. It begins anew, with a key frame, when the size of the picture changes."""

    codec_name: ClassVar[str]
    options: ClassVar[dict[str, str]] = {}
    follows_bitrate: ClassVar[bool] = False

    __slots__ = ("_bitrate", "_context", "_fitter", "_opened_at", "_opened_bitrate", "_settings")

    def __init__(self, settings: EncoderSettings) -> None:
        self._settings = settings
        self._bitrate = settings.bitrate
        self._opened_bitrate = 0
        self._opened_at = 0.0
        self._context: VideoCodecContext | None = None
        self._fitter = PictureFitter()

    def encode(self, frame: VideoFrame, *, key_frame: bool = False) -> list[EncodedFrame]:
        """Encode one frame; odd sizes lose their last row or column, other pixel formats are converted."""
        time = frame.time
        width, height = (max(round(size / self._settings.scale) & ~1, 2) for size in (frame.width, frame.height))
        context = self._context
        if context is None or (context.width, context.height) != (width, height) or self._is_reopening_due(time):
            self.close()
            context = self._context = self._open(width, height, time)
        own = self._fitter.fit_to_send(frame, width, height)
        own.pts, own.time_base = round(time * 90_000), TIME_BASE
        own.pict_type = PictureType.I if key_frame else PictureType.NONE
        try:
            packets = context.encode(own)
        except FFmpegError as error:
            raise PeerixError(f"{self.codec_name} cannot encode a picture of {width}x{height}: {error}") from error
        rotation = clockwise(frame)
        return [
            EncodedFrame(bytes(packet), float((packet.pts or 0) * TIME_BASE), packet.is_keyframe, rotation=rotation)
            for packet in packets
        ]

    def set_bitrate(self, bitrate: int) -> None:
        """Aim at another bitrate."""
        self._bitrate = min(bitrate, self._settings.max_bitrate)
        if self._context is not None and self.follows_bitrate:
            self._context.bit_rate = self._bitrate

    def close(self) -> None:
        """Free the encoder."""
        if self._context is not None:
            # SVT-AV1 complains of an encoder that was not told the end.
            self._context.encode(None)
            self._context = None

    def _is_reopening_due(self, time: float) -> bool:
        if self.follows_bitrate or not self._opened_bitrate:
            return False
        ratio = self._bitrate / self._opened_bitrate
        if 1 / REOPEN_RATIO < ratio < REOPEN_RATIO:
            return False
        return ratio < 0.5 or time - self._opened_at >= REOPEN_INTERVAL

    def _open(self, width: int, height: int, time: float) -> VideoCodecContext:
        context = av.CodecContext.create(self.codec_name, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        # Unless they are told, browsers take VP9, H.264 and AV1 for BT.709.
        context.colorspace, context.color_range = COLORSPACE, ColorRange.MPEG
        context.time_base = TIME_BASE
        context.framerate = Fraction(self._settings.frame_rate).limit_denominator(1000)
        context.thread_count = self._threads(width * height)
        context.bit_rate = self._settings.max_bitrate if self.follows_bitrate else self._bitrate
        # A key frame on demand only; a lost one is asked for again.
        context.gop_size = 100_000
        context.options = self._options()
        try:
            with usual_scheduling():
                context.open()
        except FFmpegError as error:
            raise PeerixError(f"{self.codec_name} cannot be opened for {width}x{height}: {error}") from error
        if self.follows_bitrate:
            context.bit_rate = self._bitrate
        self._opened_bitrate, self._opened_at = self._bitrate, time
        return context

    def _options(self) -> dict[str, str]:
        return dict(self.options)

    def _threads(self, pixels: int) -> int:
        return min(MAX_THREADS, os.cpu_count() or 1)


_VPX = {
    "deadline": "realtime",
    "cpu-used": "8",
    "lag-in-frames": "0",
    "error-resilient": "1",
    "undershoot-pct": "50",
    "overshoot-pct": "50",
}


class Vp8Encoder(FfmpegVideoEncoder):
    """VP8 by libvpx."""

    __slots__ = ()
    codec_name = "libvpx"
    # A speed below 0 is a fixed one. Above, it takes as much time as a picture lasts allows, and loses it to delay: a
    # quarter less time costs 0.2 dB.
    options: ClassVar[dict[str, str]] = {**_VPX, "cpu-used": "-6", "static-thresh": "1"}

    def _threads(self, pixels: int) -> int:
        # They wait for one another in busy loops: where other work wants the cores, two take 60 ms of CPU time for a
        # picture of 1280x720, for which one takes 6.
        cores = os.cpu_count() or 1
        if pixels > ONE_THREAD and cores >= 4:
            return 2 if pixels <= TWO_THREADS or cores < 8 else MAX_THREADS
        return 1


class Vp9Encoder(FfmpegVideoEncoder):
    """VP9 by libvpx, profile 0."""

    __slots__ = ()
    codec_name = "libvpx-vp9"
    options: ClassVar[dict[str, str]] = {**_VPX, "row-mt": "1", "tile-columns": "2", "aq-mode": "3"}


class H264Encoder(FfmpegVideoEncoder):
    """H.264 by x264; the profile is the one of `profile-level-id` (RFC 6184 section 8.1)."""

    __slots__ = ()
    codec_name = "libx264"
    follows_bitrate = True

    def _options(self) -> dict[str, str]:
        ceiling = self._settings.max_bitrate
        profile = self._settings.parameters.get("profile-level-id", "42e01f")[:2].lower()
        return {
            "preset": "ultrafast" if profile == "42" else "veryfast",
            "tune": "zerolatency",
            "profile": {"42": "baseline", "4d": "main", "64": "high"}.get(profile, "baseline"),
            # It follows a new bitrate while it runs only when it was opened at a constant one, with the ceiling.
            "maxrate": str(ceiling),
            # An eighth of a second: a full second takes three to follow a fall, less keeps it below what is wanted.
            "bufsize": str(ceiling // 8),
            "forced-idr": "1",
            # Parameter sets before every key frame, where a receiver that comes late looks for them.
            "x264-params": "repeat-headers=1:scenecut=0:sliced-threads=1",
        }


class Av1Encoder(FfmpegVideoEncoder):
    """AV1 by SVT-AV1; low delay needs its constant bitrate."""

    __slots__ = ()
    codec_name = "libsvtav1"
    options: ClassVar[dict[str, str]] = {"preset": "12", "svtav1-params": "pred-struct=1:rc=2:rtc=1:keyint=-1"}
