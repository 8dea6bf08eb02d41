"""The estimate of what a path carries: its parts, and the whole over links in virtual time."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.bandwidth import (
    MIN_BITRATE,
    START_BITRATE,
    BandwidthEstimator,
    PacketResult,
    Probe,
    Prober,
    SentPackets,
    TrendlineEstimator,
    Usage,
)
from peerix.core.rtp.bandwidth.estimator import FEEDBACK_TIMEOUT
from peerix.core.rtp.bandwidth.probing import REPEAT
from peerix.core.rtp.bandwidth.rates import AcknowledgedRate, DelayBasedRate, LossBasedLimit
from peerix.core.rtp.bandwidth.sent_packets import MAX_SENT
from peerix.core.rtp.rtcp import TICK, TransportFeedback
from tests.core.rtp.flow import Flow
from tests.core.rtp.link import Link


def feedback(base: int, *arrivals: int | None, reference: int = 0) -> TransportFeedback:
    return TransportFeedback(1, 2, base & 0xFFFF, reference, 0, arrivals)


def test_results_tell_size_and_both_times() -> None:
    packets = SentPackets()
    assert [packets.add(1000, 5.0 + number / 100, probe=3) for number in range(3)] == [0, 1, 2]
    results = packets.receive(feedback(0, 4, None, 8, reference=1), 5.1)
    assert results == [
        PacketResult(0, 1000, 5.0, 260 * TICK, 3),
        PacketResult(1, 1000, 5.01, None, 3),
        PacketResult(2, 1000, 5.02, 264 * TICK, 3),
    ]
    assert packets.in_flight == 0
    assert packets.round_trip_time == pytest.approx(0.08)


def test_a_loss_is_told_once_and_taken_back_when_the_packet_was_only_late() -> None:
    packets = SentPackets()
    for _ in range(3):
        packets.add(1000, 5.0)
    assert len(packets.receive(feedback(0, None, 2), 5.1)) == 2
    assert packets.receive(feedback(0, None), 5.2) == []
    (late,) = packets.receive(feedback(0, 9, 2), 5.3)
    assert late.arrived_at is not None
    assert packets.receive(feedback(0, 9), 5.4) == []
    assert packets.in_flight == 1000


def test_numbers_and_reference_times_wrap() -> None:
    packets = SentPackets()
    for _ in range(65_536):
        packets.add(1, 1.0)
    assert packets.add(7, 2.0) == 0
    (before,) = packets.receive(feedback(65_535, 0, reference=0x7FFFFF), 2.0)
    (after,) = packets.receive(feedback(0, 0, reference=-0x800000), 2.0)
    assert (before.sequence, after.sequence, after.size) == (65_535, 65_536, 7)
    assert before.arrived_at is not None
    assert after.arrived_at is not None
    assert after.arrived_at - before.arrived_at == pytest.approx(0.064)


def test_what_is_remembered_is_bounded() -> None:
    packets = SentPackets()
    for _ in range(MAX_SENT + 10):
        packets.add(1, 1.0)
    assert packets.in_flight == MAX_SENT
    assert packets.receive(feedback(0, 1, 2, 3), 1.0) == []


@given(
    st.integers(0, 65_535),
    st.lists(st.none() | st.integers(-30_000, 30_000), max_size=50),
    st.integers(-(1 << 23), (1 << 23) - 1),
)
def test_no_feedback_makes_the_estimator_raise(base: int, arrivals: list[int | None], reference: int) -> None:
    estimator = BandwidthEstimator(1e6)
    for number in range(40):
        estimator.sent(1200, 1.0 + number / 100)
    for _ in range(3):
        estimator.receive_feedback(feedback(base, *arrivals, reference=reference), 2.0)
        estimator.receive_feedback(feedback(base % 40, *arrivals, reference=reference), 2.0)
    assert MIN_BITRATE <= estimator.bitrate <= 1e6


def usages(delay_of_group: float, count: int = 80, *, noise: float = 0.0) -> TrendlineEstimator:
    """Feed groups that are sent every 20 ms, each delayed by so much more than the one before."""
    chance = random.Random(2)
    trendline = TrendlineEstimator()
    for number in range(count):
        sent = number * 0.02
        arrived = sent + 0.05 + number * delay_of_group + chance.uniform(0, noise)
        for packet in range(3):
            trendline.receive(sent + packet * 0.001, 1000 + arrived + packet * 0.001)
    return trendline


def test_a_growing_queue_is_overuse() -> None:
    assert usages(0.004).usage is Usage.OVERUSE


def test_an_emptying_queue_is_underuse() -> None:
    assert usages(-0.002, 30).usage is Usage.UNDERUSE


def test_a_steady_delay_is_normal_and_so_is_noise() -> None:
    assert usages(0.0).usage is Usage.NORMAL
    assert usages(0.0, noise=0.003).usage is Usage.NORMAL


def test_a_long_silence_begins_anew() -> None:
    trendline = usages(0.004, 18)
    for number in range(10):
        trendline.receive(100 + number * 0.02, 1500 + number * 0.02)
    assert trendline.usage is Usage.NORMAL
    assert trendline.trend == 0


def test_the_arriving_rate_is_that_of_the_last_half_second() -> None:
    rate = AcknowledgedRate()
    for number in range(100):
        rate.receive(1250, number * 0.01)
        assert number > 12 or rate.bitrate() is None
    assert rate.bitrate() == pytest.approx(1_000_000)
    for number in range(100):
        rate.receive(250, 1 + number * 0.01)
    assert rate.bitrate() == pytest.approx(200_000)
    rate.reset()
    assert rate.bitrate() is None


def test_overuse_falls_below_what_arrives_and_waits_for_the_effect() -> None:
    rate = DelayBasedRate(2e6)
    rate.update(Usage.OVERUSE, 1e6, 0.1, 1.0)
    assert rate.bitrate == 0.85e6
    rate.update(Usage.OVERUSE, 0.5e6, 0.1, 1.05)
    assert rate.bitrate == 0.85e6
    rate.update(Usage.UNDERUSE, 1e6, 0.1, 1.3)
    rate.update(Usage.NORMAL, 1e6, 0.1, 1.4)
    assert rate.bitrate == 0.85e6
    rate.update(Usage.NORMAL, 1e6, 0.1, 1.5)
    assert 0.85e6 < rate.bitrate < 0.87e6


def test_far_from_the_capacity_the_rate_grows_by_its_share() -> None:
    rate = DelayBasedRate(1e6)
    for tenth in range(11):
        rate.update(Usage.NORMAL, 1e6, 0.1, tenth / 10)
    assert rate.bitrate == pytest.approx(1.08e6)


def test_the_rate_does_not_run_away_from_what_arrives() -> None:
    rate = DelayBasedRate(1e6)
    for second in range(100):
        rate.update(Usage.NORMAL, 0.8e6, 0.1, float(second))
    assert rate.bitrate == pytest.approx(0.8e6 * 1.5 + 10_000)


def losses(limit: LossBasedLimit, share: float, seconds: int, target: float, begin: int = 0) -> None:
    for second in range(begin, begin + seconds):
        limit.receive(int(100 * share), 100, min(target, limit.limit), 0.5 * target, 0.1, float(second))


def test_a_little_loss_limits_nothing() -> None:
    limit = LossBasedLimit()
    losses(limit, 0.05, 20, 1e6)
    assert limit.limit == float("inf")
    assert limit.loss == 0.05


def test_heavy_loss_limits_and_the_limit_goes_when_the_loss_is_gone() -> None:
    limit = LossBasedLimit()
    losses(limit, 0.3, 1, 1e6)
    assert limit.limit == pytest.approx(0.85e6)
    losses(limit, 0.3, 20, 1e6, 1)
    assert limit.limit == pytest.approx(0.425e6)
    losses(limit, 0.0, 5, 1e6, 21)
    assert 0.5e6 < limit.limit < 0.7e6
    limit.raise_to(0.9e6)
    assert limit.limit == 0.9e6
    losses(limit, 0.0, 15, 1e6, 26)
    assert limit.limit == float("inf")


def burst(rate: float, through: float, *, lost: int = 0) -> float | None:
    probe = Probe(1, rate, 0.0)
    for number in range(10):
        probe.sent_packets += 1
        arrived = None if number < lost else 7 + number * 9600 / through
        probe.results.append(PacketResult(number, 1200, number * 9600 / rate, arrived, 1))
    return probe.measured()


def test_a_burst_measures_the_path_or_itself() -> None:
    assert burst(2e6, 2e6) == pytest.approx(2e6)
    assert burst(2e6, 1e6) == pytest.approx(0.95e6)
    assert burst(2e6, 2e6, lost=2) == pytest.approx(2e6)


def test_a_burst_that_was_lost_or_squeezed_measures_nothing() -> None:
    assert burst(2e6, 2e6, lost=3) is None
    assert burst(2e6, 5e6) is None


def leaving(prober: Prober) -> Probe | None:
    return prober.active


def test_bursts_are_repeated_as_long_as_more_is_wanted() -> None:
    prober = Prober()
    prober.start(300_000, 10e6, 0.0)
    while leaving(prober) is not None:
        prober.sent(1200, 0.1)
    prober.search(1e6, 1e6, 10.0)
    assert leaving(prober) is None
    prober.search(1e6, 10e6, 0.2)
    assert leaving(prober) is None
    prober.search(1e6, 10e6, 0.2 + REPEAT)
    assert leaving(prober) is not None
    prober.postpone(3.0)
    assert leaving(prober) is None
    prober.search(1e6, 10e6, 2.9 + REPEAT)
    assert leaving(prober) is None


def test_an_answer_that_never_comes_is_forgotten() -> None:
    prober = Prober()
    prober.start(300_000, 0.3e6, 0.0)
    assert leaving(prober) is None
    prober.start(300_000, 1e6, 0.0)
    probe = leaving(prober)
    assert probe is not None
    number = probe.number
    assert prober.receive(PacketResult(1, 1200, 0.0, 1.0, number), 5.0) is None
    assert prober.receive(PacketResult(2, 1200, 0.0, 1.0, number), 0.1) is None


def test_a_receiver_may_set_a_limit() -> None:
    estimator = BandwidthEstimator(5e6)
    assert estimator.bitrate == START_BITRATE
    estimator.set_remote_limit(100_000)
    assert estimator.bitrate == 100_000
    estimator.set_maximum(50_000)
    assert estimator.bitrate == 50_000
    estimator.set_maximum(0)
    assert estimator.bitrate == MIN_BITRATE


def test_without_feedback_the_bitrate_is_halved() -> None:
    estimator = BandwidthEstimator(5e6)
    assert estimator.next_timeout() is None
    estimator.sent(1000, 1.0)
    assert estimator.next_timeout() == 1.0 + FEEDBACK_TIMEOUT
    estimator.handle_timeout(1.5)
    assert estimator.bitrate == START_BITRATE
    estimator.handle_timeout(1.0 + FEEDBACK_TIMEOUT)
    assert estimator.bitrate == START_BITRATE / 2


def test_a_connection_finds_what_the_path_carries_within_a_second() -> None:
    flow = Flow(Link(1, rate=4e6 / 8)).run(1.0)
    assert 3e6 < flow.average(0.2) < 4.5e6


def test_a_path_without_limits_gives_what_is_wanted() -> None:
    assert Flow(Link(1), maximum=8e6).run(3.0).estimator.bitrate == 8e6


def test_the_estimate_stays_near_the_capacity_and_the_queue_short() -> None:
    flow = Flow(Link(1, rate=2e6 / 8)).run(3.0)
    flow.worst_queue = 0.0
    flow.run(6.0)
    assert 1.5e6 < flow.average(6.0) < 2.2e6
    assert flow.worst_queue < 0.2
    assert flow.there.lost == 0


def test_a_fall_is_followed_within_two_seconds_and_a_rise_within_ten() -> None:
    link = Link(1, rate=4e6 / 8)
    flow = Flow(link).run(4.0)
    link.rate = 1e6 / 8
    fell_at = flow.now
    flow.run(6.0)
    assert flow.time_until(fell_at, 0.3e6, 1.2e6) < 2.0
    assert 0.6e6 < flow.average(3.0) < 1.1e6
    link.rate = 4e6 / 8
    rose_at = flow.now
    flow.run(8.0)
    assert flow.time_until(rose_at, 3e6, 5e6) < 10.0
    assert flow.average(1.0) > 2.5e6


def test_two_percent_of_random_loss_do_not_stop_the_search() -> None:
    flow = Flow(Link(1, rate=3e6 / 8, loss=0.02)).run(6.0)
    assert flow.average(3.0) > 2e6


def test_a_narrow_path_is_not_flooded() -> None:
    flow = Flow(Link(1, rate=250e3 / 8)).run(8.0)
    assert 120e3 < flow.average(4.0) < 270e3


def test_a_pause_ends_what_was_seen_of_the_queue() -> None:
    trendline, arrived = TrendlineEstimator(), 100.0
    for number in range(60):
        arrived += 0.03
        trendline.receive(10 + number * 0.02, arrived)
    before = trendline.usage
    for number in range(3):
        trendline.receive(20 + number * 0.02, 200 + number * 0.02)
    assert (before, trendline.usage) == (Usage.OVERUSE, Usage.NORMAL)


def test_a_probe_whose_wake_up_comes_late_leaves_what_is_due_by_then() -> None:
    probe = Probe(1, 1_200_000, 10.0)
    assert (probe.due_at, probe.packet_size) == (10.0, 600)
    probe.first_sent_at = 10.0
    for _ in range(5):
        probe.sent_bytes += 600
        probe.sent_packets += 1
    assert probe.is_complete(10.02)
    assert probe.due_at == pytest.approx(10.02)
    assert not probe.is_complete(10.06)
    probe.sent_bytes *= 3
    assert probe.is_complete(10.06)


def test_a_probe_that_finds_too_little_to_send_ends() -> None:
    probe = Probe(1, 1_200_000, 10.0, first_sent_at=10.0)
    assert not probe.is_complete(10.1)
    assert probe.is_complete(10.3)
