"""The thread of a codec: it takes what a reader gets, one batch at a time, and ends with its block."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest
from anyio import create_task_group, current_time, fail_after, wait_all_tasks_blocked

from peerix.rtc import FrameReader
from peerix.rtc.codec_thread import codec_thread
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


class Work:
    """Doubles numbers, once it may."""

    def __init__(self) -> None:
        self.reader: FrameReader[int] = FrameReader(9)
        self.may_begin = threading.Event()
        self.may_begin.set()
        self.batches: list[list[int]] = []
        self.threads: set[int] = set()
        self.ended_in: int | None = None
        self.results: list[list[int]] = []

    async def run(self, max_batch: int = 1, deliver: Callable[[list[int]], None] | None = None) -> None:
        """Work until the reader ends."""
        with fail_after(30):
            async with codec_thread(self.end) as thread:
                await thread.work(self.reader, self.prepare, deliver or self.results.append, max_batch)

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
    async with create_task_group() as tasks:
        tasks.start_soon(work.run)
        for number in range(1, 4):
            work.reader.put(number)
            await until(lambda: len(work.results) == number)  # noqa: B023
        work.reader.end()
    assert work.results == [[2], [4], [6]]
    assert work.threads == {work.ended_in}
    assert threading.get_ident() not in work.threads


async def test_what_waited_before_is_done_to_the_last_frame() -> None:
    work = Work()
    for number in range(1, 4):
        work.reader.put(number)
    work.reader.end()
    await work.run()
    assert work.results == [[2], [4], [6]]


async def test_what_comes_while_it_works_is_the_next_batch() -> None:
    work = Work()
    work.may_begin.clear()
    async with create_task_group() as tasks:
        tasks.start_soon(work.run, 3)
        await wait_all_tasks_blocked()
        for number in range(1, 7):
            work.reader.put(number)
        work.may_begin.set()
        work.reader.end()
    assert work.batches == [[1], [2, 3, 4], [5, 6]]


async def test_what_is_left_out_holds_nothing_up() -> None:
    work = Work()
    work.may_begin.clear()
    async with create_task_group() as tasks:
        tasks.start_soon(work.run)
        await wait_all_tasks_blocked()
        for number in (0, 1, 0, 2, 0):
            work.reader.put(number)
        work.may_begin.set()
        work.reader.end()
    assert work.results == [[2], [4]]


async def test_a_reader_that_ends_while_it_rests_is_noticed() -> None:
    work = Work()
    async with create_task_group() as tasks:
        tasks.start_soon(work.run)
        await wait_all_tasks_blocked()
        work.reader.end()
    assert work.ended_in is not None


async def test_results_come_in_the_event_loop_where_anyio_works() -> None:
    work = Work()
    work.reader.put(1)
    work.reader.end()
    came: list[tuple[int, float]] = []
    await work.run(deliver=lambda _: came.append((threading.get_ident(), current_time())))
    assert [thread for thread, _ in came] == [threading.get_ident()]


async def test_what_the_work_raises_is_raised_to_its_owner() -> None:
    work = Work()
    work.reader.put(13)
    with pytest.raises(ValueError, match="13"):
        await work.run()
    assert work.ended_in is not None


async def test_what_taking_a_result_raises_is_raised_to_the_owner() -> None:
    work = Work()
    work.reader.put(1)

    def refuse(_: list[int]) -> None:
        raise KeyError(2)

    with pytest.raises(KeyError):
        await work.run(deliver=refuse)
    assert work.ended_in is not None


async def test_cancelled_it_waits_for_the_work_that_was_begun_and_hands_out_nothing() -> None:
    work = Work()
    work.may_begin.clear()
    work.reader.put(1)
    with fail_after(30):
        async with create_task_group() as tasks:
            tasks.start_soon(work.run)
            await wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
            threading.Timer(0.05, work.may_begin.set).start()
    assert work.batches == [[1]]
    assert work.ended_in is not None
    assert work.results == []


async def test_a_block_that_does_nothing_ends_at_once() -> None:
    work = Work()
    with fail_after(30):
        async with codec_thread(work.end):
            pass
    assert work.ended_in is not None
