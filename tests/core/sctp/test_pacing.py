"""Packets leave a tick's worth at a time, and the rate of delivery is measured."""

from __future__ import annotations

import pytest

from peerix.core.sctp import NewReno, SctpConfig
from peerix.core.sctp.congestion.bbr import Bbr, Phase
from peerix.core.sctp.delivery import DeliverySample, DeliverySampler
from peerix.core.sctp.outstanding import Delivered
from peerix.core.sctp.pacing import MAX_LATENESS, TICK, Pacer
from tests.core.sctp.pairs import START, Pair, received
from tests.support.simnet import Link

RATE = 1_000_000.0


class OneMegabyteASecond(NewReno):
    """A window that is never in the way, paced."""

    def __init__(self, packet_size: int) -> None:
        super().__init__(packet_size)
        self.cwnd = 1 << 30
        self.pacing_rate = RATE

    def receive_acked(self, sample: DeliverySample, now: float) -> None: ...


PACED = SctpConfig(congestion_control=OneMegabyteASecond, path_mtu_discovery=False)


def paced_pair(latency: float) -> Pair:
    pair = Pair(Link(latency=latency), config=PACED).connect()
    pair.send(bytes(5000))
    pair.run(1)
    return pair


def test_a_pacer_lets_a_tick_pass_and_then_waits_until_it_is_paid() -> None:
    pacer = Pacer()
    pacer.allowance(RATE, START)
    assert pacer.allowance(RATE, START) >= TICK * RATE
    pacer.spend(10_000, RATE, START)
    pacer.wait(pending=True)
    assert pacer.allowance(RATE, START) == 0
    assert pacer.deadline is not None
    assert START + 0.005 < pacer.deadline <= START + 0.01
    assert pacer.allowance(RATE, pacer.deadline) == pytest.approx(TICK * RATE, abs=1)


def test_a_late_wake_up_makes_up_for_what_was_due() -> None:
    pacer = Pacer()
    pacer.allowance(RATE, START)
    pacer.spend(10_000, RATE, START)
    pacer.wait(pending=True)
    assert pacer.deadline is not None
    assert pacer.allowance(RATE, pacer.deadline + 0.02) == pytest.approx(0.021 * RATE, abs=1)


def test_lateness_beyond_reason_is_not_made_up_for() -> None:
    pacer = Pacer()
    pacer.allowance(RATE, START)
    pacer.spend(10_000, RATE, START)
    pacer.wait(pending=True)
    assert pacer.allowance(RATE, START + 60) <= (MAX_LATENESS + TICK) * RATE + 1


def test_idle_time_saves_nothing_up() -> None:
    pacer = Pacer()
    pacer.allowance(RATE, START)
    pacer.spend(100, RATE, START)
    pacer.wait(pending=False)
    assert pacer.deadline is None
    assert pacer.allowance(RATE, START + 60) <= 5 * TICK * RATE


def test_a_transfer_keeps_to_the_rate_of_its_controller() -> None:
    pair = paced_pair(latency=0.02)
    for _ in range(100):
        pair.send(bytes(10_000))
    start = pair.now
    assert pair.run(10, lambda: len(pair.b.messages) == 101)
    assert pair.now - start == pytest.approx(1.0, rel=0.05)


def test_a_timer_says_when_the_next_packets_leave() -> None:
    pair = paced_pair(latency=0.02)
    a = pair.a.association
    pair.a.association.send_message(0, 53, bytes(100_000), now=pair.now)
    assert a.packets_to_send(pair.now, 64)
    assert a.packets_to_send(pair.now, 64) == []
    pending = [a.has_pending]
    deadline = a.next_timeout()
    assert deadline is not None
    assert pair.now < deadline < pair.now + 0.01
    a.handle_timeout(deadline)
    pending.append(a.has_pending)
    assert pending == [False, True]
    assert a.packets_to_send(deadline, 64)


def test_a_path_with_a_very_short_round_trip_is_not_paced() -> None:
    pair = paced_pair(latency=0.0002)
    pair.a.association.send_message(0, 53, bytes(200_000), now=pair.now)
    assert len(pair.a.association.packets_to_send(pair.now, 64)) == 64


def test_control_chunks_do_not_wait_for_the_pacer() -> None:
    pair = paced_pair(latency=0.02)
    a, b = pair.a.association, pair.b.association
    a.send_message(0, 53, bytes(100_000), now=pair.now)
    b.send_message(0, 53, b"urgent", now=pair.now)
    a.packets_to_send(pair.now, 64)
    a.receive_packets(b.packets_to_send(pair.now, 64) * 2, pair.now)
    assert [message.data for message in received(a)] == [b"urgent"]
    (sack,) = a.packets_to_send(pair.now, 64)
    assert len(sack) < 60


def delivered(size: int, sent_at: float) -> Delivered:
    told = Delivered()
    told.size, told.sent_at, told.tsn, told.sends = size, sent_at, 1, 1
    return told


def test_the_rate_of_delivery_is_what_arrived_in_the_time_it_took() -> None:
    sampler = DeliverySampler()
    for step in range(10):
        sampler.note_sent(step * 10_000, (step + 1) * 10_000, START + step * 0.01)
    samples = [
        sampler.sample(delivered(10_000, START + step * 0.01), 0.1, START + 0.1 + step * 0.01) for step in range(10)
    ]
    sample = samples[-1]
    assert sample.rate == pytest.approx(100_000 / 0.19, rel=0.01)
    assert sample.sent_flight == 100_000
    assert not sample.app_limited


def test_what_was_in_flight_on_another_path_says_nothing_of_this_one() -> None:
    sampler = DeliverySampler()
    sampler.note_sent(5000, 6000, START)
    sample = sampler.sample(delivered(1000, START), 0.01, START + 0.02)
    assert sample.rate == pytest.approx(1000 / 0.02)


def test_a_path_that_seems_to_stand_still_gets_packets_all_the_same() -> None:
    bbr = Bbr(1200)
    for step in range(20):
        rtt = 0.06 if step else 0.02
        bbr.receive_acked(DeliverySample(1200, rate=0.1, rtt=rtt, srtt=rtt, round_start=True), START + step * 0.01)
    assert bbr.phase is not Phase.STARTUP
    assert bbr.pacing_rate >= 1200 / 0.25


def test_what_is_lost_does_not_wait_for_a_debt_of_the_pacer() -> None:
    pacer = Pacer()
    pacer.allowance(RATE, START)
    pacer.spend(10_000_000, RATE, START)
    pacer.wait(pending=True)
    pacer.forgive(START + 1)
    assert pacer.deadline is None
    assert pacer.allowance(RATE, START + 1) > 0


def test_a_transfer_goes_on_over_another_path_that_first_loses_everything() -> None:
    pair = Pair(Link(latency=0.01), config=SctpConfig(path_mtu_discovery=False)).connect()
    for _ in range(60):
        pair.send(bytes(60_000))
    pair.run(0.05)
    pair.a.association.reset_path(1160, pair.now)
    pair.network.connect("a", "b", Link(down=True))
    pair.run(0.005)
    pair.network.connect("a", "b", Link(latency=0.01))
    assert pair.run(10, lambda: len(pair.b.messages) == 60)


def test_a_sender_with_nothing_to_send_says_nothing_of_the_path() -> None:
    sampler = DeliverySampler()
    sampler.note_sent(0, 1000, START)
    sampler.note_app_limited(1000)
    sampler.note_sent(1000, 2000, START + 0.01)
    sampler.sample(delivered(1000, START), 0.1, START + 0.1)
    assert sampler.sample(delivered(1000, START + 0.01), 0.1, START + 0.11).app_limited


def test_a_round_is_over_when_what_was_sent_in_it_is_acknowledged() -> None:
    sampler = DeliverySampler()
    starts: list[bool] = []
    for step in range(40):
        now = START + step * 0.01
        sampler.note_sent(9000, 10_000, now)
        if step >= 10:
            starts.append(sampler.sample(delivered(1000, now - 0.1), 0.1, now).round_start)
    assert sum(starts) == 3
