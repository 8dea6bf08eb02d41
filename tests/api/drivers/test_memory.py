"""What is special about the driver inside one process."""

from __future__ import annotations

import threading

import anyio
import pytest

from peerix.core.errors import LocalProtocolError
from peerix.drivers import MemoryDriver
from peerix.drivers.memory import process_wide_driver
from tests.api.drivers.inbox import Inbox

pytestmark = pytest.mark.anyio


async def test_the_publisher_gets_its_own_packet() -> None:
    inbox = Inbox()
    async with MemoryDriver() as driver:
        await driver.subscribe("room", inbox.put)
        await driver.publish("room", b"hello")
    assert inbox.packets == [b"hello"]


async def test_every_handler_was_called_when_publish_returns() -> None:
    inbox = Inbox()
    async with MemoryDriver() as driver:
        await driver.subscribe("room", inbox.put)
        for number in range(3):
            await driver.publish("room", bytes([number]))
            assert len(inbox.packets) == number + 1


async def test_two_drivers_do_not_reach_each_other() -> None:
    inbox = Inbox()
    async with MemoryDriver() as one, MemoryDriver() as other:
        await one.subscribe("room", inbox.put)
        await other.publish("room", b"hello")
    assert inbox.packets == []


async def test_it_stays_active_until_the_last_one_left() -> None:
    driver = MemoryDriver()
    async with driver:
        async with driver:
            assert driver.active
        assert driver.active
    assert not driver.active


async def test_another_event_loop_is_refused_while_it_is_entered() -> None:
    driver = MemoryDriver()
    errors: list[BaseException] = []

    async def enter_too() -> None:
        async with driver:
            pass

    def run_in_thread() -> None:
        try:
            anyio.run(enter_too, backend="trio")
        except LocalProtocolError as error:
            errors.append(error)

    async with driver:
        thread = threading.Thread(target=run_in_thread)
        thread.start()
        await anyio.to_thread.run_sync(thread.join)
    assert "another event loop" in str(errors[0])


async def test_publishing_from_another_event_loop_is_refused() -> None:
    driver = MemoryDriver()
    async with driver:

        def publish_in_thread() -> None:
            anyio.run(driver.publish, "room", b"hello", backend="trio")

        with pytest.raises(LocalProtocolError, match="another event loop"):
            await anyio.to_thread.run_sync(publish_in_thread)


def test_another_event_loop_may_follow_once_it_is_left() -> None:
    driver = MemoryDriver()

    async def enter() -> bool:
        async with driver:
            return driver.active

    assert anyio.run(enter, backend="asyncio")
    assert anyio.run(enter, backend="trio")


def test_there_is_one_driver_for_the_whole_process() -> None:
    assert process_wide_driver() is process_wide_driver()
