"""When an alarm rings."""

from __future__ import annotations

import math

import pytest
from anyio import Event, create_task_group, fail_after, sleep, sleep_forever, wait_all_tasks_blocked

from peerix.rtc.alarm import Alarm
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio


class Rings:
    """An alarm, and how often it rang."""

    def __init__(self) -> None:
        self.count = 0
        self.alarm = Alarm(self.ring)

    def ring(self) -> None:
        self.count += 1


async def test_it_rings_once_at_the_time_that_is_set() -> None:
    rings, is_set = Rings(), True
    async with create_task_group() as tasks:
        rings.alarm.start(tasks)
        await wait_all_tasks_blocked()
        rings.alarm.set(0.01)
        with fail_after(PATIENCE):
            await until(lambda: rings.count > 0)
        await sleep(0.05)
        is_set = rings.alarm.is_set
        rings.alarm.close()
        tasks.cancel_scope.cancel()
    assert (rings.count, is_set) == (1, False)


async def test_a_time_that_is_set_before_it_runs_counts() -> None:
    rings = Rings()
    rings.alarm.set(0.01)
    async with create_task_group() as tasks:
        rings.alarm.start(tasks)
        with fail_after(PATIENCE):
            await until(lambda: rings.count > 0)
        rings.alarm.close()
        tasks.cancel_scope.cancel()


async def test_a_later_time_takes_the_place_of_an_earlier_one() -> None:
    rings = Rings()
    async with create_task_group() as tasks:
        rings.alarm.start(tasks)
        await wait_all_tasks_blocked()
        rings.alarm.set(0.02)
        rings.alarm.set(1000.0)
        await sleep(0.1)
        rings.alarm.set(0.02)
        rings.alarm.set(math.inf)
        await sleep(0.1)
        rings.alarm.close()
        tasks.cancel_scope.cancel()
    assert rings.count == 0


async def test_soon_is_once_for_all_who_ask_and_leaves_the_time_that_is_set() -> None:
    rings = Rings()
    async with create_task_group() as tasks:
        rings.alarm.start(tasks)
        await wait_all_tasks_blocked()
        rings.alarm.set(1000.0)
        for _ in range(3):
            rings.alarm.ring_soon()
        assert rings.count == 0
        with fail_after(PATIENCE):
            await until(lambda: rings.count > 0)
        await wait_all_tasks_blocked()
        assert (rings.count, rings.alarm.is_set) == (1, True)
        rings.alarm.close()
        tasks.cancel_scope.cancel()


async def test_soon_before_it_runs_is_when_it_runs() -> None:
    rings = Rings()
    rings.alarm.ring_soon()
    async with create_task_group() as tasks:
        rings.alarm.start(tasks)
        with fail_after(PATIENCE):
            await until(lambda: rings.count == 1)
        rings.alarm.close()
        tasks.cancel_scope.cancel()


async def test_what_ringing_raises_comes_out_of_the_group_and_it_rings_no_more() -> None:
    count = 0

    def fail() -> None:
        nonlocal count
        count += 1
        alarm.ring_soon()
        message = "a bug"
        raise ZeroDivisionError(message)

    alarm = Alarm(fail)
    alarm.set(0.001)
    with fail_after(PATIENCE), pytest.raises(ExceptionGroup) as raised:
        async with create_task_group() as tasks:
            alarm.start(tasks)
            await sleep_forever()
    assert raised.group_contains(ZeroDivisionError, match="a bug")
    await sleep(0.02)
    assert count == 1


async def test_a_closed_alarm_rings_no_more() -> None:
    rings = Rings()
    async with create_task_group() as tasks:
        rings.alarm.start(tasks)
        await wait_all_tasks_blocked()
        rings.alarm.set(0.02)
        rings.alarm.ring_soon()
        rings.alarm.close()
        tasks.cancel_scope.cancel()
    count = rings.count
    await sleep(0.1)
    assert rings.count == count


async def test_ringing_may_start_tasks_and_make_events() -> None:
    started = Event()

    async def note() -> None:
        started.set()

    async with create_task_group() as tasks:

        def ring() -> None:
            Event().set()
            tasks.start_soon(note)

        alarm = Alarm(ring)
        alarm.set(0.001)
        alarm.start(tasks)
        with fail_after(PATIENCE):
            await started.wait()
        alarm.close()
        tasks.cancel_scope.cancel()
