"""Payload formats: frames of a codec into RTP payloads and back.

Video codecs have a `VideoPacketizer` and a `VideoDepacketizer`; a payload of audio is an encoded frame as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.rtp.payload.audio import AUDIO_CLOCK_RATES, AUDIO_DURATIONS
from peerix.core.rtp.payload.av1 import Av1Depacketizer, Av1Packetizer, is_av1_key_frame
from peerix.core.rtp.payload.h264 import H264Depacketizer, H264Packetizer, is_h264_key_frame
from peerix.core.rtp.payload.opus import opus_duration, opus_has_fec, opus_is_dtx, opus_repeated
from peerix.core.rtp.payload.red import RedBlock, RedEncoder, read_red, write_red
from peerix.core.rtp.payload.telephone_event import (
    TelephoneEvent,
    read_telephone_event,
    write_telephone_event,
    write_tone,
)
from peerix.core.rtp.payload.video import AssembledFrame, VideoDepacketizer, VideoPacketizer
from peerix.core.rtp.payload.vp8 import Vp8Depacketizer, Vp8Packetizer, is_vp8_key_frame, vp8_size
from peerix.core.rtp.payload.vp9 import Vp9Depacketizer, Vp9Packetizer, is_vp9_key_frame

if TYPE_CHECKING:
    from collections.abc import Callable

VIDEO_DEPACKETIZERS: dict[str, Callable[[], VideoDepacketizer]] = {
    "VP8": Vp8Depacketizer,
    "VP9": Vp9Depacketizer,
    "H264": H264Depacketizer,
    "AV1": Av1Depacketizer,
}
"""By name in capitals."""

VIDEO_PACKETIZERS: dict[str, Callable[[], VideoPacketizer]] = {
    "VP8": Vp8Packetizer,
    "VP9": Vp9Packetizer,
    "H264": H264Packetizer,
    "AV1": Av1Packetizer,
}
"""By name in capitals; H.264 in packetisation mode 1."""

KEY_FRAME_TESTS: dict[str, Callable[[bytes], bool]] = {
    "VP8": is_vp8_key_frame,
    "VP9": is_vp9_key_frame,
    "H264": is_h264_key_frame,
    "AV1": is_av1_key_frame,
}
"""By name in capitals: whether an encoded frame needs no frame before it."""

__all__ = [
    "AUDIO_CLOCK_RATES",
    "AUDIO_DURATIONS",
    "KEY_FRAME_TESTS",
    "VIDEO_DEPACKETIZERS",
    "VIDEO_PACKETIZERS",
    "AssembledFrame",
    "Av1Depacketizer",
    "Av1Packetizer",
    "H264Depacketizer",
    "H264Packetizer",
    "RedBlock",
    "RedEncoder",
    "TelephoneEvent",
    "VideoDepacketizer",
    "VideoPacketizer",
    "Vp8Depacketizer",
    "Vp8Packetizer",
    "Vp9Depacketizer",
    "Vp9Packetizer",
    "is_av1_key_frame",
    "is_h264_key_frame",
    "is_vp8_key_frame",
    "is_vp9_key_frame",
    "opus_duration",
    "opus_has_fec",
    "opus_is_dtx",
    "opus_repeated",
    "read_red",
    "read_telephone_event",
    "vp8_size",
    "write_red",
    "write_telephone_event",
    "write_tone",
]
