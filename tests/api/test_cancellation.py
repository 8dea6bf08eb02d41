from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import CancelScope, create_task_group, fail_after

from peerix import Peer, TransferAborted
from peerix.drivers import MemoryDriver
from tests.support.peers import Log, entered_peers, local_peer, meet, peers_in_room, remote_of
from tests.support.waiting import AT_ONCE, ATTEMPTS, CLOSED_WITHIN, PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from peerix.drivers import Handler

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def peer_in_a_scope(room_of: Peer) -> AsyncGenerator[tuple[CancelScope, Peer]]:
    """A peer whose block runs in a task of its own, connected with another."""
    async with create_task_group() as tasks:
        scope = CancelScope()
        peers: list[Peer] = []

        async def live() -> None:
            with scope:
                async with local_peer() as peer:
                    peers.append(peer)
                    await peer.join("room")
                    await anyio.sleep_forever()

        tasks.start_soon(live)
        await until(lambda: peers and any(each.state == "connected" for each in room_of.remotes.values()))
        yield scope, peers[0]
        scope.cancel()


async def test_the_other_side_of_a_peer_cancelled_from_outside_sees_it_closed_at_once() -> None:
    async with local_peer() as a:
        log = Log(a)
        await a.join("room")
        async with peer_in_a_scope(a) as (scope, _):
            scope.cancel()
            await until(lambda: "connection:closed" in log.names, within=AT_ONCE)


async def test_the_other_side_of_a_peer_cancelled_from_outside_sees_it_closed_within_200_ms() -> None:
    fastest = PATIENCE
    for _ in range(ATTEMPTS):
        async with local_peer() as a:
            log = Log(a)
            await a.join("room")
            async with peer_in_a_scope(a) as (scope, _):
                cancelled_at = anyio.current_time()
                scope.cancel()
                await until(lambda: "connection:closed" in log.names, within=AT_ONCE)  # noqa: B023 - called here
                fastest = min(fastest, anyio.current_time() - cancelled_at)
        if fastest < CLOSED_WITHIN:
            return
    pytest.fail(f"the fastest of {ATTEMPTS} took {fastest:.3f} s")


async def test_cancelling_the_scope_of_a_peer_ends_its_block() -> None:
    with fail_after(PATIENCE):
        async with entered_peers(1) as (b,), local_peer() as a:
            await b.join()
            await a.join()
            a.cancel_scope.cancel()
            await anyio.sleep_forever()


async def test_the_other_side_of_a_peer_whose_scope_is_cancelled_sees_it_closed_at_once() -> None:
    async with local_peer() as a:
        log = Log(a)
        await a.join("room")
        async with peer_in_a_scope(a) as (_, b):
            b.cancel_scope.cancel()
            await until(lambda: "connection:closed" in log.names, within=AT_ONCE)


async def test_a_peer_can_be_entered_again_after_it_was_cancelled() -> None:
    peer = local_peer()
    for _ in range(2):
        with fail_after(PATIENCE):
            async with peer, local_peer() as other:
                await meet(peer, other)
                peer.cancel_scope.cancel()


async def test_leaving_the_block_takes_no_longer_for_ten_remote_peers_than_for_one() -> None:
    async with entered_peers(5) as others:
        await meet(*others)
        peer = local_peer(driver=others[0]._driver)
        async with peer:
            await peer.join("room")
            await until(lambda: [each.state for each in peer.remotes.values()] == ["connected"] * 5)
            start = anyio.current_time()
        assert anyio.current_time() - start < AT_ONCE


async def never_answered(peer: Peer) -> None:
    await peer.wait_open("never")


async def never_writable(peer: Peer) -> None:
    peer.send("x", "never")
    await peer.writable("never")


async def never_sent(peer: Peer) -> None:
    await peer.send("x", "never")


async def never_any_event(peer: Peer) -> None:
    async with peer.events("error") as events:
        await events.receive()


async def never_any_progress(peer: Peer) -> None:
    async for _ in peer.send("x", "never"):
        pass


@pytest.mark.parametrize("wait", [never_answered, never_writable, never_sent, never_any_event, never_any_progress])
async def test_waiting_can_be_cancelled_and_the_peer_works_on(wait: Callable[[Peer], Awaitable[None]]) -> None:
    async with peers_in_room(max_pending=1) as (a, b):
        with anyio.move_on_after(0.05) as scope:
            await wait(a)
        assert scope.cancelled_caught
        assert await a.send("x", "chat") == (b.id,)


@pytest.mark.parametrize("what", ["join", "leave", "open", "close"])
async def test_a_cancelled_call_leaves_a_working_peer(what: str) -> None:
    async with entered_peers(2) as (a, b):
        if what == "leave":
            await a.join("room")
        with CancelScope() as scope:
            scope.cancel()
            await getattr(a, what)()
        if a.active:
            await a.leave()
        await meet(a, b)


async def test_joining_that_is_cancelled_leaves_no_member_behind() -> None:
    async with entered_peers(2) as (a, b):
        with CancelScope() as scope:
            scope.cancel()
            await a.join("room")
        assert not a.active
        await b.join("room")
        await anyio.sleep(0.1)
        assert not b.remotes


class NeverSubscribed(MemoryDriver):
    """A driver whose subscriptions never come about."""

    async def subscribe(self, namespace: str, handler: Handler) -> None:
        await anyio.sleep_forever()


async def test_leaving_while_joining_makes_join_raise() -> None:
    async with NeverSubscribed() as driver, local_peer(driver=driver) as a:

        async def join() -> None:
            with pytest.raises(anyio.ClosedResourceError):
                await a.join("room")

        with fail_after(PATIENCE):
            async with create_task_group() as tasks:
                tasks.start_soon(join)
                await until(lambda: a.active)
                await a.leave()
        assert not a.active


async def test_cancelling_the_scope_that_awaits_a_transfer_aborts_it() -> None:
    async with peers_in_room() as (a, b):
        log = Log(b, "channel:error")

        async def endless() -> AsyncIterator[bytes]:
            yield b"x"
            await anyio.sleep_forever()

        scope = CancelScope()

        async def keep(event: Any) -> None:
            scope.cancel()
            await event.data

        b.on("channel:message", keep)
        transfer = a.send(endless(), "chat")
        with scope:
            await transfer
        assert transfer.done
        assert isinstance((await log.wait("channel:error")).error, TransferAborted)


async def test_cancelling_the_scope_that_awaits_the_data_keeps_the_message() -> None:
    async with peers_in_room() as (a, b), b.events("channel:message") as messages:
        more = anyio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"a"
            await more.wait()
            yield b"b"

        a.send(slow(), "chat")
        with fail_after(PATIENCE):
            event = await messages.receive()
            with anyio.move_on_after(0.05):
                await event.data
            more.set()
            assert await event.data == b"ab"


async def test_cancelling_one_remote_peer_fails_its_transfers_only() -> None:
    async with peers_in_room(3) as (a, b, c):

        async def endless() -> AsyncIterator[bytes]:
            yield b"x"
            await anyio.sleep_forever()

        log = Log(b, "channel:message")
        transfer = a.send(endless(), "chat")
        await log.wait("channel:message")
        remote_of(a, b).cancel_scope.cancel()
        await until(lambda: transfer.failed)
        assert list(transfer.failed) == [b.id]
        assert not transfer.done
        await until(lambda: list(a.remotes) == [c.id])
        assert await a.send("x", "chat") == (c.id,)
        transfer.abort()


async def test_channels_that_are_asked_for_while_a_remote_peer_ends_disturb_nobody() -> None:
    async with peers_in_room(2) as (a, b):
        log = Log(b)
        with fail_after(PATIENCE):
            for number in range(60):
                await a.open(f"channel {number}")
                if number == 20:
                    remote_of(b, a).cancel_scope.cancel()
            await until(lambda: "connection:closed" in log.names)
