"""Files that threads read may be closed at any time."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from anyio import create_task_group, fail_after, move_on_after
from anyio.to_thread import run_sync

from peerix import file_reader
from peerix.file_reader import FileReader
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def test_a_file_is_read_block_by_block(tmp_path: Path) -> None:
    reader = await opened(tmp_path)
    assert [await reader.read(4) for _ in range(3)] == [b"abcd", b"ef", b""]
    reader.close()


async def test_a_missing_file_raises(tmp_path: Path) -> None:
    reader = FileReader(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        await reader.open()
    reader.close()


async def test_nothing_is_read_after_close(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    reader = FileReader(path)
    await reader.open()
    reader.close()
    assert await reader.read(10) == b""


async def test_a_file_that_is_closed_before_it_is_opened_is_not_left_open(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    reader = FileReader(path)
    reader.close()
    assert await reader.open() is None


async def test_closing_while_a_thread_reads_does_not_wait_and_the_reader_gets_what_it_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    reader = FileReader(path)
    got: list[bytes | bytearray] = []

    async def read() -> None:
        got.append(await reader.read(10))

    with fail_after(PATIENCE):
        assert await reader.open() is None
        async with create_task_group() as tasks:
            tasks.start_soon(read)
            await until(lambda: reader._reading)
            reader.close()
            os.write(writer, b"late")
    os.close(writer)
    assert got == [b"late"]


async def test_a_read_that_hangs_can_be_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    reader = FileReader(path)
    await reader.open()
    with fail_after(PATIENCE), move_on_after(0.05) as scope:
        await reader.read(10)
    reader.close()
    os.write(writer, b"end")  # lets the abandoned thread go
    os.close(writer)
    assert scope.cancelled_caught


async def opened(folder: Path) -> FileReader:
    """Open a file of six bytes."""
    path = folder / "file"
    path.write_bytes(b"abcdef")
    reader = FileReader(path)
    assert await reader.open() == 6
    return reader


def count_hops(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    hops: list[object] = []

    async def counted(function: Callable[..., object], *args: object, abandon_on_cancel: bool) -> object:
        hops.append(function)
        return await run_sync(function, *args, abandon_on_cancel=abandon_on_cancel)

    monkeypatch.setattr("peerix.file_reader.run_sync", counted)
    return hops


def refuse_in_place(monkeypatch: pytest.MonkeyPatch, error: int) -> list[int]:
    asked: list[int] = []

    def preadv(descriptor: int, buffers: tuple[bytearray], offset: int, flags: int) -> int:
        asked.append(offset)
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "preadv", preadv)
    return asked


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="this system cannot read without waiting")
async def test_what_is_in_memory_is_read_without_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = await opened(tmp_path)
    hops = count_hops(monkeypatch)
    assert [await reader.read(4) for _ in range(3)] == [b"abcd", b"ef", b""]
    assert hops == []
    reader.close()


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="this system cannot read without waiting")
async def test_a_thread_waits_for_the_disk_and_memory_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = await opened(tmp_path)
    hops = count_hops(monkeypatch)
    asked = refuse_in_place(monkeypatch, errno.EAGAIN)
    assert await reader.read(4) == b"abcd"
    monkeypatch.undo()
    assert await reader.read(4) == b"ef"
    assert (asked, len(hops)) == ([0], 1)
    reader.close()


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="this system cannot read without waiting")
async def test_a_file_system_that_cannot_tell_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = await opened(tmp_path)
    asked = refuse_in_place(monkeypatch, errno.EOPNOTSUPP)
    assert [await reader.read(4) for _ in range(3)] == [b"abcd", b"ef", b""]
    assert len(asked) == 1
    reader.close()


async def test_without_such_reads_threads_read_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_reader, "_NOWAIT", 0)
    reader = await opened(tmp_path)
    hops = count_hops(monkeypatch)
    assert [await reader.read(4) for _ in range(3)] == [b"abcd", b"ef", b""]
    assert len(hops) == 3
    reader.close()
