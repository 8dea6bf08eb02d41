"""Larger packets are found, smaller paths are survived."""

from __future__ import annotations

import pytest

from peerix.core.sctp import SctpConfig, is_probe
from tests.core.sctp.pairs import START, Pair, connected, exchange
from tests.support.simnet import Link

MESSAGES = 60


def transfer(pair: Pair, seconds: float = 60.0) -> None:
    before = len(pair.b.messages)
    for _ in range(MESSAGES):
        pair.send(bytes(60_000))
    assert pair.run(seconds, lambda: len(pair.b.messages) == before + MESSAGES)


@pytest.mark.parametrize(
    ("mtu", "found"), [(None, 16_368), (16_000, 8912), (9000, 8912), (2000, 1432), (1435, 1432), (1160, 1160)]
)
def test_the_largest_size_that_passes_is_used(mtu: int | None, found: int) -> None:
    pair = Pair(Link(latency=0.005, mtu=mtu), config=SctpConfig()).connect()
    transfer(pair)
    assert pair.a.association.max_packet_size == found
    assert pair.a.association.counters.sent.timeouts == 0


@pytest.mark.parametrize(("mtu", "found"), [(1420, 1412), (1400, 1352), (1300, 1252)])
def test_tunnels_are_found_after_the_common_sizes(mtu: int, found: int) -> None:
    pair = Pair(Link(latency=0.005, mtu=mtu), config=SctpConfig()).connect()
    transfer(pair)
    pair.run(5)
    assert pair.a.association.max_packet_size == found


def test_the_first_round_trip_is_enough() -> None:
    pair = Pair(Link(latency=0.05), config=SctpConfig()).connect()
    for _ in range(4):
        pair.send(bytes(60_000))
    pair.run(0.11)
    assert pair.a.association.max_packet_size == 16_368


def test_a_few_small_messages_probe_nothing() -> None:
    pair = Pair(Link(latency=0.005), config=SctpConfig()).connect()
    for _ in range(50):
        pair.send(b"small")
        pair.run(0.1)
    assert pair.a.association.max_packet_size == 1160


def test_it_can_be_forbidden_and_limited() -> None:
    forbidden = Pair(Link(latency=0.005), config=SctpConfig(path_mtu_discovery=False)).connect()
    limited = Pair(Link(latency=0.005), config=SctpConfig(max_packet_size_limit=4000)).connect()
    transfer(forbidden)
    transfer(limited)
    assert forbidden.a.association.max_packet_size == 1160
    assert limited.a.association.max_packet_size == 4000


@pytest.mark.parametrize("seed", range(3))
def test_lost_probes_are_repeated(seed: int) -> None:
    pair = Pair(Link(latency=0.005, loss=0.15, mtu=9000), config=SctpConfig(), seed=seed).connect(60)
    for _ in range(4):
        pair.send(bytes(60_000))
    assert pair.run(600, lambda: len(pair.b.messages) == 4)
    pair.run(5)
    assert pair.a.association.max_packet_size == 8912


@pytest.mark.parametrize("mtu", [9000, 1300])
def test_a_path_that_shrinks_in_the_middle_is_survived(mtu: int) -> None:
    pair = Pair(Link(latency=0.005, bandwidth=10e6), config=SctpConfig()).connect()
    transfer(pair)
    for _ in range(MESSAGES):
        pair.send(bytes(60_000))
    pair.run(0.05)
    pair.network.connect("a", "b", Link(latency=0.005, bandwidth=10e6, mtu=mtu))
    start = pair.now
    assert pair.run(60, lambda: len(pair.b.messages) == 2 * MESSAGES)
    assert pair.now - start < 8
    assert pair.a.association.max_packet_size <= mtu


def test_a_path_that_carries_small_messages_only_is_noticed() -> None:
    pair = Pair(Link(latency=0.005), config=SctpConfig()).connect()
    transfer(pair)
    pair.network.connect("a", "b", Link(latency=0.005, mtu=1300))
    pair.send(bytes(60_000))
    for _ in range(300):
        pair.send(b"small", 1)
        pair.run(0.02)
    assert pair.run(20, lambda: len(pair.b.on_stream(0)) == MESSAGES + 1)


def test_another_path_begins_with_the_base_size_and_looks_again() -> None:
    pair = Pair(Link(latency=0.005), config=SctpConfig()).connect()
    transfer(pair)
    pair.network.connect("a", "b", Link(latency=0.005, mtu=1440))
    pair.a.association.reset_path(1160, pair.now)
    assert pair.a.association.max_packet_size == 1160
    transfer(pair)
    assert pair.a.association.max_packet_size == 1432


def test_probes_come_last_and_are_told_apart() -> None:
    a, b = connected(SctpConfig())
    a.send_message(0, 53, bytes(100_000), now=START)
    packets = a.packets_to_send(START, 64)
    assert [is_probe(packet) for packet in packets[-4:]] == [False, True, True, True]
    assert [len(packet) for packet in packets[-3:]] == [1432, 8912, 16_368]
    assert {len(packet) for packet in packets[:-3]} == {1160}
    b.receive_packets(packets, START)
    exchange(a, b)
    assert a.max_packet_size == 16_368


def test_packets_of_data_all_have_the_same_size() -> None:
    a, _ = connected(SctpConfig(path_mtu_discovery=False))
    for size in (100_000, 3, 50, 20_000, 1131, 1133, 60_000):
        a.send_message(0, 53, bytes(size), now=START)
    sizes = [len(packet) for packet in a.packets_to_send(START, 11)]
    assert set(sizes[:-1]) == {1160}
