"""The thread of a codec: it takes what a reader gets, one batch at a time, and ends with its block."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest
from anyio import create_task_group, fail_after, wait_all_tasks_blocked

from peerix.rtc import FrameReader
from peerix.rtc.codec_thread import codec_thread

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


class Work:
    """Doubles numbers, once it may."""

    def __init__(self) -> None:
        self.may_begin = threading.Event()
        self.may_begin.set()
        self.batches: list[list[int]] = []
        self.threads: set[int] = set()
        self.ended_in: int | None = None

    def prepare(self, batch: list[int]) -> Callable[[], list[int]] | None:
        """Leave 0 out."""
        return partial(self.double, batch) if any(batch) else None

    def double(self, batch: list[int]) -> list[int]:
        """Refuse 13."""
        self.may_begin.wait(30)
        self.batches.append(batch)
        self.threads.add(threading.get_ident())
        if 13 in batch:
            raise ValueError(13)
        return [2 * number for number in batch]

    def end(self) -> None:
        self.ended_in = threading.get_ident()


async def test_all_is_done_in_one_thread_and_freed_there() -> None:
    work = Work()
    reader: FrameReader[int] = FrameReader(9)
    with fail_after(30):
        async with codec_thread(work.end) as thread:
            thread.follow(reader, work.prepare)
            for number in range(1, 4):
                reader.put(number)
                assert await thread.take() == [2 * number]
    assert work.threads == {work.ended_in}
    assert threading.get_ident() not in work.threads


async def test_what_waited_before_is_done_too() -> None:
    work = Work()
    reader: FrameReader[int] = FrameReader(9)
    reader.put(4)
    with fail_after(30):
        async with codec_thread(work.end) as thread:
            thread.follow(reader, work.prepare)
            assert await thread.take() == [8]


async def test_what_comes_while_it_works_is_the_next_batch() -> None:
    work = Work()
    work.may_begin.clear()
    reader: FrameReader[int] = FrameReader(9)
    with fail_after(30):
        async with codec_thread(work.end) as thread:
            thread.follow(reader, work.prepare, 3)
            for number in range(1, 7):
                reader.put(number)
            work.may_begin.set()
            assert [await thread.take() for _ in range(3)] == [[2], [4, 6, 8], [10, 12]]
    assert work.batches == [[1], [2, 3, 4], [5, 6]]


async def test_what_is_left_out_holds_nothing_up() -> None:
    work = Work()
    work.may_begin.clear()
    reader: FrameReader[int] = FrameReader(9)
    with fail_after(30):
        async with codec_thread(work.end) as thread:
            thread.follow(reader, work.prepare)
            for number in (0, 1, 0, 2):
                reader.put(number)
            work.may_begin.set()
            assert [await thread.take(), await thread.take()] == [[2], [4]]


async def test_it_comes_to_the_end_of_the_reader_behind_the_last_frame() -> None:
    work = Work()
    reader: FrameReader[int] = FrameReader(9)
    with fail_after(30):
        async with codec_thread(work.end) as thread:
            thread.follow(reader, work.prepare)
            reader.put(1)
            reader.put(2)
            reader.end()
            assert [await thread.take() for _ in range(3)] == [[2], [4], None]


async def test_a_reader_that_ends_while_it_rests_is_noticed() -> None:
    work = Work()
    reader: FrameReader[int] = FrameReader(9)
    results: list[list[int] | None] = []
    with fail_after(30):
        async with codec_thread(work.end) as thread:

            async def wait() -> None:
                results.append(await thread.take())

            thread.follow(reader, work.prepare)
            async with create_task_group() as tasks:
                tasks.start_soon(wait)
                await wait_all_tasks_blocked()
                reader.end()
    assert results == [None]


async def test_what_the_work_raises_is_raised_where_its_result_is_taken() -> None:
    work = Work()
    reader: FrameReader[int] = FrameReader(9)
    with fail_after(30), pytest.raises(ValueError, match="13"):
        async with codec_thread(work.end) as thread:
            thread.follow(reader, work.prepare)
            reader.put(13)
            await thread.take()
    assert work.ended_in is not None


async def test_cancelled_it_waits_for_the_work_that_was_begun() -> None:
    work = Work()
    work.may_begin.clear()
    reader: FrameReader[int] = FrameReader(9)

    async def run() -> None:
        async with codec_thread(work.end) as thread:
            thread.follow(reader, work.prepare)
            reader.put(1)
            await thread.take()

    with fail_after(30):
        async with create_task_group() as tasks:
            tasks.start_soon(run)
            await wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
            threading.Timer(0.05, work.may_begin.set).start()
    assert work.batches == [[1]]
    assert work.ended_in is not None


async def test_a_block_that_does_nothing_ends_at_once() -> None:
    work = Work()
    with fail_after(30):
        async with codec_thread(work.end):
            pass
    assert work.ended_in is not None
