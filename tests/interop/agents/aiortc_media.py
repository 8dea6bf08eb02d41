"""What aiortc sends and receives: pictures of one colour, tones; pictures and sound as bytes."""

from __future__ import annotations

import asyncio
import base64
import time
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

FRAME_TIME = 1 / 30
RATE = 48_000
PIECE = 960  # samples
WINDOW = 16_384  # samples of sound that are looked at together


class Picture(MediaStreamTrack):
    """A picture of one colour, again and again."""

    kind = "video"

    def __init__(self, color: list[int], width: int, height: int) -> None:
        super().__init__()
        rgb = np.full((height, width, 3), color, np.uint8)
        self._picture = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
        self._started = time.monotonic()

    async def recv(self) -> av.VideoFrame:
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(FRAME_TIME)
        frame = av.VideoFrame.from_ndarray(self._picture.to_ndarray(), format="yuv420p")
        frame.pts, frame.time_base = int((time.monotonic() - self._started) * 90_000), Fraction(1, 90_000)
        return frame


class Tone(MediaStreamTrack):
    """A tone."""

    kind = "audio"

    def __init__(self, pitch: float) -> None:
        super().__init__()
        self._pitch = pitch
        self._position = 0
        self._started = time.monotonic()

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(max(0.0, self._started + self._position / RATE - time.monotonic()))
        at = np.arange(self._position, self._position + PIECE)
        samples = (np.sin(2 * np.pi * self._pitch * at / RATE) * 16_384).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._position, Fraction(1, RATE)
        self._position += PIECE
        return frame


def source(wanted: dict[str, Any]) -> MediaStreamTrack:
    if wanted["kind"] == "video":
        return Picture(wanted["color"], wanted["width"], wanted["height"])
    return Tone(wanted["pitch"])


async def picture(track: MediaStreamTrack) -> dict[str, object]:
    frame = await track.recv()
    assert isinstance(frame, av.VideoFrame)
    pixels = frame.to_ndarray(format="rgba").tobytes()
    return {"width": frame.width, "height": frame.height, "pixels": base64.b64encode(pixels).decode()}


async def sound(track: MediaStreamTrack) -> dict[str, object]:
    parts: list[Any] = []
    rate = 0
    while sum(map(len, parts)) < WINDOW:
        frame = await track.recv()
        assert isinstance(frame, av.AudioFrame)
        rate = frame.sample_rate
        first = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0] / 32_768
        if parts or np.abs(first).max() > 0.01:  # what comes before the first sound says nothing of it
            parts.append(first)
    samples = np.concatenate(parts).astype(np.float32)
    return {"rate": rate, "samples": base64.b64encode(samples.tobytes()).decode()}
