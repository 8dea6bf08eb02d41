from __future__ import annotations

from itertools import product

import pytest

from peerix.core.rooms.lifecycle import ConnectionLifecycle, RoomConnectionState

S = RoomConnectionState
ICE_STATES = ("new", "checking", "connected", "completed", "disconnected", "failed", "closed")


def test_a_connection_that_does_not_connect_in_time_fails_and_closes() -> None:
    it = ConnectionLifecycle(15.0, now=1.0)
    it.handle_ice_state("checking", 2.0)
    assert it.next_timeout() == 16.0
    it.handle_timeout(15.9)
    it.handle_timeout(16.0)
    assert it.poll_states() == [S.CONNECTING, S.FAILED, S.CLOSED]
    assert it.next_timeout() is None


def test_a_connection_that_does_not_recover_in_time_fails() -> None:
    it = ConnectionLifecycle(15.0, now=0.0)
    it.handle_ice_state("connected", 1.0)
    assert it.next_timeout() is None
    it.handle_ice_state("disconnected", 50.0)
    assert it.next_timeout() == 65.0
    it.handle_timeout(65.0)
    assert it.state is S.CLOSED


@pytest.mark.parametrize("recovered", ["connected", "completed"])
def test_a_connection_that_recovers_lives_on(recovered: str) -> None:
    it = ConnectionLifecycle(15.0, now=0.0)
    for state in ("connected", "disconnected", recovered):
        it.handle_ice_state(state, 1.0)
    it.handle_timeout(1e9)
    assert it.poll_states() == [S.CONNECTED, S.DISCONNECTED, S.CONNECTED]


def test_completed_after_connected_is_no_change() -> None:
    it = ConnectionLifecycle(now=0.0)
    it.handle_ice_state("connected", 1.0)
    it.handle_ice_state("completed", 2.0)
    assert it.poll_states() == [S.CONNECTED]


def test_closing_is_told_once() -> None:
    it = ConnectionLifecycle(now=0.0)
    it.close()
    it.close()
    it.handle_ice_state("connected", 1.0)
    assert it.poll_states() == [S.CLOSED]


@pytest.mark.parametrize(("before", "after"), list(product(ICE_STATES, repeat=2)))
def test_failed_is_always_followed_by_closed_and_closed_by_nothing(before: str, after: str) -> None:
    it = ConnectionLifecycle(now=0.0)
    it.handle_ice_state(before, 1.0)
    it.handle_ice_state(after, 2.0)
    states = it.poll_states()
    if S.FAILED in states:
        assert states[-2:] == [S.FAILED, S.CLOSED]
    assert S.CLOSED not in states[:-1]
    assert (it.state is S.CLOSED) == (not {"failed", "closed"}.isdisjoint({before, after}))
