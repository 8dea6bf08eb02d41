"""The check of instructions does the work that it says, and notices when that takes more of them."""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING

import pytest

from benchmarks import instructions
from benchmarks.instructions import CannotCountError, count, judge, main, ratios, this_build
from benchmarks.instructions_worker import NOTHING, WORKLOADS
from tests.support.components import require_program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WORK = "SCTP, 16 KiB"

BURDENED = """
import sys
from benchmarks import instructions_worker as worker
from peerix.core.sctp import Association

plain = Association.receive_packets
work = worker.WORKLOADS["SCTP, 16 KiB"]

def slower(self, packets, now):
    for packet in packets:
        sum(range(len(packet) // 4))
    plain(self, packets, now)

def burdened():
    Association.receive_packets = slower
    work()

worker.WORKLOADS |= {"again": work, "burdened": burdened}
worker.main(sys.argv[1:])
"""


@pytest.fixture
def accepted(tmp_path: Path) -> Path:
    path = tmp_path / "instructions.json"
    path.write_text(json.dumps({this_build(): dict.fromkeys(WORKLOADS, 1.0)}))
    return path


def counted(monkeypatch: pytest.MonkeyPatch, ratio: float) -> None:
    def count(names: Sequence[str]) -> dict[str, int]:
        return {name: 1_000_000 if name == "reference" else int(ratio * 1_000_000) for name in names}

    monkeypatch.setattr(instructions, "count", count)


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_is_done_to_its_end(name: str) -> None:
    WORKLOADS[name]()


def test_the_ratio_is_that_to_plain_python() -> None:
    assert ratios({"reference": 200, "work": 300}) == {"work": 1.5}


def test_a_fifth_more_is_allowed() -> None:
    assert judge({"work": 1.19}, {"work": 1.0}) == []


def test_more_than_a_fifth_more_is_named_with_its_growth() -> None:
    (complaint,) = judge({"work": 2.6, "other": 1.0}, {"work": 2.0, "other": 1.0})
    assert complaint.startswith("'work' takes 30% more instructions than accepted")


def test_work_that_nobody_accepted_is_named() -> None:
    assert judge({"new": 1.0}, {"work": 1.0}) == ["'new' has no accepted ratio yet"]


def test_work_that_grew_fails_the_check_which_says_how_to_accept_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], accepted: Path
) -> None:
    counted(monkeypatch, 1.3)
    assert main(["--check", "--workload", WORK], accepted) == 1
    said = capsys.readouterr().err
    assert f"FAILED: '{WORK}' takes 30% more instructions" in said
    assert "python -m benchmarks.instructions --accept" in said


def test_work_that_is_as_it_was_passes_the_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], accepted: Path
) -> None:
    counted(monkeypatch, 1.01)
    assert main(["--check"], accepted) == 0
    assert "+1.0%" in capsys.readouterr().out


def test_what_is_accepted_passes_the_next_check(monkeypatch: pytest.MonkeyPatch, accepted: Path) -> None:
    counted(monkeypatch, 1.3)
    assert main(["--accept"], accepted) == 0
    assert main(["--check"], accepted) == 0


def test_accepting_leaves_other_builds_as_they_are(monkeypatch: pytest.MonkeyPatch, accepted: Path) -> None:
    accepted.write_text(json.dumps({"Other 1.0, m68k": {WORK: 7.0}}))
    counted(monkeypatch, 1.3)
    main(["--accept", "--workload", WORK], accepted)
    assert json.loads(accepted.read_text()) == {"Other 1.0, m68k": {WORK: 7.0}, this_build(): {WORK: 1.3}}


def test_an_unknown_build_is_counted_and_not_judged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], accepted: Path
) -> None:
    counted(monkeypatch, 99.0)
    monkeypatch.setattr(platform, "machine", lambda: "m68k")
    assert main(["--check"], accepted) == 0
    printed = capsys.readouterr().out
    assert "99.000" in printed
    assert "m68k yet: counted, not judged" in printed


def test_without_valgrind_the_check_fails_and_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--check"]) == 1
    assert "valgrind is not installed" in capsys.readouterr().err


def test_the_ratios_of_all_work_are_accepted() -> None:
    for build in instructions.read_accepted(instructions.ACCEPTED).values():
        assert ["reference", *build] == list(WORKLOADS)


@pytest.mark.slow
def test_unchanged_work_takes_as_many_instructions_again_and_slower_work_is_found() -> None:
    require_program("valgrind")
    counts = count(["reference", WORK, "again", "burdened"], ["-c", BURDENED])
    assert NOTHING not in counts
    assert counts["again"] == pytest.approx(counts[WORK], rel=0.01)
    found = ratios(counts)
    before = dict.fromkeys(found, found[WORK])
    assert judge({"again": found["again"]}, before) == []
    (complaint,) = judge(found, before)
    assert complaint.startswith("'burdened' takes")


@pytest.mark.slow
def test_work_that_fails_under_valgrind_says_why() -> None:
    require_program("valgrind")
    with pytest.raises(CannotCountError, match="ValueError: out of luck"):
        count([], ["-c", "raise ValueError('out of luck')"])
