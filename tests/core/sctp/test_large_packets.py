"""Packets above the size of an Ethernet frame go only to those who say that they take them."""

from __future__ import annotations

import re

import pytest

from peerix.core.sctp import Association, SctpConfig, is_probe
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


def packets_sent(a: Association, b: Association, *, modern: bool) -> list[bytes]:
    for one in (a, b):
        one.connect(START)
    for _ in range(4):
        there, back = a.packets_to_send(START, 64), b.packets_to_send(START, 64)
        b.receive_packets(there, START)
        a.receive_packets(back if modern else [without_pad(packet) for packet in back], START)
    a.send_message(0, 53, bytes(200_000), now=START)
    sent: list[bytes] = []
    for _ in range(20):
        packets = a.packets_to_send(START, 64)
        sent += packets
        b.receive_packets(packets, START)
        a.receive_packets(b.packets_to_send(START, 64), START)
    return sent


def largest_packet(a: Association, b: Association, *, modern: bool) -> int:
    return max(map(len, packets_sent(a, b, modern=modern)))


@pytest.mark.parametrize("modern", [True, False])
def test_only_a_peer_that_knows_the_pad_chunk_gets_packets_above_an_ethernet_frame(*, modern: bool) -> None:
    a, b = association(1, config=SctpConfig()), association(2, config=SctpConfig())
    largest = largest_packet(a, b, modern=modern)
    assert largest == (SctpConfig().max_packet_size_limit if modern else ETHERNET)


def probes_sent(*, modern: bool) -> list[bytes]:
    a, b = association(1, config=SctpConfig()), association(2, config=SctpConfig())
    sent = packets_sent(a, b, modern=modern)
    return [packet for packet in sent if is_probe(packet)]


def test_a_peer_that_does_not_know_the_pad_chunk_is_never_sent_one() -> None:
    probes = probes_sent(modern=False)
    assert probes
    for probe in probes:
        length = int.from_bytes(probe[14:16], "big")
        assert length == len(probe) - 12


def test_a_peer_that_knows_the_pad_chunk_answers_with_a_short_packet() -> None:
    probes = probes_sent(modern=True)
    assert probes
    for probe in probes:
        length = int.from_bytes(probe[14:16], "big")
        assert length < 64
        assert probe[12 + length] == PAD


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
