from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rooms.protobuf import (
    SIGNAL_SCHEMA,
    TRANSFER_SCHEMA,
    UINT32_MAX,
    FieldType,
    FieldValue,
    ProtobufError,
    decode,
    encode,
    encode_varint,
    read_varint,
)
from peerix.core.rooms.transfer.packets import first_packet, id_prefix, next_packet, parse_packet

VALUES: dict[FieldType, st.SearchStrategy[FieldValue]] = {
    FieldType.BOOL: st.booleans(),
    FieldType.UINT32: st.integers(0, UINT32_MAX),
    FieldType.BYTES: st.binary(max_size=300),
}
OPTIONAL = {name: VALUES[kind] for name, (_, kind) in TRANSFER_SCHEMA.items()}
TRANSFERS: st.SearchStrategy[dict[str, FieldValue]] = st.fixed_dictionaries({}, optional=OPTIONAL)


@given(st.integers(0, UINT32_MAX))
def test_a_varint_reads_back(value: int) -> None:
    data = encode_varint(value)
    assert read_varint(b"\x00" + data, 1) == (value, 1 + len(data))


@given(TRANSFERS)
def test_fields_read_back(fields: dict[str, FieldValue]) -> None:
    assert decode(TRANSFER_SCHEMA, encode(TRANSFER_SCHEMA, fields)) == fields


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_protobuf_error(data: bytes) -> None:
    with contextlib.suppress(ProtobufError):
        decode(SIGNAL_SCHEMA, data)


@given(st.binary(max_size=60) | TRANSFERS.map(lambda fields: encode(TRANSFER_SCHEMA, fields)))
def test_the_fast_reader_agrees_with_the_plain_one(data: bytes) -> None:
    packet = parse_packet(data)
    try:
        fields = decode(TRANSFER_SCHEMA, data)
    except ProtobufError:
        assert packet is None
        return
    assert packet is not None
    flags = {"ask": False, "abort": False, "done": False}
    for name in TRANSFER_SCHEMA:
        assert getattr(packet, "kind" if name == "type" else name) == fields.get(name, flags.get(name))


@given(TRANSFERS, st.data())
def test_a_packet_cut_short_or_changed_is_read_or_refused(fields: dict[str, FieldValue], data: st.DataObject) -> None:
    packet = bytearray(encode(TRANSFER_SCHEMA, fields))
    if packet:
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    parse_packet(bytes(packet[: data.draw(st.integers(0, len(packet)))]))


@given(st.integers(1, 65535), st.integers(1, 70000), st.binary(max_size=17000), st.booleans())
def test_the_fast_writer_agrees_with_the_plain_one(number: int, index: int, chunk: bytes, done: bool) -> None:
    fields: dict[str, FieldValue] = {"id": number, "index": index, "done": done, "chunk": chunk}
    assert next_packet(id_prefix(number), index, memoryview(chunk), done=done) == encode(TRANSFER_SCHEMA, fields)
    fields |= {"index": 0, "type": 4, "info": b"{}"}
    assert first_packet(id_prefix(number), 4, b"{}", chunk, done=done) == encode(TRANSFER_SCHEMA, fields)


def test_a_value_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(ProtobufError):
        encode(SIGNAL_SCHEMA, {"type": True})
