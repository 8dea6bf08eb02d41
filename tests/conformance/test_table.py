"""The table of conformance fits the sources: see `tools/conformance`."""

from __future__ import annotations

from tools.conformance.__main__ import DOCUMENT
from tools.conformance.document import write_document
from tools.conformance.table import find_faults, load_table


def test_every_row_has_its_test_and_a_change_that_fits() -> None:
    assert find_faults(load_table()) == []


def test_the_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == write_document(load_table())
