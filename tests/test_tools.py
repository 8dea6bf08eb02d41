"""The tools of the developers: the README as a script, the manifest of scenarios."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.scenarios import Result, worst
from tools.manifest import join_reports, update, write_manifest
from tools.readme import read_blocks, write_script

if TYPE_CHECKING:
    from pathlib import Path


def run_readme(markdown: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = write_script(read_blocks(markdown))
    return subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=20, check=False)


def test_sh_blocks_run_in_order_in_one_shell(tmp_path: Path) -> None:
    done = run_readme("```sh\nx=1\n```\ntext\n```sh\necho $x\n```\n", tmp_path)
    assert (done.returncode, done.stdout) == (0, "1\n")


def test_a_command_that_fails_fails_the_script(tmp_path: Path) -> None:
    done = run_readme("```sh\nfalse\necho on\n```\n", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")


def test_other_blocks_do_not_run(tmp_path: Path) -> None:
    assert run_readme("```text\necho no\n```\n", tmp_path).stdout == ""


def test_a_block_marked_so_does_not_run(tmp_path: Path) -> None:
    assert run_readme("<!-- run: no -->\n```sh\necho no\n```\n", tmp_path).stdout == ""


def test_a_named_python_block_becomes_a_file(tmp_path: Path) -> None:
    done = run_readme("```python\n# hi.py\nprint('hi')\n```\n```sh\npython3 hi.py\n```\n", tmp_path)
    assert done.stdout == "hi\n"


def test_a_background_block_runs_beside_the_next_one(tmp_path: Path) -> None:
    background = "<!-- run: background -->\n```sh\nuntil [ -e ready ]; do sleep 0.01; done; echo met\n```\n"
    assert run_readme(f"{background}```sh\ntouch ready\n```\n", tmp_path).stdout == "met\n"


def test_a_background_block_that_fails_fails_the_script(tmp_path: Path) -> None:
    assert run_readme("<!-- run: background -->\n```sh\nexit 3\n```\n", tmp_path).returncode == 3


def test_a_server_is_stopped_at_the_end(tmp_path: Path) -> None:
    done = run_readme("<!-- run: server -->\n```sh\nexec sleep 60\n```\n```sh\necho done\n```\n", tmp_path)
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_an_unknown_way_to_run_is_refused() -> None:
    with pytest.raises(ValueError, match="sometimes"):
        read_blocks("<!-- run: sometimes -->\n```sh\n```\n")


def test_a_scenario_that_failed_once_has_failed() -> None:
    passed = Result(result="passed", cases=2, backends=["asyncio", "trio"])
    failed = Result(result="failed", cases=1, backends=["uvloop"])
    assert worst(passed, failed) == Result(result="failed", cases=2, backends=["asyncio", "uvloop", "trio"])


def test_the_manifest_has_one_line_a_scenario(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"tests/a.py::test_b": {"result": "skipped: no x", "cases": 1, "backends": []}}))
    write_manifest(tmp_path / "manifest.json", join_reports([report]), ["as written"])
    text = (tmp_path / "manifest.json").read_text()
    assert '\n  "tests/a.py::test_b": {"result": "skipped: no x", "cases": 1}\n' in text
    assert json.loads(text)["results"] == {"skipped": 1}


def test_the_manifest_takes_the_results_of_a_part(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    before = {
        name: Result(result="failed", cases=3, backends=[]) for name in ("whole", "some cases", "not run", "gone")
    }
    write_manifest(manifest, before, ["1"])
    now = {
        "whole": Result(result="passed", cases=3, backends=[]),
        "some cases": Result(result="passed", cases=1, backends=[]),
        "new": Result(result="passed", cases=1, backends=[]),
    }
    updated = update(manifest, now, {"whole", "some cases", "not run", "new"})
    assert {name: result["result"] for name, result in updated.items()} == {
        "whole": "passed",
        "some cases": "failed",
        "not run": "failed",
        "new": "passed",
    }


def test_the_manifest_of_the_same_results_is_the_same_file(tmp_path: Path) -> None:
    scenarios = {name: Result(result="passed", cases=1, backends=[]) for name in ("b", "a")}
    write_manifest(tmp_path / "1", scenarios, ["1"])
    write_manifest(tmp_path / "2", dict(reversed(scenarios.items())), ["1"])
    assert (tmp_path / "1").read_text() == (tmp_path / "2").read_text()
