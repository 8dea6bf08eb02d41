"""When RTCP leaves."""

from __future__ import annotations

import random

from peerix.core.rtp.report_schedule import MIN_BANDWIDTH, MINIMUM_INTERVAL, ReportSchedule


def schedule(bandwidth: float = 100_000, seed: int = 1) -> ReportSchedule:
    return ReportSchedule(random.Random(seed).randbytes, bandwidth, now=10.0)


def test_the_first_report_comes_after_half_an_interval() -> None:
    for seed in range(20):
        assert 10.2 < schedule(seed=seed).next_report_at < 10.62


def test_reports_are_spread_over_half_to_one_and_a_half_intervals() -> None:
    made = schedule()
    gaps: list[float] = []
    now = 10.0
    for _ in range(300):
        made.report_sent(100, now)
        gaps.append(made.next_report_at - now)
        now = made.next_report_at
    assert min(gaps) >= MINIMUM_INTERVAL * 0.5 / 1.22
    assert max(gaps) <= MINIMUM_INTERVAL * 1.5 / 1.21
    assert max(gaps) - min(gaps) > 0.6


def test_large_reports_come_less_often() -> None:
    made = schedule(bandwidth=1_000)
    for number in range(100):
        made.report_sent(1_400, 10.0 + number)
    assert made.next_report_at - 109.0 > 0.5 * 2 * 1_300 / MIN_BANDWIDTH / 1.22


def test_feedback_leaves_at_once_within_its_share() -> None:
    made = schedule()
    assert made.may_send_feedback(100, 10.0)
    assert made.may_send_feedback(100, 10.0)


def test_feedback_beyond_the_share_has_to_wait() -> None:
    made = schedule(bandwidth=100_000)
    sent = sum(made.may_send_feedback(100, 10.0 + step / 1000) for step in range(2000))
    assert 100_000 * 0.05 * 2 / 100 <= sent <= 100_000 * 0.05 * 2.5 / 100


def test_a_larger_bandwidth_gives_a_larger_share() -> None:
    made = schedule(bandwidth=1_000)
    while made.may_send_feedback(100, 10.0):
        pass
    assert not made.may_send_feedback(1000, 10.5)
    made.set_bandwidth(1_000_000)
    assert made.may_send_feedback(1000, 11.0)
