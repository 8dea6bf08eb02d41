"""AV1 in RTP (the Alliance for Open Media's RTP payload format, version 1.0).

|Z|Y| W |N|-|-|-|  aggregation header; Z and Y: the first and last element continue, W: how many, N: a new sequence
| OBU element size, leb128 |  for each element, but for the last one when W is not 0
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.errors import LocalProtocolError
from peerix.core.rtp.payload.video import AssembledFrame

if TYPE_CHECKING:
    from collections.abc import Sequence

_Z, _Y, _N = 0x80, 0x40, 0x08
_SEQUENCE_HEADER, _TEMPORAL_DELIMITER, _TILE_LIST, _PADDING = 1, 2, 8, 15
_HAS_EXTENSION, _HAS_SIZE = 0x04, 0x02

MAX_ELEMENTS = 256
"""OBU elements read of one payload; an encoder makes a few, or one for each tile."""


class Av1Packetizer:
    """Cuts temporal units; stateless."""

    __slots__ = ()

    def packetize(self, frame: bytes, limit: int) -> list[bytes]:
        """Cut one temporal unit (section 5 of the AV1 specification); see `VideoPacketizer`."""
        obus = _outgoing_obus(frame)
        if not obus:
            raise LocalProtocolError("no OBU in an AV1 temporal unit")
        key_frame = any(_kind(obu) == _SEQUENCE_HEADER for obu in obus)
        payloads: list[bytes] = []
        packet = _Packet(limit, _N if key_frame else 0)
        for obu in obus:
            offset = 0
            while offset < len(obu):
                room = packet.room()
                if room < 1:
                    payloads.append(packet.close(0))
                    packet = _Packet(limit, 0)
                    continue
                part = obu[offset : offset + room]
                offset += len(part)
                packet.elements.append(part)
                if offset < len(obu):
                    payloads.append(packet.close(_Y))
                    packet = _Packet(limit, _Z)
        return [*payloads, packet.close(0)]


class _Packet:
    """A payload that is being filled; every element has its size, which costs at most two bytes each."""

    __slots__ = ("elements", "flags", "limit")

    def __init__(self, limit: int, flags: int) -> None:
        self.limit = limit
        self.flags = flags
        self.elements: list[bytes] = []

    def room(self) -> int:
        used = 1 + sum(len(element) + len(_write_leb128(len(element))) for element in self.elements)
        return self.limit - used - 2

    def close(self, flags: int) -> bytes:
        count = len(self.elements)
        if count > 3:
            body = b"".join(_write_leb128(len(element)) + element for element in self.elements)
            return bytes((self.flags | flags,)) + body
        *sized, last = self.elements
        body = b"".join(_write_leb128(len(element)) + element for element in sized)
        return bytes((self.flags | flags | count << 4,)) + body + last


class Av1Depacketizer:
    """Joins OBUs and gives each its size again; stateless."""

    __slots__ = ()

    def starts_key_frame(self, payload: bytes) -> bool:
        """See `VideoDepacketizer`."""
        return len(payload) > 1 and payload[0] & (_Z | _N) == _N

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame | None:
        """See `VideoDepacketizer`."""
        obus: list[bytes] = []
        open_obu: list[bytes] = []
        for payload in payloads:
            elements = _read_elements(payload)
            if elements is None or bool(payload[0] & _Z) != bool(open_obu):
                return None
            last = len(elements) - 1
            for index, element in enumerate(elements):
                open_obu.append(element)
                if index < last or not payload[0] & _Y:
                    obus.append(b"".join(open_obu))
                    open_obu = []
        if open_obu or not obus:
            return None
        parts = [_with_size(obu) for obu in obus if _kind(obu) not in (_TEMPORAL_DELIMITER, _TILE_LIST)]
        if not parts or None in parts:
            return None
        key_frame = any(_kind(obu) == _SEQUENCE_HEADER for obu in obus)
        return AssembledFrame(b"".join(part for part in parts if part is not None), key_frame)


def split_obus(data: bytes) -> list[bytes] | None:
    """Split a temporal unit into OBUs without size fields; None when it is none."""
    obus: list[bytes] = []
    offset = 0
    while offset < len(data):
        header = data[offset]
        start = offset + (2 if header & _HAS_EXTENSION else 1)
        end = len(data)
        body = start
        if header & _HAS_SIZE:
            read = _read_leb128(data, start)
            if read is None:
                return None
            size, body = read
            end = body + size
        if header & 0x80 or body > end or end > len(data):
            return None
        obus.append(bytes((header & ~_HAS_SIZE,)) + data[offset + 1 : start] + data[body:end])
        offset = end
    return obus


def is_av1_key_frame(frame: bytes) -> bool:
    """Tell whether a temporal unit begins a sequence, which encoders do with each key frame."""
    return any(_kind(obu) == _SEQUENCE_HEADER for obu in split_obus(frame) or ())


def _outgoing_obus(frame: bytes) -> list[bytes]:
    unsent = (_TEMPORAL_DELIMITER, _TILE_LIST, _PADDING)
    return [obu for obu in split_obus(frame) or () if _kind(obu) not in unsent]


def _kind(obu: bytes) -> int:
    return obu[0] >> 3 & 15


def _with_size(obu: bytes) -> bytes | None:
    """Write an OBU with a size field, whether it came with one or without."""
    plain = split_obus(obu)
    if plain is None or len(plain) != 1:
        return None
    header = 2 if obu[0] & _HAS_EXTENSION else 1
    body = plain[0][header:]
    return bytes((obu[0] | _HAS_SIZE,)) + plain[0][1:header] + _write_leb128(len(body)) + body


def _read_elements(payload: bytes) -> list[bytes] | None:
    """Read the elements of a payload; empty ones are an error."""
    if len(payload) < 2:
        return None
    count = payload[0] >> 4 & 3
    elements: list[bytes] = []
    offset = 1
    while offset < len(payload) and len(elements) < MAX_ELEMENTS:
        size = len(payload) - offset
        if not count or len(elements) + 1 < count:
            read = _read_leb128(payload, offset)
            if read is None:
                return None
            size, offset = read
        if not size or offset + size > len(payload):
            return None
        elements.append(payload[offset : offset + size])
        offset += size
    whole = offset == len(payload) and (not count or len(elements) == count)
    return elements if whole else None


def _read_leb128(data: bytes, offset: int) -> tuple[int, int] | None:
    """Read a number of up to 8 bytes; the second of the answer is the offset behind it."""
    value = 0
    for shift in range(0, 56, 7):
        if offset >= len(data):
            return None
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
    return None


def _write_leb128(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
