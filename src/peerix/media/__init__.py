"""Sound and pictures: sources, files, recording, encoders and decoders (extra `media`)."""

from __future__ import annotations

try:
    import av  # noqa: F401
    import numpy as np  # noqa: F401
except ImportError as error:
    raise ImportError("peerix.media needs PyAV and NumPy: pip install 'peerix[media]'") from error

from peerix.media.player import MediaPlayer
from peerix.media.recorder import MediaRecorder
from peerix.media.sources import AudioSource, VideoSource
from peerix.media.test_source import TestSource
from peerix.rtc.encoded_frame import EncodedFrame
from peerix.rtc.media_stream import MediaStream
from peerix.rtc.media_track import FrameReader, MediaTrack

__all__ = [
    "AudioSource",
    "EncodedFrame",
    "FrameReader",
    "MediaPlayer",
    "MediaRecorder",
    "MediaStream",
    "MediaTrack",
    "TestSource",
    "VideoSource",
]
