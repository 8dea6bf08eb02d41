"""Asking for packets, and sending them again."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.nack import DEADLINE, MAX_MISSING, MINIMUM_REPEAT, REORDERING, NackGenerator
from peerix.core.rtp.packet import RtpPacket
from peerix.core.rtp.retransmission import (
    MAX_AGE,
    MAX_BYTES,
    MAX_PACKETS,
    SendHistory,
    SentPacket,
    read_rtx,
    write_rtx_payload,
)


def test_a_missing_packet_is_asked_for_after_a_moment() -> None:
    nack = NackGenerator()
    nack.receive(65_534, 1.0)
    nack.receive(65_538, 1.0)
    assert nack.due(1.0, 0.05) == ()
    assert nack.next_timeout() == 1.0 + REORDERING
    assert nack.due(1.0 + REORDERING, 0.05) == (65_535, 0, 1)


def test_a_reordered_packet_is_never_asked_for() -> None:
    nack = NackGenerator()
    for number in (1, 3, 2):
        nack.receive(number, 1.0)
    assert nack.next_timeout() is None
    assert nack.due(2.0, 0.05) == ()


def test_the_request_is_repeated_when_the_answer_is_overdue() -> None:
    nack = NackGenerator()
    nack.receive(1, 1.0)
    nack.receive(3, 1.0)
    assert nack.due(1.01, 0.08) == (2,)
    assert nack.due(1.09, 0.08) == ()
    assert nack.due(1.12, 0.08) == (2,)
    assert nack.requested == 2


def test_without_reports_the_answers_tell_the_round_trip() -> None:
    nack = NackGenerator()
    nack.receive(1, 1.0)
    nack.receive(3, 1.0)
    assert nack.due(1.01, None) == (2,)
    assert nack.next_timeout() == pytest.approx(1.01 + 0.125)
    nack.receive(2, 1.05)
    assert nack.answer_time == pytest.approx(0.04)
    nack.receive(5, 2.0)
    assert nack.due(2.01, None) == (4,)
    assert nack.next_timeout() == pytest.approx(2.01 + 0.05)


def test_a_packet_that_was_asked_for_twice_measures_nothing() -> None:
    nack = NackGenerator()
    nack.receive(1, 1.0)
    nack.receive(3, 1.0)
    nack.due(1.01, 0.05)
    nack.due(1.1, 0.05)
    nack.receive(2, 1.11)
    assert nack.answer_time is None


def test_repeats_keep_a_distance_on_a_short_path() -> None:
    nack = NackGenerator()
    nack.receive(1, 1.0)
    nack.receive(3, 1.0)
    nack.due(1.01, 0.0001)
    assert nack.next_timeout() == 1.01 + MINIMUM_REPEAT


def test_after_the_deadline_a_packet_is_given_up() -> None:
    nack = NackGenerator()
    nack.receive(1, 1.0)
    nack.receive(3, 1.0)
    now, asked = 1.0, 0
    while (at := nack.next_timeout()) is not None:
        now = at
        asked += len(nack.due(now, 0.05))
    assert now <= 1.0 + DEADLINE + 0.07
    assert asked == nack.requested > 3
    assert (nack.abandoned, nack.missing) == (1, 0)


def test_too_many_missing_packets_are_given_up_at_once() -> None:
    nack = NackGenerator()
    nack.receive(1, 1.0)
    assert nack.receive(10, 1.0)
    assert not nack.receive(10 + MAX_MISSING, 1.0)
    assert nack.missing == 0
    assert nack.abandoned == 8 + MAX_MISSING - 1
    assert nack.next_timeout() is None


def test_what_lies_before_a_key_frame_is_not_asked_for() -> None:
    nack = NackGenerator()
    nack.receive(1, 1.0)
    nack.receive(5, 1.0)
    nack.receive(7, 1.0)
    nack.forget_before(5)
    assert nack.due(1.1, 0.05) == (6,)


@given(st.integers(0, 1 << 30), st.floats(0.05, 0.4))
def test_every_packet_arrives_or_is_given_up(seed: int, loss: float) -> None:
    chance = random.Random(seed)
    nack = NackGenerator()
    seen: set[int] = set()
    pending: list[tuple[float, int]] = []
    now = 0.0
    for number in range(120):
        now += 0.005
        if number in (0, 119) or chance.random() > loss:
            nack.receive(number, now)
            seen.add(number)
        pending += [(now + 0.03, asked) for asked in nack.due(now, 0.03) if chance.random() > loss]
        for at, asked in [entry for entry in pending if entry[0] <= now]:
            pending.remove((at, asked))
            nack.receive(asked, now)
            seen.add(asked)
    assert len(seen) + nack.missing + nack.abandoned == 120


def sent(number: int, at: float = 1.0, size: int = 4) -> SentPacket:
    return SentPacket(96, True, number & 0xFFFF, 9, bytes(size), at)


def test_a_packet_that_was_sent_again_waits_a_round_trip_for_the_next_request() -> None:
    history = SendHistory()
    history.add(sent(5))
    assert history.take(5, 1.1, 0.06) is not None
    assert history.take(5, 1.15, 0.06) is None
    assert history.take(5, 1.17, 0.06) is not None
    assert history.take(6, 1.1, 0.06) is None


def test_old_packets_are_forgotten() -> None:
    history = SendHistory()
    history.add(sent(5))
    assert history.take(5, 1.1 + MAX_AGE, None) is None
    history.add(sent(6, 1.1 + MAX_AGE))
    assert len(history) == 1


def test_the_history_is_bounded_in_packets_and_bytes() -> None:
    history = SendHistory()
    assert history.newest() is None
    for number in range(MAX_PACKETS + 10):
        history.add(sent(number))
    assert len(history) == MAX_PACKETS
    history.add(sent(7, size=MAX_BYTES))
    assert len(history) == 1
    history.add(sent(8))
    assert len(history) == 1
    assert history.newest() == sent(8)


def test_a_number_used_again_is_that_of_the_newer_packet() -> None:
    history = SendHistory()
    history.add(sent(5, 1.0, 1))
    history.add(sent(5, 1.5, 2))
    history.add(sent(6, 1.2 + MAX_AGE))
    found = history.take(5, 1.3 + MAX_AGE, None)
    assert found is not None
    assert len(found.payload) == 2


@given(st.integers(0, 65_535), st.binary(min_size=1, max_size=30))
def test_a_retransmission_gives_the_original_back(number: int, payload: bytes) -> None:
    packet = RtpPacket(97, True, 77, 9, 1000, write_rtx_payload(SentPacket(96, True, number, 9, payload, 0.0)))
    assert read_rtx(packet, 2000, 96) == RtpPacket(96, True, number, 9, 2000, payload)


@pytest.mark.parametrize("payload", [b"", b"\0", b"\0\1"])
def test_a_retransmission_of_nothing_is_dropped(payload: bytes) -> None:
    assert read_rtx(RtpPacket(97, True, 77, 9, 1000, payload), 2000, 96) is None
