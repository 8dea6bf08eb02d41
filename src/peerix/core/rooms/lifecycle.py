"""The states of a connection as a room shows them, and the time that it has to connect.

They follow the ICE connection state. A connection that does not connect within the limit, or does not recover
within it, has failed; failed connections are closed.
"""

from __future__ import annotations

from enum import Enum

CONNECTION_TIMEOUT = 15.0
"""Seconds to connect, and to recover, unless the application says otherwise."""


class RoomConnectionState(Enum):
    """The states that `connection` events name."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    CLOSED = "closed"


_OF_ICE = {
    "new": RoomConnectionState.CONNECTING,
    "checking": RoomConnectionState.CONNECTING,
    "connected": RoomConnectionState.CONNECTED,
    # Browsers that run Peerix leave this one out and fail a connection that recovers straight to it.
    "completed": RoomConnectionState.CONNECTED,
    "disconnected": RoomConnectionState.DISCONNECTED,
    "failed": RoomConnectionState.FAILED,
}


class ConnectionLifecycle:
    """The state of one connection.

    :param timeout: seconds to connect and to recover; 0 for no limit.
    """

    def __init__(self, timeout: float = CONNECTION_TIMEOUT, *, now: float) -> None:
        self.state = RoomConnectionState.NEW
        self._timeout = timeout
        self._deadline: float | None = None
        self._entered: list[RoomConnectionState] = []
        self._start_timer(now)

    def handle_ice_state(self, ice_state: str, now: float) -> None:
        """The connection's `iceConnectionState` is now `ice_state`, by its W3C name. "closed" closes."""
        state = _OF_ICE.get(ice_state)
        if state is None:
            self.close()
        elif state is RoomConnectionState.FAILED:
            self._fail()
        elif state is not self.state and not self._is_over:
            if state is RoomConnectionState.CONNECTED:
                self._deadline = None
            elif state is RoomConnectionState.DISCONNECTED:
                self._start_timer(now)
            self._enter(state)

    def _start_timer(self, now: float) -> None:
        self._deadline = now + self._timeout if self._timeout else None

    @property
    def _is_over(self) -> bool:
        return self.state in (RoomConnectionState.FAILED, RoomConnectionState.CLOSED)

    def _enter(self, state: RoomConnectionState) -> None:
        self.state = state
        self._entered.append(state)

    def _fail(self) -> None:
        if not self._is_over:
            self._enter(RoomConnectionState.FAILED)
        self.close()

    def close(self) -> None:
        """The connection is closed by either side; also the end after a failure."""
        self._deadline = None
        if self.state is not RoomConnectionState.CLOSED:
            self._enter(RoomConnectionState.CLOSED)

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is due."""
        return self._deadline

    def handle_timeout(self, now: float) -> None:
        """Fail a connection whose time is over."""
        if self._deadline is not None and now >= self._deadline:
            self._fail()

    def poll_states(self) -> list[RoomConnectionState]:
        """Take the states entered since the last call, in order; NEW is never among them."""
        entered = self._entered
        self._entered = []
        return entered
