from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import fail_after

from peerix import EventsLost, LocalProtocolError, TransferAborted
from tests.support.peers import Log, entered_peers, local_peer, meet, peers_in_room, remote_of
from tests.support.waiting import AT_ONCE, PATIENCE, until

if TYPE_CHECKING:
    from peerix import ConnectionEvent, MessageEvent

pytestmark = pytest.mark.anyio


async def test_a_handler_that_subscribed_before_entering_is_called() -> None:
    seen: list[str] = []
    peer = local_peer()
    peer.on("connection:connected", lambda event: seen.append(event.remote.id))
    async with peer, local_peer() as other:
        await meet(peer, other)
        await until(lambda: seen == [other.id])


async def test_a_handler_survives_leave_and_join() -> None:
    async with entered_peers(2) as (a, b):
        log = Log(a, "connection:connected")
        for _ in range(2):
            await meet(a, b)
            await a.leave()
            await b.leave()
        assert len(log.events) == 2


async def test_a_handler_survives_leaving_and_entering_the_block() -> None:
    peer = local_peer()
    log = Log(peer, "connection:connected")
    for _ in range(2):
        async with peer, local_peer() as other:
            await meet(peer, other)
            await until(lambda: peer.remotes)
    assert len(log.events) == 2


async def test_what_on_returns_unsubscribes() -> None:
    async with entered_peers(2) as (a, b):
        seen: list[object] = []
        a.on("connection", seen.append)()
        await meet(a, b)
        assert not seen


async def test_once_is_called_once() -> None:
    async with entered_peers(2) as (a, b):
        seen: list[str] = []
        a.once("connection", lambda event: seen.append(event.name))
        await meet(a, b)
        assert seen == ["connection:new"]


async def test_off_unsubscribes() -> None:
    async with entered_peers(2) as (a, b):
        seen: list[object] = []
        a.on("connection", seen.append)
        a.off("connection", seen.append)
        await meet(a, b)
        assert not seen


async def test_an_unknown_event_is_refused() -> None:
    with pytest.raises(ValueError, match="no event"):
        local_peer().on("conection", print)


async def test_a_handler_that_raises_ends_the_peer_with_an_exception_group() -> None:
    def handler(event: ConnectionEvent) -> None:
        raise RuntimeError("bug")

    with pytest.raises(ExceptionGroup) as caught, fail_after(PATIENCE):
        async with local_peer() as a, local_peer() as b:
            b.on("connection:connected", handler)
            await a.join()
            await b.join()
            await anyio.sleep_forever()
    assert caught.group_contains(RuntimeError, match="bug")


async def test_an_exception_of_the_block_leaves_unwrapped() -> None:
    with pytest.raises(KeyError):
        async with peers_in_room() as (a, _):
            a.on("connection", lambda event: None)
            raise KeyError("mine")


async def test_an_exception_of_the_block_before_joining_leaves_unwrapped() -> None:
    with pytest.raises(KeyError):
        async with local_peer():
            raise KeyError("mine")


async def test_a_handler_that_raises_does_not_stop_the_goodbye() -> None:
    def handler(event: object) -> None:
        raise RuntimeError("bug")

    async with local_peer() as a:
        log = Log(a)
        with pytest.raises(ExceptionGroup), fail_after(PATIENCE):
            async with local_peer() as b:
                await meet(a, b)
                b.on("channel", handler)
                await b.open("chat")
                await anyio.sleep_forever()
        await until(lambda: "connection:closed" in log.names, within=AT_ONCE)


async def test_a_handler_may_leave_the_room() -> None:
    async with peers_in_room() as (a, b):
        done = anyio.Event()

        async def handler(event: MessageEvent) -> None:
            await a.leave()
            done.set()

        a.on("channel:message", handler)
        b.send("go", "chat")
        with fail_after(PATIENCE):
            await done.wait()
        assert not a.active
        await until(lambda: not b.remotes)


async def test_a_handler_may_leave_and_join_again() -> None:
    async with peers_in_room() as (a, b):

        async def handler(event: MessageEvent) -> None:
            await a.leave()
            await a.join("room")

        a.on("channel:message", handler)
        old = a.id
        b.send("go", "chat")
        await until(lambda: a.id not in (None, old) and list(b.remotes) == [a.id])


async def test_a_handler_may_cancel_its_remote_peer() -> None:
    async with peers_in_room() as (a, b):
        handled: list[str] = []

        async def handler(event: MessageEvent) -> None:
            event.remote.cancel_scope.cancel()
            await anyio.sleep(0.01)
            handled.append("to the end")

        a.on("channel:message", handler)
        b.send("go", "chat")
        await until(lambda: handled and not b.remotes)


async def test_a_handler_may_close_the_channel() -> None:
    async with peers_in_room() as (a, b):
        log = Log(b, "channel:close")

        async def handler(event: MessageEvent) -> None:
            await a.close(event.label)

        a.on("channel:message", handler)
        b.send("go", "chat")
        await log.wait("channel:close")


async def test_a_handler_may_answer() -> None:
    async with peers_in_room() as (a, b):
        log = Log(b, "channel:message")

        async def handler(event: MessageEvent) -> None:
            await event.remote.send(f"echo {await event.data}", event.label)

        a.on("channel:message", handler)
        b.send("x", "chat")
        assert await (await log.wait("channel:message")).data == "echo x"


async def test_a_sender_that_leaves_amid_a_message_does_not_end_the_peer_whose_handler_awaits_it() -> None:
    async with peers_in_room() as (a, b):
        log = Log(a, "channel:error")
        begun = anyio.Event()

        async def handler(event: MessageEvent) -> None:
            begun.set()
            await event.data

        a.on("channel:message", handler)

        async def endless() -> Any:
            yield b"x"
            await anyio.sleep_forever()

        b.send(endless(), "chat")
        with fail_after(PATIENCE):
            await begun.wait()
        await b.leave()
        assert isinstance((await log.wait("channel:error")).error, TransferAborted)
        await anyio.sleep(0.05)
        assert len(log.events) == 1
        assert a.active


async def test_bad_json_does_not_end_the_peer_whose_handler_awaits_it() -> None:
    from peerix.core.rooms.transfer.packets import first_packet, id_prefix
    from peerix.core.rooms.values import JSON

    async with peers_in_room() as (a, b):
        log = Log(a, "channel:error")

        async def handler(event: MessageEvent) -> None:
            await event.data

        a.on("channel:message", handler)
        connection = remote_of(b, a).connection
        assert connection is not None
        channel = connection.create_data_channel("low")
        await channel.send(first_packet(id_prefix(1), JSON, None, b"{", done=True))
        assert "not JSON" in str((await log.wait("channel:error")).error)


async def test_wrong_use_in_a_handler_ends_the_peer() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with peers_in_room() as (a, b):

            async def handler(event: MessageEvent) -> None:
                await a.join("another")

            a.on("channel:message", handler)
            b.send("go", "chat")
            with fail_after(PATIENCE):
                await anyio.sleep_forever()
    assert caught.group_contains(LocalProtocolError)


async def test_remote_peers_have_events_of_their_own() -> None:
    async with peers_in_room(3) as (a, b, c):
        seen: list[str] = []
        remote_of(a, b).on("channel:message", lambda event: seen.append(event.remote.id))
        await b.send("x", "chat", to=a.id)
        await c.send("y", "chat", to=a.id)
        await until(lambda: seen == [b.id])


async def test_an_event_stream_of_a_remote_peer_ends_when_it_is_gone() -> None:
    async with peers_in_room() as (a, b):
        names: list[str] = []
        with fail_after(PATIENCE):
            async with remote_of(a, b).events("connection", "channel") as events:
                await b.leave()
                names.extend([event.name async for event in events])
        assert names == ["channel:close", "connection:closed"]


async def test_an_event_stream_ends_with_the_block() -> None:
    async with local_peer() as peer:
        stream = peer.events()
        await stream.__aenter__()
    with fail_after(PATIENCE):
        assert [event async for event in stream] == []


async def test_an_event_stream_survives_leave_and_join() -> None:
    async with entered_peers(2) as (a, b), a.events("connection:connected") as events:
        for _ in range(2):
            await meet(a, b)
            with fail_after(PATIENCE):
                await events.receive()
            await a.leave()
            await b.leave()


async def test_leaving_the_block_lets_handlers_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peerix.peer.CLOSE_TIMEOUT", PATIENCE)
    finished: list[str] = []

    async def handler(event: ConnectionEvent) -> None:
        await anyio.sleep(0.1)
        finished.append(event.name)

    async with local_peer() as a, local_peer() as b:
        await meet(a, b)
        a.on("connection:closed", handler)
    assert finished == ["connection:closed"]


async def test_leaving_the_block_does_not_wait_for_a_handler_that_never_ends() -> None:
    started = anyio.Event()

    async def handler(event: ConnectionEvent) -> None:
        started.set()
        await anyio.sleep_forever()

    with fail_after(PATIENCE):
        async with local_peer() as a, local_peer() as b:
            a.on("connection", handler)
            await meet(a, b)
            await started.wait()


async def test_an_events_lost_in_a_handler_is_the_callers_bug() -> None:
    def handler(event: object) -> None:
        raise EventsLost("of my own stream")

    with pytest.raises(ExceptionGroup):
        async with entered_peers(2) as (a, b):
            a.on("connection", handler)
            await meet(a, b)
            with fail_after(PATIENCE):
                await anyio.sleep_forever()
