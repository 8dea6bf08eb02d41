"""Interval sets behave like sets, and TSNs unwrap to the nearest number."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from peerix.core.sctp.intervals import IntervalSet, unwrap

numbers = st.integers(0, 60)
ranges = st.tuples(numbers, st.integers(0, 10)).map(lambda pair: (pair[0], pair[0] + pair[1]))


def members(intervals: IntervalSet) -> set[int]:
    found: set[int] = set()
    for start, end in zip(intervals.starts, intervals.ends, strict=True):
        found.update(range(start, end + 1))
    return found


def well_formed(intervals: IntervalSet) -> bool:
    pairs = list(zip(intervals.starts, intervals.ends, strict=True))
    return all(start <= end for start, end in pairs) and all(
        left[1] + 1 < right[0] for left, right in itertools.pairwise(pairs)
    )


@given(st.lists(numbers))
def test_adding_numbers_is_adding_to_a_set(values: list[int]) -> None:
    intervals, expected = IntervalSet(), set[int]()
    for value in values:
        assert intervals.add(value) == (value not in expected)
        expected.add(value)
        assert well_formed(intervals)
    assert members(intervals) == expected
    assert all((value in intervals) == (value in expected) for value in range(-1, 62))


@given(st.lists(ranges))
def test_adding_ranges_tells_exactly_what_is_new(values: list[tuple[int, int]]) -> None:
    intervals, expected = IntervalSet(), set[int]()
    for start, end in values:
        new = {value for first, last in intervals.add_range(start, end) for value in range(first, last + 1)}
        assert new == set(range(start, end + 1)) - expected
        expected |= new
        assert well_formed(intervals)
    assert members(intervals) == expected


@given(st.lists(ranges), st.integers(-1, 75))
def test_removing_up_to_a_number_leaves_what_is_above(values: list[tuple[int, int]], value: int) -> None:
    intervals = IntervalSet()
    for start, end in values:
        intervals.add_range(start, end)
    expected = {member for member in members(intervals) if member > value}
    intervals.remove_to(value)
    assert members(intervals) == expected
    assert well_formed(intervals)


@given(st.integers(1 << 32, 1 << 40), st.integers(-(1 << 31) + 1, (1 << 31) - 1))
def test_a_number_less_than_half_the_circle_away_unwraps_to_itself(near: int, distance: int) -> None:
    assert unwrap((near + distance) & 0xFFFFFFFF, near) == near + distance
