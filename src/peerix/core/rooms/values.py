"""The values that a message may carry, and how they travel."""

from __future__ import annotations

from typing import cast

from peerix.core.errors import DataChannelError

from .json import JsonValue, decode_text, encode_text, read_json, write_json

TEXT = 1
JSON = 2
BLOB = 3
BYTES = 4


def encode_message(message: object) -> tuple[int, bytes]:
    """Give the kind and the bytes of a message: `str`, bytes-like, or anything that JSON can hold.

    :raises TypeError, ValueError: it has no JSON form (`peerix.core.rooms.json.write_json`).
    """
    if isinstance(message, str):
        return TEXT, encode_text(message)
    if isinstance(message, bytes):
        return BYTES, message
    if isinstance(message, bytearray | memoryview):
        return BYTES, bytes(cast("memoryview[int] | bytearray", message))
    return JSON, write_json(message)


def decode_message(kind: int, data: bytes) -> JsonValue | bytes:
    """Give the value of a whole message: `str` for text, a JSON value for JSON, else `bytes`.

    :raises DataChannelError: the sender said JSON, and it is not.
    """
    if kind == TEXT:
        return decode_text(data)
    if kind == JSON:
        try:
            return read_json(data)
        except ValueError as error:
            raise DataChannelError(f"the message is not JSON: {error}") from None
    return data
