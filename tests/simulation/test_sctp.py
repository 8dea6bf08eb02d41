"""Whole associations on bad paths: every reliable message arrives once, in order, unchanged, whatever the seed."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial

import pytest

from peerix.core.sctp import SctpConfig, StreamsReset
from tests.core.sctp.pairs import Pair
from tests.support.simnet import GilbertElliott, Link

BASE = Link(latency=0.02)

PATHS = {
    "clean": BASE,
    "loss": replace(BASE, loss=0.05),
    "heavy loss": replace(BASE, loss=0.25),
    "bursts of loss": replace(BASE, bursts=GilbertElliott(worsen=0.02, recover=0.2)),
    "jitter": replace(BASE, jitter=0.05, loss=0.01),
    "reordering": replace(BASE, reordering=0.2, reordering_delay=0.03),
    "duplicates": replace(BASE, duplication=0.3, loss=0.02),
    "narrow": replace(BASE, bandwidth=250_000, queue=20_000),
    "small frames": replace(BASE, mtu=1300, loss=0.01),
    "far away": replace(BASE, latency=0.3, loss=0.02),
    "everything": Link(0.05, 0.1, 0.2, 0.05, 0.1, 0.15, GilbertElliott(), 1e6, 60_000, 1400),
}

SIZES = (1, 2, 64, 700, 1200, 3000, 20_000, 70_000)


def has_events(pair: Pair, count: int) -> bool:
    return len(pair.a.events) == count


def has_more(pair: Pair, before: int) -> bool:
    return len(pair.b.on_stream(1)) > before


def converse(path: str, seed: int, *, interleaving: bool, messages: int) -> Pair:
    """Send messages of all sizes both ways on several streams; check all that arrives."""
    chance = random.Random(seed)
    config = SctpConfig(interleaving=interleaving)
    tick = chance.choice([0.0, 0.001, 0.01])
    pair = Pair(PATHS[path], seed=seed, tick=tick, config=config).connect(seconds=300)
    sent: dict[str, dict[int, list[bytes]]] = {"a": {}, "b": {}}
    for _ in range(messages):
        for end in (pair.a, pair.b):
            stream, data = chance.randrange(4), chance.randbytes(chance.choice(SIZES))
            end.association.send_message(stream, 53, data, now=pair.now)
            sent[str(end.address)].setdefault(stream, []).append(data)
        if chance.random() < 0.3:
            pair.run(chance.random() * 0.1)
    done = pair.run(3000, lambda: len(pair.a.messages) == len(pair.b.messages) == messages)
    assert done, (len(pair.a.messages), len(pair.b.messages), pair.a.events, pair.b.events)
    for here, there in ((pair.a, pair.b), (pair.b, pair.a)):
        for stream, expected in sent[str(here.address)].items():
            assert there.on_stream(stream) == expected
    pair.run(60)
    for end in (pair.a, pair.b):
        assert end.association.outstanding_bytes == end.association.total_buffered == 0
        assert end.association._outbound.outstanding.chunks == {}
        assert end.association._window.buffered == end.association._window.held == 0
        assert end.events == []
    return pair


@pytest.mark.parametrize("interleaving", [False, True], ids=["DATA", "I-DATA"])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("path", PATHS)
def test_every_message_arrives_once_in_order_unchanged(path: str, seed: int, interleaving: bool) -> None:
    converse(path, seed, interleaving=interleaving, messages=40)


@pytest.mark.slow
@pytest.mark.parametrize("interleaving", [False, True], ids=["DATA", "I-DATA"])
@pytest.mark.parametrize("seed", range(100, 140))
@pytest.mark.parametrize("path", PATHS)
def test_every_message_arrives_with_many_seeds(path: str, seed: int, interleaving: bool) -> None:
    converse(path, seed, interleaving=interleaving, messages=60)


def test_the_same_seed_gives_the_same_run() -> None:
    runs = [converse("everything", 7, interleaving=True, messages=20) for _ in range(2)]
    first, second = (run.a.association.counters for run in runs)
    assert first == second
    assert runs[0].b.arrivals == runs[1].b.arrivals


@pytest.mark.parametrize("seed", range(4))
def test_a_mixture_of_reliabilities_keeps_each_promise(seed: int) -> None:
    chance = random.Random(seed)
    pair = Pair(PATHS["heavy loss"], seed=seed, config=SctpConfig(interleaving=bool(seed % 2))).connect(300)
    reliable: list[bytes] = []
    all_sent: dict[int, list[bytes]] = {0: reliable, 1: [], 2: [], 3: []}
    for number in range(120):
        stream = number % 4
        data = number.to_bytes(2, "big") + chance.randbytes(chance.choice(SIZES[:-1]))
        if stream == 0:
            pair.send(data, 0)
        elif stream == 3:
            pair.send(data, 3, max_packet_life_time=0.3, ordered=chance.random() < 0.5)
        else:
            pair.send(data, stream, max_retransmits=1, ordered=stream == 1)
        all_sent[stream].append(data)
        pair.run(chance.random() * 0.05)
    assert pair.run(600, lambda: len(pair.b.on_stream(0)) == len(reliable))
    pair.run(60)
    assert pair.b.on_stream(0) == reliable
    for stream in (1, 2, 3):
        got = pair.b.on_stream(stream)
        assert len(got) == len(set(got))
        assert set(got) <= set(all_sent[stream])
        assert len(got) > (0 if stream == 3 else 5)
    assert pair.b.on_stream(1) == sorted(pair.b.on_stream(1))
    assert pair.a.association._outbound.outstanding.chunks == {}
    assert pair.b.association._window.buffered == pair.b.association._window.held == 0


@pytest.mark.parametrize("seed", range(4))
def test_streams_are_used_and_reset_over_and_over(seed: int) -> None:
    pair = Pair(PATHS["loss"], seed=seed).connect(60)
    for turn in range(8):
        sent = [bytes([turn, number]) * 900 for number in range(6)]
        before = len(pair.b.on_stream(5))
        for data in sent:
            pair.send(data, 5)
        pair.a.association.reset_streams([5], pair.now)
        done = partial(has_events, pair, turn + 1)
        assert pair.run(60, done)
        assert pair.b.on_stream(5)[before:] == sent
    assert pair.b.events == [StreamsReset((5,))] * 8


def test_a_path_that_is_gone_for_a_while_is_survived() -> None:
    pair = Pair(BASE).connect()
    for number in range(60):
        pair.send(bytes([number]) * 20_000)
    pair.run(0.08)
    pair.network.connect("a", "b", Link(down=True))
    pair.run(8)
    pair.network.connect("a", "b", BASE)
    back = pair.now
    assert pair.run(60, lambda: len(pair.b.messages) == 60)
    assert pair.now - back < 12
    assert [data[0] for _, data in pair.b.messages] == list(range(60))


def test_a_small_message_does_not_wait_behind_a_large_one() -> None:
    pair = Pair(replace(BASE, bandwidth=2_500_000, queue=64_000), config=SctpConfig(path_mtu_discovery=False)).connect()
    for _ in range(100):
        pair.send(bytes(250_000), 0)
    pair.run(2)
    waits: list[float] = []
    for _ in range(20):
        before, start = len(pair.b.on_stream(1)), pair.now
        pair.send(b"ping", 1)
        assert pair.run(5, partial(has_more, pair, before))
        waits.append(pair.now - start)
    assert sorted(waits)[10] < 0.08


def test_streams_share_by_priority() -> None:
    pair = Pair(replace(BASE, bandwidth=1_000_000), config=SctpConfig(path_mtu_discovery=False)).connect()
    pair.a.association.set_priority(1, 1024)
    pair.a.association.set_priority(2, 256)
    for _ in range(200):
        pair.send(bytes(20_000), 1)
        pair.send(bytes(20_000), 2)
    pair.run(3)
    first, second = len(pair.b.on_stream(1)), len(pair.b.on_stream(2))
    assert 3 < first / second < 5


def test_the_ceiling_of_a_narrow_path_is_reached() -> None:
    pair = Pair(
        replace(BASE, bandwidth=1_000_000, queue=100_000), config=SctpConfig(path_mtu_discovery=False)
    ).connect()
    for _ in range(200):
        pair.send(bytes(50_000))
    start = pair.now
    assert pair.run(30, lambda: len(pair.b.messages) == 200)
    assert 200 * 50_000 / (pair.now - start) > 0.85 * 1_000_000
