"""JSON as browsers write and read it (signatures; bodies follow)."""

from __future__ import annotations

from typing import TypeAlias

JsonValue: TypeAlias = "None | bool | int | float | str | list[JsonValue] | dict[str, JsonValue]"


def write_json(value: object) -> bytes:
    """:raises TypeError, ValueError: not JSON."""
    ...


def read_json(data: bytes) -> JsonValue:
    """:raises ValueError: not JSON."""
    ...
