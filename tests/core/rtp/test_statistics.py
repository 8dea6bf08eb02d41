"""Counts and reports of the two directions, and the clocks behind them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.clock import (
    SenderClock,
    Unwrapper,
    compact_ntp,
    ntp_of,
    round_trip,
    signed_difference,
    unix_of,
)
from peerix.core.rtp.reception import ReceptionStatistics
from peerix.core.rtp.rtcp import ReportBlock, SenderReport
from peerix.core.rtp.transmission import MAX_REFERENCE_TIMES, ReferenceTimes, TransmissionStatistics

WALL = 1_750_000_000.0
"""Wall clock minus monotonic clock in these tests."""


def test_ntp_time_of_a_known_moment() -> None:
    assert ntp_of(0.5) == 2_208_988_800 << 32 | 1 << 31
    assert unix_of(ntp_of(1234.5)) == pytest.approx(1234.5)
    assert compact_ntp(0x1122334455667788) == 0x33445566


@given(st.integers(0, 65_535), st.lists(st.integers(-30_000, 30_000), max_size=50))
def test_wrapping_numbers_become_steady(start: int, steps: list[int]) -> None:
    unwrapper = Unwrapper(16)
    assert unwrapper.unwrap(start) == start
    number = start
    for step in steps:
        number += step
        assert unwrapper.unwrap(number & 0xFFFF) == number


def test_the_shorter_way_around_counts() -> None:
    assert signed_difference(2, 65_535, 16) == 3
    assert signed_difference(65_535, 2, 16) == -3


def test_timestamps_become_wall_clock_by_the_last_report() -> None:
    clock = SenderClock(90_000)
    assert clock.wall_clock(0) is None
    clock.receive_sender_report(SenderReport(1, ntp_of(WALL), 0xFFFFFFFF, 1, 1))
    assert clock.wall_clock(90_000 - 1) == pytest.approx(WALL + 1)
    assert clock.wall_clock(0xFFFFFFFF - 45_000) == pytest.approx(WALL - 0.5)


def test_a_sender_without_wall_clock_changes_nothing() -> None:
    clock = SenderClock(8_000)
    clock.receive_sender_report(SenderReport(1, 0, 5, 1, 1))
    assert clock.wall_clock(5) is None


def received(numbers: list[int], clock_rate: int = 8_000) -> ReceptionStatistics:
    statistics = ReceptionStatistics(7, clock_rate)
    for index, number in enumerate(numbers):
        statistics.receive(number & 0xFFFF, number * 160, 100, index * 0.02)
    return statistics


def test_sequence_numbers_are_extended_over_their_wrap() -> None:
    statistics = received([*range(65_530, 65_545)])
    assert statistics.highest == 65_544
    assert (statistics.expected, statistics.lost) == (15, 0)


def test_loss_is_counted_and_the_fraction_is_since_the_last_report() -> None:
    statistics = received([0, 1, 2, 5])
    block = statistics.report_block(1.0)
    assert (block.ssrc, block.cumulative_lost, block.fraction_lost, block.highest_sequence) == (7, 2, 2 * 256 // 6, 5)
    for number in (6, 7):
        statistics.receive(number, 0, 100, 1.0)
    block = statistics.report_block(2.0)
    assert (block.cumulative_lost, block.fraction_lost) == (2, 0)


def test_a_late_packet_makes_a_loss_good() -> None:
    statistics = received([0, 1, 3, 2])
    assert statistics.lost == 0


def test_duplicates_make_the_loss_negative_and_the_fraction_zero() -> None:
    block = received([0, 1, 1, 1]).report_block(1.0)
    assert (block.cumulative_lost, block.fraction_lost) == (-2, 0)


def test_everything_lost_but_the_last_packet_is_a_fraction_below_one() -> None:
    statistics = received([0])
    statistics.report_block(0.0)
    statistics.receive(2999, 0, 1, 1.0)
    assert statistics.report_block(1.0).fraction_lost == 255


def test_a_packet_far_off_is_dropped() -> None:
    statistics = received([0, 1])
    assert statistics.receive(30_000, 0, 1, 1.0) is None
    assert statistics.receive(2, 0, 1, 1.0) == 2
    assert statistics.received == 3


def test_two_packets_in_sequence_far_off_are_a_new_beginning() -> None:
    statistics = received([100, 101])
    assert statistics.receive(30_000, 0, 1, 1.0) is None
    extended = statistics.receive(30_001, 0, 1, 1.0)
    assert extended is not None
    assert extended > 101
    assert extended & 0xFFFF == 30_001
    assert (statistics.expected, statistics.lost) == (1, 0)


def test_packets_in_step_have_no_jitter() -> None:
    assert received([*range(50)]).jitter == pytest.approx(0)


def test_jitter_approaches_the_mean_change_of_transit_times() -> None:
    statistics = ReceptionStatistics(7, 8_000)
    for number in range(400):
        statistics.receive(number, number * 160, 100, number * 0.02 + (0.01 if number % 2 else 0))
    assert statistics.jitter == pytest.approx(80, rel=0.01)
    assert statistics.report_block(9.0).jitter == 79


def test_the_wrap_of_timestamps_is_no_jitter() -> None:
    statistics = ReceptionStatistics(7, 90_000)
    for number in range(5):
        statistics.receive(number, (0xFFFFF000 + number * 3000) & 0xFFFFFFFF, 1, number / 30)
    assert statistics.jitter < 1


def test_a_report_answers_the_last_sender_report() -> None:
    statistics = received([0])
    statistics.receive_sender_report(SenderReport(7, 0x1122334455667788, 0, 1, 1), 10.0)
    block = statistics.report_block(10.5)
    assert (block.last_sender_report, block.delay_since_last) == (0x33445566, 32_768)


def test_the_round_trip_is_what_the_answer_did_not_wait() -> None:
    sender = TransmissionStatistics(7, 90_000, WALL)
    sender.count(1, 100)
    sender.set_reference(0, 0.0)
    report = sender.sender_report(5.0)
    assert report is not None
    receiver = received([0])
    receiver.receive_sender_report(report, 900.0)
    sender.receive_report_block(receiver.report_block(901.0), 6.25)
    assert sender.round_trip_time == pytest.approx(0.25, abs=1e-4)


@given(st.integers(0, (1 << 64) - 1), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_no_report_gives_a_negative_round_trip(now: int, last: int, delay: int) -> None:
    measured = round_trip(now, last, delay)
    assert measured is None or 0 <= measured < 40_000


def test_a_block_without_a_report_before_it_measures_nothing() -> None:
    sender = TransmissionStatistics(7, 90_000, WALL)
    sender.receive_report_block(ReportBlock(7, 64, 12, 1, 9_000), 1.0)
    assert sender.round_trip_time is None
    assert (sender.fraction_lost, sender.remote_lost, sender.remote_jitter) == (0.25, 12, 0.1)


def test_a_sender_report_says_what_timestamp_now_would_have() -> None:
    sender = TransmissionStatistics(7, 90_000, WALL)
    assert sender.sender_report(1.0) is None
    sender.set_reference(0xFFFFFFFF, 2.0)
    sender.count(3, 3000)
    assert sender.sender_report(2.5) == SenderReport(7, ntp_of(WALL + 2.5), 44_999, 3, 3000)


def test_reference_times_are_answered_once_and_bounded() -> None:
    times = ReferenceTimes()
    for ssrc in range(MAX_REFERENCE_TIMES + 5):
        times.receive(ssrc, 0x1122334455667788, 1.0)
    answers = times.take(1.5)
    assert len(answers) == MAX_REFERENCE_TIMES
    assert answers[0] == (5, 0x33445566, 32_768)
    assert times.take(2.0) == []


def test_lip_sync_from_reports_is_within_a_millisecond() -> None:
    chance = random.Random(1)
    clocks = [SenderClock(48_000), SenderClock(90_000)]
    starts = [chance.getrandbits(32) for _ in clocks]
    for clock, start in zip(clocks, starts, strict=True):
        clock.receive_sender_report(SenderReport(1, ntp_of(WALL), start, 1, 1))
    moments = [clock.wall_clock(start + 3 * clock.clock_rate) for clock, start in zip(clocks, starts, strict=True)]
    assert moments == pytest.approx([WALL + 3, WALL + 3], abs=1e-3)
