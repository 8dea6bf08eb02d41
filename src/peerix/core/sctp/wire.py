"""The common header and the checksum of SCTP packets (RFC 9260 section 3.1, RFC 9653).

::

     0                   1                   2                   3
    |      Source Port Number       |     Destination Port Number   |
    |                      Verification Tag                         |
    |                           Checksum                            |
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import TYPE_CHECKING

import google_crc32c

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER_SIZE = 12
MIN_PACKET_SIZE = 16
_HEADER = struct.Struct("!HHII")
_CHECKSUM = struct.Struct("<I")
NO_CHECKSUM = b"\0\0\0\0"

# The package is written in C and has no types.
_extend: Callable[[int, bytes], int] = google_crc32c.extend  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def crc32c(data: bytes) -> int:
    """Return the CRC32c of `data` (RFC 9260 appendix A)."""
    return _extend(0, data)


class PacketFault(Enum):
    """Why a packet was refused."""

    MALFORMED = "malformed"
    CHECKSUM = "checksum"


def read_header(packet: bytes, *, zero_checksum: bool) -> tuple[int, int, int] | PacketFault:
    """Read source port, destination port and verification tag of any packet; the slow way, for handshakes.

    :param zero_checksum: whether a checksum of zero passes (RFC 9653 section 5.1).
    """
    if len(packet) < MIN_PACKET_SIZE:
        return PacketFault.MALFORMED
    source, destination, tag, _ = _HEADER.unpack_from(packet)
    checksum = packet[8:12]
    if not (zero_checksum and checksum == NO_CHECKSUM):
        expected = _extend(_extend(_extend(0, packet[:8]), NO_CHECKSUM), packet[12:])
        if _CHECKSUM.pack(expected) != checksum:
            return PacketFault.CHECKSUM
    return source, destination, tag


def write_packet(source: int, destination: int, tag: int, body: bytes) -> bytes:
    """Write a packet with any header and a true checksum."""
    packet = _HEADER.pack(source, destination, tag, 0) + body
    return packet[:8] + _CHECKSUM.pack(_extend(0, packet)) + body


class Wire:
    """Writes and checks packets of one association.

    Ports and tags never change once both tags are known, so the first eight bytes of a packet are compared as a whole
    and the checksum goes on from a value computed once: half the time of unpacking and summing afresh.

    :ivar expected: how every packet of the peer begins.
    """

    __slots__ = (
        "_in_seed",
        "_out_prefix",
        "_out_seed",
        "accept_zero_checksum",
        "expected",
        "local_port",
        "local_tag",
        "remote_port",
        "remote_tag",
        "send_zero_checksum",
    )

    def __init__(self, local_port: int, local_tag: int) -> None:
        self.local_port = local_port
        self.local_tag = local_tag
        self.accept_zero_checksum = False
        self.set_remote(local_port, 0, send_zero_checksum=False)

    def set_remote(self, port: int, tag: int, *, send_zero_checksum: bool) -> None:
        """Note the peer's port and tag, and whether it takes packets without a checksum."""
        self.remote_port = port
        self.remote_tag = tag
        self.send_zero_checksum = send_zero_checksum
        header = _HEADER.pack(self.local_port, port, tag, 0)
        self._out_prefix = header if send_zero_checksum else header[:8]
        self._out_seed = _extend(0, header)
        header = _HEADER.pack(port, self.local_port, self.local_tag, 0)
        self.expected = header[:8]
        self._in_seed = _extend(0, header)

    def write(self, body: bytes) -> bytes:
        """Write a packet around chunks."""
        if self.send_zero_checksum:
            return self._out_prefix + body
        return self._out_prefix + _CHECKSUM.pack(_extend(self._out_seed, body)) + body

    def write_parts(self, *parts: bytes) -> bytes:
        """Write a packet around the parts of its chunks: a copy less than to join them first, where nobody sums."""
        if self.send_zero_checksum:
            return b"".join((self._out_prefix, *parts))
        return self.write(b"".join(parts))

    def write_checked(self, body: bytes) -> bytes:
        """Write a packet that has a true checksum whatever was agreed on (COOKIE ECHO, RFC 9653 section 5.2)."""
        return write_packet(self.local_port, self.remote_port, self.remote_tag, body)

    def accepts(self, packet: bytes) -> bool:
        """Whether the packet has our tag, the known ports and a good checksum."""
        if packet[:8] != self.expected or len(packet) < MIN_PACKET_SIZE:
            return False
        checksum = packet[8:12]
        if checksum == NO_CHECKSUM and self.accept_zero_checksum:
            return True
        return _CHECKSUM.pack(_extend(self._in_seed, packet[12:])) == checksum
