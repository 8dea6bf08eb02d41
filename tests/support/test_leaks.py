"""The rules of conftest.py can fail: each kind of leak, made on purpose, is found on every backend."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

SAMPLES = Path(__file__).with_name("leaking_samples.py")
ROOT = SAMPLES.parents[2]
BACKENDS = ("asyncio", "uvloop", "trio")

FOUND = {
    "test_task": "task left",
    "test_open_task_group": "task left",
    "test_socket": "descriptor left",
    "test_socket_in_a_cycle": "descriptor left",
    "test_thread": "thread left",
    "test_busy_pool_thread": "thread left",
    "test_portal": "thread left",
    "test_child": "child process left",
    "test_file": "temporary file left",
    "test_warning": "DeprecationWarning",
    "test_unraisable": "PytestUnraisableExceptionWarning",
    "test_coroutine_never_awaited": "RuntimeWarning",
}
FOUND_SYNC = {
    "test_socket_sync": "descriptor left",
    "test_zombie_sync": "child process left",
    "test_folder_sync": "temporary file left",
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    report = tmp_path_factory.mktemp("leaks") / "report.xml"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            SAMPLES,
            f"--junitxml={report}",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
        ],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    found: dict[str, str] = {}
    for case in ET.parse(report).iter("testcase"):
        words = [problem.get("message", "") + (problem.text or "") for problem in case]
        found[case.get("name", "")] = found.get(case.get("name", ""), "") + "".join(words)
    return found


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("sample", "words"), FOUND.items())
def test_what_an_async_test_leaves_is_found(complaints: dict[str, str], sample: str, words: str, backend: str) -> None:
    assert words in complaints[f"{sample}[{backend}]"]


@pytest.mark.parametrize(("sample", "words"), FOUND_SYNC.items())
def test_what_a_sync_test_leaves_is_found(complaints: dict[str, str], sample: str, words: str) -> None:
    assert words in complaints[sample]


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_async_test_that_cleans_up_passes(complaints: dict[str, str], backend: str) -> None:
    assert complaints[f"test_clean[{backend}]"] == ""


def test_a_sync_test_that_cleans_up_passes(complaints: dict[str, str]) -> None:
    assert complaints["test_clean_sync"] == ""


def test_an_asyncio_loop_in_the_trio_thread_is_found(complaints: dict[str, str]) -> None:
    assert "asyncio loop made" in complaints["test_asyncio_loop[trio]"]


def test_an_asyncio_loop_in_another_thread_is_allowed_under_trio(complaints: dict[str, str]) -> None:
    assert complaints["test_asyncio_loop_in_a_portal[trio]"] == ""
