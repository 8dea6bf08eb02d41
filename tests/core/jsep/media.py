"""Codecs and sides for the tests of media."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from peerix.core.jsep import Codec, Extension, MediaCapabilities, Negotiator
from tests.core.jsep.support import Endpoint

VIDEO_FEEDBACK = ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")

OPUS = Codec("audio", "opus", 48000, 111, 2, "minptime=10;useinbandfec=1", ("transport-cc",))
RED = Codec("audio", "red", 48000, 63, 2, redundancy_of="opus")
PCMU = Codec("audio", "PCMU", 8000, 0)
VP8 = Codec("video", "VP8", 90000, 96, feedback=VIDEO_FEEDBACK, rtx_payload_type=97)
VP9 = Codec("video", "VP9", 90000, 98, None, "profile-id=0", VIDEO_FEEDBACK, 99)
H264 = Codec(
    "video",
    "H264",
    90000,
    108,
    None,
    "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    VIDEO_FEEDBACK,
    109,
)
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"

CAPABILITIES = MediaCapabilities(
    (OPUS, RED, PCMU, VP8, VP9, H264),
    (Extension(MID, 4), Extension(LEVEL, 1, ("audio",)), Extension(RID, 10, ("video",))),
)


class MediaEndpoint(Endpoint):
    """A side that has codecs."""

    def __init__(self, name: str = "a", *, data: bool = False, capabilities: MediaCapabilities = CAPABILITIES) -> None:
        super().__init__(name)
        self.negotiator = Negotiator(random_bytes=Random(name).randbytes, capabilities=capabilities)
        if data:
            self.negotiator.add_data_section()


def with_codecs(*codecs: Codec) -> MediaCapabilities:
    """The capabilities with other codecs."""
    return replace(CAPABILITIES, codecs=codecs)
