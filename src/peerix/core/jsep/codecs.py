"""Finding our codecs in a section of somebody's description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.jsep.capabilities import Codec
from peerix.core.sdp import RtpMap, read_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from peerix.core.sdp import MediaSection

# RFC 3551 6: payload types that need no a=rtpmap.
_STATIC = {
    0: RtpMap(0, "PCMU", 8000),
    8: RtpMap(8, "PCMA", 8000),
    9: RtpMap(9, "G722", 8000),
    13: RtpMap(13, "CN", 8000),
}

# RFC 6184 8.1, table 5: profile_idc, which bits of profile-iop count, their value, and the profile that this is.
_H264_PROFILES = (
    (0x42, 0x4F, 0x40, "constrained baseline"),
    (0x4D, 0x8F, 0x80, "constrained baseline"),
    (0x58, 0xCF, 0xC0, "constrained baseline"),
    (0x42, 0x4F, 0x00, "baseline"),
    (0x58, 0xCF, 0x80, "baseline"),
    (0x4D, 0xAF, 0x00, "main"),
    (0x64, 0xFF, 0x00, "high"),
    (0x64, 0xFF, 0x0C, "constrained high"),
    (0xF4, 0xFF, 0x00, "high 4:4:4 predictive"),
)
_H264_DEFAULT = "420010"


@dataclass(frozen=True, slots=True)
class BoundCodec:
    """A codec of ours in a section: its payload types there, and what the section says of it.

    `feedback` is what both take. `rtx_payload_type` is None when one of both does not retransmit.
    """

    codec: Codec
    payload_type: int
    rtx_payload_type: int | None
    parameters: str
    feedback: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Format:
    """One format of an `m=` line with its attributes."""

    rtpmap: RtpMap
    parameters: str
    feedback: frozenset[str]


def bind_codecs(section: MediaSection, codecs: Sequence[Codec]) -> tuple[BoundCodec, ...]:
    """Find codecs in a section, in the order of the section; each is found once."""
    formats = _formats(section)
    retransmissions = _retransmissions(formats)
    bound: dict[Codec, BoundCodec] = {}
    for payload_type, entry in formats.items():
        codec = next((c for c in codecs if c not in bound and matches(c, entry.rtpmap, entry.parameters)), None)
        if codec is None or not _repeats(codec, entry, formats):
            continue
        bound[codec] = BoundCodec(
            codec,
            payload_type,
            retransmissions.get(payload_type) if codec.rtx_payload_type is not None else None,
            entry.parameters,
            tuple(value for value in codec.feedback if value in entry.feedback),
        )
    return tuple(bound.values())


def matches(codec: Codec, rtpmap: RtpMap, parameters: str) -> bool:
    """Tell whether a format is this codec: name, clock, channels, and the parameters that make another codec of it."""
    if (codec.name.lower(), codec.clock_rate) != (rtpmap.encoding.lower(), rtpmap.clock_rate):
        return False
    if (codec.channels or 1) != (rtpmap.channels or 1):
        return False
    return _variant(codec.name, codec.parameters) == _variant(codec.name, parameters)


def answer_parameters(bound: BoundCodec) -> str:
    """Give the parameters with which we answer a codec.

    They are our own, only that H.264 answers with the lower level of both, unless both take different levels in the two
    directions (RFC 6184 8.2.2).
    """
    codec = bound.codec
    if codec.name.upper() != "H264":
        return codec.parameters
    ours, theirs = read_parameters(codec.parameters), read_parameters(bound.parameters)
    if ours.get("level-asymmetry-allowed") == "1" == theirs.get("level-asymmetry-allowed"):
        return codec.parameters
    mine, offered = ours.get("profile-level-id", _H264_DEFAULT), theirs.get("profile-level-id", _H264_DEFAULT)
    lower = min(mine[4:], offered[4:], key=lambda level: int(level, 16))
    return codec.parameters.replace(mine, mine[:4] + lower)


def _formats(section: MediaSection) -> dict[int, _Format]:
    """Read the formats of a section; those that it does not describe are left out."""
    rtpmaps = _STATIC | {rtpmap.payload_type: rtpmap for rtpmap in section.rtpmaps}
    parameters = {fmtp.payload_type: fmtp.parameters for fmtp in section.fmtps}
    feedback: dict[int | None, set[str]] = {}
    for line in section.rtcp_feedbacks:
        feedback.setdefault(line.payload_type, set()).add(f"{line.type} {line.parameter}".strip())
    everywhere = feedback.get(None, set())
    payload_types = [int(text) for text in section.formats if text.isascii() and text.isdigit() and len(text) <= 3]
    return {
        number: _Format(
            rtpmaps[number], parameters.get(number, ""), frozenset(everywhere | feedback.get(number, set()))
        )
        for number in payload_types
        if number in rtpmaps
    }


def _retransmissions(formats: dict[int, _Format]) -> dict[int, int]:
    """Give the payload type of the retransmissions of each payload type (RFC 4588 8.1)."""
    return dict(_each_retransmission(formats))


def _each_retransmission(formats: dict[int, _Format]) -> Iterator[tuple[int, int]]:
    for payload_type, entry in formats.items():
        original = read_parameters(entry.parameters).get("apt", "")
        if entry.rtpmap.encoding.lower() == "rtx" and original.isascii() and original.isdigit():
            yield int(original[:3]), payload_type


def _repeats(codec: Codec, entry: _Format, formats: dict[int, _Format]) -> bool:
    """Tell whether an RED format repeats the codec that ours does; any other codec repeats nothing."""
    if codec.redundancy_of is None:
        return True
    primary = entry.parameters.split("/")[0]
    if not (primary.isascii() and primary.isdigit() and len(primary) <= 3 and int(primary) in formats):
        return False
    return formats[int(primary)].rtpmap.encoding.lower() == codec.redundancy_of.lower()


def _variant(name: str, text: str) -> tuple[str, ...]:
    """Give what tells variants of one codec apart, of which each is a codec of its own (RFC 6184, RFC 9628, AV1)."""
    parameters = read_parameters(text)
    match name.upper():
        case "H264":
            profile = _h264_profile(parameters.get("profile-level-id", _H264_DEFAULT))
            return (profile, parameters.get("packetization-mode", "0"))
        case "VP9":
            return (parameters.get("profile-id", "0"),)
        case "AV1":
            return (parameters.get("profile", "0"),)
        case _:
            return ()


def _h264_profile(text: str) -> str:
    try:
        number = int(text, 16) if len(text) == 6 else -1
    except ValueError:
        number = -1
    idc, iop = number >> 16, number >> 8 & 0xFF
    for profile_idc, mask, value, profile in _H264_PROFILES:
        if idc == profile_idc and iop & mask == value:
            return profile
    return text.lower()
