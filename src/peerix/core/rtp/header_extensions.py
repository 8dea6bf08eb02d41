"""RTP header extensions (RFC 8285): elements in the one-byte and the two-byte form, and the values they carry.

    one-byte, profile 0xBEDE      |  ID   | len-1 |  data ...
    two-byte, profile 0x100x      |      ID       |      len      |  data ...

A malformed element ends the reading; what stood before it is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from peerix.core.rtp.packet import RtpPacket

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
"""Which media section a packet belongs to (RFC 9143 section 15)."""
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
"""Which encoding of a section (RFC 8852 section 3.1)."""
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
"""Which encoding a retransmission repairs (RFC 8852 section 3.2)."""
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_SEQUENCE = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
"""RFC 6464."""
VIDEO_ORIENTATION = "urn:3gpp:video-orientation"
"""3GPP TS 26.114 section 7.4.5."""
PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
COLOR_SPACE = "http://www.webrtc.org/experiments/rtp-hdrext/color-space"
"""Chromium's: what the colours of a picture mean, where its codec does not say (VP8) or not always does."""

ONE_BYTE_PROFILE = 0xBEDE
TWO_BYTE_PROFILE = 0x1000

ABS_SEND_TIME_UNITS = 1 << 18
"""Units of abs-send-time in a second; the 24 bits wrap every 64 seconds."""

PLAYOUT_DELAY_UNIT = 0.01
"""Seconds; the 12 bits hold at most 40.95."""

_LIMITED_RANGE, _FULL_RANGE = 1, 2

_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


def read_elements(profile: int | None, data: bytes) -> dict[int, bytes]:
    """Read the elements of a header extension by id; of a repeated id the last one counts."""
    if profile == ONE_BYTE_PROFILE:
        return _read_one_byte(data)
    if profile is not None and profile & 0xFFF0 == TWO_BYTE_PROFILE:
        return _read_two_byte(data)
    return {}


def _read_one_byte(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    offset, end = 0, len(data)
    while offset < end:
        byte = data[offset]
        offset += 1
        if not byte:
            continue
        identifier, length = byte >> 4, (byte & 15) + 1
        if identifier == 15 or offset + length > end:
            break  # RFC 8285 4.2: 15 ends the reading
        if identifier:
            found[identifier] = data[offset : offset + length]
        offset += length
    return found


def _read_two_byte(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    offset, end = 0, len(data)
    while offset < end:
        identifier = data[offset]
        offset += 1
        if not identifier:
            continue
        if offset >= end or offset + 1 + data[offset] > end:
            break
        start, offset = offset + 1, offset + 1 + data[offset]
        found[identifier] = data[start:offset]
    return found


def fits_one_byte(elements: Sequence[tuple[int, bytes]]) -> bool:
    """Tell whether the one-byte form holds all of these."""
    return all(identifier < 15 and 0 < len(data) <= 16 for identifier, data in elements)


def write_block(elements: Sequence[tuple[int, bytes]], *, one_byte: bool) -> bytes:
    """Write elements one after the other, without padding."""
    if one_byte:
        return b"".join(bytes((identifier << 4 | len(data) - 1,)) + data for identifier, data in elements)
    return b"".join(bytes((identifier, len(data))) + data for identifier, data in elements)


def write_elements(elements: Sequence[tuple[int, bytes]]) -> tuple[int | None, bytes]:
    """Write elements in the shortest form that holds them: the profile and the padded data; no element, no extension.

    Ids are 1 to 255, data at most 255 bytes.
    """
    if not elements:
        return None, b""
    one_byte = fits_one_byte(elements)
    block = write_block(elements, one_byte=one_byte)
    return ONE_BYTE_PROFILE if one_byte else TWO_BYTE_PROFILE, block + _PADDING[len(block) & 3]


@dataclass(slots=True)
class AudioLevel:
    """How loud a packet of audio is (RFC 6464): `level` in -dBov, 0 the loudest, 127 silence."""

    level: int
    voice: bool = False


@dataclass(slots=True)
class VideoOrientation:
    """How to turn a picture: `rotation` in degrees (0, 90, 180, 270) clockwise, after mirroring when `flip`."""

    rotation: int = 0
    flip: bool = False
    back_camera: bool = False


@dataclass(slots=True)
class PlayoutDelay:
    """What the sender wishes of the receiver's delay, seconds."""

    minimum: float
    maximum: float


@dataclass(slots=True, frozen=True)
class ColorSpace:
    """What the colours of a picture mean: numbers of ITU-T H.273, and whether they take the full range of a byte."""

    primaries: int
    transfer: int
    matrix: int
    is_full_range: bool


@dataclass(slots=True)
class HeaderExtensions:
    """The values of the extensions known here; None for what a packet does not carry."""

    mid: str | None = None
    rid: str | None = None
    repaired_rid: str | None = None
    abs_send_time: int | None = None
    """24 bits, see `ABS_SEND_TIME_UNITS`."""
    transport_sequence: int | None = None
    audio_level: AudioLevel | None = None
    orientation: VideoOrientation | None = None
    playout_delay: PlayoutDelay | None = None
    color_space: ColorSpace | None = None


NO_EXTENSIONS = HeaderExtensions()
"""What a packet without extensions carries; shared, not to be changed."""


class ExtensionMap:
    """The ids that two descriptions gave to the extensions; those with unknown URIs are left alone.

    `extensions` are pairs of id and URI; an id outside 1 to 255 is ignored.
    """

    __slots__ = ("_ids", "_readers", "_sequence_id", "_time_id")

    def __init__(self, extensions: Iterable[tuple[int, str]]) -> None:
        ids = {uri: identifier for identifier, uri in extensions if 0 < identifier < 256}
        self._ids = tuple(ids.get(uri, 0) for uri in _READERS)
        self._readers = {ids[uri]: reader for uri, reader in _READERS.items() if uri in ids}
        self._sequence_id = ids.get(TRANSPORT_SEQUENCE, 0)
        self._time_id = ids.get(ABS_SEND_TIME, 0)

    def id_of(self, uri: str) -> int:
        """Give the id of a known extension, 0 when it was not negotiated."""
        return self._ids[tuple(_READERS).index(uri)]

    def read(self, packet: RtpPacket) -> HeaderExtensions:
        """Read the values in a packet; malformed ones are as if absent."""
        if packet.extension_profile is None:
            return NO_EXTENSIONS
        values = HeaderExtensions()
        for identifier, data in read_elements(packet.extension_profile, packet.extension_data).items():
            # Every packet has these two; they are not worth a call each.
            if identifier == self._sequence_id and len(data) == 2:
                values.transport_sequence = data[0] << 8 | data[1]
            elif identifier == self._time_id and len(data) == 3:
                values.abs_send_time = data[0] << 16 | data[1] << 8 | data[2]
            elif (reader := self._readers.get(identifier)) is not None:
                reader(values, data)
        return values

    def elements(self, values: HeaderExtensions) -> list[tuple[int, bytes]]:
        """Give the values that were negotiated: ids and bytes."""
        data = (
            values.mid and values.mid.encode(),
            values.rid and values.rid.encode(),
            values.repaired_rid and values.repaired_rid.encode(),
            None if values.abs_send_time is None else values.abs_send_time.to_bytes(3, "big"),
            None if values.transport_sequence is None else values.transport_sequence.to_bytes(2, "big"),
            _write_audio_level(values.audio_level),
            _write_orientation(values.orientation),
            _write_playout_delay(values.playout_delay),
            _write_color_space(values.color_space),
        )
        return [(identifier, value) for identifier, value in zip(self._ids, data, strict=True) if identifier and value]

    def write(self, values: HeaderExtensions) -> tuple[int | None, bytes]:
        """Write the values that were negotiated: profile and data as `write_elements` gives them."""
        return write_elements(self.elements(values))


def abs_send_time(now: float) -> int:
    """Give the 24-bit time of sending for `now`, seconds of any steady clock."""
    return int(now * ABS_SEND_TIME_UNITS) & 0xFFFFFF


def _read_text(data: bytes) -> str | None:
    try:
        return data.decode() or None
    except UnicodeDecodeError:
        return None


def _read_mid(values: HeaderExtensions, data: bytes) -> None:
    values.mid = _read_text(data)


def _read_rid(values: HeaderExtensions, data: bytes) -> None:
    values.rid = _read_text(data)


def _read_repaired_rid(values: HeaderExtensions, data: bytes) -> None:
    values.repaired_rid = _read_text(data)


def _read_abs_send_time(values: HeaderExtensions, data: bytes) -> None:
    if len(data) == 3:
        values.abs_send_time = int.from_bytes(data, "big")


def _read_transport_sequence(values: HeaderExtensions, data: bytes) -> None:
    if len(data) == 2:
        values.transport_sequence = int.from_bytes(data, "big")


def _read_audio_level(values: HeaderExtensions, data: bytes) -> None:
    # In the two-byte form a second byte may follow for padding (RFC 6464 section 3).
    if data:
        values.audio_level = AudioLevel(data[0] & 0x7F, data[0] > 0x7F)


def _read_orientation(values: HeaderExtensions, data: bytes) -> None:
    if data:
        values.orientation = VideoOrientation((data[0] & 3) * 90, bool(data[0] & 4), bool(data[0] & 8))


def _read_playout_delay(values: HeaderExtensions, data: bytes) -> None:
    number = int.from_bytes(data, "big")
    if len(data) == 3 and number >> 12 <= number & 0xFFF:
        minimum, maximum = (number >> 12) * PLAYOUT_DELAY_UNIT, (number & 0xFFF) * PLAYOUT_DELAY_UNIT
        values.playout_delay = PlayoutDelay(minimum, maximum)


def _read_color_space(values: HeaderExtensions, data: bytes) -> None:
    # Behind that come the brightness values of HDR, in 24 bytes more.
    if len(data) in {4, 28}:
        values.color_space = ColorSpace(data[0], data[1], data[2], data[3] >> 4 & 3 == _FULL_RANGE)


# In the order in which `ExtensionMap.elements` gives the values.
_READERS: dict[str, Callable[[HeaderExtensions, bytes], None]] = {
    MID: _read_mid,
    RID: _read_rid,
    REPAIRED_RID: _read_repaired_rid,
    ABS_SEND_TIME: _read_abs_send_time,
    TRANSPORT_SEQUENCE: _read_transport_sequence,
    AUDIO_LEVEL: _read_audio_level,
    VIDEO_ORIENTATION: _read_orientation,
    PLAYOUT_DELAY: _read_playout_delay,
    COLOR_SPACE: _read_color_space,
}


def _write_audio_level(value: AudioLevel | None) -> bytes | None:
    return None if value is None else bytes((value.voice << 7 | value.level & 0x7F,))


def _write_orientation(value: VideoOrientation | None) -> bytes | None:
    if value is None:
        return None
    return bytes((value.back_camera << 3 | value.flip << 2 | value.rotation // 90 & 3,))


def _write_playout_delay(value: PlayoutDelay | None) -> bytes | None:
    if value is None:
        return None
    minimum, maximum = (min(max(round(x / PLAYOUT_DELAY_UNIT), 0), 0xFFF) for x in (value.minimum, value.maximum))
    return (minimum << 12 | maximum).to_bytes(3, "big")


def _write_color_space(value: ColorSpace | None) -> bytes | None:
    if value is None:
        return None
    extent = _FULL_RANGE if value.is_full_range else _LIMITED_RANGE
    return bytes((value.primaries, value.transfer, value.matrix, extent << 4))
