"""What the benchmark of media makes of what a relay saw."""

from __future__ import annotations

import pytest

from benchmarks.media import FALL, RISE, follow, seconds_until
from benchmarks.relay import BIN, Direction, Link


def bits(*stretches: tuple[float, float]) -> list[float]:
    """Bits a second in each bin, of stretches of so many seconds."""
    return [rate for seconds, rate in stretches for _ in range(round(seconds / BIN))]


def test_a_bitrate_counts_from_the_first_second_that_keeps_to_it() -> None:
    rates = bits((10, 4e6), (1.5, 2e6), (0.3, 0.1e6), (0.5, 3e6), (5, 0.5e6))
    assert seconds_until(rates, 10, 17, lambda rate: rate < 1e6) == pytest.approx(2.2)


def test_a_bitrate_that_is_never_reached_takes_the_whole_stage() -> None:
    assert seconds_until(bits((20, 2e6)), 5, 12, lambda rate: rate > 3e6) == 7


def test_a_sender_that_follows_at_once_takes_no_time() -> None:
    sizes = [int(rate * BIN / 8) for rate in bits((FALL, 4e6), (RISE - FALL, 0.9e6), (10, 4e6))]
    assert follow(sizes) == {"before": pytest.approx(4e6), "fall": 0, "rise": 0}


def test_the_link_changes_at_its_times() -> None:
    direction = Direction(Link(delay=0, bandwidth=100_000, mtu=20_000, changes=((1, 50_000), (2, 200_000))), 1)
    data = bytes(10_000 - 28)
    dues: list[float] = []
    for at in (5.0, 6.5, 7.5):
        direction.take(data, at)
        dues.append(direction.on_the_way.pop()[0] - at)
    assert dues == [pytest.approx(each) for each in (0.1, 0.2, 0.05)]
    assert [size for size in direction.entered if size] == [10_000] * 3
    assert len(direction.entered) == 26
