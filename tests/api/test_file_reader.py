"""Files that threads read may be closed at any time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from anyio import create_task_group, fail_after, move_on_after

from peerix.file_reader import FileReader
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def test_a_file_is_read_block_by_block(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abcdef")
    reader = FileReader(path)
    assert await reader.open() == 6
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
    got: list[bytes] = []

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
