"""Files that arrive: on the disk."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

import pytest

from peerix.cli.storing import BUFFER_SIZE, FileRefusedError, IncomingFile
from peerix.core.rooms.files import FileInfo

if TYPE_CHECKING:
    from pathlib import Path

DATA = b"some bytes"
DIGEST = hashlib.sha256(DATA).hexdigest()


def store(folder: Path, info: FileInfo, *, data: bytes = DATA, max_size: int = 1000) -> Path:
    incoming = IncomingFile(folder, info, max_size)
    try:
        incoming.open()
        incoming.write([data[:3], data[3:]])
        return incoming.finish()
    finally:
        incoming.discard()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_stored_under_its_name(tmp_path: Path) -> None:
    path = store(tmp_path, FileInfo("a.txt", len(DATA), None, DIGEST))
    assert path == tmp_path / "a.txt"
    assert path.read_bytes() == DATA
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("sizes", [(0, 1, 0), (BUFFER_SIZE - 1, 1, 5), (3, BUFFER_SIZE + 1, 4), (300_000,) * 7])
def test_pieces_of_any_size_are_stored_in_order(tmp_path: Path, sizes: tuple[int, ...], announced: bool) -> None:
    pieces = [secrets.token_bytes(size) for size in sizes]
    data = b"".join(pieces)
    info = FileInfo("a.bin", len(data) if announced else None, None, hashlib.sha256(data).hexdigest())
    incoming = IncomingFile(tmp_path, info, len(data))
    incoming.open()
    incoming.write([pieces[0], memoryview(pieces[1])])
    incoming.write(pieces[2:])
    assert incoming.finish().read_bytes() == data


def test_it_has_no_name_before_it_is_whole(tmp_path: Path) -> None:
    incoming = IncomingFile(tmp_path, FileInfo("a.txt"), 1000)
    incoming.open()
    incoming.write([DATA])
    assert not (tmp_path / "a.txt").exists()
    incoming.discard()
    assert names(tmp_path) == []


def test_names_that_are_taken_get_numbers(tmp_path: Path) -> None:
    for _ in range(3):
        store(tmp_path, FileInfo("a.txt"))
    assert names(tmp_path) == ["a (1).txt", "a (2).txt", "a.txt"]


def test_a_dangling_link_of_the_name_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").symlink_to(tmp_path / "outside")
    store(folder, FileInfo("a.txt"))
    assert not (tmp_path / "outside").exists()
    assert names(folder) == ["a (1).txt", "a.txt"]


def test_a_file_system_without_hard_links_does_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("peerix.cli.storing.os.link", refuse)
    store(tmp_path, FileInfo("a.txt"))
    store(tmp_path, FileInfo("a.txt"))
    assert names(tmp_path) == ["a (1).txt", "a.txt"]
    assert (tmp_path / "a (1).txt").read_bytes() == DATA


@pytest.mark.parametrize(
    "info",
    [
        FileInfo("../a"),
        FileInfo(""),
        FileInfo("nul"),
        FileInfo("a", 1001),
        FileInfo("a", 10**15),
        FileInfo("a", 9),
        FileInfo("a", 11),
        FileInfo("a", None, None, ""),
        FileInfo("a", None, None, "0" * 64),
    ],
)
def test_what_is_refused_leaves_nothing(tmp_path: Path, info: FileInfo) -> None:
    with pytest.raises(FileRefusedError):
        store(tmp_path, info)
    assert names(tmp_path) == []


def test_a_file_above_the_limit_is_refused_while_it_arrives(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match="limit of 9 bytes"):
        store(tmp_path, FileInfo("a"), max_size=9)
    assert names(tmp_path) == []


def test_more_than_the_disk_has_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match="free"):
        store(tmp_path, FileInfo("a", 2**52), max_size=2**53)


def test_it_gets_the_permissions_that_new_files_have(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    path = store(tmp_path, FileInfo("a"))
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
