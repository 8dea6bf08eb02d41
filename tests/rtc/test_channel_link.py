"""What the channels of a connection share: batches, watches, and how often a sender looks up."""

from __future__ import annotations

import pytest
from anyio import CancelScope, Event, WouldBlock, create_task_group, fail_after, sleep
from anyio.lowlevel import checkpoint

from peerix.rtc.data_channel import CANCELLATION_EVERY, HIGH_WATER
from tests.support.connections import connected_pair

pytestmark = pytest.mark.anyio

PATIENCE = 30.0
"""Seconds after which a test gives up."""


async def test_a_receiver_hears_when_all_that_came_together_is_there() -> None:
    async with connected_pair() as (_, b, ours, theirs):
        got: list[str] = []
        batches: list[int] = []
        theirs.set_receiver(lambda message, _: got.append(str(message)), lambda: batches.append(len(got)))
        for number in range(100):
            ours.send_nowait(str(number))
        with fail_after(PATIENCE):
            while len(got) < 100:
                await sleep(0.001)
        assert batches[-1] == 100
        assert len(batches) < 100
        b.release(sum(map(len, got)))


async def test_a_condition_is_watched_until_it_holds() -> None:
    async with connected_pair() as (_, _, ours, theirs):
        await ours.send(bytes(200_000))
        with fail_after(PATIENCE):
            await ours.watch(lambda: not ours.unacknowledged_amount, Event())
            assert ours.unacknowledged_amount == 0
            await ours.watch(lambda: not ours.unacknowledged_amount, Event())
            assert len(await theirs.receive()) == 200_000


async def test_a_watch_ends_with_its_event_and_with_the_connection() -> None:
    async with connected_pair() as (a, _, ours, _theirs):
        done = Event()
        done.set()
        with fail_after(PATIENCE):
            await ours.watch(lambda: False, done)
            async with create_task_group() as group:
                group.start_soon(ours.watch, lambda: False, Event())
                await checkpoint()
                group.start_soon(a.aclose)


async def test_a_sender_of_short_messages_notices_its_cancellation_soon() -> None:
    async with connected_pair() as (_, _, ours, _theirs):
        sent = 0
        with CancelScope() as scope:
            while sent < 100:
                await ours.send("x")
                sent += 1
                if sent == 3:
                    scope.cancel()
        assert 3 <= sent < 3 + CANCELLATION_EVERY


async def test_text_fills_the_buffer_with_its_bytes() -> None:
    async with connected_pair() as (_, _, ours, _theirs):
        with pytest.raises(WouldBlock):
            for _ in range(HIGH_WATER // 8192 + 64):
                ours.send_nowait("é" * 4096)
        assert HIGH_WATER < ours.buffered_amount <= HIGH_WATER + 8192
