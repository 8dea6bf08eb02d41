"""Tracks that a program feeds: pictures and sound made by its own code."""

from __future__ import annotations

import time as clocks
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import av
import numpy as np
from anyio import ClosedResourceError, sleep
from anyio.lowlevel import checkpoint

from peerix.core.errors import PeerixError
from peerix.media.frames import PictureFitter, copy_sound
from peerix.rtc.media_track import MONOTONIC, MediaTrack

if TYPE_CHECKING:
    import numpy.typing as npt

    Picture: TypeAlias = "av.VideoFrame | npt.NDArray[np.uint8]"
    Sound: TypeAlias = "av.AudioFrame | npt.NDArray[Any]"

CLOCK_RATE = 90_000
TIME_BASE = Fraction(1, CLOCK_RATE)

MAX_LAG = 0.2
"""Seconds by which sound may come late before its times jump: less is taken for the jitter of its maker."""

AHEAD = 0.1
"""Seconds of sound that `AudioSource.send` lets a program be ahead of the clock."""


def set_time(frame: av.VideoFrame | av.AudioFrame, seconds: float) -> None:
    """Give a frame its time on the clock of its track."""
    frame.time_base = TIME_BASE
    frame.pts = round(seconds * CLOCK_RATE)


class VideoSource(MediaTrack[av.VideoFrame]):
    """A track of video that is fed picture by picture."""

    __slots__ = ("_fitter",)

    def __init__(self, *, label: str = "") -> None:
        super().__init__("video", label=label, clock=MONOTONIC)
        self._fitter = PictureFitter()

    def send_nowait(self, picture: Picture, *, pixels: str = "rgb24", time: float | None = None) -> None:
        """Show a picture.

        :param picture: an `av.VideoFrame`, which stays as it is and whose time is not used, or an array
            (height, width, 3) of bytes.
        :param pixels: what the array holds ("rgb24", "bgr24", "gray", ...: FFmpeg's names).
        :param time: when it was taken, in seconds of `time.monotonic`; now when it is not given.
        :raises ClosedResourceError: the track has ended.
        """
        if self.ended:
            raise ClosedResourceError
        if not self.watched:
            return
        if isinstance(picture, av.VideoFrame):
            frame = self._fitter.fit(picture, picture.width, picture.height, picture.format.name)
        else:
            frame = av.VideoFrame.from_ndarray(picture, format=pixels)
        set_time(frame, clocks.monotonic() if time is None else time)
        self.deliver(frame)

    async def send(self, picture: Picture, *, pixels: str = "rgb24", time: float | None = None) -> None:
        """Show a picture, and let other tasks run."""
        await checkpoint()
        self.send_nowait(picture, pixels=pixels, time=time)


class AudioSource(MediaTrack[av.AudioFrame]):
    """A track of audio that is fed with pieces of sound of any length.

    :param sample_rate: samples a second of the arrays that are sent.
    :param channels: 1 or 2.
    """

    __slots__ = ("_end", "channels", "sample_rate")

    def __init__(self, *, sample_rate: int = 48_000, channels: int = 1, label: str = "") -> None:
        if channels not in (1, 2):
            raise PeerixError(f"sound has one channel or two, not {channels}")
        super().__init__("audio", label=label, clock=MONOTONIC)
        self.sample_rate = sample_rate
        self.channels = channels
        self._end = 0.0
        """When what was sent so far ends."""

    def send_nowait(self, sound: Sound, *, time: float | None = None) -> None:
        """Play a piece of sound, right behind the one before unless that is over for some time.

        :param sound: an `av.AudioFrame`, or an array of int16 or float (-1 to 1): (samples,) or (samples, channels).
        :param time: when it begins, in seconds of `time.monotonic`.
        :raises ClosedResourceError: the track has ended.
        :raises PeerixError: the array has another shape.
        """
        if self.ended:
            raise ClosedResourceError
        frame = copy_sound(sound) if isinstance(sound, av.AudioFrame) else self._to_frame(sound)
        if time is None:
            now = clocks.monotonic()
            time = self._end if now - self._end < MAX_LAG else now
        self._end = time + frame.samples / frame.sample_rate
        if self.watched:
            set_time(frame, time)
            self.deliver(frame)

    async def send(self, sound: Sound) -> None:
        """Play a piece of sound; returns when it is nearly played, so that a program can send what it has in a loop."""
        await checkpoint()
        self.send_nowait(sound)
        ahead = self._end - clocks.monotonic() - AHEAD
        if ahead > 0:
            await sleep(ahead)

    def _to_frame(self, sound: npt.NDArray[Any]) -> av.AudioFrame:
        samples = sound.reshape(-1, 1) if sound.ndim == 1 else sound
        if samples.ndim != 2 or samples.shape[1] != self.channels:
            raise PeerixError(f"sound of {self.channels} channels has the shape (samples, {self.channels})")
        if samples.dtype != np.int16:
            samples = (np.clip(samples, -1.0, 1.0) * 32_767).astype(np.int16)
        layout = "stereo" if self.channels == 2 else "mono"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate = self.sample_rate
        return frame
