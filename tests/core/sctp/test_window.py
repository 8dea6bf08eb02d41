"""The receive window closes for a reader that does not read, and opens again."""

from __future__ import annotations

import pytest

from peerix.core.sctp import SctpConfig
from tests.core.sctp.pairs import START, Pair, connected, exchange
from tests.support.simnet import Link

LIMIT = 200_000


def slow_reader(**link: float) -> Pair:
    config = SctpConfig(receive_limit=LIMIT, path_mtu_discovery=False)
    pair = Pair(Link(latency=0.01, **link), config=config).connect()  # type: ignore[arg-type]
    pair.b.reading = False
    return pair


def test_memory_stays_bounded_while_nobody_reads() -> None:
    pair = slow_reader()
    for _ in range(100):
        pair.send(bytes(20_000))
    pair.run(120)
    held = sum(len(data) for _, data in pair.b.messages)
    assert LIMIT - 40_000 < held <= LIMIT + 262_144
    assert pair.a.association.total_buffered > 1_500_000


def test_a_closed_window_does_not_end_the_association() -> None:
    pair = slow_reader()
    for _ in range(30):
        pair.send(bytes(20_000))
    pair.run(600)
    assert pair.a.events == pair.b.events == []


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_reading_opens_the_window_and_all_arrives(loss: float) -> None:
    pair = slow_reader(loss=loss)
    for number in range(50):
        pair.send(bytes([number]) * 20_000)
    pair.run(30)
    pair.b.reading = True
    pair.b.association.release(sum(len(data) for _, data in pair.b.messages))
    assert pair.run(200, lambda: len(pair.b.messages) == 50)
    assert [data[0] for _, data in pair.b.messages] == list(range(50))


def test_without_loss_the_sender_hears_of_the_open_window_at_once() -> None:
    pair = slow_reader()
    for _ in range(30):
        pair.send(bytes(20_000))
    pair.run(30)
    count = len(pair.b.messages)
    pair.b.reading = True
    pair.b.association.release(sum(len(data) for _, data in pair.b.messages))
    pair.run(0.1)
    assert len(pair.b.messages) > count


def test_a_message_larger_than_the_window_still_arrives() -> None:
    config = SctpConfig(receive_limit=50_000, path_mtu_discovery=False)
    pair = Pair(Link(latency=0.01), config=config).connect()
    pair.send(bytes(250_000))
    assert pair.run(10, lambda: len(pair.b.messages) == 1)


def test_interleaved_messages_that_together_exceed_the_window_still_arrive() -> None:
    config = SctpConfig(receive_limit=50_000, path_mtu_discovery=False)
    pair = Pair(Link(latency=0.01), config=config).connect()
    for stream in range(20):
        pair.send(bytes(100_000), stream)
    assert pair.run(60, lambda: len(pair.b.messages) == 20)


def test_held_bytes_close_the_window_and_released_ones_open_it() -> None:
    a, b = connected(SctpConfig(receive_limit=100_000))
    b.hold(100_000)
    a.send_message(0, 53, b"x", now=START)
    exchange(a, b)
    assert a._outbound.recovery.peer_rwnd in (0, 100_000)
    b.release(100_000)
    exchange(a, b)
    b.poll_events()
    assert b._window.held == 1


def test_another_limit_is_told_to_the_peer() -> None:
    a, b = connected(SctpConfig(receive_limit=100_000))
    b.set_receive_limit(5_000_000)
    exchange(a, b)
    assert a._outbound.recovery.peer_rwnd == 5_000_000
