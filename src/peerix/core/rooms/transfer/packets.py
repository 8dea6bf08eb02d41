"""Packets of message transfers, read and written on the hot path.

     1 id     uint32   names the transfer, for each channel and direction
     2 ask    bool     true: from the receiver of the message
     3 index  uint32   0, 1, 2, ...
     4 type   uint32   in the first packet only: the kind of message
     5 abort  bool
     6 done   bool     the last packet; with `ask` the acknowledgement
     7 info   bytes    in the first packet only: JSON
     8 chunk  bytes

`peerix.core.rooms.protobuf` defines the encoding. The code here handles what well-behaved peers send and
leaves the rest to the plain decoder there: 3 us a packet of 16 KiB instead of 7.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from peerix.core.rooms.protobuf import (
    TRANSFER_SCHEMA,
    FieldValue,
    ProtobufError,
    decode,
    encode_varint,
    read_varint,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHUNK_SIZE = 16320
"""Bytes of info and chunk together in one packet: 16 KiB less 64 for the other fields."""

MAX_ID = 65535
"""Ids of our own transfers go from 1 to this."""

_ID, _ASK, _INDEX, _TYPE, _ABORT, _DONE = 0x08, 0x10, 0x18, 0x20, 0x28, 0x30
_INFO, _CHUNK = 0x3A, 0x42

_FULL_CHUNK = b"\x30\x00\x42" + encode_varint(CHUNK_SIZE)


class Packet:
    """A packet as read. Absent numbers and bytes are None, absent flags are False."""

    __slots__ = ("abort", "ask", "chunk", "done", "id", "index", "info", "kind")

    def __init__(self) -> None:
        self.id: int | None = None
        self.ask = False
        self.index: int | None = None
        self.kind: int | None = None
        self.abort = False
        self.done = False
        self.info: bytes | None = None
        self.chunk: bytes | None = None


def parse_packet(data: bytes) -> Packet | None:
    """Read a packet; None when the bytes are none."""
    packet = Packet()
    try:
        if _parse_known_fields(data, packet):
            return packet
        return _packet_of(decode(TRANSFER_SCHEMA, data))
    except (ProtobufError, IndexError):
        return None


def _parse_known_fields(data: bytes, packet: Packet) -> bool:  # noqa: C901, PLR0912 - one branch a field
    """Fill `packet`; False when a tag is not one of the eight, written in one byte."""
    position = 0
    size = len(data)
    while position < size:
        tag = data[position]
        number = data[position + 1]
        if number < 0x80:
            position += 2
        else:
            number, position = read_varint(data, position + 1)
        if tag == _CHUNK:
            packet.chunk = data[position : position + number]
            position += number
        elif tag == _ID:
            packet.id = number
        elif tag == _INDEX:
            packet.index = number
        elif tag == _DONE and number < 2:
            packet.done = number == 1
        elif tag == _TYPE:
            packet.kind = number
        elif tag == _ASK and number < 2:
            packet.ask = number == 1
        elif tag == _ABORT and number < 2:
            packet.abort = number == 1
        elif tag == _INFO:
            packet.info = data[position : position + number]
            position += number
        else:
            return False
    if position > size:
        raise ProtobufError("truncated field")
    return True


def _packet_of(fields: Mapping[str, FieldValue]) -> Packet:
    packet = Packet()
    for name, value in fields.items():
        setattr(packet, "kind" if name == "type" else name, value)
    return packet


def id_prefix(transfer_id: int) -> bytes:
    """Give the first bytes of every packet of a transfer."""
    return b"\x08" + encode_varint(transfer_id)


def first_packet(
    prefix: bytes, kind: int, info: bytes | None, chunk: bytes | bytearray | memoryview, *, done: bool
) -> bytes:
    """Give packet 0 of a message."""
    head = b"\x18\x00\x20%b\x30%b" % (encode_varint(kind), b"\x01" if done else b"\x00")
    if info is not None:
        head += b"\x3a%b%b" % (encode_varint(len(info)), info)
    return b"".join((prefix, head, b"\x42", encode_varint(len(chunk)), chunk))


def next_packet(prefix: bytes, index: int, chunk: bytes | bytearray | memoryview, *, done: bool) -> bytes:
    """Give packet `index`, not 0, of a message."""
    length = len(chunk)
    if length == CHUNK_SIZE and not done:
        return b"".join((prefix, b"\x18", encode_varint(index), _FULL_CHUNK, chunk))
    flag = b"\x30\x01\x42" if done else b"\x30\x00\x42"
    return b"".join((prefix, b"\x18", encode_varint(index), flag, encode_varint(length), chunk))


def full_heads(prefix: bytes, first: int) -> Iterator[bytes]:
    """Give what stands before the chunk in packet `first`, not 0, and all after it, as long as they are full."""
    return (b"%b\x18%b%b" % (prefix, encode_varint(index), _FULL_CHUNK) for index in count(first))


def acknowledgement(transfer_id: int | None) -> bytes:
    """The receiver has the whole message."""
    return (b"" if transfer_id is None else id_prefix(transfer_id)) + b"\x10\x01\x30\x01"


def cancellation(transfer_id: int | None) -> bytes:
    """The receiver does not want the rest."""
    return (b"" if transfer_id is None else id_prefix(transfer_id)) + b"\x10\x01\x28\x01"


def abortion(transfer_id: int) -> bytes:
    """The sender gives up. Without `ask`, with which browsers send it: then it equals a cancellation."""
    return id_prefix(transfer_id) + b"\x28\x01"
