"""The proof of the table finds a test that does not notice, and takes nothing else for a failure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tools.conformance.proof import Verdict, prove
from tools.conformance.table import ROOT, Mutation, load_table

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

ROW = load_table().rows["dcep-utf-8"]


def reason(folder: Path, mutation: Mutation | None, test: str = ROW.test) -> str:
    told: list[Verdict] = []
    (verdict,) = prove(ROOT, folder, [replace(ROW, mutation=mutation, test=test)], 1, told.append)
    assert told == [verdict]
    return verdict.reason


def test_a_change_that_the_test_notices_proves_the_row(tmp_path: Path) -> None:
    assert reason(tmp_path, ROW.mutation) == ""


def test_a_change_that_breaks_nothing_proves_nothing(tmp_path: Path) -> None:
    assert "passes with the change" in reason(
        tmp_path, Mutation("core/datachannel/dcep.py", "PPID_DCEP = 50", "PPID_DCEP = 0x32")
    )


def test_a_module_that_cannot_be_loaded_proves_nothing(tmp_path: Path) -> None:
    assert "cannot run" in reason(tmp_path, Mutation("core/datachannel/dcep.py", "PPID_DCEP = 50", "PPID_DCEP ="))


def test_a_text_that_is_gone_proves_nothing(tmp_path: Path) -> None:
    assert "once" in reason(tmp_path, Mutation("core/datachannel/dcep.py", "PPID_DCEP = 49", "PPID_DCEP = 0"))
