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


def feedback(made: ReportSchedule, now: float, *, urgent: bool = False) -> int:
    """Send 100 bytes at a time until there is no more to send at this moment, and count."""
    count = 0
    while made.feedback_at(urgent=urgent) <= now:
        made.feedback_sent(100, now)
        count += 1
    return count


def test_feedback_leaves_at_once_within_its_share() -> None:
    made = schedule()
    assert made.feedback_at() <= 10.0
    made.feedback_sent(100, 10.0)
    assert made.feedback_at() <= 10.0


def test_feedback_beyond_the_share_has_to_wait() -> None:
    made = schedule(bandwidth=100_000)
    sent = sum(feedback(made, 10.0 + step / 1000) for step in range(2000))
    assert 100_000 * 0.05 * 2 / 100 <= sent <= 100_000 * 0.05 * 2.5 / 100 + 1


def test_feedback_that_has_to_wait_is_told_when_it_may_leave() -> None:
    made = schedule()
    feedback(made, 10.0)
    at = made.feedback_at()
    assert 10.0 < at < 10.1
    assert feedback(made, at) == 1


def test_urgent_feedback_borrows_and_is_bounded_too() -> None:
    made = schedule(bandwidth=100_000)
    feedback(made, 10.0)
    urgent = sum(feedback(made, 10.0 + step / 1000, urgent=True) for step in range(2000))
    assert 100_000 * 0.05 * 2 / 100 < urgent <= 100_000 * 0.05 * 2.5 / 100 + 1
    assert made.feedback_at() > 12.0 + 0.4


def test_a_larger_bandwidth_gives_a_larger_share() -> None:
    made = schedule(bandwidth=1_000)
    feedback(made, 10.0)
    before = made.feedback_at()
    made.set_bandwidth(1_000_000)
    assert made.feedback_at() < before
    assert feedback(made, 11.0) > 100
