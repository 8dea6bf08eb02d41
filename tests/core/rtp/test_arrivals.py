"""Transport-wide feedback as a receiver makes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.arrivals import (
    FEEDBACK_WAIT,
    MAX_FEEDBACK_WAIT,
    MAX_GAP,
    MAX_RECORDED,
    MAX_STATUSES,
    ArrivalRecorder,
)
from peerix.core.rtp.rtcp import TICK, TransportFeedback, read_compound, write_compound


def told(packets: list[TransportFeedback]) -> dict[int, float | None]:
    """Read feedback as a sender does; times are seconds since a moment that all share."""
    found: dict[int, float | None] = {}
    for packet in read_compound(write_compound(packets)):
        assert isinstance(packet, TransportFeedback)
        for index, ticks in enumerate(packet.arrivals):
            time = None if ticks is None else packet.reference_time * 0.064 + ticks * TICK
            found[packet.base_sequence + index & 0xFFFF] = time
    return found


@given(
    st.integers(0, 65_535),
    st.lists(st.tuples(st.integers(1, 40), st.floats(0.0, 20.0)), min_size=1, max_size=60),
)
def test_every_arrival_is_told_within_half_a_tick(start: int, steps: list[tuple[int, float]]) -> None:
    recorder = ArrivalRecorder(1)
    number, now = start, 100.0
    arrivals: dict[int, float] = {}
    for step, wait in steps:
        recorder.receive(number & 0xFFFF, 2, now)
        arrivals[number & 0xFFFF] = now
        number, now = number + step, now + wait
    feedback = told(recorder.feedback())
    assert {n: t for n, t in feedback.items() if t is not None} == pytest.approx(arrivals, abs=TICK / 2 + 1e-6)
    assert len(feedback) == number - steps[-1][0] - start + 1


def test_feedback_is_ready_soon_after_the_first_packet_only() -> None:
    recorder = ArrivalRecorder(1)
    assert recorder.feedback() == []
    recorder.receive(1, 2, 10.0)
    recorder.receive(2, 2, 10.04)
    assert not recorder.is_ready(10.0 + FEEDBACK_WAIT - 0.001)
    assert recorder.is_ready(10.0 + FEEDBACK_WAIT)
    assert recorder.feedback()
    assert not recorder.is_ready(100.0)


def test_feedback_that_no_packet_takes_along_is_due_at_last() -> None:
    recorder = ArrivalRecorder(1)
    recorder.receive(1, 2, 10.0)
    recorder.receive(2, 2, 10.04)
    assert recorder.feedback_at == 10.0 + MAX_FEEDBACK_WAIT
    recorder.feedback()
    due: float | None = recorder.feedback_at
    assert due is None


def test_a_loss_between_two_feedbacks_is_told() -> None:
    recorder = ArrivalRecorder(1)
    recorder.receive(1, 2, 10.0)
    recorder.feedback()
    recorder.receive(4, 2, 10.1)
    (packet,) = recorder.feedback()
    assert (packet.base_sequence, packet.feedback_count) == (2, 1)
    assert [arrival is None for arrival in packet.arrivals] == [True, True, False]


def test_a_late_packet_is_told_with_what_came_after_it() -> None:
    recorder = ArrivalRecorder(1)
    for number in (1, 3):
        recorder.receive(number, 2, 10.0)
    recorder.feedback()
    recorder.receive(2, 2, 10.1)
    assert told(recorder.feedback()) == pytest.approx({2: 10.1, 3: 10.0}, abs=TICK)


def test_a_duplicate_changes_nothing() -> None:
    recorder = ArrivalRecorder(1)
    recorder.receive(1, 2, 10.0)
    recorder.receive(1, 2, 11.0)
    assert told(recorder.feedback()) == pytest.approx({1: 10.0}, abs=TICK)


def test_a_jump_is_not_told_as_loss() -> None:
    recorder = ArrivalRecorder(1)
    recorder.receive(1, 2, 10.0)
    recorder.feedback()
    recorder.receive(MAX_GAP + 10, 2, 10.0)
    assert list(told(recorder.feedback())) == [MAX_GAP + 10]


def test_many_arrivals_take_several_packets_that_fit_a_path() -> None:
    recorder = ArrivalRecorder(1)
    for number in range(3000):
        recorder.receive(number, 2, 10.0 + (number % 7) * 0.1)
    packets = recorder.feedback()
    assert len(packets) == -(-3000 // MAX_STATUSES)
    assert max(len(write_compound([packet])) for packet in packets) <= 1356


def test_what_is_remembered_is_bounded() -> None:
    recorder = ArrivalRecorder(1)
    for number in range(MAX_RECORDED + 50):
        recorder.receive(number, 2, 10.0)
    assert list(told(recorder.feedback())) == list(range(50, MAX_RECORDED + 50))
