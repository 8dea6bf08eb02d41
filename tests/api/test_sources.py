from __future__ import annotations

import io
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import create_task_group, fail_after
from anyio.lowlevel import checkpoint

from peerix.core.rooms.transfer.sender import FEED_SIZE
from peerix.core.rooms.values import BLOB, BYTES, JSON, TEXT
from peerix.sources import SHARED_BUFFER, Content, SourceFailed, content_of
from peerix.task_groups import owned_task_group
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerix.sources import Blocks

pytestmark = pytest.mark.anyio


async def read(blocks: Blocks) -> list[bytes | bytearray]:
    found: list[bytes | bytearray] = []
    async with blocks as entered:
        last = False
        while not last:
            block, last = await entered.next()
            found.append(block)
    return found


async def read_alone(content: Content) -> list[bytes | bytearray]:
    blocks = content.open()
    async with owned_task_group() as tasks:
        content.start(tasks)
        with fail_after(PATIENCE):
            return await read(blocks)


async def numbers(count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        await checkpoint()
        yield str(number).encode()


@pytest.mark.parametrize(
    ("message", "kind", "data"),
    [
        ("ü", TEXT, "ü".encode()),
        (b"ab", BYTES, b"ab"),
        (bytearray(b"ab"), BYTES, b"ab"),
        (memoryview(b"ab"), BYTES, b"ab"),
        ({"a": 1}, JSON, b'{"a":1}'),
        (None, JSON, b"null"),
        ([1.0, True], JSON, b"[1,true]"),
    ],
)
async def test_values_are_encoded_at_once(message: object, kind: int, data: bytes) -> None:
    content = content_of(message)
    assert (content.kind, content.data, content.total) == (kind, data, len(data))


@pytest.mark.parametrize("message", [object(), {1, 2}, float("nan")])
async def test_what_json_cannot_hold_is_refused_at_once(message: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        content_of(message)


async def test_a_file_is_read_in_blocks(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * (FEED_SIZE + 1))
    assert [len(block) for block in await read_alone(content_of(path))] == [FEED_SIZE, 1]


async def test_a_file_knows_its_size_when_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    content = content_of(path)
    await read_alone(content)
    assert (content.kind, content.total) == (BLOB, 3)


async def test_an_empty_file_is_one_empty_block(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    assert await read_alone(content_of(path)) == [b""]


async def test_a_missing_file_raises_when_it_is_opened(tmp_path: Path) -> None:
    blocks = content_of(tmp_path / "missing").open()
    with pytest.raises(SourceFailed) as caught:
        await read(blocks)
    assert isinstance(caught.value.cause, FileNotFoundError)


async def test_an_open_file_is_read_and_left_open() -> None:
    file = io.BytesIO(b"abc")
    assert b"".join(await read_alone(content_of(file))) == b"abc"
    assert not file.closed


async def test_a_text_file_is_refused_when_it_is_read() -> None:
    with pytest.raises(SourceFailed, match="binary"):
        await read_alone(content_of(io.StringIO("abc")))


async def test_an_iterable_ends_with_an_empty_block() -> None:
    assert await read_alone(content_of(numbers(2))) == [b"0", b"1", b""]


async def test_empty_blocks_of_an_iterable_are_left_out() -> None:
    async def blocks() -> AsyncIterator[bytes]:
        yield b""
        yield b"a"

    assert await read_alone(content_of(blocks())) == [b"a", b""]


async def test_what_an_iterable_raises_reaches_its_receiver() -> None:
    async def blocks() -> AsyncIterator[bytes]:
        yield b"a"
        raise KeyError("mine")

    with pytest.raises(SourceFailed) as caught:
        await read_alone(content_of(blocks()))
    assert isinstance(caught.value.cause, KeyError)


async def test_an_iterable_is_read_once_for_all_receivers() -> None:
    content = content_of(numbers(3))
    all_blocks: list[list[bytes | bytearray]] = []

    async def receive(blocks: Blocks) -> None:
        all_blocks.append(await read(blocks))

    readers = [content.open(), content.open()]
    async with create_task_group() as tasks:
        for blocks in readers:
            tasks.start_soon(receive, blocks)
        content.start(tasks)
    assert all_blocks == [[b"0", b"1", b"2", b""]] * 2


async def test_the_slowest_receiver_bounds_what_is_kept_of_an_iterable() -> None:
    given: list[int] = []
    kept = 0

    async def blocks() -> AsyncIterator[bytes]:
        for number in range(100):
            given.append(number)
            yield b"x" * (SHARED_BUFFER // 4)

    content = content_of(blocks())
    slow, fast = content.open(), content.open()
    async with create_task_group() as tasks:
        content.start(tasks)
        async with fast as entered:
            with anyio.move_on_after(0.05):
                while True:
                    await entered.next()
            kept = len(given)
        slow.close()
        tasks.cancel_scope.cancel()
    assert kept <= 6


async def test_a_receiver_that_leaves_does_not_hold_up_the_others() -> None:
    content = content_of(numbers(3))
    leaving, staying = content.open(), content.open()
    leaving.close()
    async with create_task_group() as tasks:
        content.start(tasks)
        assert await read(staying) == [b"0", b"1", b"2", b""]


async def test_an_iterable_is_closed_when_its_last_receiver_leaves() -> None:
    ended = anyio.Event()

    async def blocks() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                await checkpoint()
        finally:
            ended.set()

    content = content_of(blocks())
    reader = content.open()
    async with create_task_group() as tasks:
        content.start(tasks)
        async with reader as entered:
            await entered.next()
    assert ended.is_set()
