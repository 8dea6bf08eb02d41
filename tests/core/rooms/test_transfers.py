from __future__ import annotations

import itertools
import random
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerix.core.errors import (
    DataChannelError,
    LocalProtocolError,
    MessageTooLarge,
    PeerixError,
    TransferAborted,
    TransferTimeout,
)
from peerix.core.rooms.protobuf import TRANSFER_SCHEMA, encode
from peerix.core.rooms.transfer.channel import BUFFER_TARGET, ChannelTransfers
from peerix.core.rooms.transfer.chunks import OutgoingChunks
from peerix.core.rooms.transfer.incoming import (
    IncomingState,
    IncomingTransfer,
    MessageAdvanced,
    MessageFailed,
    MessageStarted,
)
from peerix.core.rooms.transfer.outgoing import (
    ACKNOWLEDGEMENT_TIMEOUT,
    OutgoingState,
    OutgoingTransfer,
    TransferAdvanced,
    TransferFailed,
    TransferFinished,
    TransferWantsData,
)
from peerix.core.rooms.transfer.packets import (
    CHUNK_SIZE,
    abortion,
    acknowledgement,
    cancellation,
    first_packet,
    id_prefix,
    next_packet,
    parse_packet,
)
from peerix.core.rooms.transfer.receiver import (
    ABORT_GRACE,
    MAX_OPEN,
    MESSAGE_COST,
    READ_TIMEOUT,
    STALL_TIMEOUT,
)
from peerix.core.rooms.transfer.sender import FEED_SIZE, MAX_IN_FLIGHT, TransferSender

TEXT, BYTES = 1, 4
PLENTY = 1 << 30
ONE = 1  # room for one packet


class Pair:
    """Two ends of a channel that loses nothing."""

    def __init__(self) -> None:
        self.a = ChannelTransfers(polite=True)
        self.b = ChannelTransfers(polite=False)

    def exchange(self, room: int = PLENTY) -> None:
        for sender, receiver in ((self.a, self.b), (self.b, self.a), (self.a, self.b)):
            for packet in sender.packets_to_send(room):
                receiver.receive_packet(packet, 0.0)


def ids_of(packets: list[bytes]) -> list[int]:
    return [packet.id or 0 for packet in map(parse_packet, packets) if packet is not None]


def first(number: int, chunk: bytes = b"x", *, done: bool = False, kind: int = BYTES) -> bytes:
    return first_packet(id_prefix(number), kind, None, chunk, done=done)


def following(number: int, index: int, chunk: bytes = b"x", *, done: bool = False) -> bytes:
    return next_packet(id_prefix(number), index, chunk, done=done)


def started(channel: ChannelTransfers) -> list[IncomingTransfer]:
    return [event.transfer for event in channel.poll_events() if isinstance(event, MessageStarted)]


def state_of(message: IncomingTransfer) -> IncomingState:
    """Give the state; the type checkers do not know that it changes by itself."""
    return message.state


def error_of(message: IncomingTransfer) -> PeerixError | None:
    """Give the error, likewise."""
    return message.error


def receive(channel: ChannelTransfers, *packets: bytes, now: float = 0.0) -> IncomingTransfer:
    """Give packets of one message to a channel."""
    for packet in packets:
        channel.receive_packet(packet, now)
    (transfer,) = started(channel)
    return transfer


# The sender.


def test_a_short_message_overtakes_a_long_one() -> None:
    sender = Pair().a.sender
    sender.start(bytes(10 * CHUNK_SIZE), kind=BYTES)
    sender.packets_to_send(ONE)
    sender.start(b"short", kind=TEXT)
    long, short = ids_of(sender.packets_to_send(PLENTY))[:2]
    assert (long, short) == (21_845, 21_846)


def test_messages_take_turns_and_begin_in_order() -> None:
    sender = Pair().a.sender
    for _ in range(3):
        sender.start(bytes(3 * CHUNK_SIZE), kind=BYTES)
    base = 21_845
    assert [number - base for number in ids_of(sender.packets_to_send(PLENTY))] == [0, 1, 2] * 3


def test_a_source_without_data_opens_its_message_in_its_turn() -> None:
    sender = Pair().a.sender
    source = sender.start_source(kind=BYTES)
    sender.start(b"x", kind=TEXT)
    opening, other = map(parse_packet, sender.packets_to_send(PLENTY))
    assert opening is not None
    assert other is not None
    assert (opening.id, opening.chunk, opening.done) == (source.id, b"", False)
    assert other.chunk == b"x"


def test_a_source_is_asked_for_data_until_enough_is_there() -> None:
    sender = Pair().a.sender
    transfer = sender.start_source(kind=BYTES, total=3 * FEED_SIZE)
    assert sender.poll_events() == [TransferWantsData(transfer)]
    sender.feed(transfer, bytes(FEED_SIZE // 2))
    assert sender.poll_events() == [TransferWantsData(transfer)]
    sender.feed(transfer, bytes(FEED_SIZE))
    assert sender.poll_events() == []
    sender.packets_to_send(FEED_SIZE)
    assert TransferWantsData(transfer) in sender.poll_events()
    sender.packets_to_send(ONE)
    assert TransferWantsData(transfer) not in sender.poll_events()


def test_a_source_may_end_with_or_without_data() -> None:
    for data in (b"", b"end"):
        pair = Pair()
        transfer = pair.a.sender.start_source(kind=BYTES)
        pair.exchange()
        pair.a.sender.feed(transfer, b"begin ")
        pair.exchange()
        pair.a.sender.feed(transfer, data, last=True)
        pair.exchange()
        (message,) = started(pair.b)
        assert b"".join(pair.b.receiver.read(message, 0.0)) == b"begin " + data
        assert transfer.state is OutgoingState.FINISHED


def test_feeding_a_message_that_has_ended_is_an_error_and_one_that_is_over_is_not() -> None:
    sender = Pair().a.sender
    transfer = sender.start_source(kind=BYTES)
    sender.feed(transfer, b"x", last=True)
    with pytest.raises(LocalProtocolError):
        sender.feed(transfer, b"y")
    sender.abort(transfer)
    sender.feed(transfer, b"y")
    assert sender.pending_bytes == 0


def test_so_many_messages_are_in_flight_and_no_more() -> None:
    sender = Pair().a.sender
    for _ in range(MAX_IN_FLIGHT + 10):
        sender.start(b"x", kind=TEXT)
    packets = sender.packets_to_send(PLENTY)
    assert len(packets) == MAX_IN_FLIGHT
    assert sender.packets_to_send(PLENTY) == []
    sender.handle_acknowledgement(ids_of(packets)[5])
    assert sender.has_packets
    assert len(sender.packets_to_send(PLENTY)) == 1


def test_an_id_in_use_in_either_direction_is_left_out() -> None:
    sender = TransferSender(first_id=65_534, is_incoming=lambda number: number in (65_535, 1))
    for _ in range(3):
        sender.start(b"x", kind=TEXT)
    assert ids_of(sender.packets_to_send(PLENTY)) == [65_534, 2, 3]


def test_an_id_can_be_used_again_after_the_acknowledgement() -> None:
    sender = TransferSender(first_id=65_535, is_incoming=lambda number: number > 1)
    sender.start(b"x", kind=TEXT)
    assert ids_of(sender.packets_to_send(PLENTY)) == [1]
    sender.handle_acknowledgement(1)
    sender.start(b"y", kind=TEXT)
    assert ids_of(sender.packets_to_send(PLENTY)) == [1]


def test_the_two_sides_and_a_browser_count_from_far_apart() -> None:
    pair = Pair()
    numbers = [1]
    for channel in (pair.a, pair.b):
        channel.sender.start(b"x", kind=TEXT)
        numbers += ids_of(channel.packets_to_send(PLENTY))
    numbers.sort()
    assert min(later - earlier for earlier, later in itertools.pairwise(numbers)) > 20_000


def test_info_that_fits_no_packet_is_refused() -> None:
    with pytest.raises(MessageTooLarge):
        Pair().a.sender.start_source(kind=BYTES, info=bytes(CHUNK_SIZE))


def test_no_packet_has_more_than_16_kib() -> None:
    sender = TransferSender(first_id=65_535, is_incoming=lambda _: False)
    sender.start(bytes(3 * CHUNK_SIZE), kind=BYTES, info=bytes(9000))
    assert max(map(len, sender.packets_to_send(PLENTY))) <= 16_384


def test_progress_is_told_once_a_batch_and_not_for_one_packet() -> None:
    sender = Pair().a.sender
    long = sender.start(bytes(5 * CHUNK_SIZE), kind=BYTES)
    sender.start(b"x", kind=TEXT)
    sender.packets_to_send(PLENTY)
    assert sender.poll_events() == [TransferAdvanced(long)]
    assert long.sent == 5 * CHUNK_SIZE


def test_pending_counts_what_is_not_sent_and_not_acknowledged() -> None:
    pair = Pair()
    sender = pair.a.sender
    sender.start(bytes(2 * CHUNK_SIZE), kind=BYTES)
    assert (sender.pending_transfers, sender.pending_bytes) == (1, 2 * CHUNK_SIZE)
    sender.packets_to_send(ONE)
    assert (sender.pending_transfers, sender.pending_bytes) == (1, CHUNK_SIZE)
    sender.packets_to_send(ONE)
    assert (sender.pending_transfers, sender.pending_bytes) == (1, 0)
    sender.handle_acknowledgement(21_845)
    assert (sender.pending_transfers, sender.pending_bytes) == (0, 0)


@pytest.mark.parametrize("packets", [0, 1, 2])
def test_aborting_tells_the_receiver_when_it_knows_of_the_message(packets: int) -> None:
    sender = Pair().a.sender
    transfer = sender.start(bytes(3 * CHUNK_SIZE), kind=BYTES)
    for _ in range(packets):
        sender.packets_to_send(ONE)
    sender.poll_events()
    sender.abort(transfer)
    sender.abort(transfer)
    (event,) = sender.poll_events()
    assert isinstance(event, TransferFailed)
    assert isinstance(event.error, TransferAborted)
    assert sender.packets_to_send(PLENTY) == ([abortion(transfer.id)] if packets else [])
    assert (sender.pending_transfers, sender.pending_bytes) == (0, 0)


def test_aborts_need_no_room() -> None:
    sender = Pair().a.sender
    transfer = sender.start(bytes(3 * CHUNK_SIZE), kind=BYTES)
    sender.packets_to_send(ONE)
    sender.abort(transfer)
    assert sender.packets_to_send(0) == [abortion(transfer.id)]


def test_an_acknowledgement_of_a_message_that_is_not_sent_whole_is_ignored() -> None:
    sender = Pair().a.sender
    transfer = sender.start(bytes(3 * CHUNK_SIZE), kind=BYTES)
    sender.packets_to_send(ONE)
    sender.handle_acknowledgement(transfer.id)
    assert transfer.state is OutgoingState.SENDING
    sender.handle_acknowledgement(7)


def test_the_acknowledgement_timer_starts_when_the_last_byte_is_delivered() -> None:
    sender = Pair().a.sender
    transfer = sender.start(bytes(2 * CHUNK_SIZE), kind=BYTES)
    sender.packets_to_send(ONE)
    first_end = sender.offset
    sender.packets_to_send(ONE)
    assert sender.next_timeout() is None
    sender.handle_delivered(first_end, 1.0)
    assert sender.next_timeout() is None
    sender.handle_delivered(sender.offset, 2.0)
    assert sender.next_timeout() == 2.0 + ACKNOWLEDGEMENT_TIMEOUT
    sender.handle_timeout(11.9)
    assert transfer.state is OutgoingState.SENT
    sender.handle_timeout(12.0)
    assert isinstance(transfer.error, TransferTimeout)


def test_acknowledgement_timers_stand_still_while_paused() -> None:
    sender = Pair().a.sender
    for _ in range(2):
        sender.start(b"x", kind=TEXT)
        sender.packets_to_send(PLENTY)
    half = sender.offset // 2
    sender.handle_delivered(half, 0.0)
    sender.pause_timers(4.0)
    sender.pause_timers(5.0)
    sender.handle_delivered(sender.offset, 50.0)
    assert sender.next_timeout() is None
    sender.handle_timeout(100.0)
    assert sender.pending_transfers == 2
    sender.resume_timers(104.0)
    assert sender.next_timeout() == 110.0
    sender.handle_timeout(110.0)
    assert sender.pending_transfers == 1
    assert sender.next_timeout() == 114.0


def test_timers_of_settled_messages_are_dropped() -> None:
    sender = Pair().a.sender
    for _ in range(1000):
        transfer = sender.start(b"x", kind=TEXT)
        sender.packets_to_send(PLENTY)
        sender.handle_acknowledgement(transfer.id)
        sender.handle_delivered(sender.offset, 0.0)
        assert sender.next_timeout() is None
    assert len(sender._timers._running) + len(sender._timers._undelivered) == 0


def test_closing_fails_whatever_is_pending() -> None:
    pair = Pair()
    for _ in range(MAX_IN_FLIGHT + 5):
        pair.a.sender.start(b"x", kind=TEXT)
    pair.a.packets_to_send(100)
    message = receive(pair.a, first(1))
    error = DataChannelError("gone")
    pair.a.close(error)
    failed = [event for event in pair.a.poll_events() if isinstance(event, TransferFailed)]
    assert len(failed) == MAX_IN_FLIGHT + 5
    assert error_of(message) is error
    assert pair.a.sender.pending_bytes == 0
    assert pair.a.packets_to_send(PLENTY) == []


# The receiver.


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


@given(st.integers(0, 2**32), st.lists(st.sampled_from(["read", "discard", "cancel", "abort"]), max_size=30))
def test_all_that_was_held_comes_back(seed: int, ends: list[str]) -> None:
    rng = random.Random(seed)
    channel = Pair().b
    given = credit = 0
    for number, end in enumerate(ends, 1):
        done = rng.random() < 0.5
        packets = [first(number, bytes(rng.randrange(100)), done=done)]
        if not done:
            packets += [following(number, 1, bytes(rng.randrange(100)), done=rng.random() < 0.5)]
        for packet in packets:
            channel.receive_packet(packet, 0.0)
            given += len(packet)
        credit += channel.take_credit()
        for message in started(channel):
            if end == "read":
                channel.receiver.read(message, 0.0)
            elif end == "discard":
                channel.receiver.discard(message)
            elif end == "cancel":
                channel.receiver.cancel(message)
            else:
                channel.receive_packet(abortion(number), 0.0)
                given += len(abortion(number))
                channel.receiver.read(message, 0.0)
    channel.close(DataChannelError("closed"))
    assert credit + channel.take_credit() == given
    assert channel.receiver.unread_bytes == 0


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(0, 3),
        "ask": st.booleans(),
        "index": st.integers(0, 2),
        "type": st.integers(0, 5),
        "abort": st.booleans(),
        "done": st.booleans(),
        "info": st.sampled_from([b"", b"{}", b"nope", b"[" * 5000]),
        "chunk": st.binary(max_size=3),
    },
)


@settings(max_examples=300)
@given(st.lists(FIELDS | st.binary(max_size=8), max_size=30), st.booleans())
def test_no_packets_raise_or_leak(packets: list[dict[str, bool | int | bytes] | bytes], cancel: bool) -> None:
    channel = ChannelTransfers(polite=True, first_id=1)
    received = 0
    for number, packet in enumerate(packets):
        channel.sender.start(b"x" * 20_000, kind=BYTES)
        channel.packets_to_send(ONE)
        data = packet if isinstance(packet, bytes) else encode(TRANSFER_SCHEMA, packet)
        received += len(data)
        channel.receive_packet(data, float(number))
        for message in started(channel):
            if cancel:
                channel.receiver.cancel(message)
        channel.handle_timeout(float(number))
    channel.close(DataChannelError("closed"))
    for event in channel.poll_events():
        assert not isinstance(event, TransferFinished)
    held = [*channel.receiver._held]
    for message in held:
        channel.receiver.discard(message)
    assert channel.take_credit() == received
    assert channel.receiver.unread_bytes == 0


# Both together.


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 5 * CHUNK_SIZE), min_size=1, max_size=12))
def test_interleaved_messages_arrive_whole_and_in_order(seed: int, sizes: list[int]) -> None:
    rng = random.Random(seed)
    pair = Pair()
    contents = [rng.randbytes(size) for size in sizes]
    sources: dict[OutgoingTransfer, deque[bytes]] = {}
    for content in contents:
        if rng.random() < 0.5:
            pair.a.sender.start(content, kind=BYTES)
        else:
            cut = rng.randrange(len(content) + 1)
            transfer = pair.a.sender.start_source(kind=BYTES)
            sources[transfer] = deque((content[:cut], content[cut:]))
    received: dict[IncomingTransfer, bytes] = {}
    finished = 0
    while finished < len(contents):
        for transfer, blocks in sources.items():
            if blocks and rng.random() < 0.5:
                block = blocks.popleft()
                pair.a.sender.feed(transfer, block, last=not blocks)
        pair.exchange(rng.choice((ONE, BUFFER_TARGET)))
        for event in pair.b.poll_events():
            if isinstance(event, MessageStarted):
                received[event.transfer] = b""
        for message in received:
            received[message] += b"".join(pair.b.receiver.read(message, 0.0))
        finished += sum(isinstance(event, TransferFinished) for event in pair.a.poll_events())
    assert list(received.values()) == contents
    assert pair.a.sender.pending_bytes == 0
    assert pair.b.next_timeout() is None or not pair.b.receiver._open


@given(st.lists(st.binary(max_size=50), max_size=8), st.integers(1, 40))
def test_chunks_are_cut_at_the_limit_and_nowhere_else(blocks: list[bytes], limit: int) -> None:
    chunks = OutgoingChunks(ended=True)
    for block in blocks:
        chunks.append(block)
    whole = b"".join(blocks)
    pieces: list[bytes] = []
    while chunks.size:
        pieces.append(bytes(chunks.take(limit)))
    assert pieces == [whole[start : start + limit] for start in range(0, len(whole), limit)]


def test_the_window_of_a_channel_pauses_its_acknowledgement_timers() -> None:
    channel = Pair().a
    channel.sender.start(b"x", kind=TEXT)
    channel.packets_to_send(PLENTY)
    channel.sender.handle_delivered(channel.sender.offset, 0.0)
    assert channel.next_timeout() == ACKNOWLEDGEMENT_TIMEOUT
    channel.set_window_open(False, 1.0)
    channel.set_window_open(True, 101.0)
    assert channel.sender.next_timeout() == ACKNOWLEDGEMENT_TIMEOUT + 100.0
