"""The part of the Protocol Buffers wire format that peerix uses.

Three field types: bool, uint32 (both varints) and bytes. It differs from what code generators write: a field
that is present is written even when it is zero, false or empty, and only an absent field is left out. Readers
are strict: a packet is decoded whole or not at all.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

UINT32_MAX = 0xFFFFFFFF

WIRE_VARINT = 0
WIRE_FIXED64 = 1
WIRE_BYTES = 2
WIRE_FIXED32 = 5

FieldValue: TypeAlias = "bool | int | bytes"


class FieldType(Enum):
    """The types that a field may have."""

    BOOL = "bool"
    UINT32 = "uint32"
    BYTES = "bytes"


Schema: TypeAlias = "Mapping[str, tuple[int, FieldType]]"

SIGNAL_SCHEMA: Schema = {
    "type": (1, FieldType.UINT32),
    "flags": (2, FieldType.UINT32),
    "sender": (3, FieldType.BYTES),
    "payload": (4, FieldType.BYTES),
}
"""A signalling packet."""

CONTROL_SCHEMA: Schema = {"event": (1, FieldType.UINT32), "payload": (2, FieldType.BYTES)}
"""A frame of the control channel."""

TRANSFER_SCHEMA: Schema = {
    "id": (1, FieldType.UINT32),
    "ask": (2, FieldType.BOOL),
    "index": (3, FieldType.UINT32),
    "type": (4, FieldType.UINT32),
    "abort": (5, FieldType.BOOL),
    "done": (6, FieldType.BOOL),
    "info": (7, FieldType.BYTES),
    "chunk": (8, FieldType.BYTES),
}
"""A packet of a message transfer."""


class ProtobufError(ValueError):
    """The bytes are no packet, or the values fit no field."""


def encode_varint(value: int) -> bytes:
    """Give the shortest varint of a uint32."""
    if value < 0x80:
        return bytes((value,))
    if value < 0x4000:
        # Nearly all indexes of packets and lengths are so small: a third of the time.
        return bytes((value & 0x7F | 0x80, value >> 7))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Read a uint32 varint at `position`; give its value and the position behind it.

    Longer forms of small numbers are accepted, up to five bytes.

    :raises ProtobufError: the data ends inside it, or the value is beyond a uint32.
    """
    value = 0
    for shift in (0, 7, 14, 21, 28):
        if position >= len(data):
            raise ProtobufError("truncated number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > UINT32_MAX:
                raise ProtobufError("number too large")
            return value, position
    raise ProtobufError("number too long")


def encode(schema: Schema, fields: Mapping[str, FieldValue | None]) -> bytes:
    """Write `fields` in the order of `schema`; None counts as absent.

    :raises ProtobufError: a value is not of the field's type.
    """
    parts: list[bytes] = []
    for name, (number, kind) in schema.items():
        value = fields.get(name)
        if value is not None:
            parts.append(_encode_field(name, number, kind, value))
    return b"".join(parts)


def _encode_field(name: str, number: int, kind: FieldType, value: FieldValue) -> bytes:
    if kind is FieldType.BYTES:
        if isinstance(value, bytes):
            return encode_varint(number << 3 | WIRE_BYTES) + encode_varint(len(value)) + value
    elif kind is FieldType.BOOL:
        if isinstance(value, bool):
            return encode_varint(number << 3) + encode_varint(int(value))
    elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= UINT32_MAX:
        return encode_varint(number << 3) + encode_varint(value)
    raise ProtobufError(f"{name} is not a {kind.value}")


def decode(schema: Schema, data: bytes) -> dict[str, FieldValue]:
    """Read the fields that are present; of a repeated one the last counts, unknown ones are skipped.

    :raises ProtobufError: the bytes are not a packet of this schema.
    """
    known = {number: (name, kind) for name, (number, kind) in schema.items()}
    fields: dict[str, FieldValue] = {}
    position = 0
    while position < len(data):
        tag, position = read_varint(data, position)
        entry = known.get(tag >> 3)
        if entry is None:
            position = skip_field(data, position, tag)
            continue
        name, kind = entry
        if (tag & 7) != (WIRE_BYTES if kind is FieldType.BYTES else WIRE_VARINT):
            raise ProtobufError(f"{name} has the wrong wire type")
        number, position = read_varint(data, position)
        if kind is FieldType.BYTES:
            end = position + number
            if end > len(data):
                raise ProtobufError(f"{name} is truncated")
            fields[name] = data[position:end]
            position = end
        elif kind is FieldType.UINT32:
            fields[name] = number
        elif number > 1:
            raise ProtobufError(f"{name} is neither true nor false")
        else:
            fields[name] = number == 1
    return fields


def skip_field(data: bytes, position: int, tag: int) -> int:
    """Give the position behind the unknown field whose tag ends at `position`.

    :raises ProtobufError: field number 0, a wire type that cannot be skipped, or the data ends inside it.
    """
    wire_type = tag & 7
    if tag < 8:
        raise ProtobufError("field number 0")
    if wire_type == WIRE_VARINT:
        _, position = read_varint(data, position)
    elif wire_type == WIRE_BYTES:
        length, position = read_varint(data, position)
        position += length
    elif wire_type == WIRE_FIXED32:
        position += 4
    elif wire_type == WIRE_FIXED64:
        position += 8
    else:
        raise ProtobufError("unknown wire type")
    if position > len(data):
        raise ProtobufError("truncated field")
    return position
