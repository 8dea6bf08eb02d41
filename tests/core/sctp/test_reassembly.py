"""Chunks in any order become the messages that they were, and nothing stays behind."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerix.core.sctp import SctpConfig
from tests.core.sctp.pairs import START, Unpaced, connected, exchange, received

if TYPE_CHECKING:
    from peerix.core.sctp import Association

BOTH = pytest.mark.parametrize("interleaving", [False, True])


def pair(*, interleaving: bool) -> tuple[Association, Association]:
    return connected(SctpConfig(interleaving=interleaving, congestion_control=WideOpen))


class WideOpen(Unpaced):
    """A congestion window that is never in the way."""

    def __init__(self, packet_size: int) -> None:
        super().__init__(packet_size)
        self.cwnd = 1 << 30


@BOTH
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(1, 6000)), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_any_order_of_packets_gives_every_message_once(
    interleaving: bool, messages: list[tuple[int, bool, int]], chance: random.Random
) -> None:
    a, b = pair(interleaving=interleaving)
    sent = [(stream, ordered, bytes([number]) * size) for number, (stream, ordered, size) in enumerate(messages)]
    for stream, ordered, data in sent:
        a.send_message(stream, 53, data, ordered=ordered, now=START)
    packets = a.packets_to_send(START, 1000)
    packets += chance.sample(packets, len(packets) // 3)
    chance.shuffle(packets)
    got: list[tuple[int, bytes]] = []
    while packets:
        batch, packets = packets[:3], packets[3:]
        b.receive_packets(batch, START)
        got += [(message.stream_id, message.data) for message in received(b)]
    assert sorted(got) == sorted((stream, data) for stream, _, data in sent)
    for stream in range(4):
        in_order = [data for number, ordered, data in sent if number == stream and ordered]
        assert [data for number, data in got if number == stream and data in in_order] == in_order
    assert b._window.buffered == b._window.held == 0


@BOTH
def test_a_stream_does_not_wait_for_another(interleaving: bool) -> None:
    a, b = pair(interleaving=interleaving)
    a.send_message(0, 53, bytes(1000), now=START)
    lost = a.packets_to_send(START, 8)
    a.send_message(1, 53, b"other stream", now=START)
    b.receive_packets(a.packets_to_send(START, 8), START)
    assert [message.data for message in received(b)] == [b"other stream"]
    b.receive_packets(lost, START)
    assert [message.stream_id for message in received(b)] == [0]


@BOTH
def test_unordered_messages_do_not_wait(interleaving: bool) -> None:
    a, b = pair(interleaving=interleaving)
    a.send_message(0, 53, b"first", now=START)
    a.packets_to_send(START, 8)
    a.send_message(0, 53, bytes(5000), ordered=False, now=START)
    b.receive_packets(a.packets_to_send(START, 8), START)
    assert [len(message.data) for message in received(b)] == [5000]


@BOTH
def test_stream_numbers_wrap(interleaving: bool) -> None:
    a, b = pair(interleaving=interleaving)
    near_the_end = 0xFFFFFFFE if interleaving else 0xFFFE
    a._outbound.queue.stream(0).next_ordered = near_the_end
    established = b._dispatch.established
    assert established is not None
    established.inbound.inbox.expected[0] = near_the_end
    for number in range(5):
        a.send_message(0, 53, bytes([number]), now=START)
    packets = a.packets_to_send(START, 8)
    b.receive_packets(packets, START)
    assert [message.data[0] for message in received(b)] == [0, 1, 2, 3, 4]


def test_tsns_wrap() -> None:
    a, b = connected(SctpConfig(path_mtu_discovery=False))
    for _ in range(3):
        outstanding = a._outbound.outstanding
        shift = (0xFFFFFFF0 - outstanding.next_tsn) & 0xFFFFFFFF
        outstanding.next_tsn += shift
        outstanding.cumulative += shift
        established = b._dispatch.established
        assert established is not None
        established.inbound.received.tsns.starts[0] += shift
        established.inbound.received.tsns.ends[0] += shift
        data = random.Random(1).randbytes(60_000)
        a.send_message(0, 53, data, now=START)
        exchange(a, b)
        assert [message.data for message in received(b)] == [data]
        assert outstanding.next_tsn & 0xFFFFFFFF < 0xFFFFFFF0


@BOTH
def test_interleaved_or_not_large_messages_of_several_streams_arrive(interleaving: bool) -> None:
    a, b = pair(interleaving=interleaving)
    messages = [(stream, random.Random(stream).randbytes(100_000)) for stream in range(6)]
    for stream, data in messages:
        a.send_message(stream, 53, data, now=START)
    exchange(a, b)
    assert sorted((message.stream_id, message.data) for message in received(b)) == messages
