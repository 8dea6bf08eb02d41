from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import create_task_group, fail_after
from anyio.lowlevel import checkpoint

from peerix.core.errors import DataChannelError, MessageTooLarge, TransferAborted
from peerix.core.rooms.transfer.channel import ChannelTransfers
from peerix.core.rooms.transfer.incoming import IncomingTransfer, MessageStarted
from peerix.core.rooms.transfer.packets import abortion, cancellation, first_packet, id_prefix, next_packet
from peerix.core.rooms.values import BYTES, JSON, TEXT
from peerix.messages import PIECE_SIZE, PIECES_SIZE, FrameData, IncomingMessage
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

ID = id_prefix(7)


class Channel:
    """The receiving side of a channel with one message, fed by hand."""

    def __init__(self, *, max_size: int = 1000, kind: int = BYTES, chunk: bytes = b"", done: bool = False) -> None:
        self.transfers = ChannelTransfers(polite=False)
        self.transfers.receive_packet(first_packet(ID, kind, None, chunk, done=done), 0.0)
        (started,) = self.transfers.poll_events()
        assert isinstance(started, MessageStarted)
        self.transfer = started.transfer
        self.message = IncomingMessage(self.transfer, self, max_size)
        self.message.taken()
        self.index = 0

    def feed(self, chunk: bytes, *, done: bool = False) -> None:
        self.index += 1
        self.transfers.receive_packet(next_packet(ID, self.index, chunk, done=done), 0.0)
        self.message.advance()

    def abort(self) -> None:
        self.transfers.receive_packet(abortion(7), 0.0)
        self.message.advance()

    def read(self, transfer: IncomingTransfer, now: float) -> list[bytes | memoryview]:
        return self.transfers.receiver.read(transfer, now)

    def discard(self, transfer: IncomingTransfer) -> None:
        self.transfers.receiver.discard(transfer)

    def cancel(self, transfer: IncomingTransfer) -> None:
        self.transfers.receiver.cancel(transfer)


async def soon(action: Callable[[], None]) -> None:
    for _ in range(5):
        await checkpoint()
    action()


async def test_text_is_awaited_as_str() -> None:
    assert await Channel(kind=TEXT, chunk="Grüße 🌍".encode(), done=True).message == "Grüße 🌍"


async def test_json_is_awaited_as_its_value() -> None:
    assert await Channel(kind=JSON, chunk=b'{"a":[1,null]}', done=True).message == {"a": [1, None]}


async def test_bytes_are_awaited_as_bytes() -> None:
    assert await Channel(chunk=b"\x00\xff", done=True).message == b"\x00\xff"


async def test_an_empty_message_is_awaited() -> None:
    assert await Channel(kind=TEXT, done=True).message == ""


async def test_bad_json_raises_for_everybody_who_awaits() -> None:
    message = Channel(kind=JSON, chunk=b"{", done=True).message
    for _ in range(2):
        with pytest.raises(DataChannelError, match="not JSON"):
            await message


async def test_awaiting_waits_for_the_last_packet() -> None:
    channel = Channel(chunk=b"ab")
    async with create_task_group() as tasks:
        tasks.start_soon(soon, lambda: channel.feed(b"cd", done=True))
        with fail_after(PATIENCE):
            assert await channel.message == b"abcd"


async def test_a_message_can_be_awaited_again() -> None:
    message = Channel(chunk=b"ab", done=True).message
    assert await message is await message


async def test_several_tasks_may_await_a_message() -> None:
    channel = Channel(chunk=b"ab")
    values: list[bytes] = []

    async def reader() -> None:
        values.append(await channel.message)

    with fail_after(PATIENCE):
        async with create_task_group() as tasks:
            tasks.start_soon(reader)
            tasks.start_soon(reader)
            tasks.start_soon(soon, lambda: channel.feed(b"", done=True))
    assert values == [b"ab", b"ab"]


async def test_an_abort_raises_in_everybody_who_awaits() -> None:
    channel = Channel(chunk=b"ab")
    raised: list[str] = []

    async def reader() -> None:
        with pytest.raises(TransferAborted):
            await channel.message
        raised.append("x")

    with fail_after(PATIENCE):
        async with create_task_group() as tasks:
            tasks.start_soon(reader)
            tasks.start_soon(reader)
            tasks.start_soon(soon, channel.abort)
    assert len(raised) == 2


async def test_a_message_above_the_limit_is_too_large_to_await() -> None:
    channel = Channel(chunk=b"x" * 11, max_size=10)
    with pytest.raises(MessageTooLarge):
        await channel.message


async def test_the_sender_of_a_message_that_is_too_large_is_told_to_stop() -> None:
    channel = Channel(chunk=b"x" * 11, max_size=10)
    with pytest.raises(MessageTooLarge):
        await channel.message
    assert channel.transfers.packets_to_send(0) == [cancellation(7)]


async def test_a_message_above_the_limit_can_be_iterated_over() -> None:
    channel = Channel(chunk=b"x" * 11, max_size=10, done=True)
    assert b"".join([chunk async for chunk in channel.message]) == b"x" * 11


async def test_iterating_gives_bytes_as_they_arrive() -> None:
    channel = Channel(chunk=b"ab")
    chunks = aiter(channel.message)
    assert await anext(chunks) == b"ab"
    channel.feed(b"cd")
    assert await anext(chunks) == b"cd"


async def test_iterating_ends_with_the_message() -> None:
    channel = Channel(chunk=b"ab")
    async with create_task_group() as tasks:
        tasks.start_soon(soon, lambda: channel.feed(b"cd", done=True))
        with fail_after(PATIENCE):
            assert [chunk async for chunk in channel.message] == [b"ab", b"cd"]


async def test_iterating_gives_much_in_pieces() -> None:
    channel = Channel(chunk=b"a" * PIECE_SIZE, done=False)
    channel.feed(b"b" * (PIECE_SIZE - 1))
    channel.feed(b"c" * 10)
    channel.feed(b"d", done=True)
    pieces = [piece async for piece in channel.message]
    assert pieces == [b"a" * PIECE_SIZE, b"b" * (PIECE_SIZE - 1) + b"c" * 10, b"d"]


async def test_pieces_that_were_taken_before_an_abort_are_given() -> None:
    channel = Channel(chunk=b"a" * PIECE_SIZE)
    channel.feed(b"b")
    iterator = aiter(channel.message)
    assert await anext(iterator) == b"a" * PIECE_SIZE
    channel.abort()
    assert await anext(iterator) == b"b"
    with pytest.raises(TransferAborted):
        await anext(iterator)


async def test_a_second_iterator_is_refused() -> None:
    message = Channel(chunk=b"ab").message
    iterator = aiter(message)
    with pytest.raises(anyio.BusyResourceError):
        aiter(message)
    assert await anext(iterator) == b"ab"


async def test_awaiting_is_refused_while_an_iterator_takes_the_bytes() -> None:
    message = Channel(chunk=b"ab").message
    iterator = aiter(message)
    with pytest.raises(anyio.BusyResourceError):
        await message
    assert await anext(iterator) == b"ab"


async def test_a_message_that_was_awaited_can_be_iterated_over() -> None:
    message = Channel(chunk=b"ab", done=True).message
    await message
    assert [chunk async for chunk in message] == [b"ab"]


async def test_one_may_await_and_another_iterate_when_awaiting_came_first() -> None:
    channel = Channel(chunk=b"ab")
    values: list[bytes] = []

    async def reader() -> None:
        values.append(await channel.message)

    with fail_after(PATIENCE):
        async with create_task_group() as tasks:
            tasks.start_soon(reader)
            await checkpoint()
            await checkpoint()
            tasks.start_soon(soon, lambda: channel.feed(b"cd", done=True))
            assert b"".join([chunk async for chunk in channel.message]) == b"abcd"
    assert values == [b"abcd"]


async def test_an_abort_raises_in_the_iterator() -> None:
    channel = Channel(chunk=b"ab")
    iterator = aiter(channel.message)
    await anext(iterator)
    channel.abort()
    with pytest.raises(TransferAborted):
        await anext(iterator)


async def test_a_cancelled_reader_can_read_again() -> None:
    channel = Channel(chunk=b"ab")
    with anyio.move_on_after(0.01):
        await channel.message
    channel.feed(b"cd", done=True)
    assert await channel.message == b"abcd"


async def test_unclaimed_data_of_a_handled_event_is_thrown_away() -> None:
    channel = Channel(chunk=b"ab")
    channel.message.handled()
    assert channel.transfers.receiver.unread_bytes == 0
    with pytest.raises(anyio.ClosedResourceError):
        await channel.message
    with pytest.raises(anyio.ClosedResourceError):
        aiter(channel.message)


async def test_data_is_kept_until_the_last_subscriber_has_handled_the_event() -> None:
    channel = Channel(chunk=b"ab")
    channel.message.taken()
    channel.message.handled()
    channel.feed(b"cd", done=True)
    assert await channel.message == b"abcd"


async def test_claimed_data_is_kept_after_the_event_was_handled() -> None:
    channel = Channel(chunk=b"ab")
    async with create_task_group() as tasks:
        tasks.start_soon(soon, lambda: channel.feed(b"cd", done=True))
        tasks.start_soon(soon, channel.message.handled)
        with fail_after(PATIENCE):
            assert await channel.message == b"abcd"


async def test_a_message_that_was_whole_when_its_event_was_handled_stays_readable() -> None:
    channel = Channel(chunk=b"ab", done=True)
    channel.message.handled()
    assert await channel.message == b"ab"


async def test_a_whole_message_of_a_handled_event_counts_no_more_as_unread() -> None:
    channel = Channel(chunk=b"ab", done=True)
    channel.message.handled()
    assert channel.transfers.receiver.unread_bytes == 0


async def test_data_of_an_iterator_that_was_left_is_thrown_away_after_the_event() -> None:
    channel = Channel(chunk=b"ab")
    async for _ in channel.message:
        break
    gc.collect()
    channel.feed(b"cd")
    channel.message.handled()
    assert channel.transfers.receiver.unread_bytes == 0


async def test_data_says_why_the_message_failed() -> None:
    channel = Channel(chunk=b"ab")
    assert channel.message.failure is None
    channel.abort()
    assert isinstance(channel.message.failure, TransferAborted)


async def test_a_frame_is_awaited_as_what_it_is() -> None:
    assert await FrameData("text", lambda: None) == "text"
    assert await FrameData(b"bytes", lambda: None) == b"bytes"


async def test_a_frame_is_iterated_over_as_bytes() -> None:
    assert [chunk async for chunk in FrameData("ü", lambda: None)] == ["ü".encode()]


async def test_a_frame_leaves_the_window_once_when_it_is_claimed() -> None:
    released: list[int] = []
    frame = FrameData(b"bytes", lambda: released.append(1))
    frame.taken()
    await frame
    frame.handled()
    assert released == [1]


async def test_a_frame_that_nobody_claims_leaves_the_window_when_its_event_is_handled() -> None:
    released: list[int] = []
    frame = FrameData(b"bytes", lambda: released.append(1))
    frame.taken()
    frame.handled()
    assert released == [1]


async def test_cancelling_tells_the_sender_to_stop() -> None:
    channel = Channel(chunk=b"ab")
    channel.message.cancel()
    assert channel.transfers.packets_to_send(0) == [cancellation(7)]


async def test_cancelling_raises_in_everybody_who_reads_now_or_later() -> None:
    channel = Channel(chunk=b"x" * 11, max_size=10)
    iterator = aiter(channel.message)
    await anext(iterator)
    channel.message.cancel()
    with pytest.raises(TransferAborted, match="receiver"):
        await anext(iterator)
    with pytest.raises(TransferAborted, match="receiver"):
        await channel.message


async def test_cancelling_wakes_who_waits() -> None:
    channel = Channel(chunk=b"ab")
    async with create_task_group() as tasks:
        tasks.start_soon(soon, channel.message.cancel)
        with fail_after(PATIENCE), pytest.raises(TransferAborted):
            await channel.message


async def test_cancelling_leaves_nothing_unread() -> None:
    channel = Channel(chunk=b"ab")
    channel.message.cancel()
    channel.feed(b"cd")
    assert channel.transfers.receiver.unread_bytes == 0


async def test_a_message_that_is_whole_is_not_changed_by_cancelling() -> None:
    channel = Channel(chunk=b"ab", done=True)
    channel.message.cancel()
    assert await channel.message == b"ab"


async def test_cancelling_twice_is_once() -> None:
    channel = Channel(chunk=b"ab")
    channel.message.cancel()
    channel.message.cancel()
    assert channel.transfers.packets_to_send(0) == [cancellation(7)]


async def test_a_message_that_nobody_wanted_can_still_be_cancelled() -> None:
    channel = Channel(chunk=b"ab")
    channel.message.handled()
    channel.message.cancel()
    assert channel.transfers.packets_to_send(0) == [cancellation(7)]


async def test_a_frame_is_not_changed_by_cancelling() -> None:
    data = FrameData("frame", lambda: None)
    data.cancel()
    assert await data == "frame"


async def test_pieces_are_what_has_come_and_not_put_together() -> None:
    channel = Channel(chunk=b"ab")
    channel.feed(b"cd")
    pieces = channel.message.pieces()
    assert await anext(pieces) == [b"ab", b"cd"]
    channel.feed(b"e", done=True)
    assert [piece async for piece in pieces] == [[b"e"]]


async def test_pieces_are_given_a_part_at_a_time_when_many_wait() -> None:
    channel = Channel(chunk=b"a", max_size=10)
    for _ in range(5):
        channel.feed(bytes(PIECES_SIZE // 4))
    channel.feed(b"z", done=True)
    assert [len(piece) async for piece in channel.message.pieces()] == [5, 2]


async def test_pieces_wait_for_more_and_tell_of_a_failure() -> None:
    channel = Channel()
    pieces = channel.message.pieces()
    async with create_task_group() as tasks:
        tasks.start_soon(soon, lambda: channel.feed(b"late"))
        assert await anext(pieces) == [b"late"]
    channel.abort()
    with pytest.raises(TransferAborted):
        await anext(pieces)


async def test_pieces_and_chunks_are_for_one_iterator_together() -> None:
    channel = Channel(chunk=b"ab")
    aiter(channel.message)
    with pytest.raises(anyio.BusyResourceError):
        channel.message.pieces()


async def test_a_frame_has_one_piece() -> None:
    assert [pieces async for pieces in FrameData("ü", lambda: None).pieces()] == [["ü".encode()]]
