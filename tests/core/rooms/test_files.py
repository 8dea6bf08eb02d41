from __future__ import annotations

import os
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rooms.files import (
    MAX_NAME_BYTES,
    FileInfo,
    UnsafeNameError,
    free_name,
    numbered_name,
    read_file_info,
    safe_name,
)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "...",
        "a/b",
        "/etc/passwd",
        "../x",
        "a\\b",
        "..\\x",
        "C:\\x",
        "a\0b",
        "a\nb",
        "\x1b[2J",
        "a\x7f",
        "a\x85b",
        "x\u202egpj.exe",
        "a\u2028b",
        "a\ud800b",
        "a.",
        "a ",
        " a",
        "CON",
        "con",
        "NUL.txt",
        "nul.tar.gz",
        "COM1",
        "com9.log",
        "LPT1",
        "COM\u00b9",
        "AUX .txt",
        "CONIN$",
        "x" * 241,
        "\u00fc" * 121,
    ],
)
def test_a_hostile_name_is_refused(name: str) -> None:
    with pytest.raises(UnsafeNameError):
        safe_name(name)


@pytest.mark.parametrize(
    "name", ["a", "a.txt", ".bashrc", "a b.txt", "..a", "a..b", "console.log", "com10", "\u00fc\u4e2d\U0001f600", "a:b"]
)
def test_a_harmless_name_is_kept(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize("name", ["a:b", "a?", "a*", "<a", "a>", 'a"', "a|b"])
def test_windows_forbids_more(name: str) -> None:
    with pytest.raises(UnsafeNameError):
        safe_name(name, windows=True)


@given(st.text(max_size=300))
def test_an_accepted_name_is_one_component_of_a_path(name: str) -> None:
    try:
        safe_name(name, windows=True)
    except UnsafeNameError:
        return
    assert PurePosixPath("out", name).parts == ("out", name)
    assert PureWindowsPath("out", name).parts == ("out", name)
    assert len(os.fsencode(name)) <= MAX_NAME_BYTES


def test_a_number_goes_before_the_extension() -> None:
    names = [numbered_name(name, 1) for name in ("a.txt", "a", ".bashrc", "a.tar.gz")]
    assert names == ["a (1).txt", "a (1)", ".bashrc (1)", "a.tar (1).gz"]
    assert numbered_name("a.txt", 0) == "a.txt"


def test_the_first_free_name_is_chosen() -> None:
    assert free_name("a.txt", {"a.txt", "a (1).txt"}.__contains__) == "a (2).txt"
    assert free_name("a.txt", set[str]().__contains__) == "a.txt"


def test_there_is_an_end_to_trying() -> None:
    with pytest.raises(UnsafeNameError):
        free_name("a.txt", lambda _: True)


def test_file_information_reads_back() -> None:
    info = FileInfo("a.txt", 7, "text/plain", "0" * 64)
    assert read_file_info({**info.to_json()}) == info
    assert FileInfo("a").to_json() == {"name": "a"}


@pytest.mark.parametrize("info", [None, [], "a.txt", {}, {"name": 7}, {"filename": "a.txt"}])
def test_other_information_is_of_no_file(info: object) -> None:
    assert read_file_info(info) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [-1, 1.5, True, "7", 2**53, None])
def test_a_size_that_is_none_is_unknown(size: object) -> None:
    assert read_file_info({"name": "a", "size": size}) == FileInfo("a")  # type: ignore[dict-item]


@pytest.mark.parametrize("sha256", ["", "x", 7, "0" * 63, True])
def test_a_checksum_that_is_none_matches_no_file(sha256: object) -> None:
    info = read_file_info({"name": "a", "sha256": sha256})  # type: ignore[dict-item]
    assert info is not None
    assert info.sha256 == ""


def test_a_checksum_may_have_large_letters() -> None:
    info = read_file_info({"name": "a", "sha256": "A" * 64})
    assert info is not None
    assert info.sha256 == "a" * 64
