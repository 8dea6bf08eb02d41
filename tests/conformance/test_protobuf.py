from __future__ import annotations

from typing import Any

import pytest

from peerix.core.rooms.protobuf import (
    CONTROL_SCHEMA,
    SIGNAL_SCHEMA,
    TRANSFER_SCHEMA,
    ProtobufError,
    decode,
    encode,
)
from peerix.core.rooms.transfer.packets import parse_packet
from tests.conformance.vectors import entries, note, unhex, whole

SCHEMAS = {"signal": SIGNAL_SCHEMA, "control": CONTROL_SCHEMA, "transfer": TRANSFER_SCHEMA}

RECORDED_SCHEMAS = whole("protobuf", "schemas")


def fields_of(written: dict[str, Any]) -> dict[str, Any]:
    return {name: unhex(value) for name, value in written.items()}


def check_decoding(schema: str, data: bytes, expected: dict[str, Any] | None) -> None:
    if expected is None:
        with pytest.raises(ProtobufError):
            decode(SCHEMAS[schema], data)
    else:
        assert decode(SCHEMAS[schema], data) == fields_of(expected)
    if schema == "transfer":
        check_packet(data, expected)


def check_packet(data: bytes, expected: dict[str, Any] | None) -> None:
    packet = parse_packet(data)
    if expected is None:
        assert packet is None
        return
    assert packet is not None
    absent = {"ask": False, "abort": False, "done": False}
    for name in TRANSFER_SCHEMA:
        value = getattr(packet, "kind" if name == "type" else name)
        assert value == fields_of(expected).get(name, absent.get(name))


def test_the_schemas_are_those_of_the_vectors() -> None:
    ours = {
        name: {field: {"id": number, "type": kind.value} for field, (number, kind) in schema.items()}
        for name, schema in SCHEMAS.items()
    }
    assert ours == RECORDED_SCHEMAS


@pytest.mark.parametrize("entry", entries("protobuf", "encode", "schema note object bytes decoded"), ids=note)
def test_fields_are_written_to_the_byte(entry: dict[str, Any]) -> None:
    schema = SCHEMAS[entry["schema"]]
    fields = fields_of(entry["object"])
    if entry["bytes"] is None:
        with pytest.raises(ProtobufError):
            encode(schema, fields)
    else:
        data = bytes.fromhex(entry["bytes"])
        assert encode(schema, fields) == data
        check_decoding(entry["schema"], data, entry["decoded"])


@pytest.mark.parametrize("entry", entries("protobuf", "decode", "schema note bytes decoded"), ids=note)
def test_packets_are_read_or_refused(entry: dict[str, Any]) -> None:
    check_decoding(entry["schema"], bytes.fromhex(entry["bytes"]), entry["decoded"])
