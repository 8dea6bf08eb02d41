"""The codecs and header extensions that are offered, the preferred ones first."""

from __future__ import annotations

from peerix.core.jsep import Codec, Extension, MediaCapabilities
from peerix.core.rtp.header_extensions import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    COLOR_SPACE,
    MID,
    PLAYOUT_DELAY,
    REPAIRED_RID,
    RID,
    TRANSPORT_SEQUENCE,
    VIDEO_ORIENTATION,
)

_VIDEO_FEEDBACK = ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")

_H264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id="

AUDIO_CODECS = (
    Codec("audio", "opus", 48_000, 111, 2, "minptime=10;useinbandfec=1", ("transport-cc",)),
    Codec("audio", "G722", 8_000, 9),
    Codec("audio", "PCMU", 8_000, 0),
    Codec("audio", "PCMA", 8_000, 8),
    Codec("audio", "telephone-event", 48_000, 110),
    Codec("audio", "telephone-event", 8_000, 126),
)

VIDEO_CODECS = (
    Codec("video", "VP8", 90_000, 96, feedback=_VIDEO_FEEDBACK, rtx_payload_type=97),
    Codec("video", "VP9", 90_000, 98, None, "profile-id=0", _VIDEO_FEEDBACK, 99),
    Codec("video", "H264", 90_000, 102, None, f"{_H264}42e01f", _VIDEO_FEEDBACK, 103),
    Codec("video", "H264", 90_000, 104, None, f"{_H264}42001f", _VIDEO_FEEDBACK, 105),
    Codec("video", "AV1", 90_000, 45, None, "level-idx=5;profile=0;tier=0", _VIDEO_FEEDBACK, 46),
)

# Chromium refuses an offer that crosses one of its own if a section of the same MID calls another extension by a
# number of its own. Its numbers differ between sound and video and with what else it offers; these are free
# there, or the same.
EXTENSIONS = (
    Extension(MID, 9),
    Extension(ABS_SEND_TIME, 2),
    Extension(TRANSPORT_SEQUENCE, 12),
    Extension(AUDIO_LEVEL, 1, ("audio",)),
    Extension(RID, 10, ("video",)),
    Extension(REPAIRED_RID, 11, ("video",)),
    Extension(VIDEO_ORIENTATION, 13, ("video",)),
    Extension(PLAYOUT_DELAY, 5, ("video",)),
    Extension(COLOR_SPACE, 8, ("video",)),
)

DEFAULT_CAPABILITIES = MediaCapabilities((*AUDIO_CODECS, *VIDEO_CODECS), EXTENSIONS)
