"""A peer may send whatever it likes: nothing raises, and nothing grows without bound."""

from __future__ import annotations

import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerix.core.sctp import Association, SctpConfig
from peerix.core.sctp.chunks import (
    ABORT,
    COOKIE_ACK,
    COOKIE_ECHO,
    DATA,
    ERROR,
    FORWARD_TSN,
    HEARTBEAT,
    HEARTBEAT_ACK,
    I_DATA,
    I_FORWARD_TSN,
    INIT,
    INIT_ACK,
    PAD,
    RE_CONFIG,
    SACK,
    SHUTDOWN,
    SHUTDOWN_ACK,
    SHUTDOWN_COMPLETE,
    write_chunk,
)
from peerix.core.sctp.wire import write_packet
from tests.core.sctp.pairs import START, connected, exchange

KINDS = [
    *(DATA, I_DATA, INIT, INIT_ACK, SACK, HEARTBEAT, HEARTBEAT_ACK, ABORT, SHUTDOWN, SHUTDOWN_ACK, ERROR),
    *(COOKIE_ECHO, COOKIE_ACK, SHUTDOWN_COMPLETE, RE_CONFIG, PAD, FORWARD_TSN, I_FORWARD_TSN, 63, 127, 191, 255),
]

small_numbers = st.integers(0, 0xFFFFFFFF) | st.integers(0, 20)


@st.composite
def values(draw: st.DrawFn) -> bytes:
    """Values of chunks that have about the right shape."""
    words = draw(st.lists(small_numbers, max_size=6))
    parameter = draw(st.sampled_from([b"", struct.pack("!HH", 13, 18), struct.pack("!HH", 16, 12), b"\0\7\0\4"]))
    return parameter + b"".join(word.to_bytes(4, "big") for word in words) + draw(st.binary(max_size=5))


def tags(association: Association) -> tuple[int, int]:
    """Our tag and the initial TSN of the peer, read from the packets that pass."""
    return association._wire.local_tag, association._dispatch.established.inbound.received.cumulative  # type: ignore[union-attr]


@st.composite
def packets(draw: st.DrawFn, tag: int, near: int) -> bytes:
    chunks: list[bytes] = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(KINDS))
        value = draw(values())
        if kind in (DATA, I_DATA, SACK, FORWARD_TSN, I_FORWARD_TSN) and draw(st.booleans()):
            value = ((near + draw(st.integers(-3, 12))) & 0xFFFFFFFF).to_bytes(4, "big") + value
        chunk = write_chunk(kind, draw(st.integers(0, 15)), value)
        if not draw(st.integers(0, 9)):
            chunk = chunk[:2] + draw(st.integers(0, 70)).to_bytes(2, "big") + chunk[4:]
        chunks.append(chunk)
    used = draw(st.sampled_from([tag, tag, tag, tag, tag, tag, 0, 12345]))
    return write_packet(5000, 5000, used, b"".join(chunks))


@settings(max_examples=200, deadline=None)
@given(st.data(), st.booleans())
def test_no_sequence_of_packets_raises(data: st.DataObject, interleaving: bool) -> None:
    a, b = connected(SctpConfig(interleaving=interleaving))
    a.send_message(1, 53, bytes(5000), max_retransmits=0, now=START)
    a.send_message(2, 53, bytes(5000), now=START)
    a.packets_to_send(START, 3)
    a.reset_streams([1], START)
    tag, _ = tags(a)
    now = START
    for _ in range(data.draw(st.integers(1, 8))):
        near = data.draw(st.sampled_from([tags(a)[1], a._outbound.outstanding.next_tsn & 0xFFFFFFFF]))
        a.receive_packets(data.draw(st.lists(packets(tag, near), max_size=4)), now)
        a.packets_to_send(now, 8)
        a.poll_events()
        now += data.draw(st.sampled_from([0.0, 0.01, 1.0, 40.0]))
        deadline = a.next_timeout()
        if deadline is not None and deadline <= now:
            a.handle_timeout(now)
    assert a.outstanding_bytes >= 0
    assert a.total_buffered >= 0
    del b


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_rubbish_is_dropped_in_every_state(rubbish: list[bytes]) -> None:
    fresh = Association(random_bytes=os.urandom)
    fresh.receive_packets(rubbish, START)
    fresh.connect(START)
    fresh.receive_packets(rubbish, START)
    fresh.packets_to_send(START, 8)


@settings(max_examples=200)
@given(st.integers(0, 200), st.integers(0, 255), st.integers(0, 5))
def test_a_packet_with_one_wrong_byte_changes_nothing(position: int, value: int, which: int) -> None:
    a, b = connected(SctpConfig(zero_checksum=False))
    a.send_message(1, 53, bytes(300), now=START)
    packet = bytearray(a.packets_to_send(START, 1)[0])
    if packet[position] == value:
        return
    packet[position] = value
    b.receive_packets([bytes(packet)], START)
    assert b.poll_events() == []
    counters = b.counters.received
    assert counters.bad_checksums + counters.bad_tags == 1


def test_a_flood_of_heartbeats_is_not_all_answered() -> None:
    a, b = connected()
    flood = [write_packet(5000, 5000, tags(b)[0], write_chunk(HEARTBEAT, 0, bytes(1000)))] * 500
    b.receive_packets(flood, START)
    assert len(b.packets_to_send(START, 1000)) <= 64
    exchange(a, b)


def test_streams_out_of_range_are_reported_and_hold_nothing() -> None:
    a, b = connected(SctpConfig(interleaving=False))
    tag, tsn = tags(b)
    for number in range(5000):
        chunk = struct.pack("!IHHI", (tsn + 1 + number) & 0xFFFFFFFF, 1024 + number, 0, 53) + b"x"
        b.receive_packets([write_packet(5000, 5000, tag, write_chunk(DATA, 3, chunk))], START)
        b.packets_to_send(START, 8)
    assert b.poll_events() == []
    assert b.counters.received.refused_chunks == 5000
    assert b._window.buffered == b._window.held == 0
    del a


@pytest.mark.parametrize(("interleaving", "checksum"), [(False, True), (True, True), (True, False)])
def test_fragments_without_an_end_are_bounded(interleaving: bool, checksum: bool) -> None:
    a, b = connected(SctpConfig(interleaving=interleaving, receive_limit=100_000))
    tag, tsn = tags(b)
    tsn &= 0xFFFFFFFF
    b.hold(1)
    flood: list[bytes] = []
    for number in range(60_000):
        head = struct.pack("!I", (tsn + 1 + number) & 0xFFFFFFFF)
        head += struct.pack("!HHII", 1, 0, 0, number) if interleaving else struct.pack("!HHI", 1, 0, 53)
        flags = 2 if number == 0 else 0
        packet = write_packet(5000, 5000, tag, write_chunk(I_DATA if interleaving else DATA, flags, head + b"four"))
        flood.append(packet if checksum else packet[:8] + bytes(4) + packet[12:])
    b.receive_packets(flood, START)
    assert b._window.buffered < 500_000
    assert b.counters.received.refused_chunks > 50_000
    del a


def test_far_away_tsns_are_dropped() -> None:
    a, b = connected()
    tag, tsn = tags(b)
    head = struct.pack("!IHHII", (tsn + 100_000) & 0xFFFFFFFF, 1, 0, 0, 53)
    b.receive_packets([write_packet(5000, 5000, tag, write_chunk(I_DATA, 3, head + b"x"))], START)
    assert b.poll_events() == []
    del a


def test_every_second_tsn_opens_a_bounded_number_of_gaps() -> None:
    a, b = connected()
    tag, tsn = tags(b)
    for number in range(2, 30_000, 2):
        head = struct.pack("!IHHII", (tsn + number) & 0xFFFFFFFF, 1, 0, number, 53)
        b.receive_packets([write_packet(5000, 5000, tag, write_chunk(I_DATA, 3, head + b"x"))], START)
    sack = b.packets_to_send(START, 8)
    assert len(sack) == 1
    assert len(sack[0]) <= 1160
    del a
