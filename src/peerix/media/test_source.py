"""A picture that moves and a tone that beeps in step with it, made here: for tests and demonstrations."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np
from anyio import AsyncContextManagerMixin, CancelScope, ClosedResourceError, sleep

from peerix.media.sources import AudioSource, VideoSource
from peerix.rtc.media_stream import MediaStream
from peerix.task_groups import owned_task_group

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from typing import Self

    import av
    import numpy.typing as npt

BITS = 24
"""Bits of the frame number that are drawn into the picture."""

BEEP = 0.1
"""Seconds of the beep, and of the flash, that begin each second."""

PIECE = 0.02
"""Seconds of sound made at once."""

SAMPLE_RATE = 48_000


class PictureMaker:
    """Draws numbered pictures: colours that move, a flash at the beginning of each second, and the number as bits."""

    def __init__(self, width: int, height: int, frame_rate: float) -> None:
        self.frame_rate = frame_rate
        x = np.linspace(0, 255, width, dtype=np.uint8)
        y = np.linspace(0, 255, height, dtype=np.uint8)
        self._background = np.empty((height, width, 3), dtype=np.uint8)
        self._background[..., 0] = x[None, :]
        self._background[..., 1] = y[:, None]
        self._background[..., 2] = 96

    def draw(self, number: int) -> npt.NDArray[np.uint8]:
        """The picture of a number, as RGB."""
        picture = np.roll(self._background, 4 * number, axis=1)
        height, width, _ = picture.shape
        if (number / self.frame_rate) % 1.0 < BEEP:
            picture[: height // 4] = 255
        cell_height, cell_width = _cell(height, width)
        for bit in range(BITS):
            value = 235 if number >> bit & 1 else 16
            picture[-cell_height:, bit * cell_width : (bit + 1) * cell_width] = value
        return picture


def _cell(height: int, width: int) -> tuple[int, int]:
    return max(8, height // 12), width // BITS


def read_number(frame: av.VideoFrame) -> int:
    """Read the number that is drawn into a picture, whatever was done to it."""
    gray = frame.to_ndarray(format="gray")
    cell_height, cell_width = _cell(*gray.shape)
    strip = gray[-cell_height + cell_height // 4 : -cell_height // 4]
    number = 0
    for bit in range(BITS):
        cell = strip[:, bit * cell_width + cell_width // 4 : (bit + 1) * cell_width - cell_width // 4]
        number |= int(cell.mean() > 125) << bit
    return number


class TestSource(AsyncContextManagerMixin):
    """Moving numbered pictures and a beep each second: ``async with TestSource() as source``.

    Nothing is made while nobody reads.

    :param pitch: hertz of the beep.
    :ivar stream: its tracks, `video` and `audio`.
    """

    __test__ = False  # not a test, whatever pytest thinks of its name

    def __init__(self, width: int = 640, height: int = 360, *, frame_rate: float = 30.0, pitch: float = 440.0) -> None:
        self.video = VideoSource(label="test picture")
        self.audio = AudioSource(sample_rate=SAMPLE_RATE, label="test tone")
        self.stream: MediaStream[VideoSource | AudioSource] = MediaStream([self.video, self.audio])
        self.cancel_scope = CancelScope()
        self._maker = PictureMaker(width, height, frame_rate)
        self._pitch = pitch

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        async with owned_task_group() as tasks:
            tasks.start_soon(self._live, name="test source")
            try:
                yield self
            finally:
                self.cancel_scope.cancel("the block of the source has ended")

    async def _live(self) -> None:
        origin = time.monotonic()
        try:
            with self.cancel_scope:
                async with owned_task_group() as tasks:
                    tasks.start_soon(self._show, origin)
                    tasks.start_soon(self._play, origin)
        finally:
            self.video.end()
            self.audio.end()

    async def _show(self, origin: float) -> None:
        rate, number = self._maker.frame_rate, 0
        while not self.video.ended:
            await self.video.wait_watched()
            # A timer may fire early: no number comes twice.
            number = max(int((time.monotonic() - origin) * rate), number) + 1
            due = origin + number / rate
            await sleep(max(0.0, due - time.monotonic()))
            if self.video.watched:
                try:
                    self.video.send_nowait(self._maker.draw(number), time=due)
                except ClosedResourceError:
                    return  # whoever published the track has ended it

    async def _play(self, origin: float) -> None:
        number = 0
        while not self.audio.ended:
            await self.audio.wait_watched()
            number = max(int((time.monotonic() - origin) / PIECE) + 1, number)
            while self.audio.watched:
                due = origin + number * PIECE
                await sleep(max(0.0, due - time.monotonic()))
                try:
                    self.audio.send_nowait(self._sound(number), time=due)
                except ClosedResourceError:
                    return
                number += 1

    def _sound(self, number: int) -> npt.NDArray[np.float64]:
        at = (np.arange(int(SAMPLE_RATE * PIECE)) + number * int(SAMPLE_RATE * PIECE)) / SAMPLE_RATE
        is_loud = at % 1.0 < BEEP
        return np.sin(2 * np.pi * self._pitch * at) * is_loud * 0.5
