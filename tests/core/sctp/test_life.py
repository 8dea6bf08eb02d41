"""Heartbeats, shutdown and abort."""

from __future__ import annotations

import pytest

from peerix.core.sctp import AssociationClosed, AssociationState, SctpConfig, SctpTimers
from peerix.core.sctp.chunks import DATA, ERROR, I_DATA, read_chunk, write_chunk
from tests.core.sctp.pairs import START, Pair, connected, exchange, received
from tests.support.simnet import Link


def test_an_idle_association_sends_heartbeats_and_lives() -> None:
    pair = Pair(Link(latency=0.02)).connect()
    pair.run(600)
    assert pair.a.events == pair.b.events == []
    assert 15 < pair.a.association.counters.sent.packets < 60


def test_an_idle_association_notices_a_dead_path() -> None:
    timers = SctpTimers(heartbeat_interval=1.0, max_retransmissions=5)
    pair = Pair(Link(latency=0.02), config=SctpConfig(timers=timers)).connect()
    pair.network.connect("a", "b", Link(down=True))
    pair.run(30)
    assert AssociationClosed("the peer does not answer", by_peer=False) in pair.a.events


def test_shutdown_waits_for_what_is_queued_on_both_sides() -> None:
    pair = Pair(Link(latency=0.02, loss=0.1, bandwidth=500_000), seed=2).connect(seconds=60)
    for _ in range(10):
        pair.send(bytes(20_000))
        pair.b.association.send_message(0, 53, bytes(20_000), now=pair.now)
    pair.a.association.shutdown(pair.now)
    assert pair.run(60, lambda: pair.states() == (AssociationState.CLOSED,) * 2)
    assert len(pair.b.messages) == len(pair.a.messages) == 10
    assert isinstance(pair.a.events[-1], AssociationClosed)
    assert isinstance(pair.b.events[-1], AssociationClosed)


def test_both_sides_may_shut_down_at_once() -> None:
    a, b = connected()
    a.shutdown(START)
    b.shutdown(START)
    exchange(a, b)
    assert a.state is b.state is AssociationState.CLOSED
    assert a.next_timeout() is b.next_timeout() is None


@pytest.mark.parametrize("seed", range(10))
def test_packets_of_the_shutdown_may_be_lost(seed: int) -> None:
    pair = Pair(Link(latency=0.02, loss=0.4), seed=seed).connect(seconds=120)
    pair.a.association.shutdown(pair.now)
    assert pair.run(300, lambda: pair.states() == (AssociationState.CLOSED,) * 2)


def test_an_abort_tells_the_peer_why() -> None:
    a, b = connected()
    a.abort("the user left", START)
    assert a.poll_events() == [AssociationClosed("the user left", by_peer=False)]
    exchange(a, b)
    assert b.poll_events() == [AssociationClosed("user-initiated abort: the user left", by_peer=True)]
    assert b.state is AssociationState.CLOSED


def test_an_abort_before_anything_was_sent_is_silent() -> None:
    pair = Pair()
    pair.a.association.abort("never mind", pair.now)
    assert pair.a.association.packets_to_send(pair.now, 8) == []


def test_nothing_happens_after_the_end() -> None:
    a, b = connected()
    a.send_message(0, 53, bytes(1000), now=START)
    data = a.packets_to_send(START, 8)
    b.abort("gone", START)
    b.poll_events()
    b.packets_to_send(START, 8)
    b.receive_packets(data, START)
    b.handle_timeout(START + 100)
    b.abort("gone again", START)
    b.reset_streams([0], START)
    b.release(5)
    assert b.poll_events() == []
    assert b.packets_to_send(START, 8) == []
    assert b.next_timeout() is None
    assert not b.has_pending
    assert b.total_buffered == b.outstanding_bytes == 0


def test_unknown_chunks_are_skipped_or_reported_as_their_type_says() -> None:
    a, b = connected()
    a.send_message(0, 53, b"behind it", now=START)
    (packet,) = a.packets_to_send(START, 8)
    for kind, delivered, reported in ((0x3F, 0, 0), (0x7F, 0, 1), (0xBF, 1, 0)):
        b.receive_packets([a._wire.write(write_chunk(kind, 0, b"abcd") + packet[12:])], START)
        assert len(received(b)) == delivered
        answers = [read_chunk(answer, 12) for answer in b.packets_to_send(START, 8)]
        assert [chunk[0] for chunk in answers if chunk is not None and chunk[0] == ERROR] == [ERROR] * reported


@pytest.mark.parametrize(("interleaving", "kind"), [(True, DATA), (False, I_DATA)])
def test_data_of_the_kind_that_was_not_agreed_on_ends_the_association(interleaving: bool, kind: int) -> None:
    a, b = connected(SctpConfig(interleaving=interleaving))
    b.receive_packets([a._wire.write(write_chunk(kind, 3, bytes(20)))], START)
    (event,) = b.poll_events()
    assert isinstance(event, AssociationClosed)
    exchange(a, b)
    assert a.poll_events() == [AssociationClosed(f"protocol violation: {event.reason}", by_peer=True)]


def test_data_without_user_data_ends_the_association() -> None:
    a, b = connected(SctpConfig(interleaving=False))
    b.receive_packets([a._wire.write(write_chunk(DATA, 3, bytes(12)))], START)
    assert b.state is AssociationState.CLOSED


def test_pending_says_whether_there_is_something_to_send() -> None:
    a, b = connected()
    seen = [a.has_pending]
    a.send_message(0, 53, b"x", now=START)
    seen.append(a.has_pending)
    b.receive_packets(a.packets_to_send(START, 8), START)
    seen += [a.has_pending, b.has_pending]
    b.handle_timeout(START + 0.2)
    seen.append(b.has_pending)
    assert seen == [False, True, False, False, True]
