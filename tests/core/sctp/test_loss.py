"""How losses are found and repaired: RACK, tail-loss probes, T3-rtx."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peerix.core.sctp import AssociationClosed, SctpConfig
from peerix.core.sctp.chunks import Sack, write_sack
from peerix.core.sctp.timer import RetransmissionTimeout, RetransmissionTimer
from tests.core.sctp.pairs import START, Pair, connected, exchange, received
from tests.support.simnet import Link

if TYPE_CHECKING:
    from peerix.core.sctp import Association


def flight(a: Association, count: int, now: float = START) -> list[bytes]:
    """Send so many packets with a message each."""
    for number in range(count):
        a.send_message(0, 53, bytes([number]) * 1000, now=now)
    packets = a.packets_to_send(now, 64)
    assert len(packets) == count
    return packets


def warm(a: Association, b: Association, rtt: float = 0.1) -> float:
    """Let both learn the round trip."""
    now = START
    for _ in range(3):
        b.receive_packets(flight(a, 4, now), now)
        received(b)
        now += rtt
        a.receive_packets(b.packets_to_send(now, 8), now)
    return now


def test_one_sack_with_three_packets_above_the_hole_repairs_it() -> None:
    a, b = connected()
    now = warm(a, b)
    packets = flight(a, 5, now)
    b.receive_packets(packets[1:], now)
    now += 0.1
    a.receive_packets(b.packets_to_send(now, 8), now)
    assert len(a.packets_to_send(now, 8)) == 1
    assert a.counters.sent.fast_recoveries == 1


def test_one_packet_out_of_order_repairs_nothing_at_once() -> None:
    a, b = connected()
    now = warm(a, b)
    packets = flight(a, 2, now)
    b.receive_packets([packets[1]], now)
    now += 0.1
    a.receive_packets(b.packets_to_send(now, 8), now)
    assert a.packets_to_send(now, 8) == []
    deadline = a.next_timeout()
    assert deadline is not None
    assert now < deadline < now + 0.06
    a.handle_timeout(deadline)
    assert len(a.packets_to_send(deadline, 8)) == 1


def test_a_packet_that_was_only_late_is_not_sent_again() -> None:
    a, b = connected()
    now = warm(a, b)
    packets = flight(a, 2, now)
    b.receive_packets([packets[1]], now)
    a.receive_packets(b.packets_to_send(now + 0.1, 8), now + 0.1)
    b.receive_packets([packets[0]], now + 0.01)
    a.receive_packets(b.packets_to_send(now + 0.11, 8), now + 0.11)
    a.handle_timeout(now + 0.3)
    assert a.packets_to_send(now + 0.3, 8) == []
    assert a.counters.sent.retransmitted_chunks == 0


def test_a_lost_retransmission_is_found_without_a_timeout() -> None:
    pair = Pair(Link(latency=0.05)).connect()
    for number in range(300):
        pair.send(bytes([number % 256]) * 1000)
    dropped = 0

    def drop(packet: bytes) -> bool:
        nonlocal dropped
        if bytes([8]) * 900 in packet and dropped < 2:
            dropped += 1
            return True
        return False

    to_send = pair.a.to_send
    pair.a.to_send = lambda now: [sent for sent in to_send(now) if not drop(sent[2])]  # type: ignore[method-assign]
    assert pair.run(5, lambda: len(pair.b.messages) == 300)
    assert dropped == 2
    assert pair.a.association.counters.sent.timeouts == 0


def test_a_lost_tail_is_probed_for_in_two_round_trips() -> None:
    a, b = connected()
    now = warm(a, b)
    flight(a, 4, now)
    deadline = a.next_timeout()
    assert deadline == pytest.approx(now + 0.2, abs=0.02)
    assert deadline is not None
    a.handle_timeout(deadline)
    (probe,) = a.packets_to_send(deadline, 8)
    b.receive_packets([probe], deadline)
    a.receive_packets(b.packets_to_send(deadline, 8), deadline + 0.1)
    a.handle_timeout(deadline + 0.13)
    assert len(a.packets_to_send(deadline + 0.13, 8)) == 3
    assert a.counters.sent.tail_probes == 1
    assert a.counters.sent.timeouts == 0


def test_new_data_serves_as_the_probe() -> None:
    a, b = connected()
    now = warm(a, b)
    a._outbound.recovery.flow.congestion.cwnd = 4000
    for _ in range(6):
        a.send_message(0, 53, bytes(1000), now=now)
    assert len(a.packets_to_send(now, 8)) == 4
    deadline = a.next_timeout()
    assert deadline is not None
    a.handle_timeout(deadline)
    assert len(a.packets_to_send(deadline, 8)) == 1
    assert a.counters.sent.retransmitted_chunks == 0


def test_timeouts_back_off_and_end_the_association() -> None:
    pair = Pair(Link(latency=0.01)).connect()
    pair.network.connect("a", "b", Link(down=True))
    pair.send(b"into the void")
    pair.run(300)
    assert AssociationClosed("the peer does not answer", by_peer=False) in pair.a.events
    assert pair.a.association.counters.sent.timeouts == 11
    assert pair.a.association.total_buffered == 0


def test_the_timeout_doubles_up_to_its_maximum() -> None:
    timeout = RetransmissionTimeout(0.5, 0.3, 10.0)
    timer = RetransmissionTimer(timeout)
    intervals: list[float] = []
    now = 0.0
    for _ in range(7):
        timer.start(now)
        intervals.append(timer.interval)
        assert timer.deadline is not None
        now = timer.deadline
        assert timer.take_expired(now)
    assert intervals == [0.5, 1, 2, 4, 8, 10, 10]


def test_the_round_trip_is_smoothed_as_the_rfc_says() -> None:
    timeout = RetransmissionTimeout(0.5, 0.3, 10.0)
    timeout.add_sample(0.2)
    assert (timeout.srtt, timeout.rttvar) == (0.2, 0.1)
    timeout.add_sample(0.4)
    assert timeout.srtt == pytest.approx(0.225)
    assert timeout.rttvar == pytest.approx(0.125)
    assert timeout.rto == pytest.approx(0.725)


def test_a_chunk_sent_twice_gives_no_round_trip() -> None:
    a, b = connected()
    now = warm(a, b)
    before = a.srtt
    packets = flight(a, 1, now)
    deadline = a.next_timeout()
    assert deadline is not None
    a.handle_timeout(deadline)
    a.packets_to_send(deadline, 8)
    b.receive_packets(packets, now + 5)
    b.handle_timeout(now + 6)
    a.receive_packets(b.packets_to_send(now + 6, 8), now + 6)
    assert a.outstanding_bytes == 0
    assert a.srtt == before


def test_what_the_peer_takes_back_is_sent_again() -> None:
    a, b = connected()
    packets = flight(a, 5)
    b.receive_packets([*packets[:1], *packets[2:]], START)
    a.receive_packets(b.packets_to_send(START, 8), START)
    assert a.packets_to_send(START, 8)
    cumulative = a._outbound.outstanding.cumulative + 1
    reneging = write_sack(Sack(cumulative & 0xFFFFFFFF, 1_000_000, ()))
    a.receive_packets([b._wire.write(reneging)], START)
    assert a.counters.sent.reneged == 1
    assert len(a.packets_to_send(START, 8)) == 3


def test_a_sack_for_what_was_never_sent_is_ignored() -> None:
    a, b = connected()
    flight(a, 2)
    wrong = write_sack(Sack((a._outbound.outstanding.next_tsn + 5) & 0xFFFFFFFF, 1_000_000, ()))
    a.receive_packets([b._wire.write(wrong)], START)
    assert a.outstanding_bytes == 2000
    assert a.counters.received.malformed == 1


def test_reordering_alone_costs_no_window() -> None:
    pair = Pair(Link(latency=0.025, reordering=0.1, reordering_delay=0.02), seed=3).connect()
    for _ in range(40):
        pair.send(bytes(50_000))
    start = pair.now
    assert pair.run(10, lambda: len(pair.b.messages) == 40)
    assert pair.now - start < 1.5
    assert pair.a.association.counters.sent.retransmitted_chunks < 20


def test_another_path_begins_with_a_probe_and_a_small_window() -> None:
    pair = Pair(Link(latency=0.01)).connect()
    for _ in range(60):
        pair.send(bytes(60_000))
    pair.run(0.1)
    a = pair.a.association
    assert a.cwnd > 20_000
    a.reset_path(1160, pair.now)
    assert a.cwnd == 11_600
    assert a.srtt is None
    assert pair.run(10, lambda: len(pair.b.messages) == 60)
    assert a.counters.sent.timeouts == 0


def test_nothing_is_counted_twice_however_lossy_the_path() -> None:
    pair = Pair(Link(latency=0.02, loss=0.3, duplication=0.2, jitter=0.05), seed=5).connect()
    for _ in range(30):
        pair.send(bytes(5000))
    assert pair.run(300, lambda: len(pair.b.messages) == 30)
    pair.run(30)
    a = pair.a.association
    assert a.outstanding_bytes == 0
    assert a.unacknowledged_amount(0) == 0
    assert a._outbound.outstanding.chunks == {}
    exchange(a, pair.b.association, pair.now)


def test_the_flight_never_exceeds_what_was_configured() -> None:
    config = SctpConfig(max_outstanding=50_000, path_mtu_discovery=False)
    pair = Pair(Link(latency=0.05), config=config).connect()
    for _ in range(20):
        pair.send(bytes(60_000))
    most = 0

    def watch() -> bool:
        nonlocal most
        most = max(most, pair.a.association.outstanding_bytes)
        return len(pair.b.messages) == 20

    assert pair.run(30, watch)
    assert 40_000 < most <= 52_000
