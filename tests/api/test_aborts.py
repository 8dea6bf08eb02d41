from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import fail_after

from peerix import TransferAborted
from tests.support.peers import Log, peers_in_room, remote_of
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerix import MessageEvent

pytestmark = pytest.mark.anyio


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 1000
        await anyio.sleep(0.001)


async def test_abort_by_the_sender_raises_on_both_sides() -> None:
    async with peers_in_room() as (a, b), b.events("channel:message") as messages:
        transfer = a.send(endless(), "chat")
        with fail_after(PATIENCE):
            event = await messages.receive()
            transfer.abort()
            with pytest.raises(TransferAborted):
                await event.data
            with pytest.raises(TransferAborted):
                await transfer


async def test_abort_by_the_sender_raises_in_the_iterator() -> None:
    async with peers_in_room() as (a, b), b.events("channel:message") as messages:
        transfer = a.send(endless(), "chat")
        with fail_after(PATIENCE):
            event = await messages.receive()
            with pytest.raises(TransferAborted):
                async for _ in event.data:
                    transfer.abort()


async def test_abort_closes_the_iterable_that_was_sent() -> None:
    begun, closed = anyio.Event(), anyio.Event()

    async def source() -> AsyncIterator[bytes]:
        try:
            while True:
                begun.set()
                yield b"x"
                await anyio.sleep(0.001)
        finally:
            closed.set()

    async with peers_in_room() as (a, _):
        transfer = a.send(source(), "chat")
        with fail_after(PATIENCE):
            await begun.wait()
            transfer.abort()
            await closed.wait()


async def test_an_own_abort_is_no_channel_error() -> None:
    async with peers_in_room() as (a, _b):
        log = Log(a, "channel:error")
        transfer = a.send(endless(), "chat")
        await anyio.sleep(0.05)
        transfer.abort()
        await a.send("x", "chat")
        assert not log.events


async def test_aborting_a_transfer_that_is_over_changes_nothing() -> None:
    async with peers_in_room() as (a, b):
        transfer = a.send("x", "chat")
        await transfer
        transfer.abort()
        assert await transfer == (b.id,)


async def test_aborting_a_transfer_that_waits_for_its_channel_takes_it_back() -> None:
    async with peers_in_room() as (a, b):
        log = Log(b, "channel:message")
        transfer = a.send("x", "later")
        transfer.abort()
        await a.open("later")
        await a.send("y", "later")
        assert [await event.data for event in log.events] == ["y"]
        assert isinstance(next(iter(transfer.failed.values())), TransferAborted)


async def test_aborting_a_transfer_in_the_middle_leaves_the_channel_working() -> None:
    async with peers_in_room() as (a, b):
        transfer = a.send(bytes(50_000_000), "chat")
        await anyio.sleep(0.05)
        transfer.abort()
        with fail_after(PATIENCE):
            assert await a.send("x", "chat") == (b.id,)


async def test_a_receiver_that_refuses_a_message_aborts_it_for_the_sender() -> None:
    async with peers_in_room(max_message_size=1000) as (a, b):
        log = Log(a, "channel:error")

        async def refuse(event: MessageEvent) -> None:
            await event.data

        b.on("channel:message", refuse)
        a.send(endless(), "chat")
        assert isinstance((await log.wait("channel:error")).error, TransferAborted)


async def test_a_receiver_that_cancels_a_message_aborts_it_for_the_sender_and_goes_on() -> None:
    async with peers_in_room() as (a, b):
        log = Log(b, "channel:error")
        b.on("channel:message", lambda event: event.data.cancel())
        with fail_after(PATIENCE):
            with pytest.raises(TransferAborted, match="receiver"):
                await a.send(endless(), "chat")
            assert await a.send("x", "chat") == (b.id,)
        assert not log.events


async def test_a_receiver_that_leaves_aborts_the_transfer() -> None:
    async with peers_in_room() as (a, b):
        transfer = a.send(endless(), "chat")
        await anyio.sleep(0.05)
        await b.leave()
        with fail_after(PATIENCE), pytest.raises(TransferAborted):
            await transfer


async def test_one_receiver_that_leaves_does_not_fail_the_others() -> None:
    async with peers_in_room(3) as (a, b, c):
        begun, left = anyio.Event(), anyio.Event()

        async def source() -> AsyncIterator[bytes]:
            yield b"x" * 10_000
            begun.set()
            await left.wait()
            yield b"x" * 10_000

        transfer = a.send(source(), "chat")
        with fail_after(PATIENCE):
            await begun.wait()
        await b.leave()
        await until(lambda: transfer.failed)
        left.set()
        with fail_after(PATIENCE), pytest.raises(TransferAborted):
            await transfer
        assert transfer.acknowledged == (c.id,)
        assert list(transfer.failed) != []


async def test_closing_the_channel_aborts_what_is_under_way() -> None:
    async with peers_in_room() as (a, _b):
        transfer = a.send(endless(), "chat")
        await anyio.sleep(0.05)
        await a.close("chat")
        with fail_after(PATIENCE), pytest.raises(TransferAborted):
            await transfer


async def test_a_message_to_a_remote_peer_that_is_gone_is_aborted() -> None:
    async with peers_in_room() as (a, b):
        remote = remote_of(a, b)
        await b.leave()
        await until(lambda: not a.remotes)
        with pytest.raises(TransferAborted):
            await remote.send("x", "chat")


async def test_data_that_nobody_claims_is_acknowledged_all_the_same() -> None:
    async with peers_in_room() as (a, b):
        seen: list[Any] = []
        b.on("channel:message", seen.append)
        with fail_after(PATIENCE):
            assert await a.send(bytes(30_000_000), "chat") == (b.id,)
        with pytest.raises(anyio.ClosedResourceError):
            await seen[0].data


async def test_messages_that_nobody_subscribed_to_are_acknowledged() -> None:
    async with peers_in_room() as (a, b):
        with fail_after(PATIENCE):
            assert await a.send(bytes(30_000_000), "chat") == (b.id,)
