"""RTP packets (RFC 3550 section 5.1), read and written.

    |V=2|P|X|  CC   |M|     PT      |       sequence number         |
    |                           timestamp                           |
    |           synchronization source (SSRC) identifier            |
    |                contributing sources (CSRC), 0..15             |
    |  extension profile            |  length in 32-bit words       |
    |                 header extension, payload, padding            |

The reader is total: it answers None for what is no RTP packet and never raises.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEADER_SIZE = 12
"""The fixed part of the header, bytes."""

MAX_CSRCS = 15

VIDEO_CLOCK_RATE = 90_000
"""The RTP clock of every video format, Hz."""

_HEADER = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")


@dataclass(slots=True)
class RtpPacket:
    """One RTP packet; `payload` is without padding, of which `padding` bytes followed or will follow."""

    payload_type: int
    marker: bool
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes
    csrcs: tuple[int, ...] = ()
    extension_profile: int | None = None
    """The profile word of the header extension; None when there is no extension."""
    extension_data: bytes = b""
    """What follows the extension's length, a multiple of 4 bytes."""
    padding: int = 0

    @property
    def overhead(self) -> int:
        """Bytes of the packet beside its payload."""
        extension = 0 if self.extension_profile is None else 4 + len(self.extension_data)
        return HEADER_SIZE + 4 * len(self.csrcs) + extension + self.padding


def is_rtcp(data: bytes) -> bool:
    """Tell RTCP from RTP on one port by the second byte (RFC 5761 section 4)."""
    return len(data) > 1 and 192 <= data[1] <= 223


def read_packet(data: bytes) -> RtpPacket | None:
    """Read one packet; None when it is not RTP."""
    length = len(data)
    if length < HEADER_SIZE:
        return None
    first, second, sequence_number, timestamp, ssrc = _HEADER.unpack_from(data)
    if first & 0xC0 != 0x80:
        return None
    offset = HEADER_SIZE
    csrcs: tuple[int, ...] = ()
    if first & 0x0F:
        count = first & 0x0F
        if offset + 4 * count > length:
            return None
        csrcs = struct.unpack_from(f"!{count}I", data, offset)
        offset += 4 * count
    profile: int | None = None
    extension = b""
    if first & 0x10:
        if offset + 4 > length:
            return None
        profile, words = _EXTENSION.unpack_from(data, offset)
        start, offset = offset + 4, offset + 4 + 4 * words
        extension = data[start:offset]
    padding = data[-1] if first & 0x20 else 0
    # An extension longer than the packet ends up here too.
    if offset + padding > length or (first & 0x20 and not padding):
        return None
    return RtpPacket(
        second & 0x7F,
        second > 0x7F,
        sequence_number,
        timestamp,
        ssrc,
        data[offset : length - padding],
        csrcs,
        profile,
        extension,
        padding,
    )


def write_packet(packet: RtpPacket) -> bytes:
    """Write one packet; its numbers are within their fields, `extension_data` is a multiple of 4 bytes long."""
    first = 0x80 | len(packet.csrcs)
    parts = [b"", packet.payload]
    if packet.extension_profile is not None:
        first |= 0x10
        parts.insert(1, _EXTENSION.pack(packet.extension_profile, len(packet.extension_data) >> 2))
        parts.insert(2, packet.extension_data)
    if packet.csrcs:
        parts.insert(1, struct.pack(f"!{len(packet.csrcs)}I", *packet.csrcs))
    if packet.padding:
        first |= 0x20
        parts.append(bytes(packet.padding - 1) + bytes((packet.padding,)))
    second = packet.payload_type | packet.marker << 7
    parts[0] = _HEADER.pack(first, second, packet.sequence_number, packet.timestamp, packet.ssrc)
    return b"".join(parts)
