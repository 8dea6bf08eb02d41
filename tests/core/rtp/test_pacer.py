"""Packets spread over time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.pacer import AUDIO, BURST, MAX_QUEUED_TIME, NEAR, PACING_FACTOR, RETRANSMISSION, VIDEO, Pacer

BITRATE = 1_000_000.0
RATE = BITRATE * PACING_FACTOR / 8


def drain(pacer: Pacer[int], now: float) -> list[tuple[float, int]]:
    left: list[tuple[float, int]] = []
    while (at := pacer.next_timeout()) is not None:
        now = max(at, now)
        left += [(now, item) for item in pacer.take(now)]
    return left


def test_a_large_frame_leaves_at_the_pace() -> None:
    pacer: Pacer[int] = Pacer(BITRATE, 1.0)
    for number in range(50):
        pacer.put(number, 1200, VIDEO)
    left = drain(pacer, 1.0)
    assert [item for _, item in left] == list(range(50))
    took = left[-1][0] - 1.0
    assert 48 * 1200 / RATE - BURST <= took <= 50 * 1200 / RATE + BURST
    assert pacer.queued_bytes == 0


def test_packets_leave_in_bursts_and_not_one_by_one() -> None:
    pacer: Pacer[int] = Pacer(BITRATE, 1.0)
    for number in range(50):
        pacer.put(number, 300, VIDEO)
    wake_ups = {at for at, _ in drain(pacer, 1.0)}
    assert len(wake_ups) <= 50 * 300 / RATE / BURST + 5


def test_a_frame_leaves_at_once_on_a_near_path_only() -> None:
    wake_ups: list[int] = []
    for round_trip in (NEAR / 2, 2 * NEAR):
        pacer: Pacer[int] = Pacer(BITRATE, 1.0)
        pacer.set_round_trip(round_trip)
        pacer.take(2.0)
        for number in range(4):
            pacer.put(number, 1200, VIDEO)
        wake_ups.append(len({at for at, _ in drain(pacer, 2.0)}))
    assert wake_ups[0] == 1
    assert wake_ups[1] > 1


def test_the_first_packet_leaves_at_once() -> None:
    pacer: Pacer[int] = Pacer(BITRATE, 1.0)
    pacer.put(1, 1200, VIDEO)
    assert pacer.next_timeout() == 1.0
    assert pacer.take(1.0) == [1]


def test_audio_never_waits() -> None:
    pacer: Pacer[int] = Pacer(BITRATE, 1.0)
    for number in range(50):
        pacer.put(number, 1200, VIDEO)
    pacer.take(1.0)
    pacer.put(99, 200, AUDIO)
    assert pacer.next_timeout() == 1.0
    assert pacer.take(1.0)[0] == 99


def test_retransmissions_go_before_video() -> None:
    pacer: Pacer[int] = Pacer(BITRATE, 1.0)
    pacer.put(1, 1200, VIDEO)
    pacer.put(2, 1200, RETRANSMISSION)
    assert [item for _, item in drain(pacer, 1.0)] == [2, 1]


def test_a_pause_earns_only_a_short_burst() -> None:
    pacer: Pacer[int] = Pacer(BITRATE, 1.0)
    for number in range(50):
        pacer.put(number, 100, VIDEO)
    assert len(pacer.take(100.0)) <= RATE * BURST / 100 + 1


def test_too_much_is_dropped_from_the_front_of_the_video() -> None:
    pacer: Pacer[int] = Pacer(BITRATE, 1.0)
    pacer.put(-1, 500, AUDIO)
    for number in range(1000):
        pacer.put(number, 1200, VIDEO)
        assert pacer.queue_time <= MAX_QUEUED_TIME
    assert pacer.dropped > 0
    left = [item for _, item in drain(pacer, 1.0)]
    assert left == [-1, *range(pacer.dropped, 1000)]


def test_a_probe_sets_its_own_pace() -> None:
    pacer: Pacer[int] = Pacer(BITRATE, 1.0)
    pacer.set_bitrate(BITRATE, probing=4 * BITRATE)
    for number in range(40):
        pacer.put(number, 1250, VIDEO)
    left = drain(pacer, 1.0)
    assert 0.09 < left[-1][0] - 1.0 < 0.105


def test_what_is_spare_is_what_no_packet_waits_for() -> None:
    pacer: Pacer[int] = Pacer(BITRATE, 1.0)
    assert pacer.spare(1.0) == 0
    assert pacer.spare(2.0) == int(RATE * BURST)
    pacer.take(2.0)
    pacer.use(int(RATE * BURST) + 1)
    assert pacer.spare(2.0) == 0
    pacer.put(1, 1200, VIDEO)
    assert pacer.spare(9.0) == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 1500), st.floats(0, 0.05)), max_size=80))
def test_everything_leaves_and_the_pace_is_kept(arrivals: list[tuple[int, int, float]]) -> None:
    pacer: Pacer[int] = Pacer(BITRATE, 1.0)
    now, left, paced = 1.0, 0, 0
    for priority, size, wait in arrivals:
        now += wait
        pacer.put(size if priority else 0, size, priority)
        for item in pacer.take(now):
            left += 1
            paced += item
        assert paced <= (now - 1.0) * RATE + RATE * BURST + 1500
    left += len(drain(pacer, now))
    assert left + pacer.dropped == len(arrivals)
