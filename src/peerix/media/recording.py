"""The file of a recording: encodes and writes frames. Used in worker threads, by one at a time."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import av
import av.filter
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import ColorRange

from peerix.media.copying import CopyWriter, NoWriter, check_codec
from peerix.media.frames import COLORSPACE, PictureFitter, clockwise, copy_sound
from peerix.rtc.encoded_frame import EncodedFrame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from av.container import OutputContainer

    from peerix.rtc.media_track import Kind

SAMPLE_RATE = 48_000

MAX_GAP = SAMPLE_RATE // 25
"""Samples by which the clock of sound may be off before silence is put in, or sound left out."""

PIECE = 1024
"""Samples written at once where the codec takes any number."""

DEFAULT_SIZE = (1280, 720)
"""Of a track of video that has shown nothing when the file begins."""

_TIME_BASE = Fraction(1, 90_000)

CODECS: dict[str, dict[Kind, str]] = {
    ".mp4": {"video": "libx264", "audio": "aac"},
    ".mov": {"video": "libx264", "audio": "aac"},
    ".mkv": {"video": "libx264", "audio": "libopus"},
    ".webm": {"video": "libvpx", "audio": "libopus"},
    ".wav": {"audio": "pcm_s16le"},
    ".flac": {"audio": "flac"},
    ".ogg": {"audio": "libopus"},
    ".opus": {"audio": "libopus"},
    ".mp3": {"audio": "libmp3lame"},
}
"""What is written into a file, by its ending."""

_OPTIONS = {
    "libx264": {"preset": "veryfast"},
    "libvpx": {"deadline": "realtime", "cpu-used": "6"},
}


class VideoWriter:
    """Writes the pictures of one track upright, fitted into the size of the first."""

    def __init__(self, container: OutputContainer, codec: str, bitrate: int, size: tuple[int, int]) -> None:
        self._container = container
        stream = container.add_stream(codec, rate=30, options=_OPTIONS.get(codec, {}))
        assert isinstance(stream, av.VideoStream)
        self._stream: av.VideoStream = stream
        stream.width, stream.height = size[0] & ~1, size[1] & ~1
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = bitrate
        stream.codec_context.time_base = _TIME_BASE
        # Unless they are told, players take large pictures for BT.709.
        stream.codec_context.colorspace, stream.codec_context.color_range = COLORSPACE, ColorRange.MPEG
        self._fitter = PictureFitter()
        self._fitting: tuple[tuple[int, int, str, int], av.filter.Graph] | None = None
        self._last = -1

    def write(self, frame: av.VideoFrame, position: float, rotation: int) -> None:
        """Write a picture at a position, in seconds from the beginning, turned by so many degrees."""
        fitted = self._fit(frame, (clockwise(frame) + rotation) % 360)
        fitted.time_base = _TIME_BASE
        self._last = fitted.pts = max(self._last + 1, round(position / _TIME_BASE))
        fitted.pict_type = PictureType.NONE
        self._container.mux(self._stream.encode(fitted))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode(None))

    def _fit(self, frame: av.VideoFrame, turn: int) -> av.VideoFrame:
        width, height = self._stream.width, self._stream.height
        if not turn and (frame.width, frame.height) == (width, height):
            return self._fitter.fit_to_send(frame, width, height)
        shape = (frame.width, frame.height, frame.format.name, turn)
        if self._fitting is None or self._fitting[0] != shape:
            self._fitting = (shape, _fitting_graph(shape, width, height))
        graph = self._fitting[1]
        graph.push(frame)
        fitted = graph.pull()
        assert isinstance(fitted, av.VideoFrame)
        return fitted


_TURNS: dict[int, tuple[tuple[str, str], ...]] = {
    90: (("transpose", "clock"),),
    180: (("hflip", ""), ("vflip", "")),
    270: (("transpose", "cclock"),),
}
"""What turns a picture clockwise."""


_SCALING = "force_original_aspect_ratio=decrease:force_divisible_by=2:out_color_matrix=bt601:out_range=limited"


def _fitting_graph(shape: tuple[int, int, str, int], width: int, height: int) -> av.filter.Graph:
    """Turn a picture, and scale it to a size, with black bars where its shape is another one."""
    graph = av.filter.Graph()
    nodes = [
        graph.add_buffer(width=shape[0], height=shape[1], format=av.VideoFormat(shape[2]), time_base=_TIME_BASE),
        *(graph.add(name, arguments) for name, arguments in _TURNS.get(shape[3], ())),
        graph.add("scale", f"{width}:{height}:{_SCALING}"),
        graph.add("pad", f"{width}:{height}:(ow-iw)/2:(oh-ih)/2"),
        graph.add("format", "yuv420p"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph


class AudioWriter:
    """Writes the sound of one track in stereo. What is missing is silence, what comes twice is left out."""

    def __init__(self, container: OutputContainer, codec: str, bitrate: int) -> None:
        self._container = container
        stream = container.add_stream(codec, rate=SAMPLE_RATE, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        self._stream: av.AudioStream = stream
        if not codec.startswith(("pcm", "flac")):
            stream.bit_rate = bitrate
        context = stream.codec_context
        context.open()
        self._resampler = av.AudioResampler("s16", "stereo", SAMPLE_RATE)
        self._to_codec = av.AudioResampler(context.format, "stereo", SAMPLE_RATE)
        self._fifo = av.AudioFifo()
        self._piece = context.frame_size or PIECE
        self._taken = 0
        """Samples taken so far: where the next ones belong."""
        self._written = 0

    def write(self, frame: av.AudioFrame, position: float, _rotation: int) -> None:
        """Write sound that begins at a position, in seconds from the beginning."""
        missing = round(position * SAMPLE_RATE) - self._taken
        if missing < -MAX_GAP:
            return
        if missing > MAX_GAP:
            self._be_silent(missing)
        for part in self._resampler.resample(copy_sound(frame)):
            self._take(part)

    def finish(self) -> None:
        """Write what is left of a piece, and what the encoder still holds."""
        rest = self._fifo.read(0, partial=True)
        if rest is not None:
            self._encode(rest)
        self._container.mux(self._stream.encode(None))

    def _be_silent(self, samples: int) -> None:
        while samples > 0:
            count = min(samples, SAMPLE_RATE)
            silence = np.zeros((1, 2 * count), dtype=np.int16)
            frame = av.AudioFrame.from_ndarray(silence, format="s16", layout="stereo")
            frame.sample_rate = SAMPLE_RATE
            self._take(frame)
            samples -= count

    def _take(self, frame: av.AudioFrame) -> None:
        frame.pts = None
        self._taken += frame.samples
        self._fifo.write(frame)
        for piece in self._fifo.read_many(self._piece):
            self._encode(piece)

    def _encode(self, piece: av.AudioFrame) -> None:
        piece.pts = None
        for converted in self._to_codec.resample(piece):
            converted.pts, converted.time_base = self._written, Fraction(1, SAMPLE_RATE)
            self._written += converted.samples
            self._container.mux(self._stream.encode(converted))


class Beginning(NamedTuple):
    """What is known of a track when the file begins; `first` is None when it has shown nothing."""

    kind: Kind
    first: av.VideoFrame | av.AudioFrame | EncodedFrame | None
    rotation: int
    is_encoded: bool
    codec: str
    """The MIME type of encoded frames; "" for others, and where it is not known yet."""


class RecordingFile:
    """A file with one track for each of those it is begun with.

    :param bitrates: bits a second of each kind, of what is encoded for the file.
    """

    def __init__(self, path: Path, bitrates: dict[Kind, int]) -> None:
        self._path = path
        self._ending = path.suffix.lower()
        self._codecs = CODECS[self._ending]
        self._bitrates = bitrates
        self._container: OutputContainer | None = None
        self._writers: list[VideoWriter | AudioWriter | CopyWriter | NoWriter] = []

    @property
    def left_out(self) -> int:
        """Frames that came encoded and that the file cannot hold."""
        return sum(writer.left_out for writer in self._writers if isinstance(writer, CopyWriter | NoWriter))

    def holds(self, kind: Kind) -> bool:
        """Whether a file of this kind has tracks of that kind."""
        return kind in self._codecs

    def check_codec(self, codec: str) -> None:
        """See that it holds encoded frames of a codec.

        :raises PeerixError: it does not.
        """
        check_codec(codec, self._ending)

    def begin(self, tracks: Sequence[Beginning]) -> None:
        """Open the file.

        :raises PeerixError: it does not hold what came encoded.
        """
        for track in tracks:
            if isinstance(track.first, EncodedFrame):
                self.check_codec(track.codec)
        self._container = av.open(self._path, "w")
        for track in tracks:
            self._writers.append(self._writer(self._container, track))

    def _writer(
        self, container: OutputContainer, track: Beginning
    ) -> VideoWriter | AudioWriter | CopyWriter | NoWriter:
        if track.is_encoded:
            first = track.first
            return CopyWriter(container, track.codec, first) if isinstance(first, EncodedFrame) else NoWriter()
        codec, bitrate = self._codecs[track.kind], self._bitrates[track.kind]
        if track.kind == "audio":
            return AudioWriter(container, codec, bitrate)
        size = _upright_size(track.first, track.rotation) if isinstance(track.first, av.VideoFrame) else DEFAULT_SIZE
        return VideoWriter(container, codec, bitrate, size)

    def write(self, frames: Sequence[tuple[int, Any, float, int]]) -> None:
        """Write frames: the number of the track, the frame, its position in seconds, and the track's rotation."""
        for number, frame, position, rotation in frames:
            self._writers[number].write(frame, position, rotation)

    def close(self) -> None:
        """End the file; harmless when it never began."""
        if self._container is None:
            return
        try:
            for writer in self._writers:
                writer.finish()
        finally:
            self._container.close()
            self._container = None


def _upright_size(frame: av.VideoFrame, rotation: int) -> tuple[int, int]:
    lies = (clockwise(frame) + rotation) % 180 != 0
    return (frame.height, frame.width) if lies else (frame.width, frame.height)
