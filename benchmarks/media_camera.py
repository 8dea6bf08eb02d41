"""What both stacks are given to send, and codecs that cost nothing, so that what is left is the stack."""

from __future__ import annotations

import time
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import anyio
import av
import numpy as np

from peerix.media.codecs.video_encoders import Vp8Encoder
from peerix.media.test_source import PictureMaker, read_number
from peerix.rtc import EncodedFrame
from peerix.rtc.codec_registry import EncoderSettings

if TYPE_CHECKING:
    import numpy.typing as npt
    from aiortc.jitterbuffer import JitterFrame

PICTURES = 60
"""Pictures of the camera; then they begin again."""

FLICKER = (8, 10)
"""Of pictures that are hard to encode: the size of the blocks that flicker, and by how much at most."""

CLOCK_RATE = 90_000
TIME_BASE = Fraction(1, CLOCK_RATE)


class Camera:
    """Numbered pictures with some texture, drawn beforehand.

    :param flickers: they fill a wide link: see `draw`.
    :ivar shown_at: when the latest picture of each number was shown, by `time.monotonic`.
    """

    def __init__(self, width: int, height: int, rate: float, *, flickers: bool = False) -> None:
        self.shown_at = [0.0] * PICTURES
        film = draw(width, height, flickers=flickers)
        self._pictures = [av.VideoFrame.from_ndarray(picture, format="yuv420p") for picture in film]
        self._interval = 1 / rate
        self._count = 0
        self._due = 0.0

    async def take(self) -> av.VideoFrame:
        """Wait for the next picture; those that nobody waited for are not made up for."""
        now = time.monotonic()
        self._due = max(self._due + self._interval, now)
        await anyio.sleep(max(self._due - now, 0.0))
        number = self._count % PICTURES
        self._count += 1
        shown = self._pictures[number]
        now = self.shown_at[number] = time.monotonic()
        shown.pts, shown.time_base = round(now * CLOCK_RATE), TIME_BASE
        return shown

    def age(self, frame: av.VideoFrame) -> float:
        """How long ago a received picture was shown, in seconds."""
        now = time.monotonic()
        return now - self.shown_at[read_number(frame) % PICTURES]


@cache
def draw(width: int, height: int, *, flickers: bool = False) -> list[npt.NDArray[np.uint8]]:
    """The pictures: a room with some texture, in whose middle something moves, and their number as bits.

    :param flickers: the texture changes from picture to picture, so that more bits always help.
    """
    maker = PictureMaker(width, height, 30)
    chance = np.random.default_rng(1)
    texture = noise(chance, width, height, 8, 12)
    room, middle = maker.draw(PICTURES), slice(width * 3 // 8, width * 5 // 8)
    pictures: list[npt.NDArray[np.uint8]] = []
    for number in range(PICTURES):
        drawn = maker.draw(number)
        moving = drawn[:, middle].copy()
        body = slice(0, height * 3 // 4)
        if flickers:
            texture = noise(chance, width, height, *FLICKER)
        drawn[body] = np.clip(room[body].astype(np.int16) + texture[body], 16, 235)
        drawn[body, middle] = moving[body]
        frame = av.VideoFrame.from_ndarray(drawn, format="rgb24").reformat(format="yuv420p")
        pictures.append(frame.to_ndarray().astype(np.uint8))
    return pictures


def noise(chance: np.random.Generator, width: int, height: int, size: int, most: int) -> npt.NDArray[np.int16]:
    """Blocks of a size, by how much each is brighter or darker."""
    blocks = chance.integers(-most, most, (-(-height // size), -(-width // size), 1), dtype=np.int16)
    return blocks.repeat(size, axis=0).repeat(size, axis=1)[:height, :width]


@cache
def recording(width: int, height: int, bitrate: int) -> list[bytes]:
    """The same pictures as VP8; the first is a key frame."""
    encoder = Vp8Encoder(EncoderSettings(bitrate, bitrate))
    encoded: list[bytes] = []
    for number, picture in enumerate(draw(width, height)):
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = number * 3000, TIME_BASE
        encoded += [each.data for each in encoder.encode(frame, key_frame=number == 0)]
    encoder.close()
    return encoded


class Tape:
    """Gives the frames of a recording in turn, from the beginning when a key frame is wanted."""

    def __init__(self, frames: list[bytes]) -> None:
        self._frames = frames
        self._next = 0

    def play(self, *, key_frame: bool) -> tuple[bytes, bool]:
        """The next frame, and whether it is a key frame."""
        number = 0 if key_frame else self._next % len(self._frames)
        self._next = number + 1
        return self._frames[number], number == 0


class ReplayingEncoder:
    """An encoder of peerix that plays a recording."""

    def __init__(self, frames: list[bytes]) -> None:
        self._tape = Tape(frames)

    def encode(self, frame: av.VideoFrame, *, key_frame: bool = False) -> list[EncodedFrame]:
        """Give the next frame of the recording."""
        data, is_key_frame = self._tape.play(key_frame=key_frame)
        return [EncodedFrame(data, frame.time, is_key_frame)]

    def set_bitrate(self, bitrate: int) -> None:
        """The recording has one bitrate."""

    def close(self) -> None:
        """Nothing is held."""


class StandingDecoder:
    """A decoder of either stack that always gives the same picture."""

    def __init__(self, width: int, height: int) -> None:
        self._picture = av.VideoFrame(width, height, "yuv420p")
        self._picture.pts, self._picture.time_base = 0, TIME_BASE

    def decode(self, frame: EncodedFrame | JitterFrame) -> list[av.VideoFrame]:
        """Give the picture."""
        return [self._picture]

    def close(self) -> None:
        """Nothing is held."""
