"""Calling asyncio code from any event loop."""

from __future__ import annotations

import asyncio
import threading

import anyio
import pytest

from peerix.drivers.asyncio_host import MAX_WAITING_BYTES, MAX_WAITING_PACKETS, PacketQueue, asyncio_host
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.anyio


async def add(one: int, other: int) -> int:
    await asyncio.sleep(0)
    return one + other


async def fail() -> None:
    raise KeyError("mine")


async def test_a_call_has_its_result() -> None:
    async with asyncio_host() as host:
        assert await host.call(add, 1, 2) == 3


async def test_a_call_has_its_exception() -> None:
    async with asyncio_host() as host:
        with pytest.raises(KeyError):
            await host.call(fail)


async def test_a_cancelled_call_has_ended_when_it_returns() -> None:
    ended: list[bool] = []

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await anyio.lowlevel.cancel_shielded_checkpoint()
            ended.append(True)

    async with asyncio_host() as host:
        with anyio.move_on_after(0.01):
            await host.call(wait)
        assert ended == [True]


async def test_packets_cross_in_both_directions_in_order() -> None:
    back: list[str] = []
    done = anyio.Event()

    def receive(name: str, data: bytes) -> None:
        back.append(name)
        if data == b"last":
            done.set()

    names = [str(number) for number in range(1000)]
    async with asyncio_host() as host:
        outward = host.queue_outward(receive)
        inward = host.queue_inward(outward)
        for name in names[:-1]:
            inward(name, b"x")
        inward(names[-1], b"last")
        with anyio.fail_after(PATIENCE):
            await done.wait()
    assert back == names


async def test_packets_are_handled_in_the_right_thread() -> None:
    threads: list[threading.Thread] = []
    done = anyio.Event()

    def receive(name: str, data: bytes) -> None:
        threads.append(threading.current_thread())
        done.set()

    async with asyncio_host() as host:
        host.queue_inward(host.queue_outward(receive))("name", b"")
        with anyio.fail_after(PATIENCE):
            await done.wait()
    assert threads == [threading.current_thread()]


async def test_a_function_that_is_told_runs_in_our_thread() -> None:
    done = anyio.Event()

    async def tell() -> None:
        host.tell(done.set)

    async with asyncio_host() as host:
        await host.call(tell)
        with anyio.fail_after(PATIENCE):
            await done.wait()


def test_a_queue_that_nobody_empties_keeps_a_bounded_number_of_bytes() -> None:
    queue = PacketQueue(lambda name, data: None, lambda drain: None)
    for _ in range(100):
        queue.put("name", bytes(MAX_WAITING_BYTES // 50))
    assert queue.dropped == 50


def test_a_queue_that_nobody_empties_keeps_a_bounded_number_of_packets() -> None:
    queue = PacketQueue(lambda name, data: None, lambda drain: None)
    for _ in range(MAX_WAITING_PACKETS + 10):
        queue.put("name", b"")
    assert queue.dropped == 10


def test_many_packets_wake_the_other_side_once() -> None:
    wakes: list[object] = []
    queue = PacketQueue(lambda name, data: None, wakes.append)
    for _ in range(10):
        queue.put("name", b"")
    assert len(wakes) == 1
