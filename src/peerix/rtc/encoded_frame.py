"""A frame as an encoder makes it and a decoder takes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class EncodedFrame:
    """One encoded picture, or some milliseconds of encoded sound.

    :ivar data: the bytes, as the payload format of the codec takes them (H.264 and AV1: an access or temporal unit).
    :ivar time: seconds on the clock of the track.
    :ivar key_frame: it can be decoded without those before it; always true for sound.
    :ivar duration: seconds; 0 where it is not known.
    :ivar codec: its MIME type, such as "video/VP8"; empty where it goes without saying.
    """

    data: bytes
    time: float
    key_frame: bool = True
    duration: float = 0.0
    codec: str = ""
