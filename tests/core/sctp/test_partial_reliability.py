"""Messages that are given up (RFC 3758), and the others, which are not."""

from __future__ import annotations

import pytest

from peerix.core.sctp import MessageAbandoned, SctpConfig
from tests.core.sctp.pairs import Pair
from tests.support.simnet import Link

BOTH = pytest.mark.parametrize("interleaving", [False, True])


def pair(link: Link, *, interleaving: bool, seed: int = 0) -> Pair:
    return Pair(
        link, seed=seed, config=SctpConfig(interleaving=interleaving, path_mtu_discovery=False), back=Link(latency=0.02)
    ).connect(seconds=120)


@BOTH
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ordered", [False, True])
def test_unreliable_messages_arrive_once_unchanged_or_not_at_all(interleaving: bool, seed: int, ordered: bool) -> None:
    path = pair(Link(latency=0.02, loss=0.2), interleaving=interleaving, seed=seed)
    sent = [bytes([number]) * 3000 for number in range(100)]
    for data in sent:
        path.send(data, ordered=ordered, max_retransmits=0)
    path.send(b"end", 1)
    assert path.run(60, lambda: (1, b"end") in path.b.messages)
    path.run(10)
    got = path.b.on_stream(0)
    assert len(set(got)) == len(got)
    assert set(got) <= set(sent)
    assert 10 < len(got) < 100
    if ordered:
        assert got == sorted(got)
    a, b = path.a.association, path.b.association
    assert len(got) + a.counters.sent.abandoned_messages >= 100
    assert path.a.events.count(MessageAbandoned(0)) == a.counters.sent.abandoned_messages
    assert a.unacknowledged_amount(0) == a.outstanding_bytes == 0
    assert a._outbound.outstanding.chunks == {}
    assert b._window.buffered == b._window.held == 0


@BOTH
def test_reliable_messages_are_not_harmed_by_those_given_up(interleaving: bool) -> None:
    path = pair(Link(latency=0.02, loss=0.2), interleaving=interleaving)
    for number in range(60):
        path.send(bytes([number]) * 2000, 0)
        path.send(bytes([number]) * 2000, 1, max_retransmits=0)
    assert path.run(120, lambda: len(path.b.on_stream(0)) == 60)
    assert [data[0] for data in path.b.on_stream(0)] == list(range(60))


@BOTH
def test_what_is_too_old_is_not_sent(interleaving: bool) -> None:
    path = pair(Link(latency=0.02), interleaving=interleaving)
    path.network.connect("a", "b", Link(latency=0.02, bandwidth=50_000, queue=1_000_000))
    for number in range(100):
        path.send(bytes([number]) * 5000, max_packet_life_time=0.5)
    path.send(b"end")
    assert path.run(60, lambda: path.b.on_stream(0)[-1:] == [b"end"])
    got = path.b.on_stream(0)[:-1]
    assert 2 < len(got) < 40
    assert got == sorted(got)
    assert path.a.association.buffered_amount(0) == 0


@BOTH
def test_a_message_given_up_in_its_middle_leaves_nothing_behind(interleaving: bool) -> None:
    path = pair(Link(latency=0.02, bandwidth=100_000), interleaving=interleaving)
    path.send(bytes(200_000), max_packet_life_time=0.3)
    path.run(10)
    path.send(b"next")
    assert path.run(10, lambda: bool(path.b.messages))
    assert path.b.messages == [(0, b"next")]
    assert path.b.association._window.buffered == 0
    assert path.a.events == [MessageAbandoned(0)]


def test_a_lost_forward_tsn_is_repeated() -> None:
    path = pair(Link(latency=0.02), interleaving=True)
    path.network.connect("a", "b", Link(down=True))
    path.send(b"lost", max_retransmits=0)
    path.run(3)
    path.network.connect("a", "b", Link(latency=0.02))
    path.send(b"next")
    assert path.run(30, lambda: bool(path.b.messages))
    assert path.b.messages == [(0, b"next")]


def test_a_peer_that_does_not_understand_gets_everything() -> None:
    path = pair(Link(latency=0.02, loss=0.2), interleaving=False)
    path.a.association._outbound.reliability.supported = False
    for number in range(30):
        path.send(bytes([number]) * 1000, max_retransmits=0)
    assert path.run(60, lambda: len(path.b.messages) == 30)


def test_two_retransmissions_are_two() -> None:
    path = pair(Link(latency=0.02), interleaving=True)
    path.network.connect("a", "b", Link(down=True))
    path.send(bytes(100), max_retransmits=2)
    path.run(30)
    assert path.a.association.counters.sent.retransmitted_chunks == 2
    assert path.a.events == [MessageAbandoned(0)]
