"""The estimate at the receiver, told by REMB."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.bandwidth import RemoteEstimator
from peerix.core.rtp.header_extensions import abs_send_time
from tests.core.rtp.link import Link

if TYPE_CHECKING:
    from peerix.core.rtp.rtcp import MaximumBitrate

PACKET = 1200


def run(
    link: Link, seconds: float, *, begin: float = 60.0, bitrate: float = 500_000, limit: float = 1e9
) -> tuple[list[tuple[float, MaximumBitrate]], float]:
    """Send 100 times a second at a bitrate that obeys the reports, up to `limit`."""
    estimator = RemoteEstimator(9)
    reports: list[tuple[float, MaximumBitrate]] = []
    owed = 0.0
    for step in range(int(seconds * 100)):
        now = begin + step / 100
        owed += bitrate / 800
        while owed >= PACKET:
            owed -= PACKET
            link.send(abs_send_time(now).to_bytes(3, "big") + bytes(PACKET - 3), now)
        for at, packet in link.receive(now):
            estimator.receive(int.from_bytes(packet[:3], "big"), PACKET, at)
        report = estimator.report([1, 2], now)
        if report is not None:
            reports.append((now, report))
            bitrate = min(report.bitrate, limit)
    return reports, bitrate


def test_a_sender_below_the_capacity_is_told_to_send_more() -> None:
    reports, bitrate = run(Link(1), 20.0)
    assert bitrate > 1_500_000
    assert reports[0][1].ssrcs == (1, 2)
    assert reports[0][1].sender_ssrc == 9


def test_the_capacity_is_not_exceeded_for_long() -> None:
    link = Link(1, rate=1e6 / 8, queue=2.0)
    reports, _ = run(link, 25.0, bitrate=900_000)
    late = [report.bitrate for at, report in reports if at > 70]
    assert 600_000 < sum(late) / len(late) < 1_150_000
    assert link.lost == 0


def test_a_fall_is_told_at_once_and_a_steady_estimate_once_a_second() -> None:
    reports, _ = run(Link(1), 10.0, limit=500_000)
    assert 8 <= len(reports) <= 11
    link = Link(1, rate=2e6 / 8)
    reports, _ = run(link, 3.0, bitrate=6e6, limit=6e6)
    assert min(after - before for (before, _), (after, _) in itertools.pairwise(reports)) < 0.9


def test_without_packets_or_sources_nothing_is_told() -> None:
    estimator = RemoteEstimator(9)
    assert estimator.report([1], 1.0) is None
    for number in range(100):
        estimator.receive(abs_send_time(number / 100), PACKET, 5 + number / 100)
    assert estimator.bitrate is not None
    assert estimator.report([], 9.0) is None
    assert estimator.report([1], 9.0) is not None


@given(st.lists(st.tuples(st.integers(0, 0xFFFFFF), st.integers(0, 1500), st.floats(0, 5)), max_size=60))
def test_no_times_make_it_raise(packets: list[tuple[int, int, float]]) -> None:
    estimator, now = RemoteEstimator(9), 1.0
    for time, size, wait in packets:
        now += wait
        estimator.receive(time, size, now)
        estimator.report([1], now)
