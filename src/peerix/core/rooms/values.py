"""The values that a message may carry (signatures; bodies follow)."""

from __future__ import annotations

from .json import JsonValue


def encode_message(message: object) -> tuple[int, bytes]:
    """(kind, bytes) of a str, bytes-like or JSON value. :raises TypeError, ValueError: not sendable."""
    ...


def decode_message(kind: int, data: bytes) -> JsonValue | bytes:
    """:raises DataChannelError: the sender said JSON and it is not."""
    ...
