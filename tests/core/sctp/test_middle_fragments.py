"""The fragments of large messages, whose headers are foretold, are taken as if each had been read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerix.core.sctp import Association, SctpConfig
from tests.core.sctp.pairs import START, connected, received
from tests.core.sctp.test_reassembly import WideOpen

if TYPE_CHECKING:
    from peerix.core.sctp.packet_runs import PacketRuns

FSN = slice(28, 32)
"""Where a packet that begins with an I-DATA chunk has the number of the fragment."""


def pair(*, foretold: bool = True) -> tuple[Association, Association]:
    """With checksums nothing is foretold: every packet is read."""
    return connected(SctpConfig(congestion_control=WideOpen, zero_checksum=foretold))


def runs_of(b: Association) -> PacketRuns:
    runs = b._dispatch._runs
    assert runs is not None
    return runs


def packets_of(a: Association, *sizes: int, ordered: bool = True) -> list[bytes]:
    for number, size in enumerate(sizes):
        a.send_message(0, 53, bytes([number]) * size, ordered=ordered, now=START)
    return a.packets_to_send(START, 1000)


def outcome(b: Association) -> tuple[object, ...]:
    established = b._dispatch.established
    assert established is not None
    inbound = established.inbound
    tsns = inbound.received.tsns
    first = tsns.ends[0]
    return (
        [message.data for message in received(b)],
        b._window.buffered,
        [start - first for start in tsns.starts[1:]],
        [end - first for end in tsns.ends],
        inbound.received.repeated,
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 30_000), min_size=1, max_size=4),
    st.booleans(),
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.sets(st.integers(0, 90), max_size=3),
    st.sets(st.integers(0, 90), max_size=3),
)
def test_runs_give_what_reading_gives(
    sizes: list[int], ordered: bool, batches: list[int], lost: set[int], repeated: set[int]
) -> None:
    outcomes: list[object] = []
    for foretold in (True, False):
        a, b = pair(foretold=foretold)
        packets = packets_of(a, *sizes, ordered=ordered)
        arriving: list[bytes] = []
        for place, packet in enumerate(packets):
            arriving += [packet] * ((place not in lost) + (place in repeated))
        start, seen = 0, []
        for number in range(len(arriving)):
            size = batches[number % len(batches)]
            b.receive_packets(arriving[start : start + size], START)
            seen.append(outcome(b))
            start += size
        outcomes.append(seen)
    assert outcomes[0] == outcomes[1]


def test_most_packets_of_a_large_message_are_not_read() -> None:
    a, b = pair()
    packets = packets_of(a, 65_536)
    middle = runs_of(b).middle
    assert middle is not None
    b.receive_packets(packets[:1], START)
    assert middle.receive(packets, 1) == len(packets) - 1


@pytest.mark.parametrize("number", [0, 1, 3, 40, 0xFFFFFFFF])
def test_a_fragment_with_another_number_is_not_the_next(number: int) -> None:
    a, b = pair()
    packets = packets_of(a, 10_000)
    wrong = bytearray(packets[2])
    assert int.from_bytes(wrong[FSN]) == 2
    wrong[FSN] = number.to_bytes(4)
    b.receive_packets([*packets[:2], bytes(wrong), *packets[3:]], START)
    assert received(b) == []


def test_a_run_stops_where_the_window_ends() -> None:
    a, b = pair()
    packets = packets_of(a, 200_000)
    b.set_receive_limit(100_000)
    b.hold(1)
    middle = runs_of(b).middle
    assert middle is not None
    b.receive_packets(packets[:1], START)
    end = middle.receive(packets, 1)
    assert 70 < end < 90
    assert middle.receive(packets, end) == end
