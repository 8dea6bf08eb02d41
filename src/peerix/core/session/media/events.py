"""What the media of a session report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from peerix.core.jsep import BoundCodec
from peerix.core.rtp.audio_buffer import AudioUnit
from peerix.core.rtp.header_extensions import AudioLevel
from peerix.core.rtp.video_buffer import ReceivedFrame


@dataclass(slots=True)
class FrameReceived:
    """A frame of video that can be decoded after those before it."""

    mid: str
    rid: str
    codec: BoundCodec
    frame: ReceivedFrame
    rotation: int
    """Degrees by which to turn the picture."""
    time: float
    """When it was captured, seconds by the clock `now` of the receiver: sound and picture of one sender that were
    captured together have the same time. It would have come then on a path without jitter."""


@dataclass(slots=True)
class SoundReceived:
    """A piece of sound; each begins where the one before ends."""

    mid: str
    codec: BoundCodec
    unit: AudioUnit
    time: float
    """When it begins; see `FrameReceived.time`."""
    level: AudioLevel | None = None
    """How loud it is, where both sides agreed to tell (RFC 6464)."""


@dataclass(slots=True)
class ToneReceived:
    """A dial tone has ended: one of "0123456789*#ABCD", and how many seconds it took.

    Of a long one, which is told in segments (RFC 4733 section 2.5.1.3), it is the last segment.
    """

    mid: str
    digit: str
    duration: float


@dataclass(slots=True)
class KeyFrameRequested:
    """The other side cannot go on without a key frame."""

    mid: str
    rid: str = ""
    """Of which encoding of a simulcast."""


@dataclass(slots=True)
class BitrateChanged:
    """The path now carries so many bits a second, for all that is sent together, beside what is sent again."""

    bitrate: float


MediaEvent: TypeAlias = FrameReceived | SoundReceived | ToneReceived | KeyFrameRequested | BitrateChanged
