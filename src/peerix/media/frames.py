"""Frames of one's own.

A frame of a track belongs to all of its readers, which may work on it in several threads at once: nobody changes it, or
lets it convert itself (it would do so by a converter that it keeps, which does not bear two threads).
"""

from __future__ import annotations

from fractions import Fraction

import av
import av.filter
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

COLORSPACE = Colorspace.ITU601
"""What video is sent in, with a narrow range: VP8 has nothing else, and the other codecs are told to say so."""

_COLORSPACES = (COLORSPACE, Colorspace.SMPTE170M, Colorspace.DEFAULT)
"""Two names of the same, and what is taken for it where nothing is said."""

_ANY_TIME_BASE = Fraction(1, 90_000)


class PictureFitter:
    """Gives pictures of one size and format, whose times and types may be set. Used by one thread at a time."""

    __slots__ = ("_graph", "_reformatter", "_shape")

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._graph: av.filter.Graph | None = None
        self._shape = (0, 0, "")

    def fit_to_send(self, frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
        """As `fit`, in the colours that everybody takes video for."""
        if frame.colorspace in _COLORSPACES and frame.color_range != ColorRange.JPEG:
            return self.fit(frame, width, height)
        return self._reformatter.reformat(
            frame, width, height, "yuv420p", dst_colorspace=COLORSPACE, dst_color_range=ColorRange.MPEG
        )

    def fit(self, frame: av.VideoFrame, width: int, height: int, pixels: str = "yuv420p") -> av.VideoFrame:
        """Give a picture the size and format: a new frame, which shares the pixels where they are right already."""
        if (frame.width, frame.height, frame.format.name) != (width, height, pixels):
            return self._reformatter.reformat(frame, width, height, pixels)
        shape = (width, height, pixels)
        if self._graph is None or self._shape != shape:
            self._graph, self._shape = _passing_graph(shape), shape
        self._graph.push(frame)
        passed = self._graph.pull()
        assert isinstance(passed, av.VideoFrame)
        return passed


def _passing_graph(shape: tuple[int, int, str]) -> av.filter.Graph:
    """What comes out is what went in, in another frame: FFmpeg counts the users of the pixels."""
    graph = av.filter.Graph()
    width, height, pixels = shape
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat(pixels), time_base=_ANY_TIME_BASE)
    graph.link_nodes(source, graph.add("buffersink")).configure()
    return graph


def clockwise(frame: av.VideoFrame) -> int:
    """By how many degrees a picture is to be turned clockwise, as its file says: 0, 90, 180 or 270."""
    # FFmpeg counts the other way round.
    return round(-frame.rotation / 90) * 90 % 360


def copy_sound(frame: av.AudioFrame) -> av.AudioFrame:
    """Copy a piece of sound; the copy has no time."""
    copy = av.AudioFrame.from_ndarray(frame.to_ndarray(), format=frame.format.name, layout=frame.layout.name)
    copy.sample_rate = frame.sample_rate
    return copy
