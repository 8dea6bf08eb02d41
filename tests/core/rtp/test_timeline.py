"""Timestamps as times of our own clock."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.clock import SenderClock, ntp_of
from peerix.core.rtp.rtcp import SenderReport
from peerix.core.rtp.timeline import JUMP, SETTLING, SLEW, TOO_LATE, SenderTimeline, StreamTimeline

WALL = 1_000_000.0


@dataclass
class Stream:
    """A stream whose packets take `latency` seconds; its clock begins at `start`."""

    sender: SenderTimeline
    clock_rate: int
    start: int
    latency: float
    wall: float = WALL
    clock: SenderClock = field(init=False)
    timeline: StreamTimeline = field(init=False)

    def __post_init__(self) -> None:
        self.clock, self.timeline = SenderClock(self.clock_rate), StreamTimeline(self.sender)

    def timestamp(self, captured: float) -> int:
        return self.start + round(captured * self.clock_rate) & 0xFFFFFFFF

    def report(self, captured: float) -> None:
        report = SenderReport(1, ntp_of(captured + self.wall), self.timestamp(captured), 1, 1)
        self.clock.receive_sender_report(report)
        self.timeline.report_received()

    def take(self, captured: float, late: float = 0.0) -> float:
        return self.timeline.time_of(self.timestamp(captured), self.clock, captured + self.latency + late)

    def run(self, begin: float, seconds: float) -> list[float]:
        return [self.take(begin + number / 50) for number in range(round(seconds * 50))]


def run_both(sound: Stream, picture: Stream, begin: float, seconds: float) -> list[tuple[float, float]]:
    moments = [begin + number / 50 for number in range(round(seconds * 50))]
    return [(sound.take(moment), picture.take(moment)) for moment in moments]


def pair(**of_picture: float) -> tuple[Stream, Stream]:
    sender = SenderTimeline()
    return Stream(sender, 48_000, 0xFFFF0000, 0.05), Stream(sender, 90_000, 12345, of_picture.get("latency", 0.13))


def test_before_a_report_the_time_is_that_of_the_fastest_arrival() -> None:
    sound, _ = pair()
    chance = random.Random(1)
    times = [sound.take(number / 50, late=chance.choice((0, 0.01, 0.04))) for number in range(200)]
    assert times[-1] == pytest.approx(199 / 50 + 0.05)
    assert all(later - earlier == pytest.approx(0.02) for earlier, later in pairwise(times[60:]))


def test_what_was_captured_together_has_the_same_time_after_reports() -> None:
    sound, picture = pair()
    for stream in (sound, picture):
        stream.take(10.0)
        stream.report(10.0)
    assert sound.take(10.1) == pytest.approx(10.1 + 0.05, abs=1e-4)
    assert picture.take(10.1) == pytest.approx(10.1 + 0.05, abs=1e-4)


def test_a_late_report_corrects_slowly() -> None:
    sound, picture = pair()
    sound.report(10.0)
    before = run_both(sound, picture, 10.0, 2)
    picture.report(12.0)
    after = run_both(sound, picture, 12.0, 30)
    assert before[-1] == pytest.approx((11.98 + 0.05, 11.98 + 0.13))
    steps = [later - earlier for (_, earlier), (_, later) in pairwise([before[-1], *after])]
    assert min(steps) >= 0.02 * (1 - SLEW) - 1e-6
    assert after[-1][1] == pytest.approx(after[-1][0], abs=1e-3)


def test_what_is_far_off_is_corrected_at_once() -> None:
    sound, picture = pair(latency=0.05 + JUMP + 0.1)
    before = run_both(sound, picture, 10.0, 2 * SETTLING)
    assert before[-1][1] - before[-1][0] > JUMP
    sound.report(11.0)
    picture.report(11.0)
    run_both(sound, picture, 11.0, JUMP + 0.2)
    one, other = run_both(sound, picture, 12.0, 0.02)[0]
    assert one == pytest.approx(other, abs=1e-3)


def test_a_sender_that_sets_its_clock_moves_nothing() -> None:
    sound, picture = pair()
    for stream in (sound, picture):
        stream.take(10.0)
        stream.report(10.0)
        stream.run(10.02, 1)
    sound.wall += 3600
    picture.wall += 3600
    sound.report(11.1)
    both = run_both(sound, picture, 11.1, 0.8)
    picture.report(12.0)
    both += run_both(sound, picture, 12.0, 0.8)
    for one, other in both:
        assert one == pytest.approx(other, abs=2e-3)
    assert both[-1][0] == pytest.approx(12.0 + 39 / 50 + 0.05, abs=2e-3)


def test_timestamps_that_begin_anew_are_followed_at_once_and_leave_others_alone() -> None:
    sound, picture = pair()
    for stream in (sound, picture):
        stream.take(10.0)
        stream.report(10.0)
        stream.run(10.02, 1)
    picture.start += 90_000 * 500
    assert picture.take(11.1) == pytest.approx(11.1 + 0.13, abs=1e-3)
    assert sound.take(11.1) == pytest.approx(11.1 + 0.05, abs=1e-3)
    picture.report(11.2)
    one, other = run_both(sound, picture, 11.2, 30)[-1]
    assert one == pytest.approx(other, abs=1e-3)


def test_timestamps_that_stay_behind_are_followed() -> None:
    sound, _ = pair()
    sound.run(10.0, 1)
    sound.start -= round((TOO_LATE + 1) * 48_000)
    assert sound.take(11.0) == pytest.approx(11.05)


def test_clocks_that_drift_are_followed() -> None:
    _, picture = pair()
    picture.report(0.0)
    for number in range(3000):
        captured = number / 50
        picture.timeline.time_of(picture.timestamp(captured), picture.clock, captured * 1.0002 + 0.1)
    time = picture.timeline.time_of(picture.timestamp(60.0), picture.clock, 60 * 1.0002 + 0.1)
    assert time == pytest.approx(60 * 1.0002 + 0.1, abs=0.006)


@given(
    st.lists(
        st.tuples(st.integers(0, 0xFFFFFFFF), st.floats(0, 100), st.none() | st.integers(0, 2**64 - 1)), max_size=40
    )
)
def test_times_never_go_back_and_are_never_far_ahead(packets: list[tuple[int, float, int | None]]) -> None:
    sender, now, last = SenderTimeline(), 5.0, float("-inf")
    stream, clock = StreamTimeline(sender), SenderClock(90_000)
    for timestamp, wait, report in packets:
        now += wait
        if report is not None:
            clock.receive_sender_report(SenderReport(1, report, timestamp ^ 0x55, 1, 1))
            stream.report_received()
        time = stream.time_of(timestamp, clock, now)
        assert last <= time <= now + JUMP + 1e-3
        last = time
