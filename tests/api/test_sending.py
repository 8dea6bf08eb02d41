from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import create_task_group, fail_after
from anyio.lowlevel import checkpoint

from peerix import (
    EventsLost,
    MessageTooLarge,
    Peer,
    Progress,
    Transfer,
    TransferAborted,
    TransferTimeout,
)
from peerix.sources import content_of
from peerix.transfers import NEWS_INTERVAL, Delivery
from tests.support.peers import Log, entered_peers, local_peer, meet, peers_in_room, remote_of
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def exchange(sender: Peer, receiver: Peer, message: object, **options: Any) -> Any:
    """Send a message and give what arrives."""
    with fail_after(PATIENCE):
        async with receiver.events("channel:message") as messages:
            transfer = sender.send(message, "chat", **options)
            event = await messages.receive()
            data = await event.data
            await transfer
            return data


async def blocks(*given: bytes) -> AsyncIterator[bytes]:
    for block in given:
        await checkpoint()
        yield block


@pytest.mark.parametrize(
    "message",
    ["hello", "Grüße 🌍", "", {"a": [1, 2.5, None, True]}, [], 7, None, True, b"\x00\xff", b""],
    ids=repr,
)
async def test_a_message_arrives_in_the_type_it_was_sent_as(message: object) -> None:
    async with peers_in_room() as (a, b):
        received = await exchange(a, b, message)
        assert received == message
        assert type(received) is type(message)


async def test_messages_go_in_both_directions() -> None:
    async with peers_in_room() as (a, b):
        assert await exchange(a, b, "there") == "there"
        assert await exchange(b, a, "back") == "back"


async def test_bytes_like_objects_arrive_as_bytes() -> None:
    async with peers_in_room() as (a, b):
        assert await exchange(a, b, bytearray(b"ab")) == b"ab"
        assert await exchange(a, b, memoryview(b"cd")) == b"cd"


async def test_a_list_that_is_changed_after_send_arrives_as_it_was() -> None:
    async with peers_in_room() as (a, b):
        message = [1]
        async with b.events("channel:message") as messages:
            a.send(message, "chat")
            message.append(2)
            with fail_after(PATIENCE):
                assert await (await messages.receive()).data == [1]


async def test_a_large_message_arrives_whole() -> None:
    async with peers_in_room() as (a, b):
        message = bytes(range(256)) * 20_000
        assert await exchange(a, b, message) == message


async def test_a_file_arrives(tmp_path: Path) -> None:
    path = tmp_path / "file"
    content = bytes(range(256)) * 10_000
    path.write_bytes(content)
    async with peers_in_room() as (a, b):
        assert await exchange(a, b, path) == content


async def test_an_open_file_arrives() -> None:
    async with peers_in_room() as (a, b):
        assert await exchange(a, b, io.BytesIO(b"content")) == b"content"


async def test_an_async_iterable_arrives() -> None:
    async with peers_in_room() as (a, b):
        assert await exchange(a, b, blocks(b"a", b"b", b"x" * 100_000)) == b"ab" + b"x" * 100_000


async def test_an_async_iterable_goes_to_everybody() -> None:
    async with peers_in_room(3) as (a, b, c):
        logs = [Log(b, "channel:message"), Log(c, "channel:message")]
        data: list[bytes] = []

        async def collect(event: Any) -> None:
            data.append(await event.data)

        for log, peer in zip(logs, (b, c), strict=True):
            peer.on("channel:message", collect)
            assert not log.events
        await a.send(blocks(b"x" * 200_000, b"y"), "chat")
        await until(lambda: len(data) == 2)
        assert data == [b"x" * 200_000 + b"y"] * 2


async def test_bytes_of_an_iterable_arrive_before_it_ends() -> None:
    more = anyio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"first"
        await more.wait()
        yield b"second"

    async with peers_in_room() as (a, b), b.events("channel:message") as messages:
        a.send(slow(), "chat")
        with fail_after(PATIENCE):
            chunks = aiter((await messages.receive()).data)
            assert await anext(chunks) == b"first"
            more.set()
            assert await anext(chunks) == b"second"


@pytest.mark.parametrize("info", [{"name": "ü"}, "text", 0, [1]], ids=repr)
async def test_info_goes_with_the_message(info: object) -> None:
    async with peers_in_room() as (a, b), b.events("channel:message") as messages:
        a.send("x", "chat", info=info)
        with fail_after(PATIENCE):
            assert (await messages.receive()).info == info


async def test_a_message_without_info_has_none() -> None:
    async with peers_in_room() as (a, b), b.events("channel:message") as messages:
        a.send("x", "chat")
        with fail_after(PATIENCE):
            assert (await messages.receive()).info is None


async def test_info_above_the_limit_is_refused_at_once() -> None:
    async with peers_in_room() as (a, _):
        with pytest.raises(MessageTooLarge):
            a.send("x", "chat", info="y" * 17_000)


async def test_what_cannot_be_sent_is_refused_at_once() -> None:
    async with peers_in_room() as (a, _):
        with pytest.raises(TypeError):
            a.send(object(), "chat")


async def test_awaiting_a_transfer_gives_the_ids_of_those_who_have_it() -> None:
    async with peers_in_room(3) as (a, b, c):
        assert set(await a.send("x", "chat")) == {b.id, c.id}


async def test_to_chooses_the_receivers() -> None:
    async with peers_in_room(3) as (a, b, c):
        log = Log(c, "channel:message")
        assert b.id is not None
        assert await a.send("by id", "chat", to=b.id) == (b.id,)
        assert await a.send("by remote peer", "chat", to=remote_of(a, b)) == (b.id,)
        assert await a.send("by list", "chat", to=[b.id]) == (b.id,)
        assert not log.events


async def test_an_unknown_receiver_gives_an_empty_result_at_once() -> None:
    async with peers_in_room() as (a, _):
        assert await a.send("x", "chat", to="nobody") == ()


async def test_without_remote_peers_the_result_is_empty_at_once() -> None:
    async with entered_peers(1) as (peer,):
        assert await peer.send("x") == ()
        await peer.join()
        assert await peer.send("x") == ()


async def test_send_outside_the_block_raises() -> None:
    async with local_peer() as peer:
        pass
    with pytest.raises(anyio.ClosedResourceError):
        peer.send("x")


async def test_a_remote_peer_and_a_channel_can_send() -> None:
    async with peers_in_room() as (a, b):
        log = Log(b, "channel:message")
        remote = remote_of(a, b)
        assert await remote.send("one", "chat") == (b.id,)
        assert await remote.channels["chat"].send("two") == (b.id,)
        assert len(log.events) == 2


async def test_ten_thousand_small_messages_arrive_in_order() -> None:
    async with peers_in_room() as (a, b):
        with fail_after(60):
            async with b.events("channel:message") as messages:
                transfers = [a.send(number, "chat") for number in range(10_000)]
                received = [await (await messages.receive()).data for _ in range(10_000)]
                assert received == list(range(10_000))
                assert all([await transfer == (b.id,) for transfer in transfers])


async def test_ten_thousand_small_messages_reach_a_handler_in_order() -> None:
    async with peers_in_room() as (a, b):
        received: list[object] = []

        async def handler(event: Any) -> None:
            received.append(await event.data)

        b.on("channel:message", handler)
        for number in range(10_000):
            a.send(number, "chat")
        await until(lambda: len(received) == 10_000, within=60)
        assert received == list(range(10_000))


async def test_a_small_message_does_not_wait_behind_a_large_one() -> None:
    async with peers_in_room() as (a, _b):
        small_done = anyio.Event()

        async def small() -> None:
            await a.send("small", "chat")
            small_done.set()

        large = a.send(bytes(30_000_000), "chat")
        with fail_after(PATIENCE):
            async with create_task_group() as tasks:
                tasks.start_soon(small)
                await small_done.wait()
                assert not large.done
                await large


async def test_a_message_sent_right_after_open_arrives() -> None:
    async with entered_peers(2) as (a, b):
        log = Log(b, "channel:message")
        await meet(a, b)
        await a.open("new")
        with fail_after(PATIENCE):
            assert await a.send("x", "new") == (b.id,)
        await log.wait("channel:message")


async def test_a_message_sent_while_the_connection_is_being_made_arrives() -> None:
    async with entered_peers(2) as (a, b):
        log = Log(b, "channel:message")
        await a.open("chat")
        await a.join("room")
        await b.join("room")
        await until(lambda: a.remotes)
        with fail_after(PATIENCE):
            assert await a.send("early", "chat") == (b.id,)
        await log.wait("channel:message")


async def test_a_message_to_a_label_that_nobody_opens_times_out() -> None:
    async with entered_peers(2, connection_timeout=0.3) as (a, b):
        await meet(a, b)
        with pytest.raises(TransferTimeout, match="'nothing'"):
            await a.send("x", "nothing")


async def test_progress_ends_with_done() -> None:
    async with peers_in_room() as (a, b):
        seen = [progress async for progress in a.send(bytes(1_000_000), "chat")]
        assert seen[-1] == Progress(b.id or "", "chat", 1_000_000, 1_000_000, True)
        assert [progress.done for progress in seen[:-1]] == [False] * (len(seen) - 1)


async def test_progress_grows() -> None:
    async with peers_in_room() as (a, _):
        seen = [progress.current async for progress in a.send(bytes(5_000_000), "chat")]
        assert len(seen) > 1
        assert seen == sorted(seen)


def test_progress_is_news_at_most_fifty_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("peerix.transfers.monotonic", lambda: now)
    transfer = Transfer("chat")
    delivery = Delivery(transfer, "them", content_of(b"abc"), None, lambda _: None)
    transfer.add(delivery)
    reader = aiter(transfer)
    delivery.advance(1)
    assert reader.take().current == 1
    delivery.advance(2)
    assert not reader.news
    now += NEWS_INTERVAL
    delivery.advance(3)
    assert reader.take().current == 3
    delivery.settle()
    assert reader.take().done


async def test_progress_of_a_file_knows_its_size(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(300_000))
    async with peers_in_room() as (a, _):
        seen = [progress async for progress in a.send(path, "chat")]
        assert seen[-1].total == 300_000


async def test_progress_of_an_iterable_has_no_total() -> None:
    async with peers_in_room() as (a, _):
        seen = [progress async for progress in a.send(blocks(b"abc"), "chat")]
        assert (seen[-1].current, seen[-1].total) == (3, None)


async def test_progress_of_a_transfer_that_is_over_ends() -> None:
    async with peers_in_room() as (a, b):
        transfer = a.send("x", "chat")
        await transfer
        assert [progress.id async for progress in transfer] == [b.id]


async def test_a_transfer_runs_when_nobody_looks_at_it() -> None:
    async with peers_in_room() as (a, b):
        log = Log(b, "channel:message")
        a.send("x", "chat")
        await log.wait("channel:message")


async def test_a_transfer_can_be_awaited_by_several_tasks() -> None:
    async with peers_in_room() as (a, b):
        transfer = a.send("x", "chat")
        results: list[tuple[str, ...]] = []

        async def wait() -> None:
            results.append(await transfer)

        async with create_task_group() as tasks:
            tasks.start_soon(wait)
            tasks.start_soon(wait)
        assert results == [(b.id,), (b.id,)]


async def test_a_missing_file_raises_when_the_transfer_is_awaited(tmp_path: Path) -> None:
    async with peers_in_room() as (a, _):
        with pytest.raises(FileNotFoundError):
            await a.send(tmp_path / "missing", "chat")


async def test_what_an_iterable_raises_comes_out_of_the_transfer() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 20_000
        raise KeyError("mine")

    async with peers_in_room() as (a, _):
        with pytest.raises(KeyError):
            await a.send(broken(), "chat")


async def test_a_failure_that_nobody_awaits_is_a_channel_error(tmp_path: Path) -> None:
    async with peers_in_room() as (a, b):
        log = Log(a, "channel:error")
        a.send(tmp_path / "missing", "chat")
        event = await log.wait("channel:error")
        assert (event.label, event.remote.id) == ("chat", b.id)
        assert isinstance(event.error.__cause__, FileNotFoundError)


async def test_a_failure_that_is_awaited_is_no_event(tmp_path: Path) -> None:
    async with peers_in_room() as (a, _):
        log = Log(a, "channel:error")
        with pytest.raises(FileNotFoundError):
            await a.send(tmp_path / "missing", "chat")
        await a.send("x", "chat")
        assert not log.events


async def test_too_many_messages_at_once_would_block() -> None:
    async with peers_in_room(max_pending=3) as (a, _):
        for _ in range(3):
            a.send("x", "chat")
        with pytest.raises(anyio.WouldBlock):
            a.send("x", "chat")


async def test_too_many_bytes_at_once_would_block() -> None:
    async with peers_in_room(max_pending_bytes=100_000) as (a, _):
        a.send(bytes(60_000), "chat")
        with pytest.raises(anyio.WouldBlock):
            a.send(bytes(60_000), "chat")


async def test_one_message_may_be_larger_than_the_bound() -> None:
    async with peers_in_room(max_pending_bytes=1000) as (a, b):
        assert await a.send(bytes(60_000), "chat") == (b.id,)


async def test_writable_waits_for_room() -> None:
    async with peers_in_room(max_pending=4) as (a, _):
        sent = 0
        with fail_after(PATIENCE):
            while sent < 100:
                try:
                    a.send("x", "chat")
                except anyio.WouldBlock:
                    await a.writable("chat")
                else:
                    sent += 1


async def test_writable_returns_at_once_when_there_is_room() -> None:
    async with peers_in_room() as (a, _):
        with fail_after(PATIENCE):
            await a.writable("chat")


async def test_a_message_above_the_limit_cannot_be_awaited() -> None:
    async with peers_in_room(max_message_size=100_000) as (a, b), b.events("channel:message") as messages:
        transfer = a.send(bytes(300_000), "chat")
        with fail_after(PATIENCE):
            event = await messages.receive()
            with pytest.raises(MessageTooLarge):
                await event.data
            with pytest.raises(TransferAborted, match="receiver"):
                await transfer


async def test_an_event_stream_with_a_small_buffer_says_what_it_lost() -> None:
    async with peers_in_room() as (a, b), b.events("channel:message", max_buffer=5) as messages:
        with fail_after(PATIENCE):
            for transfer in [a.send(number, "chat") for number in range(20)]:
                await transfer
            received = [await (await messages.receive()).data for _ in range(5)]
            with pytest.raises(EventsLost, match="15"):
                await messages.receive()
        assert received == [0, 1, 2, 3, 4]


async def test_events_come_in_the_order_of_first_packets() -> None:
    async with peers_in_room() as (a, b):
        seen: list[object] = []
        b.on("channel:message", lambda event: seen.append(event.info))
        transfers = [a.send(bytes(size), "chat", info=size) for size in (100_000, 10, 50_000, 20)]
        for transfer in transfers:
            await transfer
        await until(lambda: len(seen) == 4)
        assert seen == [100_000, 10, 50_000, 20]
