"""Pictures and sounds to send, and measures of how much of them arrived."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from peerix.media import AudioSource


def picture(number: int, width: int = 640, height: int = 360, rate: int = 30) -> av.VideoFrame:
    """Waves that move; each number looks different."""
    y, x = np.mgrid[0:height, 0:width]
    waves = ((np.sin((x + 3 * number) / 30) + np.cos((y + 2 * number) / 20)) * 60 + 128).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(np.stack([waves, np.roll(waves, 50, 0), 255 - waves], -1), format="rgb24")
    frame = frame.reformat(format="yuv420p")
    frame.pts, frame.time_base = number * 90_000 // rate, Fraction(1, 90_000)
    return frame


def tone(start: int, samples: int, *, pitch: float = 440.0, rate: int = 48_000, level: float = 0.25) -> av.AudioFrame:
    """A part of a tone in stereo that begins at sample `start` of it."""
    at = np.arange(start, start + samples)
    wave = (np.sin(2 * np.pi * pitch * at / rate) * level * 32_767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2).reshape(1, -1), format="s16", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
    return frame


def psnr(one: av.VideoFrame, other: av.VideoFrame) -> float:
    """Peak signal-to-noise ratio in dB; 99 when they are equal."""
    left, right = one.to_ndarray(format="yuv420p").astype(float), other.to_ndarray(format="yuv420p").astype(float)
    error = float(((left - right) ** 2).mean())
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def samples_of(frames: Sequence[av.AudioFrame]) -> npt.NDArray[np.float64]:
    """The first channel of some sound, from -1 to 1."""
    parts: list[npt.NDArray[np.float64]] = []
    for frame in frames:
        values = frame.to_ndarray()
        first = values[0] if frame.format.is_planar else values.reshape(-1, len(frame.layout.channels))[:, 0]
        parts.append(first.astype(float) / (32_768 if values.dtype == np.int16 else 1))
    return np.concatenate(parts)


def pitch_of(frames: Sequence[av.AudioFrame]) -> float:
    """The loudest frequency, in hertz."""
    samples = samples_of(frames)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * frames[0].sample_rate / len(samples))


async def play_tone(microphone: AudioSource, pitch: float) -> None:
    """Play a tone for ever."""
    position = 0
    while True:
        at = np.arange(position, position + 960) / 48_000
        await microphone.send(np.sin(2 * np.pi * pitch * at) * 0.25)
        position += 960
