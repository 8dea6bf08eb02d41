"""Nothing in the vectors may go untested."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.conformance.vectors import CONSUMED, FOLDER, load

DOCUMENTATION = {"source", "note", "layout", "packet_fields", "rule", "schema", "summary", "ufrag_regex"}
"""Keys that tell where a file comes from or say in words what its entries show."""

FILES = sorted(path.stem for path in FOLDER.glob("*.json"))

for module in Path(__file__).parent.glob("test_*.py"):
    if module.stem != "test_complete":
        importlib.import_module(f"tests.conformance.{module.stem}")


@pytest.mark.parametrize("name", FILES)
def test_every_part_of_a_vector_file_is_run(name: str) -> None:
    parts = {(name, key) for key in load(name)}
    assert parts - set(CONSUMED) - {(name, key) for key in DOCUMENTATION} == set()


@pytest.mark.parametrize(("name", "key"), [part for part in sorted(CONSUMED) if CONSUMED[part] is not None])
def test_every_member_of_every_entry_is_known(name: str, key: str) -> None:
    known = CONSUMED[name, key]
    assert known is not None
    unknown = {member for entry in load(name)[key] for member in entry} - known
    assert unknown == set()


def test_every_vector_file_has_a_test_module() -> None:
    modules = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")}
    assert set(FILES) <= modules
