from __future__ import annotations

from itertools import product

import pytest

from peerix.connection_watch import RESTART_DELAY_POLITE, RESTART_INTERVAL, ConnectionWatch
from peerix.rtc import ConnectionState

CONNECTED = ConnectionState.CONNECTED
DISCONNECTED = ConnectionState.DISCONNECTED


def watch(*, timeout: float = 15.0, polite: bool = False) -> ConnectionWatch:
    return ConnectionWatch(timeout, 100.0, polite=polite)


def test_a_connection_that_does_not_come_about_in_time_is_overdue() -> None:
    new = watch()
    assert (new.overdue(114.9), new.overdue(115.0)) == (False, True)


def test_without_a_limit_nothing_is_overdue() -> None:
    new = watch(timeout=0)
    assert not new.overdue(1e9)
    assert new.next_timeout() is None


def test_a_connection_without_its_control_channel_is_still_on_trial() -> None:
    new = watch()
    new.handle_state(CONNECTED, 101.0)
    assert new.overdue(115.0)


def test_a_connection_with_its_control_channel_has_no_limit() -> None:
    new = watch()
    new.handle_state(CONNECTED, 101.0)
    new.handle_control_open()
    assert not new.overdue(1e9)


def test_the_control_channel_may_open_first() -> None:
    new = watch()
    new.handle_control_open()
    new.handle_state(CONNECTED, 101.0)
    assert not new.overdue(1e9)


def connected(*, polite: bool = False) -> ConnectionWatch:
    established = watch(polite=polite)
    established.handle_state(CONNECTED, 101.0)
    established.handle_control_open()
    return established


def test_the_limit_counts_anew_from_a_disconnection() -> None:
    lost = connected()
    lost.handle_state(DISCONNECTED, 200.0)
    assert (lost.overdue(214.9), lost.overdue(215.0)) == (False, True)


def test_a_connection_that_comes_back_has_no_limit() -> None:
    lost = connected()
    lost.handle_state(DISCONNECTED, 200.0)
    lost.handle_state(CONNECTED, 203.0)
    assert lost.next_timeout() is None


def test_the_impolite_side_looks_for_a_new_path_at_once() -> None:
    lost = connected()
    lost.handle_state(DISCONNECTED, 200.0)
    assert lost.take_restart(200.0)


def test_the_polite_side_leaves_the_first_attempt_to_the_other() -> None:
    lost = connected(polite=True)
    lost.handle_state(DISCONNECTED, 200.0)
    assert not lost.take_restart(200.0 + RESTART_DELAY_POLITE / 2)
    assert lost.take_restart(200.0 + RESTART_DELAY_POLITE)


def test_attempts_are_repeated_at_intervals() -> None:
    lost = connected()
    lost.handle_state(DISCONNECTED, 200.0)
    lost.take_restart(200.0)
    assert not lost.take_restart(200.0 + RESTART_INTERVAL / 2)
    assert lost.take_restart(200.0 + RESTART_INTERVAL)


def test_attempts_go_on_while_one_is_under_way() -> None:
    lost = connected()
    lost.handle_state(DISCONNECTED, 200.0)
    lost.take_restart(200.0)
    lost.handle_state(ConnectionState.CONNECTING, 200.1)
    assert lost.take_restart(200.0 + RESTART_INTERVAL)


def test_an_attempt_does_not_prolong_the_limit() -> None:
    lost = connected()
    lost.handle_state(DISCONNECTED, 200.0)
    lost.handle_state(ConnectionState.CONNECTING, 210.0)
    assert lost.overdue(215.0)


def test_a_path_that_the_other_side_looks_for_has_the_same_limit() -> None:
    lost = connected()
    lost.handle_state(ConnectionState.CONNECTING, 200.0)
    assert (lost.overdue(214.9), lost.overdue(215.0)) == (False, True)


def test_a_connection_that_came_back_looks_for_no_path() -> None:
    lost = connected()
    lost.handle_state(DISCONNECTED, 200.0)
    lost.handle_state(CONNECTED, 201.0)
    assert not lost.take_restart(300.0)


def test_the_same_state_again_is_no_news() -> None:
    assert not connected().handle_state(CONNECTED, 300.0)


def test_a_failed_connection_only_closes() -> None:
    failed = connected()
    failed.handle_state(ConnectionState.FAILED, 200.0)
    assert not failed.handle_state(CONNECTED, 201.0)
    assert failed.handle_state(ConnectionState.CLOSED, 202.0)
    assert failed.state is ConnectionState.CLOSED


@pytest.mark.parametrize(("before", "after"), list(product(ConnectionState, repeat=2)))
def test_every_state_follows_every_other_but_the_last_two(before: ConnectionState, after: ConnectionState) -> None:
    it = watch()
    it.handle_state(before, 101.0)
    last = {ConnectionState.CLOSED: set[ConnectionState](), ConnectionState.FAILED: {ConnectionState.CLOSED}}
    allowed = after in last.get(before, set(ConnectionState) - {before})
    assert it.handle_state(after, 102.0) is allowed
    assert it.state is (after if allowed else before)


def test_a_closed_connection_stays_closed() -> None:
    closed = connected()
    closed.handle_state(ConnectionState.CLOSED, 200.0)
    assert not closed.handle_state(ConnectionState.FAILED, 201.0)
