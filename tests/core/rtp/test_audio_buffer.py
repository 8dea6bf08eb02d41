"""Packets of audio to a sequence without holes in time, and how long is waited for one."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.audio_buffer import MAX_HOLE, MAX_UNITS, MAXIMUM_DELAY, MINIMUM_DELAY, AudioBuffer, AudioUnit
from peerix.core.rtp.payload import opus_duration
from peerix.core.rtp.playout import PlayoutDelay

FRAME = 960
FIRST = 0xFFFFF000
"""The first timestamp; it wraps after five packets."""


def payload(index: int) -> bytes:
    return b"\x78" + bytes((index & 0xFF,))


def buffer(*, fec: bool = False) -> AudioBuffer:
    return AudioBuffer(48_000, opus_duration, lambda _: FRAME if fec else 0)


def put(made: AudioBuffer, index: int, now: float | None = None) -> list[AudioUnit]:
    """Insert the packet of this index, which is sent every 20 ms."""
    at = 1.0 + index * 0.02 if now is None else now
    return made.insert(index + 65_530, FIRST + index * FRAME & 0xFFFFFFFF, payload(index), at)


def times(units: list[AudioUnit]) -> list[tuple[float, bool]]:
    """Give where units begin, in packets, and whether they have a payload."""
    return [((unit.timestamp - FIRST & 0xFFFFFFFF) / FRAME, unit.payload is not None) for unit in units]


def test_what_is_next_leaves_at_once() -> None:
    made = buffer()
    for index in range(10):
        (unit,) = put(made, index)
        assert (unit.payload, unit.duration) == (payload(index), FRAME)
    assert made.next_timeout() is None


def test_a_packet_that_was_overtaken_is_put_in_its_place() -> None:
    made = buffer()
    units = [unit for index in (0, 2, 1, 3) for unit in put(made, index)]
    assert times(units) == [(0, True), (1, True), (2, True), (3, True)]


def test_a_lost_packet_is_concealed_at_its_deadline() -> None:
    made = buffer()
    for index in range(5):
        put(made, index)
    assert put(made, 6) == []
    deadline = made.next_timeout()
    assert deadline is not None
    assert 1.12 <= deadline <= 1.12 + MAXIMUM_DELAY
    assert made.handle_timeout(deadline - 0.001) == []
    units = made.handle_timeout(deadline)
    assert times(units) == [(5, False), (6, True)]
    assert (made.counters.concealments, made.counters.concealed) == (1, FRAME)
    assert put(made, 5, 2.0) == []
    assert made.counters.late_packets == 1


def test_a_packet_that_repeats_the_lost_one_is_told() -> None:
    made = buffer(fec=True)
    put(made, 0)
    put(made, 3)
    units = made.handle_timeout(3.0)
    assert times(units) == [(1, False), (2, False), (3, True)]
    assert [unit.recovery for unit in units] == [None, payload(3), None]
    assert made.counters.recovered == 1
    assert (made.counters.concealments, made.counters.concealed) == (1, FRAME)


def test_a_packet_may_repeat_only_a_part_of_the_lost_one() -> None:
    """Hybrid Opus of 40 ms is two frames, and repeats one."""
    made = buffer(fec=True)
    put(made, 0)
    made.insert(65_532, FIRST + 3 * FRAME & 0xFFFFFFFF, payload(3), 1.06)
    units = made.handle_timeout(3.0)
    assert [(unit.duration, unit.recovery) for unit in units[:2]] == [(FRAME, None), (FRAME, payload(3))]


def test_a_packet_that_repeats_more_than_is_missing_is_not_made_use_of() -> None:
    made = AudioBuffer(48_000, opus_duration, lambda _: 2 * FRAME)
    put(made, 0)
    put(made, 2)
    (lost, _) = made.handle_timeout(3.0)
    assert (lost.recovery, lost.duration) == (None, FRAME)
    assert (made.counters.recovered, made.counters.concealed) == (0, FRAME)


def test_a_hole_that_is_repeated_as_a_whole_is_no_concealment() -> None:
    made = buffer(fec=True)
    for index in (0, 2):
        put(made, index)
    made.handle_timeout(3.0)
    assert (made.counters.recovered, made.counters.concealments, made.counters.concealed) == (1, 0, 0)


def test_a_redundant_packet_is_preferred_to_one_that_repeats_it_at_a_low_bitrate() -> None:
    made = buffer(fec=True)
    put(made, 0)
    assert put(made, 2) == []
    assert made.insert_redundant(65_531, FIRST + FRAME, payload(1), 1.05) != []
    assert made.counters.recovered == 0


def test_a_redundant_packet_repeats_the_one_before_it_in_turn() -> None:
    made = buffer(fec=True)
    put(made, 0)
    assert made.insert_redundant(65_532, FIRST + 2 * FRAME, payload(2), 1.06) == []
    assert times(put(made, 3)) == []
    units = made.handle_timeout(3.0)
    assert [(unit.payload, unit.recovery) for unit in units] == [
        (None, payload(2)),
        (payload(2), None),
        (payload(3), None),
    ]


def test_repetitions_are_counted_and_those_that_were_not_needed() -> None:
    made = buffer(fec=True)
    for index in (0, 1, 3):
        put(made, index)
    made.handle_timeout(3.0)
    assert (made.counters.repetitions, made.counters.repetitions_unused) == (3, 2)
    put(made, 2, 3.0)  # too late
    assert (made.counters.repetitions, made.counters.repetitions_unused) == (4, 3)
    made.insert_redundant(65_533, FIRST + 3 * FRAME, payload(3), 3.0)  # it came by itself
    assert (made.counters.repetitions, made.counters.repetitions_unused) == (5, 4)


def test_all_that_is_handed_out_is_counted() -> None:
    made = buffer()
    units = [unit for index in (0, 1, 3, 4) for unit in put(made, index)] + made.handle_timeout(3.0)
    assert made.counters.released == sum(unit.duration for unit in units) == 5 * FRAME


def test_a_pause_of_the_sender_is_no_loss() -> None:
    made = buffer()
    put(made, 0)
    units = made.insert(65_531, FIRST + 20 * FRAME & 0xFFFFFFFF, payload(1), 1.4)
    assert times(units) == [(1, False), (20, True)]
    assert (units[0].silence, units[0].duration) == (True, 19 * FRAME)
    assert made.counters.concealments == 0


def test_a_redundant_packet_fills_the_hole_at_once() -> None:
    made = buffer()
    put(made, 0)
    assert made.insert_redundant(65_531, FIRST + FRAME, payload(1), 1.04) != []
    assert times(put(made, 2)) == [(2, True)]
    assert made.insert_redundant(65_531, FIRST + FRAME, payload(1), 1.06) == []


def test_a_hole_of_many_seconds_is_a_new_beginning() -> None:
    made = buffer()
    put(made, 0)
    put(made, int(MAX_HOLE * 50) + 5)
    units = made.handle_timeout(1000.0)
    assert times(units) == [(int(MAX_HOLE * 50) + 5, True)]


def test_a_clock_that_jumps_back_is_followed_after_some_packets() -> None:
    made = buffer()
    for index in range(1000, 1010):
        put(made, index)
    units = [unit for index in range(20) for unit in made.insert(90_000 + index, index * FRAME, payload(index), 50.0)]
    assert len(units) >= 10
    assert units[-1].timestamp == 19 * FRAME


def test_what_is_no_payload_is_dropped() -> None:
    assert buffer().insert(1, 0, b"", 1.0) == []


def test_packets_behind_a_hole_are_bounded() -> None:
    made = buffer()
    put(made, 0, 1.0)
    for index in range(2, MAX_UNITS + 50):
        put(made, index, 1.0)
    units = made.handle_timeout(5.0)
    assert sum(unit.payload is not None for unit in units) == MAX_UNITS


@given(st.integers(0, 1 << 30), st.floats(0, 0.4), st.floats(0, 0.1))
def test_units_follow_each_other_without_a_gap(seed: int, loss: float, jitter: float) -> None:
    chance = random.Random(seed)
    made = buffer(fec=chance.random() < 0.5)
    arrivals = [
        (1.0 + index * 0.02 + chance.uniform(0, jitter), index) for index in range(60) if chance.random() >= loss
    ]
    units: list[AudioUnit] = []
    for now, index in sorted(arrivals):
        while (at := made.next_timeout()) is not None and at <= now:
            units += made.handle_timeout(at)
        units += put(made, index, now)
    units += made.handle_timeout(100.0)
    for before, after in itertools.pairwise(units):
        assert after.timestamp == before.timestamp + before.duration & 0xFFFFFFFF
    assert all(unit.payload in (None, payload((unit.timestamp - FIRST & 0xFFFFFFFF) // FRAME)) for unit in units)


@given(st.integers(0, 1 << 30))
def test_nothing_waits_longer_than_the_maximum(seed: int) -> None:
    chance = random.Random(seed)
    made = buffer()
    now = 1.0
    for index in range(40):
        now += chance.uniform(0, 0.3)
        if chance.random() < 0.6:
            put(made, index, now)
            deadline = made.next_timeout()
            assert deadline is None or deadline <= now + MAXIMUM_DELAY


def delay_after(jitter: float, *, count: int = 400) -> PlayoutDelay:
    chance = random.Random(3)
    playout = PlayoutDelay(48_000, MINIMUM_DELAY, MAXIMUM_DELAY)
    for index in range(count):
        playout.arrived(index * FRAME, 1.0 + index * 0.02 + chance.uniform(0, jitter))
    return playout


def test_the_delay_follows_the_jitter() -> None:
    assert delay_after(0.0).delay == MINIMUM_DELAY
    assert delay_after(0.1).delay == pytest.approx(0.097, abs=0.01)


def test_the_delay_is_bounded() -> None:
    assert delay_after(5.0).delay == MAXIMUM_DELAY


def test_the_delay_shrinks_slowly() -> None:
    playout = delay_after(0.2)
    before = playout.delay
    for index in range(400, 1400):
        playout.arrived(index * FRAME, 1.0 + index * 0.02)
        assert playout.delay >= before - 0.02 * (index - 399) * 0.02 - 0.01
    assert playout.delay == MINIMUM_DELAY


def test_a_clock_that_drifts_is_followed() -> None:
    playout = PlayoutDelay(48_000, MINIMUM_DELAY, MAXIMUM_DELAY)
    for index in range(6000):
        playout.arrived(index * FRAME, 1.0 + index * 0.02 * 1.001)
    assert playout.playout_at(5999 * FRAME) - (1.0 + 5999 * 0.02 * 1.001) < 0.05


def test_playout_is_the_fastest_transit_plus_the_delay() -> None:
    playout = delay_after(0.0, count=2)
    assert playout.playout_at(48_000) == pytest.approx(2.0 + MINIMUM_DELAY)


def test_the_sender_may_wish_other_bounds() -> None:
    playout = delay_after(0.0)
    playout.set_bounds(0.1, 0.05)
    assert playout.delay == 0.1
