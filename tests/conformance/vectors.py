"""The wire vectors of `protocol/vectors`, and a record of which of their parts the tests run."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "protocol" / "vectors"

CONSUMED: dict[tuple[str, str], frozenset[str] | None] = {}
"""(file, key) -> the members of its entries that a test knows; None where the value is taken as a whole."""


@cache
def load(name: str) -> dict[str, Any]:
    """Read the vector file `name`."""
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return content


def whole(name: str, key: str) -> Any:
    """Take a value that a test checks as a whole."""
    CONSUMED[name, key] = None
    return load(name)[key]


def entries(name: str, key: str, members: str) -> list[Any]:
    """Take a list of entries; `members` are the names in them that the test knows, separated by spaces."""
    CONSUMED[name, key] = frozenset(members.split())
    listed: list[Any] = load(name)[key]
    return listed


def note(entry: Any) -> str:
    """Name a parametrised test after its entry."""
    text = entry.get("note", "") if isinstance(entry, dict) else entry
    return str(text)[:60]


def unhex(value: Any) -> Any:
    """Give the value of a protobuf field as the vectors write it."""
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
