"""Writes encoded frames into a file as they are. Used in worker threads, by one at a time."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av

from peerix.core.errors import PeerixError

if TYPE_CHECKING:
    from av.container import OutputContainer

    from peerix.rtc.encoded_frame import EncodedFrame

FILES: dict[str, tuple[str, ...]] = {
    "video/vp8": (".mkv", ".webm"),
    "video/vp9": (".mkv", ".webm", ".mp4"),
    "video/av1": (".mkv", ".webm", ".mp4"),
    "video/h264": (".mkv", ".mp4", ".mov"),
    "audio/opus": (".mkv", ".webm", ".mp4", ".ogg", ".opus"),
}
"""The endings of files that hold a codec as it comes over a connection."""

_IVF_CODES = {"video/vp8": b"VP80", "video/vp9": b"VP90", "video/av1": b"AV01"}
_IVF_HEADER = struct.Struct("<4sHH4sHHIIQ")
_IVF_FRAME = struct.Struct("<IQ")

_TIME_BASE = Fraction(1, 48_000)
"""Fine enough for pictures, too."""


def check_codec(codec: str, ending: str) -> None:
    """See that files with this ending hold frames of a codec.

    :raises PeerixError: they do not; it names those that do.
    """
    endings = FILES.get(codec.lower(), ())
    if ending not in endings:
        others = f"{' and '.join(endings)} files do" if endings else "no file does: record what is decoded"
        raise PeerixError(f"a {ending} file does not hold {codec} as it comes; {others}")


class CopyWriter:
    """Writes the frames of one track as they come.

    Frames of another codec than the first one are left out.

    :param codec: their MIME type, one of `FILES`.
    :param first: the first frame; of pictures a key frame.
    :ivar left_out: frames that the file cannot hold.
    """

    def __init__(self, container: OutputContainer, codec: str, first: EncodedFrame) -> None:
        self._container = container
        self._codec = codec
        is_sound = codec.startswith("audio/")
        self._stream: Any = _add_sound(container) if is_sound else _add_pictures(container, codec, first.data)
        self._last = -1
        self.left_out = 0

    def write(self, frame: EncodedFrame, position: float, _rotation: int) -> None:
        """Write a frame at a position, in seconds from the beginning."""
        if frame.codec and frame.codec != self._codec:
            self.left_out += 1
            return
        packet = av.Packet(frame.data)
        packet.stream, packet.time_base = self._stream, _TIME_BASE
        self._last = packet.pts = packet.dts = max(self._last + 1, round(position / _TIME_BASE))
        packet.is_keyframe = frame.key_frame
        if frame.duration:
            packet.duration = round(frame.duration / _TIME_BASE)
        self._container.mux_one(packet)

    def finish(self) -> None:
        """Nothing is held back."""


class NoWriter:
    """Stands for an encoded track that had shown nothing when the file began: a file says first what it has."""

    def __init__(self) -> None:
        self.left_out = 0

    def write(self, _frame: EncodedFrame, _position: float, _rotation: int) -> None:
        """Leave a frame out."""
        self.left_out += 1

    def finish(self) -> None:
        """Nothing is held back."""


def _add_sound(container: OutputContainer) -> Any:
    # The encoder is never used: it knows what the header of the file says of Opus. Decoders for stereo take mono, too.
    stream = container.add_stream("libopus", rate=48_000, layout="stereo")
    stream.codec_context.open()
    return stream


def _add_pictures(container: OutputContainer, codec: str, key_frame: bytes) -> Any:
    """Add a track, of which FFmpeg reads out of the first key frame what the header of the file says."""
    code = _IVF_CODES.get(codec.lower())
    data, name = key_frame, "h264"
    if code is not None:
        header = _IVF_HEADER.pack(b"DKIF", 0, _IVF_HEADER.size, code, 0, 0, 30, 1, 1)
        data, name = header + _IVF_FRAME.pack(len(key_frame), 0) + key_frame, "ivf"
    with av.open(io.BytesIO(data), format=name) as sample:
        return container.add_stream_from_template(sample.streams.video[0], opaque=True)
