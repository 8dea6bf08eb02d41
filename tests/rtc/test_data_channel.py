"""Data channels between two connections on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio import (
    ClosedResourceError,
    EndOfStream,
    WouldBlock,
    create_task_group,
    fail_after,
    get_cancelled_exc_class,
    move_on_after,
    sleep,
    sleep_forever,
)
from anyio.lowlevel import checkpoint

from peerix.core.errors import LocalProtocolError, MessageTooLarge
from peerix.rtc import Configuration, DataChannel, PeerConnection, ReadyState
from peerix.rtc.data_channel import HIGH_WATER, LOW_WATER, MESSAGE_OVERHEAD
from tests.support.connections import LOOPBACK, connected_pair, negotiate, next_channel
from tests.support.waiting import AT_ONCE, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.anyio

SMALL_WINDOW = Configuration(addresses=("127.0.0.1",), receive_limit=1024 * 1024)


async def send_all(channel: DataChannel, messages: Sequence[str | bytes]) -> None:
    for message in messages:
        await channel.send(message)


@pytest.mark.parametrize("message", ["text", "schön 🎉", b"bytes", "", b"", b"x" * 262_144])
async def test_messages_arrive_as_what_they_were_sent(message: str | bytes) -> None:
    async with connected_pair() as (_, _, ours, theirs):
        await ours.send(message)
        with fail_after(PATIENCE):
            assert await theirs.receive() == message


async def test_messages_go_both_ways() -> None:
    async with connected_pair() as (_, _, ours, theirs):
        await ours.send("ping")
        with fail_after(PATIENCE):
            assert await theirs.receive() == "ping"
            await theirs.send("pong")
            assert await ours.receive() == "pong"


async def test_a_message_can_be_sent_before_the_channel_is_open() -> None:
    async with PeerConnection(LOOPBACK) as a, PeerConnection(LOOPBACK) as b, b.events() as events:
        channel = a.create_data_channel("early")
        async with create_task_group() as tasks:
            tasks.start_soon(channel.send, "hello")
            await negotiate(a, b)
            theirs = await next_channel(events)
            with fail_after(PATIENCE):
                assert await theirs.receive() == "hello"


async def test_ten_thousand_small_messages_arrive_in_order() -> None:
    async with connected_pair() as (_, _, ours, theirs), create_task_group() as tasks:
        messages = [str(number) for number in range(10_000)]
        tasks.start_soon(send_all, ours, messages)
        with fail_after(PATIENCE):
            assert [await theirs.receive() for _ in messages] == messages


async def test_small_messages_of_all_kinds_keep_their_order() -> None:
    kinds: list[str | bytes] = [b"bytes", b"more bytes", "text", b"", b"x" * 3000, b"y", "", b"z"]
    messages = kinds * 500
    async with connected_pair() as (_, _, ours, theirs), create_task_group() as tasks:
        tasks.start_soon(send_all, ours, messages)
        with fail_after(PATIENCE):
            assert [await theirs.receive() for _ in messages] == messages
        assert ours.counters.messages_sent == theirs.counters.messages_received == len(messages)
        assert ours.counters.bytes_sent == theirs.counters.bytes_received == sum(map(len, messages))


async def test_small_messages_that_nobody_read_can_be_read_after_the_end() -> None:
    messages = [bytes([number]) for number in range(200)]
    async with connected_pair() as (_, _, ours, theirs):
        for message in messages:
            await ours.send(message)
        ours.close()
        with fail_after(PATIENCE):
            assert [message async for message in theirs] == messages


async def test_many_megabytes_arrive_unchanged() -> None:
    parts = [bytes([number]) * 65_536 for number in range(200)]
    async with connected_pair() as (_, _, ours, theirs), create_task_group() as tasks:
        tasks.start_soon(send_all, ours, parts)
        with fail_after(PATIENCE):
            assert [await theirs.receive() for _ in parts] == parts


async def test_channels_of_one_connection_do_not_mix() -> None:
    async with connected_pair() as (a, b, ours, theirs), b.events() as events:
        second = a.create_data_channel("second")
        theirs_second = await next_channel(events)
        await ours.send("first")
        await second.send("second")
        with fail_after(PATIENCE):
            assert await theirs_second.receive() == "second"
            assert await theirs.receive() == "first"


async def test_a_negotiated_channel_needs_no_announcement() -> None:
    async with PeerConnection(LOOPBACK) as a, PeerConnection(LOOPBACK) as b:
        ours = a.create_data_channel("", negotiated=True, id=0)
        theirs = b.create_data_channel("", negotiated=True, id=0)
        await negotiate(a, b)
        with fail_after(PATIENCE):
            await theirs.send("hello")
            assert await ours.receive() == "hello"


async def test_a_negotiated_channel_opens_at_once_on_a_connection_that_is_up() -> None:
    async with connected_pair() as (a, _, _, _):
        channel = a.create_data_channel("", negotiated=True, id=0)
        with fail_after(PATIENCE):
            await channel.wait_open()


async def test_what_was_agreed_is_the_same_on_both_sides() -> None:
    options = {"ordered": False, "max_retransmits": 3, "protocol": "chat.v1"}
    async with connected_pair(**options) as (_, _, ours, theirs):  # type: ignore[arg-type]
        for channel in (ours, theirs):
            assert (channel.label, channel.ordered, channel.max_retransmits) == ("chat", False, 3)
            assert (channel.protocol, channel.max_packet_life_time, channel.negotiated) == ("chat.v1", None, False)
        assert ours.id == theirs.id


async def test_both_sides_take_messages_of_256_kib() -> None:
    async with connected_pair() as (_, _, ours, theirs):
        assert ours.max_message_size == theirs.max_message_size == 262_144


async def test_a_message_above_the_limit_is_refused_and_loses_nothing() -> None:
    async with connected_pair() as (_, _, ours, theirs):
        with pytest.raises(MessageTooLarge, match="262145"):
            await ours.send(bytes(262_145))
        await ours.send("next")
        with fail_after(PATIENCE):
            assert await theirs.receive() == "next"


async def test_a_message_of_another_type_is_refused() -> None:
    async with connected_pair() as (_, _, ours, _theirs):
        with pytest.raises(LocalProtocolError, match="int"):
            await ours.send(5)  # type: ignore[arg-type]


async def test_send_nowait_would_block_before_the_channel_is_open() -> None:
    async with PeerConnection(LOOPBACK) as a:
        with pytest.raises(WouldBlock):
            a.create_data_channel("x").send_nowait("early")


async def test_messages_sent_together_arrive_one_by_one_and_are_counted() -> None:
    async with connected_pair() as (_, _, ours, theirs):
        assert ours.send_all_nowait([b"one", b"three"]) == 8
        with fail_after(PATIENCE):
            assert [await theirs.receive(), await theirs.receive()] == [b"one", b"three"]
        assert (ours.counters.messages_sent, ours.counters.bytes_sent) == (2, 8)


async def test_messages_are_not_sent_together_when_the_channel_is_not_open() -> None:
    async with PeerConnection(LOOPBACK) as a:
        with pytest.raises(WouldBlock):
            a.create_data_channel("x").send_all_nowait([b"early"])
    async with connected_pair() as (_, _, ours, _theirs):
        ours.close()
        with pytest.raises(ClosedResourceError):
            ours.send_all_nowait([b"late"])


async def test_messages_sent_together_would_block_above_the_high_water_mark() -> None:
    async with connected_pair() as (_, _, ours, _theirs):
        with pytest.raises(WouldBlock):
            for _ in range(100):
                ours.send_all_nowait([bytes(16_384)] * 4)
        assert ours.buffered_amount > HIGH_WATER


async def test_receive_nowait_would_block_when_there_is_nothing() -> None:
    async with connected_pair() as (_, _, ours, _theirs):
        with pytest.raises(WouldBlock):
            ours.receive_nowait()


async def fill(channel: DataChannel) -> int:
    """Send until nothing is taken for a while; returns how many bytes were."""
    message = bytes(65_536)
    sent = 0
    while True:
        with move_on_after(0.5) as scope:
            await channel.send(message)
        if scope.cancelled_caught:
            return sent
        sent += len(message)


async def test_send_waits_when_the_other_side_does_not_read() -> None:
    async with connected_pair(SMALL_WINDOW) as (_, _, ours, theirs):
        sent = await fill(ours)
        assert ours.buffered_amount > LOW_WATER
        received = 0
        with fail_after(PATIENCE):
            while received < sent:
                received += len(await theirs.receive())


async def test_send_nowait_would_block_above_the_high_water_mark() -> None:
    async with connected_pair() as (_, _, ours, _theirs):
        with pytest.raises(WouldBlock):
            for _ in range(100):
                ours.send_nowait(bytes(65_536))
        assert ours.buffered_amount > HIGH_WATER


async def test_memory_stays_bounded_when_nobody_reads() -> None:
    limit = SMALL_WINDOW.receive_limit
    async with connected_pair(SMALL_WINDOW) as (_, _, ours, _theirs):
        assert limit < await fill(ours) <= limit + 2 * HIGH_WATER + 262_144


async def test_a_reader_that_stops_does_not_stop_another_connection() -> None:
    async with connected_pair(SMALL_WINDOW) as (_, _, stuck, _), connected_pair() as (_, _, ours, theirs):
        await fill(stuck)
        await ours.send("still here")
        with fail_after(PATIENCE):
            assert await theirs.receive() == "still here"


async def test_drained_returns_when_the_other_side_has_it_all() -> None:
    async with connected_pair() as (_, _, ours, theirs):
        await ours.send(bytes(200_000))
        with fail_after(PATIENCE):
            await ours.drained()
        assert len(theirs.receive_nowait()) == 200_000


async def test_closing_delivers_what_was_sent_before_and_then_the_end() -> None:
    async with connected_pair() as (_, _, ours, theirs):
        for number in range(100):
            await ours.send(str(number) * 1000)
        await ours.aclose()
        with fail_after(PATIENCE):
            assert [message async for message in theirs] == [str(n) * 1000 for n in range(100)]
        with pytest.raises(EndOfStream):
            await theirs.receive()


async def test_a_closed_channel_refuses_to_send_and_to_receive_here() -> None:
    async with connected_pair() as (_, _, ours, theirs):
        await ours.aclose()
        with pytest.raises(ClosedResourceError):
            await ours.send("late")
        with fail_after(PATIENCE):
            with pytest.raises(EndOfStream):
                await theirs.receive()
            with pytest.raises(ClosedResourceError):
                await ours.receive()


async def test_the_answerer_can_close_too() -> None:
    async with connected_pair() as (_, _, ours, theirs):
        await theirs.aclose()
        with fail_after(PATIENCE), pytest.raises(EndOfStream):
            await ours.receive()


async def test_a_label_can_be_opened_again_after_it_was_closed() -> None:
    async with connected_pair() as (a, b, ours, theirs), b.events() as events:
        await ours.aclose()
        with fail_after(PATIENCE), pytest.raises(EndOfStream):
            await theirs.receive()
        again = a.create_data_channel("chat")
        theirs_again = await next_channel(events)
        await again.send("again")
        with fail_after(PATIENCE):
            assert await theirs_again.receive() == "again"


async def test_cancelling_a_channel_closes_it_and_no_other() -> None:
    async with connected_pair() as (a, b, ours, theirs), b.events() as events:
        sibling = a.create_data_channel("sibling")
        theirs_sibling = await next_channel(events)
        await checkpoint()
        ours.cancel_scope.cancel()
        with fail_after(AT_ONCE), pytest.raises(EndOfStream):
            await theirs.receive()
        with pytest.raises(ClosedResourceError):
            await ours.send("late")
        await sibling.send("untouched")
        with fail_after(PATIENCE):
            assert await theirs_sibling.receive() == "untouched"


async def test_cancelling_a_channel_wakes_its_reader_with_an_error_and_not_a_cancellation() -> None:
    async with connected_pair() as (_, _, ours, _theirs), create_task_group() as tasks:
        outcome: list[type[BaseException]] = []

        async def read() -> None:
            try:
                await ours.receive()
            except ClosedResourceError as error:
                outcome.append(type(error))

        tasks.start_soon(read)
        await sleep(0.01)
        ours.cancel_scope.cancel()
        with fail_after(PATIENCE):
            while not outcome:
                await sleep(0.001)
        assert outcome == [ClosedResourceError]


async def test_a_task_bound_to_a_channel_ends_with_it() -> None:
    ended: list[str] = []

    async def run(channel: DataChannel) -> None:
        try:
            await sleep_forever()
        except get_cancelled_exc_class():
            ended.append(channel.label)
            raise

    async with connected_pair() as (_, _, ours, theirs):
        theirs.start_soon(run, theirs)
        await sleep(0.01)
        await ours.aclose()
        with fail_after(PATIENCE):
            while not ended:
                await sleep(0.001)
    assert ended == ["chat"]


async def test_an_error_in_a_bound_task_leaves_through_the_block_of_the_connection() -> None:
    async def fail() -> None:
        message = "bug"
        raise ValueError(message)

    with pytest.raises(BaseExceptionGroup) as caught:
        async with connected_pair() as (_, _, ours, _theirs):
            ours.start_soon(fail)
            await sleep_forever()
    assert caught.group_contains(ValueError, match="bug")


async def test_a_receiver_function_gets_messages_and_holds_the_window() -> None:
    async with connected_pair() as (_, b, ours, theirs):
        got: list[tuple[str | bytes, int]] = []
        theirs.set_receiver(lambda message, size: got.append((message, size)))
        await ours.send("é")
        with fail_after(PATIENCE):
            while not got:
                await sleep(0.001)
        assert got == [("é", 2)]
        b.release(2)


async def test_a_receiver_function_may_take_messages_together() -> None:
    async with connected_pair() as (_, b, ours, theirs):
        got: list[bytes] = []
        runs: list[int] = []

        def take(messages: Sequence[bytes], size: int) -> None:
            got.extend(messages)
            runs.append(len(messages))
            assert size == sum(map(len, messages))

        theirs.set_receiver(lambda message, _: got.append(bytes(str(message), "ascii")), None, take)
        sent = [bytes([number]) * 40 for number in range(100)]
        await ours.send("text")
        for message in sent:
            await ours.send(message)
        with fail_after(PATIENCE):
            while len(got) < 101:
                await sleep(0.001)
        assert got == [b"text", *sent]
        assert max(runs) > 1
        b.release(4004)


async def test_lossy_channels_deliver_on_a_good_link() -> None:
    async with connected_pair(ordered=False, max_packet_life_time=500) as (_, _, ours, theirs):
        for number in range(100):
            await ours.send(str(number))
        with fail_after(PATIENCE):
            got = {await theirs.receive() for _ in range(100)}
        assert got == {str(n) for n in range(100)}


async def test_the_state_follows_the_life_of_the_channel() -> None:
    async with connected_pair() as (_, _, ours, theirs):
        assert ours.ready_state is theirs.ready_state is ReadyState.OPEN
        await ours.aclose()
        with fail_after(PATIENCE):
            while ReadyState.CLOSED not in (ours.ready_state, theirs.ready_state):
                await sleep(0.001)


@pytest.mark.parametrize("call", ["send", "receive", "wait_open", "wait_sendable", "drained", "aclose"])
async def test_every_wait_of_a_channel_can_be_cancelled(call: str) -> None:
    async with connected_pair() as (_, _, ours, _theirs):
        arguments = ("x",) if call == "send" else ()
        with move_on_after(0.05) as scope:
            scope.cancel()
            await getattr(ours, call)(*arguments)
        assert scope.cancelled_caught


async def test_a_flood_of_tiny_messages_that_nobody_reads_fills_the_window() -> None:
    async with connected_pair(SMALL_WINDOW) as (_, _, ours, theirs):
        with move_on_after(1):
            while True:
                await ours.send(b"x")
        stored = 0
        with pytest.raises(WouldBlock):
            while True:
                theirs.receive_nowait()
                stored += 1
        assert 1_000 < stored < 2 * SMALL_WINDOW.receive_limit // MESSAGE_OVERHEAD


async def test_messages_that_were_never_read_do_not_narrow_the_window_for_ever() -> None:
    async with connected_pair(SMALL_WINDOW) as (a, b, ours, theirs), b.events() as events:
        for _ in range(8):
            await ours.send(bytes(100_000))
        await ours.aclose()
        with fail_after(PATIENCE):
            while theirs.ready_state is not ReadyState.CLOSED:
                await sleep(0.002)
        second = a.create_data_channel("second")
        theirs_second = await next_channel(events)
        with fail_after(PATIENCE):
            for _ in range(9):
                await second.send(bytes(100_000))
            await second.drained()
        assert len(theirs_second.receive_nowait()) == 100_000
        assert len(await theirs.receive()) == 100_000
