"""Streams are reset (RFC 6525): after what was queued, once, and whatever gets lost."""

from __future__ import annotations

import struct

import pytest

from peerix.core.sctp import SctpConfig, StreamsReset, StreamsResetDone
from peerix.core.sctp.chunks import RE_CONFIG, read_chunk, read_tlvs, write_chunk, write_tlv
from peerix.core.sctp.reset import RESPONSE, ResetResult
from tests.core.sctp.pairs import START, Pair, connected, exchange, received
from tests.support.simnet import Link


def test_a_reset_is_seen_by_both_sides() -> None:
    a, b = connected()
    a.send_message(3, 53, b"last words", now=START)
    a.reset_streams([3], START)
    exchange(a, b)
    assert a.poll_events() == [StreamsResetDone((3,))]
    kinds = b.poll_events()
    assert kinds[-1] == StreamsReset((3,))
    assert len(kinds) == 2


def test_numbers_begin_anew_after_a_reset() -> None:
    a, b = connected()
    for _ in range(2):
        for number in range(3):
            a.send_message(3, 53, bytes([number]), now=START)
        exchange(a, b)
        assert [message.data[0] for message in received(b)] == [0, 1, 2]
        a.reset_streams([3], START)
        exchange(a, b)
        assert a.poll_events() == [StreamsResetDone((3,))]


def test_what_is_queued_leaves_before_the_reset() -> None:
    pair = Pair(Link(latency=0.02, bandwidth=500_000)).connect()
    for number in range(10):
        pair.send(bytes([number]) * 50_000, 3)
    pair.a.association.reset_streams([3], pair.now)
    assert pair.run(30, lambda: bool(pair.a.events))
    assert len(pair.b.on_stream(3)) == 10
    assert pair.b.events == [StreamsReset((3,))]


@pytest.mark.parametrize("seed", range(10))
def test_requests_and_answers_may_be_lost(seed: int) -> None:
    pair = Pair(Link(latency=0.02, loss=0.4), seed=seed).connect(seconds=120)
    pair.send(bytes(5000), 3)
    pair.a.association.reset_streams([3], pair.now)
    assert pair.run(60, lambda: bool(pair.a.events) and bool(pair.b.events))
    assert pair.a.events == [StreamsResetDone((3,))]
    assert pair.b.events == [StreamsReset((3,))]


@pytest.mark.parametrize("seed", range(5))
def test_a_bulk_transfer_on_another_stream_does_not_hold_it_up(seed: int) -> None:
    pair = Pair(Link(latency=0.02, bandwidth=1_000_000, loss=0.01), seed=seed).connect()
    for _ in range(40):
        pair.send(bytes(50_000), 1)
    pair.run(0.3)
    pair.send(b"x", 3)
    pair.a.association.reset_streams([3], pair.now)
    start = pair.now
    assert pair.run(30, lambda: StreamsResetDone((3,)) in pair.a.events)
    assert pair.now - start < 1.0
    assert pair.run(60, lambda: len(pair.b.on_stream(1)) == 40)


def test_messages_sent_while_it_is_reset_come_after_the_reset() -> None:
    pair = Pair(Link(latency=0.05)).connect()
    pair.send(b"old", 3)
    pair.a.association.reset_streams([3], pair.now)
    pair.run(0.01)
    pair.send(b"new", 3)
    assert pair.run(5, lambda: len(pair.b.on_stream(3)) == 2)
    assert pair.b.on_stream(3) == [b"old", b"new"]
    assert pair.b.events == [StreamsReset((3,))]


def test_both_sides_may_reset_at_once() -> None:
    a, b = connected()
    a.send_message(1, 53, b"x", now=START)
    b.send_message(1, 53, b"y", now=START)
    a.reset_streams([1], START)
    b.reset_streams([1], START)
    exchange(a, b)
    for end in (a, b):
        events = [event for event in end.poll_events() if isinstance(event, StreamsReset | StreamsResetDone)]
        assert sorted(map(repr, events)) == ["StreamsReset(stream_ids=(1,))", repr(StreamsResetDone((1,)))]


def test_more_streams_than_one_request_names_are_all_reset() -> None:
    a, b = connected()
    for stream in range(300):
        a.send_message(stream, 53, b"x", now=START)
    a.reset_streams(range(300), START)
    exchange(a, b)
    done = [event for event in a.poll_events() if isinstance(event, StreamsResetDone)]
    assert sorted(stream for event in done for stream in event.stream_ids) == list(range(300))


def test_a_refusal_is_reported() -> None:
    a, b = connected()
    a.reset_streams([1], START)
    (packet,) = a.packets_to_send(START, 8)
    chunk = read_chunk(packet, 12)
    assert chunk is not None
    assert chunk[0] == RE_CONFIG
    parameters = read_tlvs(chunk[2])
    assert parameters is not None
    answer = parameters[0][1][:4] + struct.pack("!I", ResetResult.DENIED)
    a.receive_packets([b._wire.write(write_chunk(RE_CONFIG, 0, write_tlv(RESPONSE, answer)))], START)
    assert a.poll_events() == [StreamsResetDone((1,), accepted=False)]


def test_a_repeated_request_is_answered_alike_and_done_once() -> None:
    a, b = connected()
    a.send_message(1, 53, b"x", now=START)
    exchange(a, b)
    b.poll_events()
    a.reset_streams([1], START)
    request = a.packets_to_send(START, 8)
    b.receive_packets(request, START)
    first = b.packets_to_send(START, 8)
    b.receive_packets(request, START)
    assert b.packets_to_send(START, 8)[0][12:] == first[0][12:]
    assert b.poll_events() == [StreamsReset((1,))]


def test_a_peer_without_stream_reset_gets_no_request() -> None:
    a, b = connected(SctpConfig())
    established = a._dispatch.established
    assert established is not None
    established.resets.supported = False
    a.reset_streams([1], START)
    exchange(a, b)
    assert a.poll_events() == [StreamsResetDone((1,), accepted=False)]
    assert b.poll_events() == []


def test_the_peer_may_ask_for_a_reset_of_our_streams() -> None:
    a, b = connected()
    a.send_message(1, 53, b"x", now=START)
    exchange(a, b)
    b.poll_events()
    established = b._dispatch.established
    assert established is not None
    number = established.resets._take_number()
    request = write_tlv(14, struct.pack("!IH", number, 1), last=True)
    a.receive_packets([b._wire.write(write_chunk(RE_CONFIG, 0, request))], START)
    exchange(a, b)
    assert b.poll_events() == [StreamsReset((1,))]
