from __future__ import annotations

import itertools

import pytest

from peerix.core.errors import (
    DataChannelError,
    LocalProtocolError,
    MessageTooLarge,
    TransferAborted,
    TransferTimeout,
)
from peerix.core.rooms.transfer.outgoing import (
    ACKNOWLEDGEMENT_TIMEOUT,
    OutgoingState,
    TransferAdvanced,
    TransferFailed,
    TransferWantsData,
)
from peerix.core.rooms.transfer.packets import (
    CHUNK_SIZE,
    abortion,
    parse_packet,
)
from peerix.core.rooms.transfer.sender import FEED_SIZE, MAX_IN_FLIGHT, MAX_UNFINISHED, TransferSender
from tests.core.rooms.transfers import (
    BYTES,
    ONE,
    PLENTY,
    TEXT,
    Pair,
    error_of,
    first,
    ids_of,
    receive,
    started,
)


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


def test_packets_are_the_same_one_by_one_and_all_at_once() -> None:
    data = bytes(range(256)) * 500
    at_once, one_by_one = Pair().a.sender, Pair().a.sender
    packets: list[bytes] = []
    for sender in (at_once, one_by_one):
        source = sender.start_source(kind=BYTES, info=b"{}")
        sender.feed(source, data[:70_000])
        sender.feed(source, data[70_000:], last=True)
    while one_by_one.has_packets:
        packets += one_by_one.packets_to_send(ONE)
    assert at_once.packets_to_send(PLENTY) == packets
    assert (at_once.offset, at_once.pending_bytes) == (one_by_one.offset, 0)


def test_a_long_message_that_is_alone_keeps_to_the_room() -> None:
    sender = Pair().a.sender
    sender.start(bytes(20 * CHUNK_SIZE), kind=BYTES)
    sender.packets_to_send(ONE)
    assert len(sender.packets_to_send(4 * CHUNK_SIZE)) == 4


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


def test_no_more_messages_are_begun_and_unfinished_than_a_receiver_keeps_open() -> None:
    sender = Pair().a.sender
    for _ in range(MAX_UNFINISHED + 10):
        sender.start(bytes(2 * CHUNK_SIZE), kind=TEXT)
    begun = sender.packets_to_send(MAX_UNFINISHED * CHUNK_SIZE)
    assert len(set(ids_of(begun))) == len(begun) == MAX_UNFINISHED
    assert ids_of(sender.packets_to_send(3 * CHUNK_SIZE))[:1] == ids_of(begun)[:1]


def test_a_message_that_ends_or_fails_lets_another_begin() -> None:
    sender = Pair().a.sender
    transfers = [sender.start(bytes(2 * CHUNK_SIZE), kind=TEXT) for _ in range(MAX_UNFINISHED + 2)]
    sender.packets_to_send(MAX_UNFINISHED * CHUNK_SIZE)
    sender.packets_to_send(1)
    assert transfers[-2].id == 0
    sender.packets_to_send(MAX_UNFINISHED * CHUNK_SIZE)
    sender.abort(transfers[-2])
    sender.packets_to_send(MAX_UNFINISHED * CHUNK_SIZE)
    assert transfers[-1].id != 0


def test_it_says_up_to_where_a_delivery_would_be_news() -> None:
    sender = Pair().a.sender
    news = [sender.undelivered]
    sender.start(b"x", kind=TEXT)
    sender.packets_to_send(PLENTY)
    news.append(sender.undelivered)
    sender.handle_delivered(sender.offset, 0.0)
    news.append(sender.undelivered)
    assert news == [None, sender.offset, None]


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
