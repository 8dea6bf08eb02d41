"""A frame as an encoder makes it and a decoder takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peerix.core.rtp.header_extensions import ColorSpace


@dataclass(slots=True)
class EncodedFrame:
    """One encoded picture, or some milliseconds of encoded sound.

    :ivar data: the bytes, as the payload format of the codec takes them (H.264 and AV1: an access or temporal unit).
    :ivar time: seconds on the clock of the track.
    :ivar key_frame: it can be decoded without those before it; always true for sound.
    :ivar duration: seconds; 0 where it is not known.
    :ivar codec: its MIME type, such as "video/VP8"; empty where it goes without saying.
    :ivar rotation: degrees clockwise by which the picture is to be turned: 0, 90, 180 or 270.
    :ivar color_space: what its colours mean, where the other side says so beside the codec.
    :ivar level: how loud the sound is, from 0, the loudest, to 127, silence (RFC 6464); None where it is not known.
    """

    data: bytes
    time: float
    key_frame: bool = True
    duration: float = 0.0
    codec: str = ""
    rotation: int = 0
    level: int | None = None
    color_space: ColorSpace | None = None
