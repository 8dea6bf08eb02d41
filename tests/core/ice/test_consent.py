"""The path is watched by time: alive, disconnected, back, failed (RFC 7675)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from peerix.core.ice import IceState
from peerix.core.ice.agent import STARVATION_TOLERANCE
from peerix.core.ice.consent import CHECK_GRID, CONSENT_PERIOD, CONSENT_TIMEOUT
from peerix.core.stun import MessageClass, parse
from tests.core.ice.link import Address, Link, connect, make_link


def connected() -> Link:
    link = make_link()
    connect(link)
    link.run(1.0)
    for side in link.sides:
        side.sent.clear()
        side.events.clear()
    return link


def is_request(data: bytes) -> bool:
    return parse(data).message_class is MessageClass.REQUEST


def lose_all(_source: Address, _destination: Address, _data: bytes) -> bool:
    return True


def lose_none(_source: Address, _destination: Address, _data: bytes) -> bool:
    return False


def test_consent_is_checked_every_four_to_six_seconds() -> None:
    link = connected()
    link.run(200.0)
    times = [at for at, _, _, data in link.sides[0].sent if is_request(data)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) >= 0.8 * CONSENT_PERIOD
    assert max(gaps) <= 1.2 * CONSENT_PERIOD
    assert max(gaps) - min(gaps) > 1.0
    assert link.sides[0].states == []


def test_checks_of_all_connections_come_at_the_same_times_and_each_makes_the_other_side_check() -> None:
    link = connected()
    link.run(60.0)
    checks = sorted((at, side) for side in (0, 1) for at, _, _, data in link.sides[side].sent if is_request(data))
    assert len(checks) in range(20, 31)
    for (called_at, caller), (followed_at, follower) in zip(checks[::2], checks[1::2], strict=True):
        assert called_at % CHECK_GRID < 1e-6 or CHECK_GRID - called_at % CHECK_GRID < 1e-6
        assert follower == 1 - caller
        assert followed_at in (called_at, pytest.approx(called_at + link.latency))  # both had chosen the same time
    assert {caller for _, caller in checks[::2]} == {0, 1}


def test_a_dead_path_is_disconnected_after_five_to_eight_seconds_and_failed_after_thirty() -> None:
    link = connected()
    link.run(20.0)
    one = link.sides[0]
    link.drop = lose_all
    start = link.now
    assert link.run(60.0, until=lambda: one.agent.state is IceState.DISCONNECTED)
    assert 0.0 < link.now - start <= 8.0
    assert one.agent.send_path == (1000, ("192.0.2.2", 2000))
    link.run(60.0, until=lambda: one.agent.send_path is None)
    assert CONSENT_TIMEOUT - 6.1 < link.now - start <= CONSENT_TIMEOUT
    assert one.states == ["disconnected", "failed"]


def test_nothing_is_sent_after_consent_expired() -> None:
    link = connected()
    link.drop = lose_all
    one = link.sides[0]
    assert link.run(60.0, until=lambda: one.agent.state is IceState.FAILED)
    one.sent.clear()
    assert one.agent.next_timeout() is None
    link.run(60.0)
    assert one.sent == []


def test_a_valid_answer_takes_disconnected_back() -> None:
    link = connected()
    link.drop = lose_all
    assert link.run(60.0, until=lambda: all("disconnected" in side.states for side in link.sides))
    link.drop = lose_none
    link.run(3.0)
    assert all(side.states == ["disconnected", "connected"] for side in link.sides)
    link.run(120.0)
    assert all(side.states == ["disconnected", "connected"] for side in link.sides)


def test_one_lost_check_is_not_noticed() -> None:
    link = connected()
    lost: list[bytes] = []

    def drop(_source: Address, _destination: Address, data: bytes) -> bool:
        new = is_request(data) and data not in lost
        lost.append(data)
        return new

    link.drop = drop
    link.run(300.0)
    assert all(side.states == [] for side in link.sides)


def test_requests_of_the_other_side_are_no_consent() -> None:
    link = connected()
    link.run(20.0)
    one = link.sides[0]
    # The other side's checks arrive; no answer of it does.
    link.drop = lambda source, _destination, data: source == ("192.0.2.2", 2000) and not is_request(data)
    link.run(60.0)
    assert one.states[-1:] == ["failed"]


def test_an_unsigned_answer_is_no_consent() -> None:
    link = connected()
    one = link.sides[0]
    link.drop = lose_all
    for _ in range(60):
        link.run(1.0)
        for _, _, destination, data in one.sent:
            message = parse(data)
            message.message_class = MessageClass.SUCCESS
            one.agent.receive_datagram(1000, destination, message.to_bytes(), link.now)
    assert one.states[-1:] == ["failed"]


def test_a_starved_process_does_not_lose_its_path() -> None:
    link = connected()
    one, two = link.sides
    for _ in range(20):
        # For 20 s nothing of side one runs; then everything at once, timers first.
        frozen = Link(two)
        frozen.now = link.now
        frozen.run(20.0)
        two.events.clear()
        link.now = frozen.now
        one.agent.handle_timeout(link.now)
        link.run(2.0)
    assert one.states == []
    assert one.agent.counters.starved_seconds > 200


def test_a_timer_that_is_a_little_late_counts_as_on_time() -> None:
    link = connected()
    one = link.sides[0]
    while (timeout := one.agent.next_timeout()) is not None:
        one.agent.handle_timeout(timeout + 0.9 * STARVATION_TOLERANCE)
    assert one.agent.counters.starved_seconds == 0
    assert one.agent.state is IceState.FAILED


def test_answers_waiting_in_the_socket_count_after_a_pause() -> None:
    link = connected()
    one, two = link.sides
    one.agent.check_path(link.now)
    (port, destination, request) = one.agent.datagrams_to_send(link.now)[0]
    two.agent.receive_datagram(2000, one.sockets[port], request, link.now)
    answer = two.agent.datagrams_to_send(link.now)[0][2]
    one.agent.receive_datagram(1000, destination, answer, link.now + 300.0)
    assert one.agent.state is IceState.CONNECTED


def test_the_path_is_checked_at_once_after_a_sleep() -> None:
    link = connected()
    one = link.sides[0]
    one.agent.check_path(link.now)
    assert [is_request(data) for _, _, data in one.agent.datagrams_to_send(link.now)] == [True]


def test_the_other_paths_are_checked_when_the_one_in_use_falls_silent() -> None:
    link = make_link(("192.0.2.1", "10.0.0.1"), "192.0.2.2")
    connect(link)
    one, two = link.sides
    link.run(20.0)
    port, _ = one.agent.send_path or (0, ("", 0))
    dead = one.sockets[port]
    link.drop = lambda source, destination, _data: dead in {source, destination}
    link.run(20.0)
    other = next(address for address in one.sockets.values() if address != dead)
    assert one.sockets[(one.agent.send_path or (0, ()))[0]] == other
    assert two.agent.send_path == (2000, other)
    assert one.agent.state is two.agent.state is IceState.CONNECTED


def test_round_trips_are_measured() -> None:
    link = connected()
    pair = link.sides[0].agent.selected_pair
    assert pair is not None
    link.run(60.0, until=lambda: pair.counters.consent_requests_sent > 5)
    link.run(0.1)
    assert pair.counters.round_trip_time == pytest.approx(0.02)
    assert pair.counters.responses_received == pair.counters.requests_sent
