from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import fail_after

from peerix import Peer, TransferAborted, TransferTimeout
from peerix.drivers import MemoryDriver
from tests.support.peers import Log, local_peer, meet, peers_in_room, remote_of
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from peerix import MessageEvent

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


class LazyReader:
    """Takes the first piece of every message, and then nothing until it is told."""

    def __init__(self, peer: Peer) -> None:
        self.go_on = anyio.Event()
        self.begun = 0
        self.received = 0
        self.error: Exception | None = None
        peer.on("channel:message", self.handle)

    async def handle(self, event: MessageEvent) -> None:
        self.begun += 1
        try:
            async for chunk in event.data:
                self.received += len(chunk)
                await self.go_on.wait()
        except TransferTimeout as error:
            self.error = error


def unread(peer: Peer, other: Peer) -> int:
    """What a peer holds that another has sent and nobody has read."""
    host = remote_of(peer, other)._link.channels._host
    assert host is not None
    return host.window.unread


async def test_a_reader_that_stops_holds_up_its_sender_and_nobody_else() -> None:
    async with (
        MemoryDriver() as driver,
        local_peer(driver=driver) as a,
        local_peer(driver=driver) as b,
        local_peer(driver=driver, max_unread=MIB) as slow,
    ):
        reader = LazyReader(slow)
        await a.open("chat")
        await meet(a, b, slow)
        await a.wait_open("chat", remotes=2)
        large = a.send(bytes(8 * MIB), "chat")
        await until(lambda: unread(slow, a) > MIB // 2)
        with fail_after(PATIENCE):
            assert await a.send("x", "chat", to=b.id) == (b.id,)
        assert not large.done
        reader.go_on.set()
        with fail_after(PATIENCE):
            assert set(await large) == {b.id, slow.id}
        await until(lambda: reader.received == 8 * MIB)


async def test_memory_stays_bounded_while_a_reader_takes_nothing() -> None:
    async with peers_in_room(max_unread=MIB) as (a, b):
        reader = LazyReader(b)
        transfer = a.send(bytes(20 * MIB), "chat")
        await until(lambda: reader.begun == 1)
        await anyio.sleep(0.5)
        assert unread(b, a) <= 2 * MIB
        transfer.abort()


async def test_a_stopped_reader_of_one_remote_peer_does_not_hold_up_another() -> None:
    async with (
        MemoryDriver() as driver,
        local_peer(driver=driver) as a,
        local_peer(driver=driver) as b,
        local_peer(driver=driver, max_unread=MIB) as slow,
    ):
        seen: list[object] = []
        stopped = anyio.Event()

        async def handle(event: MessageEvent) -> None:
            if event.remote.id == a.id:
                async for _ in event.data:
                    stopped.set()
                    await anyio.sleep_forever()

        await slow.open("chat")
        await meet(a, b, slow)
        await slow.wait_open("chat", remotes=2)
        remote_of(slow, a).on("channel:message", handle)
        remote_of(slow, b).on("channel:message", seen.append)
        large = a.send(bytes(8 * MIB), "chat", to=slow.id)
        with fail_after(PATIENCE):
            await stopped.wait()
            assert await b.send("x", "chat", to=slow.id) == (slow.id,)
        await until(lambda: seen)
        large.abort()


async def test_a_reader_that_takes_nothing_for_too_long_has_its_transfer_cancelled() -> None:
    async with peers_in_room(max_unread=MIB, read_timeout=1.0) as (a, b):
        reader = LazyReader(b)
        log = Log(b, "channel:error")
        with fail_after(PATIENCE):
            with pytest.raises(TransferAborted, match="receiver"):
                await a.send(bytes(20 * MIB), "chat")
        assert isinstance((await log.wait("channel:error")).error, TransferTimeout)
        reader.go_on.set()
        await until(lambda: reader.error is not None)


async def test_the_channel_works_again_after_a_reader_was_given_up() -> None:
    async with peers_in_room(max_unread=MIB, read_timeout=1.0) as (a, b):
        reader = LazyReader(b)
        with fail_after(PATIENCE):
            with pytest.raises(TransferAborted):
                await a.send(bytes(20 * MIB), "chat")
            reader.go_on.set()
            assert await a.send(bytes(5 * MIB), "chat") == (b.id,)
        await until(lambda: unread(b, a) == 0)


async def test_a_message_that_is_being_awaited_does_not_count_as_unread() -> None:
    async with peers_in_room(max_unread=MIB) as (a, b):
        sizes: list[int] = []

        async def handle(event: MessageEvent) -> None:
            sizes.append(len(await event.data))

        b.on("channel:message", handle)
        with fail_after(PATIENCE):
            await a.send(bytes(10 * MIB), "chat")
        await until(lambda: sizes == [10 * MIB])


async def test_a_flood_of_small_messages_that_nobody_reads_is_bounded() -> None:
    async with peers_in_room(max_unread=MIB) as (a, b):
        stop = anyio.Event()
        begun = anyio.Event()

        async def handle(event: MessageEvent) -> None:
            begun.set()
            await stop.wait()
            await event.data

        b.on("channel:message", handle)
        transfers = [a.send(number, "chat") for number in range(5000)]
        with fail_after(PATIENCE):
            await begun.wait()
        await anyio.sleep(0.5)
        assert unread(b, a) <= 2 * MIB
        assert not all(transfer.done for transfer in transfers)
        stop.set()
        with fail_after(PATIENCE):
            for transfer in transfers:
                await transfer


async def test_frames_that_nobody_reads_close_the_window() -> None:
    async with peers_in_room(label=None, max_unread=MIB) as (a, b):
        await a.open("raw", ordered=False)
        await a.wait_open("raw")
        await b.wait_open("raw")
        stop = anyio.Event()

        async def handle(event: MessageEvent) -> None:
            await stop.wait()

        b.on("channel:message", handle)
        transfers: list[Any] = [a.send(bytes(100_000), "raw") for _ in range(100)]
        await anyio.sleep(0.5)
        assert unread(b, a) <= 2 * MIB
        stop.set()
        with fail_after(PATIENCE):
            for transfer in transfers:
                await transfer
        await until(lambda: unread(b, a) == 0)


async def test_everything_read_leaves_nothing_unread() -> None:
    async with peers_in_room() as (a, b):
        received: list[object] = []

        async def handle(event: MessageEvent) -> None:
            received.append(await event.data)

        b.on("channel:message", handle)
        for message in ("x", bytes(MIB), {"a": 1}, ""):
            await a.send(message, "chat")
        await until(lambda: len(received) == 4)
        assert unread(b, a) == 0


async def test_our_own_messages_survive_while_our_window_is_closed() -> None:
    async with peers_in_room(max_unread=MIB) as (a, b):
        reader = LazyReader(b)
        large = a.send(bytes(8 * MIB), "chat")
        await until(lambda: unread(b, a) > MIB * 7 // 8)
        back = b.send("x", "chat")
        await anyio.sleep(0.2)
        reader.go_on.set()
        with fail_after(PATIENCE):
            assert await back == (a.id,)
            await large
