from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peerix.core.errors import (
    TransferAborted,
    TransferTimeout,
)
from peerix.core.rooms.transfer.channel import ChannelTransfers
from peerix.core.rooms.transfer.incoming import (
    IncomingState,
    IncomingTransfer,
    MessageAdvanced,
    MessageFailed,
    MessageStarted,
)
from peerix.core.rooms.transfer.packets import (
    CHUNK_SIZE,
    abortion,
    acknowledgement,
    cancellation,
)
from peerix.core.rooms.transfer.receiver import (
    ABORT_GRACE,
    MAX_OPEN,
    MESSAGE_COST,
    READ_TIMEOUT,
    STALL_TIMEOUT,
)
from tests.core.rooms.transfers import (
    BYTES,
    ONE,
    PLENTY,
    TEXT,
    Pair,
    error_of,
    first,
    following,
    receive,
    started,
    state_of,
)

if TYPE_CHECKING:
    from peerix.core.rooms.transfer.outgoing import (
        OutgoingTransfer,
    )


def test_a_message_is_there_at_its_first_packet() -> None:
    channel = Pair().b
    message = receive(channel, first(1, b"one"))
    assert state_of(message) is IncomingState.OPEN
    assert channel.receiver.read(message, 0.0) == [b"one"]
    channel.receive_packet(following(1, 1, b"two"), 0.0)
    channel.receive_packet(following(1, 2, b"three", done=True), 0.0)
    assert channel.poll_events() == [MessageAdvanced(message)]
    assert state_of(message) is IncomingState.ENDED
    assert channel.receiver.read(message, 0.0) == [b"two", b"three"]
    assert channel.packets_to_send(0) == [acknowledgement(1)]


def test_a_short_message_is_one_event() -> None:
    channel = Pair().b
    channel.receive_packet(first(1, done=True), 0.0)
    (event,) = channel.poll_events()
    assert isinstance(event, MessageStarted)
    assert event.transfer.state is IncomingState.ENDED


FULL = bytes(CHUNK_SIZE)


def full_packets(number: int, count: int) -> list[bytes]:
    return [first(number, FULL), *(following(number, index, FULL) for index in range(1, count))]


def test_full_packets_in_a_row_are_the_message() -> None:
    channel = Pair().b
    rows = [bytes([index]) * CHUNK_SIZE for index in range(5)]
    message = receive(channel, first(1, rows[0]))
    for index, row in enumerate(rows[1:], 1):
        channel.receive_packet(following(1, index, row), 0.0)
    channel.receive_packet(following(1, 5, b"end", done=True), 0.0)
    assert b"".join(channel.receiver.read(message, 0.0)) == b"".join(rows) + b"end"
    assert message.received == 5 * CHUNK_SIZE + 3


def test_full_packets_of_two_messages_do_not_mix() -> None:
    channel = Pair().b
    for both in zip(full_packets(1, 4), full_packets(2, 4), strict=True):
        for packet in both:
            channel.receive_packet(packet, 0.0)
    assert [message.received for message in started(channel)] == [4 * CHUNK_SIZE] * 2


@pytest.mark.parametrize("index", [2, 4])
def test_a_full_packet_that_is_not_the_next_fails_the_message(index: int) -> None:
    channel = Pair().b
    for packet in full_packets(1, 3):
        channel.receive_packet(packet, 0.0)
    (message,) = started(channel)
    channel.receive_packet(following(1, index, FULL), 0.0)
    assert state_of(message) is IncomingState.FAILED


@pytest.mark.parametrize(("cancel", "answers"), [(False, [acknowledgement(1)]), (True, [cancellation(1)] * 2)])
def test_full_packets_of_a_message_that_nobody_wants_are_dropped(cancel: bool, answers: list[bytes]) -> None:
    channel = Pair().b
    for packet in full_packets(1, 3):
        channel.receive_packet(packet, 0.0)
    (message,) = started(channel)
    (channel.receiver.cancel if cancel else channel.receiver.discard)(message)
    channel.receive_packet(following(1, 3, FULL), 0.0)
    channel.receive_packet(following(1, 4, FULL, done=True), 0.0)
    assert channel.receiver.unread_bytes == 0
    assert channel.packets_to_send(0) == answers


def test_full_packets_go_to_the_message_that_has_the_id_now() -> None:
    channel = Pair().b
    for packet in [*full_packets(1, 2), first(1, b"new"), following(1, 1, FULL)]:
        channel.receive_packet(packet, 0.0)
    assert [message.received for message in started(channel)] == [2 * CHUNK_SIZE, CHUNK_SIZE + 3]


def test_a_discarded_message_is_acknowledged() -> None:
    channel = Pair().b
    message = receive(channel, first(1))
    channel.receiver.discard(message)
    channel.receive_packet(following(1, 1, done=True), 0.0)
    assert channel.packets_to_send(0) == [acknowledgement(1)]
    assert channel.poll_events() == []
    assert channel.receiver.unread_bytes == 0


def test_a_cancelled_message_is_discarded_to_its_end() -> None:
    channel = Pair().b
    message = receive(channel, first(1))
    channel.receiver.cancel(message)
    assert channel.packets_to_send(0) == [cancellation(1)]
    assert state_of(message) is IncomingState.FAILED
    for index in range(1, 5):
        channel.receive_packet(following(1, index), 0.0)
    assert channel.poll_events() == []
    channel.receive_packet(following(1, 5, done=True), 0.0)
    # A browser that went on now waits for an acknowledgement; told once more it stops waiting.
    assert channel.packets_to_send(0) == [cancellation(1)]


def test_the_second_cancellation_is_left_out_when_it_could_mean_our_message() -> None:
    channel = ChannelTransfers(polite=True, first_id=1)
    message = receive(channel, first(1))
    channel.receiver.cancel(message)
    channel.packets_to_send(0)
    channel.receiver.handle_abort(2)
    sender = channel.sender
    sender._is_incoming = lambda _: False
    sender.start(b"ours", kind=TEXT)
    channel.packets_to_send(PLENTY)
    channel.receive_packet(following(1, 1, done=True), 0.0)
    assert channel.packets_to_send(0) == []


def test_a_sender_that_was_cancelled_frees_the_receivers_table() -> None:
    pair = Pair()
    transfer = pair.a.sender.start(bytes(5 * CHUNK_SIZE), kind=BYTES)
    for packet in pair.a.packets_to_send(ONE):
        pair.b.receive_packet(packet, 0.0)
    (message,) = started(pair.b)
    pair.b.receiver.cancel(message)
    for packet in pair.b.packets_to_send(0):
        pair.a.receive_packet(packet, 0.0)
    assert isinstance(transfer.error, TransferAborted)
    (packet,) = pair.a.packets_to_send(PLENTY)
    pair.b.receive_packet(packet, 0.0)
    assert not pair.b.receiver.is_incoming(transfer.id)


def test_an_abort_by_the_sender_fails_the_message() -> None:
    channel = Pair().b
    message = receive(channel, first(1))
    channel.receive_packet(abortion(1), 0.0)
    (event,) = channel.poll_events()
    assert isinstance(event, MessageFailed)
    assert isinstance(error_of(message), TransferAborted)
    assert channel.receiver.unread_bytes == 0


def ambiguous() -> tuple[ChannelTransfers, OutgoingTransfer, IncomingTransfer]:
    """Give a channel with a message of the same id in each direction."""
    channel = ChannelTransfers(polite=True, first_id=1)
    outgoing = channel.sender.start(b"x", kind=TEXT)
    channel.packets_to_send(PLENTY)
    message = receive(channel, first(1))
    channel.receive_packet(cancellation(1), 5.0)
    channel.poll_events()
    return channel, outgoing, message


def test_an_abort_that_may_mean_either_stops_ours_at_once() -> None:
    _, outgoing, message = ambiguous()
    assert isinstance(outgoing.error, TransferAborted)
    assert state_of(message) is IncomingState.OPEN


def test_a_message_that_stands_still_after_an_ambiguous_abort_was_aborted() -> None:
    channel, _, message = ambiguous()
    assert channel.next_timeout() == 5.0 + ABORT_GRACE
    channel.handle_timeout(5.0 + ABORT_GRACE)
    assert isinstance(error_of(message), TransferAborted)


def test_a_message_that_goes_on_after_an_ambiguous_abort_was_not_meant() -> None:
    channel, _, message = ambiguous()
    channel.receive_packet(following(1, 1), 6.0)
    channel.handle_timeout(5.0 + ABORT_GRACE)
    channel.receive_packet(following(1, 2, done=True), 60.0)
    assert state_of(message) is IncomingState.ENDED


def test_an_abort_in_a_browsers_words_fails_the_message_when_it_can_mean_nothing_else() -> None:
    channel = Pair().b
    message = receive(channel, first(1))
    channel.receive_packet(cancellation(1), 0.0)
    assert isinstance(error_of(message), TransferAborted)


def test_a_message_that_stalls_fails_and_its_sender_is_told() -> None:
    channel = Pair().b
    message = receive(channel, first(1))
    now = 0.0
    while message.state is IncomingState.OPEN:
        at = channel.next_timeout()
        assert at is not None
        assert at > now or now == 0
        now = at
        channel.handle_timeout(now)
    assert now == STALL_TIMEOUT
    assert isinstance(error_of(message), TransferTimeout)
    assert channel.packets_to_send(0) == [cancellation(1)]
    assert channel.next_timeout() is None


def test_a_message_that_goes_on_does_not_stall() -> None:
    channel = Pair().b
    message = receive(channel, first(1))
    for index in range(1, 10):
        now = index * STALL_TIMEOUT * 0.9
        channel.handle_timeout(now)
        channel.receive_packet(following(1, index), now)
    assert state_of(message) is IncomingState.OPEN


@pytest.mark.parametrize("done", [False, True])
def test_a_reader_that_takes_nothing_while_the_window_is_closed_loses_its_message(done: bool) -> None:
    channel = Pair().b
    message = receive(channel, first(1, done=done))
    channel.packets_to_send(0)
    channel.handle_timeout(50.0)
    channel.set_window_open(False, 50.0)
    channel.handle_timeout(50.0 + READ_TIMEOUT - 0.1)
    assert error_of(message) is None
    channel.handle_timeout(50.0 + READ_TIMEOUT)
    (event,) = channel.poll_events()
    assert isinstance(event, MessageFailed)
    assert isinstance(error_of(message), TransferTimeout)
    assert channel.packets_to_send(0) == ([] if done else [cancellation(1)])
    assert channel.receiver.unread_bytes == 0


def test_a_reader_that_takes_something_in_time_keeps_its_message() -> None:
    channel = Pair().b
    message = receive(channel, first(1))
    channel.set_window_open(False, 0.0)
    for index in range(1, 10):
        now = index * READ_TIMEOUT * 0.9
        channel.receive_packet(following(1, index), now)
        channel.receiver.read(message, now)
        channel.handle_timeout(now)
    assert state_of(message) is IncomingState.OPEN


def test_bytes_that_arrive_after_the_window_closed_are_on_the_clock_too() -> None:
    channel = Pair().b
    message = receive(channel, first(1))
    channel.receiver.read(message, 0.0)
    channel.set_window_open(False, 0.0)
    now = 0.0
    channel.receive_packet(following(1, 1), 15.0)
    while message.error is None:
        at = channel.next_timeout()
        assert at is not None
        now = max(at, 15.0)
        channel.handle_timeout(now)
    assert now <= 2 * READ_TIMEOUT


def test_a_sender_is_not_blamed_while_the_window_is_closed() -> None:
    channel = Pair().b
    message = receive(channel, first(1))
    channel.receiver.read(message, 0.0)
    channel.set_window_open(False, 1.0)
    channel.handle_timeout(1000.0)
    channel.set_window_open(True, 1000.0)
    channel.handle_timeout(1000.0 + STALL_TIMEOUT - 1)
    assert state_of(message) is IncomingState.OPEN
    channel.handle_timeout(1000.0 + STALL_TIMEOUT)
    assert state_of(message) is IncomingState.FAILED


def test_open_messages_are_bounded() -> None:
    channel = Pair().b
    for number in range(1, MAX_OPEN + 3):
        channel.receive_packet(first(number), 0.0)
    assert len(started(channel)) == MAX_OPEN
    assert channel.packets_to_send(0) == [cancellation(MAX_OPEN + 1), cancellation(MAX_OPEN + 2)]


def test_empty_messages_count_on_the_window_until_they_are_read() -> None:
    channel = Pair().b
    for _ in range(1000):
        channel.receive_packet(first(1, b"", done=True), 0.0)
    held = -channel.take_credit()
    assert held > 1000 * (MESSAGE_COST - 20)
    messages = started(channel)
    for message in messages:
        assert channel.receiver.read(message, 0.0) in ([], [b""])
    assert channel.take_credit() == 1000 * MESSAGE_COST


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_packets_that_come_together_are_taken_as_if_each_had_come_alone(batch: int) -> None:
    data, other = bytes(range(256)) * 2000, b"z" * 5
    long = [first(1), *(following(1, index, bytes([index]) * CHUNK_SIZE) for index in range(1, 30))]
    packets = [
        *long[:12],
        b"\xff no packet",
        first(2, other),
        *long[12:20],
        following(2, 1, data[:CHUNK_SIZE]),
        *long[20:],
        following(1, 30, b"end", done=True),
        following(2, 2, b"end", done=True),
    ]
    channel = Pair().b
    found: list[IncomingTransfer] = []
    for start in range(0, len(packets), batch):
        channel.receive_packets(packets[start : start + batch], 0.0)
        found += started(channel)
    assert [b"".join(channel.receiver.read(message, 0.0)) for message in found] == [
        b"x" + b"".join(bytes([index]) * CHUNK_SIZE for index in range(1, 30)) + b"end",
        other + data[:CHUNK_SIZE] + b"end",
    ]
    assert channel.take_arrived() == channel.take_credit() == sum(map(len, packets))


def test_a_missing_packet_ends_the_run_and_the_message() -> None:
    channel = Pair().b
    message = receive(channel, first(1))
    full = [following(1, index, b"y" * CHUNK_SIZE) for index in range(1, 10)]
    channel.receive_packets([*full[:4], *full[5:]], 0.0)
    assert state_of(message) is IncomingState.FAILED


def test_a_run_of_a_message_that_nobody_wants_is_not_kept() -> None:
    channel = Pair().b
    message = receive(channel, first(1))
    full = [following(1, index, b"y" * CHUNK_SIZE) for index in range(1, 10)]
    channel.receive_packets(full[:4], 0.0)
    channel.receiver.discard(message)
    channel.receive_packets(full[4:], 0.0)
    assert channel.receiver.unread_bytes == 0
    assert message.received == 1 + 9 * CHUNK_SIZE
