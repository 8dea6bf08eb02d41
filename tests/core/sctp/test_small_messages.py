"""Small messages share packets, and are kept track of and handed up by the packet until something tells them apart."""

from __future__ import annotations

import pytest

from peerix.core.errors import LocalProtocolError
from peerix.core.sctp import Association, MessageReceived, MessagesReceived, NewReno, SctpConfig
from peerix.core.sctp.messages import OutboundStream, Queued
from peerix.core.sctp.outstanding import Outstanding
from tests.core.sctp.pairs import START, Pair, connected, exchange, received
from tests.support.simnet import Link

BOTH = pytest.mark.parametrize("interleaving", [False, True])


def pair(*, interleaving: bool) -> tuple[Association, Association]:
    return connected(SctpConfig(congestion_control=NewReno, path_mtu_discovery=False, interleaving=interleaving))


def numbered(count: int) -> list[bytes]:
    return [number.to_bytes(4, "big") * 8 for number in range(count)]


def send(a: Association, messages: list[bytes], stream_id: int = 0, *, ordered: bool = True) -> None:
    for data in messages:
        a.send_message(stream_id, 53, data, ordered=ordered, now=START)


def settle_all(a: Association) -> None:
    assert not a._outbound.outstanding.is_waiting
    assert a.outstanding_bytes == a.unacknowledged_amount(0) == 0


@BOTH
def test_messages_that_come_together_are_one_event(interleaving: bool) -> None:
    a, b = pair(interleaving=interleaving)
    send(a, [b"first"])
    exchange(a, b)
    b.poll_events()
    messages = numbered(100)
    send(a, messages)
    exchange(a, b)
    assert b.poll_events() == [MessagesReceived(0, 53, messages)]
    settle_all(a)


@BOTH
def test_another_stream_or_protocol_ends_the_event(interleaving: bool) -> None:
    a, b = pair(interleaving=interleaving)
    for stream_id in range(2):
        send(a, [b"first"], stream_id)
    exchange(a, b)
    b.poll_events()
    send(a, numbered(2))
    a.send_message(0, 51, b"text", now=START)
    exchange(a, b)
    send(a, numbered(3), 1)
    exchange(a, b)
    assert b.poll_events() == [
        MessagesReceived(0, 53, numbered(2)),
        MessageReceived(0, 51, b"text"),
        MessagesReceived(1, 53, numbered(3)),
    ]


@BOTH
def test_a_packet_of_messages_that_was_lost_is_all_that_goes_again(interleaving: bool) -> None:
    a, b = pair(interleaving=interleaving)
    messages = numbered(110)
    send(a, messages)
    packets = a.packets_to_send(START, 8)
    assert len(packets) > 3
    b.receive_packets([packets[0], *packets[2:]], START)
    exchange(a, b, START + 0.1)
    deadline = a.next_timeout()
    assert deadline is not None
    a.handle_timeout(deadline)
    exchange(a, b, deadline)
    b.handle_timeout(deadline + 1)
    exchange(a, b, deadline + 1)
    assert [message.data for message in received(b)] == messages
    assert 10 < a.counters.sent.retransmitted_chunks < 40
    settle_all(a)


@BOTH
def test_messages_of_a_flight_without_an_answer_all_go_again(interleaving: bool) -> None:
    a, b = pair(interleaving=interleaving)
    messages = numbered(60)
    send(a, messages)
    assert a.packets_to_send(START, 8)
    for _ in range(4):
        deadline = a.next_timeout()
        assert deadline is not None
        a.handle_timeout(deadline)
        exchange(a, b, deadline)
    assert [message.data for message in received(b)] == messages
    settle_all(a)


@BOTH
@pytest.mark.parametrize("seed", range(3))
def test_messages_of_all_kinds_arrive_once_whatever_the_path_does(interleaving: bool, seed: int) -> None:
    config = SctpConfig(interleaving=interleaving)
    link = Link(latency=0.02, loss=0.1, duplication=0.1, jitter=0.03)
    path = Pair(link, config=config, seed=seed).connect(seconds=60)
    a = path.a.association
    for number in range(900):
        size = (64, 31, 5000)[number % 100 // 49]
        unordered, limited = number % 7 == 3, number % 97 == 5
        a.send_message(
            unordered,
            53,
            number.to_bytes(4, "big").ljust(size, b"."),
            ordered=not unordered,
            max_retransmits=0 if limited else None,
            now=path.now,
        )
    assert path.run(300, lambda: not a._outbound.outstanding.is_waiting and not a.total_buffered)
    numbers = [
        [int.from_bytes(data[:4], "big") for stream, data in path.b.messages if stream == which] for which in (0, 1)
    ]
    unlimited = [number for number in range(900) if number % 97 != 5]
    assert numbers[0] == sorted(numbers[0])
    assert len(set(numbers[1])) == len(numbers[1])
    assert {*unlimited} <= {*numbers[0], *numbers[1]}
    assert a.outstanding_bytes == a.unacknowledged_amount(0) == a.unacknowledged_amount(1) == 0


def test_what_left_is_unacknowledged_until_the_answer_and_not_buffered() -> None:
    a, b = pair(interleaving=True)
    send(a, numbered(10))
    assert (a.buffered_amount(0), a.unacknowledged_amount(0)) == (320, 320)
    packets = a.packets_to_send(START, 8)
    assert (a.buffered_amount(0), a.unacknowledged_amount(0), a.outstanding_bytes) == (0, 320, 320)
    b.receive_packets(packets, START)
    exchange(a, b, START + 1)
    b.handle_timeout(START + 1)
    exchange(a, b, START + 1)
    settle_all(a)


def outstanding_runs() -> tuple[Outstanding, OutboundStream]:
    outstanding, stream = Outstanding(10), OutboundStream(3)
    for first in (10, 14, 18):
        messages: list[Queued] = [(53, b"abcd", 0)] * 4
        outstanding.add_run((first, first + 3, 16, float(first), stream, first, 0xFFFF, messages))
    return outstanding, stream


def test_an_answer_in_the_middle_of_a_packet_leaves_the_rest_of_its_messages() -> None:
    outstanding, stream = outstanding_runs()
    delivered = outstanding.acknowledge(15, ())
    assert (delivered.size, delivered.sent_at, delivered.tsn, delivered.sends) == (24, 14.0, 15, 1)
    assert (outstanding.flight, stream.unacked, sorted(outstanding.chunks), len(outstanding.runs)) == (
        24,
        24,
        [16, 17],
        1,
    )
    assert [chunk[0].number for chunk in outstanding.chunks.values()] == [16, 17]


def test_a_gap_tells_the_messages_below_its_end_apart() -> None:
    outstanding, stream = outstanding_runs()
    delivered = outstanding.acknowledge(9, (6, 7))
    assert (delivered.size, delivered.tsn, delivered.holes) == (8, 16, [range(10, 15)])
    assert (outstanding.flight, stream.unacked, len(outstanding.runs)) == (40, 40, 1)
    assert outstanding.mark_lost(12) is not None
    assert outstanding.next_lost() == 12


def test_silence_marks_every_message_lost() -> None:
    outstanding, _ = outstanding_runs()
    assert len(outstanding.mark_all_lost()) == 12
    assert (outstanding.flight, list(outstanding.lost)) == (0, list(range(10, 22)))


def test_the_last_message_is_what_probes_for_a_lost_tail() -> None:
    outstanding, _ = outstanding_runs()
    assert outstanding.highest_in_flight() == 21


def test_nothing_is_put_before_the_handshake_nor_while_the_association_closes() -> None:
    fresh = Association(random_bytes=bytes)
    with pytest.raises(LocalProtocolError):
        fresh.put(0, 53, b"early", 5)
    a, b = pair(interleaving=True)
    a.put(0, 53, b"in time", 7)
    a.shutdown(START)
    with pytest.raises(LocalProtocolError):
        a.put(0, 53, b"late", 4)
    b.receive_packets(a.packets_to_send(START, 8), START)
    assert [message.data for message in received(b)] == [b"in time"]
    b.handle_timeout(START + 1)
    exchange(a, b, START + 1)
    with pytest.raises(LocalProtocolError):
        b.put(0, 53, b"late", 4)
