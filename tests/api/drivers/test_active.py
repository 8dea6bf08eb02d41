"""The streams of `watch_active`."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from peerix.drivers.activity import Activity
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.anyio


async def test_each_change_is_seen_in_order() -> None:
    activity = Activity()
    async with activity.watch() as changes:
        activity.set(active=True)
        activity.set(active=False)
        assert [await changes.receive(), await changes.receive()] == [True, False]


async def test_setting_the_same_value_is_no_change() -> None:
    activity = Activity()
    async with activity.watch() as changes:
        activity.set(active=True)
        activity.set(active=True)
        activity.close()
        assert [value async for value in changes] == [True, False]


async def test_a_change_wakes_a_reader_that_waits() -> None:
    activity = Activity()
    seen: list[bool] = []

    async def read() -> None:
        async with activity.watch() as changes:
            seen.append(await changes.receive())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        activity.set(active=True)
    assert seen == [True]


@pytest.mark.parametrize("flaps", [1, 2, 10])
async def test_a_reader_that_was_away_sees_that_it_went_and_came_back(flaps: int) -> None:
    activity = Activity()
    activity.set(active=True)
    async with activity.watch() as changes:
        for _ in range(flaps):
            activity.set(active=False)
            activity.set(active=True)
        assert [await changes.receive(), await changes.receive()] == [False, True]
        with anyio.move_on_after(0.01) as scope:
            await changes.receive()
        assert scope.cancelled_caught


async def test_what_waits_is_read_before_the_end() -> None:
    activity = Activity()
    async with activity.watch() as changes:
        activity.set(active=True)
        activity.close()
        assert [value async for value in changes] == [True, False]


async def test_a_closed_stream_says_so() -> None:
    changes = Activity().watch()
    await changes.aclose()
    with pytest.raises(anyio.ClosedResourceError):
        await changes.receive()


async def test_closing_wakes_the_reader() -> None:
    changes = Activity().watch()

    async def read() -> None:
        with pytest.raises(anyio.ClosedResourceError):
            await changes.receive()

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            changes.close()


async def test_two_readers_of_one_stream_are_refused() -> None:
    changes = Activity().watch()
    async with changes, anyio.create_task_group() as tasks:
        tasks.start_soon(changes.receive)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(anyio.BusyResourceError):
            await changes.receive()
        tasks.cancel_scope.cancel()


async def test_a_cancelled_read_loses_nothing() -> None:
    activity = Activity()
    async with activity.watch() as changes:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await changes.receive()
        activity.set(active=True)
        await checkpoint()
        assert await changes.receive()
