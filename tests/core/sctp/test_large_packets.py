"""Packets above the size of an Ethernet frame go only to those who say that they take them."""

from __future__ import annotations

import re

import pytest

from peerix.core.sctp import Association, SctpConfig
from peerix.core.sctp.chunks import PAD
from peerix.core.sctp.path_mtu import ETHERNET
from peerix.core.sctp.wire import crc32c
from tests.core.sctp.pairs import START, association, exchange


def without_pad(packet: bytes) -> bytes:
    """Make the peer one that does not list PAD among its extensions: it lists ASCONF, of which we make no use."""
    changed = re.sub(rb"(\x80\x08..[^\x84]*)\x84", lambda found: found[1] + b"\xc1", packet, count=1, flags=re.DOTALL)
    if changed == packet:
        return packet
    bare = changed[:8] + bytes(4) + changed[12:]
    return bare[:8] + crc32c(bare).to_bytes(4, "little") + bare[12:]


def largest_packet(a: Association, b: Association, *, modern: bool) -> int:
    for one in (a, b):
        one.connect(START)
    for _ in range(4):
        there, back = a.packets_to_send(START, 64), b.packets_to_send(START, 64)
        b.receive_packets(there, START)
        a.receive_packets(back if modern else [without_pad(packet) for packet in back], START)
    a.send_message(0, 53, bytes(200_000), now=START)
    largest = 0
    for _ in range(20):
        packets = a.packets_to_send(START, 64)
        largest = max([largest, *map(len, packets)])
        b.receive_packets(packets, START)
        a.receive_packets(b.packets_to_send(START, 64), START)
    return largest


@pytest.mark.parametrize("modern", [True, False])
def test_only_a_peer_that_knows_the_pad_chunk_gets_packets_above_an_ethernet_frame(*, modern: bool) -> None:
    a, b = association(1, config=SctpConfig()), association(2, config=SctpConfig())
    largest = largest_packet(a, b, modern=modern)
    assert largest == (SctpConfig().max_packet_size_limit if modern else ETHERNET)


def test_we_say_that_we_know_the_pad_chunk() -> None:
    a = association(1)
    a.connect(START)
    (init,) = a.packets_to_send(START, 64)
    assert bytes([0x80, 0x08]) in init
    assert PAD in init[init.index(bytes([0x80, 0x08])) + 4 :]


def test_packets_of_both_kinds_arrive() -> None:
    a, b = association(1, config=SctpConfig()), association(2, config=SctpConfig())
    assert largest_packet(a, b, modern=False) == ETHERNET
    exchange(a, b)
    assert not a.outstanding_bytes


def test_no_size_is_tried_twice_at_once() -> None:
    a, b = association(1, config=SctpConfig()), association(2, config=SctpConfig())
    largest_packet(a, b, modern=False)
    assert a.counters.received.malformed == 0
