"""What was shown and what of it was seen and heard: pictures and sound with their times, and how the two compare."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from tests.support.pictures import psnr

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Thumb = npt.NDArray[np.float64]
    Sound = npt.NDArray[np.float64]

RATE = 48_000
THUMB = (160, 90)
NEAR = 0.5
"""Seconds around a picture in which it is looked for."""

BANDS = (125, 250, 500, 1000, 2000, 4000, 8000)
"""Octaves whose levels are compared, by their lower ends, in hertz."""


@dataclass(slots=True)
class Showing:
    """A stretch of sound and pictures on one clock.

    :ivar thumbs: time and small grey copy of each picture.
    :ivar sounds: time and samples of each piece, mixed down as for a call.
    :ivar kept: some of the pictures as they were, by time.
    """

    thumbs: list[tuple[float, Thumb]] = field(default_factory=list[tuple[float, "Thumb"]])
    sounds: list[tuple[float, Sound]] = field(default_factory=list[tuple[float, "Sound"]])
    kept: dict[float, av.VideoFrame] = field(default_factory=dict[float, av.VideoFrame])
    _resampler: av.AudioResampler = field(default_factory=lambda: av.AudioResampler("s16", "mono", RATE))

    def add(self, frame: av.VideoFrame | av.AudioFrame, time: float, keep: bool = False) -> None:
        """Take a picture or a piece of sound."""
        if isinstance(frame, av.VideoFrame):
            self.thumbs.append((time, thumb_of(frame)))
            if keep:
                self.kept[time] = frame
            return
        copy = av.AudioFrame.from_ndarray(frame.to_ndarray(), format=frame.format.name, layout=frame.layout.name)
        copy.sample_rate = frame.sample_rate
        pieces = [piece.to_ndarray()[0].astype(float) / 32_768 for piece in self._resampler.resample(copy)]
        if pieces:
            self.sounds.append((time, np.concatenate(pieces)))

    def sound(self, begin: float, seconds: float) -> Sound:
        """The sound of a stretch of time, silence where there is none."""
        line = np.zeros(round(seconds * RATE))
        for time, samples in self.sounds:
            at = round((time - begin) * RATE)
            here = samples[max(-at, 0) : max(len(line) - at, 0)]
            line[max(at, 0) : max(at, 0) + len(here)] = here
        return line


def thumb_of(frame: av.VideoFrame) -> Thumb:
    """A small grey copy."""
    return frame.reformat(*THUMB, format="gray").to_ndarray().astype(float)


def read_file(path: str) -> Showing:
    """All of a file, on its own clock."""
    showing = Showing()
    with av.open(path) as container:
        frames: Any = container.decode(*container.streams)
        for frame in frames:
            if frame.time is not None:
                showing.add(frame, frame.time)
    return showing


def picture_delay(shown: Showing, seen: Showing) -> float:
    """How much later pictures were seen than the same ones were shown, by their content: the median, seconds."""
    return float(np.median([time - _time_of(thumb, shown.thumbs, time) for time, thumb in seen.thumbs]))


def _time_of(thumb: Thumb, among: Sequence[tuple[float, Thumb]], near: float) -> float:
    candidates = [each for each in among if abs(each[0] - near) < NEAR] or among
    return min(candidates, key=lambda each: float(((each[1] - thumb) ** 2).mean()))[0]


def sound_delay(shown: Sound, heard: Sound) -> float:
    """How much later a stretch of sound was heard than it was played: where the two fit best, seconds."""
    size = 2 * len(shown)
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(shown, size)), size)
    shift = int(product.argmax())
    return (shift - size if shift > len(shown) else shift) / RATE


def level_of(sound: Sound) -> float:
    """The level in dB below full scale."""
    return float(20 * np.log10(np.sqrt((sound**2).mean()) + 1e-9))


def octaves_of(sound: Sound) -> list[float]:
    """The levels of octaves, dB."""
    power = np.abs(np.fft.rfft(sound)) ** 2
    at = np.fft.rfftfreq(len(sound), 1 / RATE)
    return [float(10 * np.log10(power[(at >= low) & (at < 2 * low)].sum() + 1e-9)) for low in BANDS]


def qualities(shown: Showing, seen: Showing) -> list[float]:
    """The PSNR of each picture that was kept on both sides, dB, in their order; in the size in which it was seen."""
    found: list[float] = []
    for time, frame in sorted(seen.kept.items()):
        original = min(shown.kept, key=lambda other: abs(other - time))
        if abs(original - time) < 0.01:
            found.append(psnr(shown.kept[original].reformat(frame.width, frame.height), frame))
    return found
