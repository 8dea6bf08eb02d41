"""How the connection to a remote peer stands, how long it may stand so, and when to look for a new path."""

from __future__ import annotations

from peerix.rtc import ConnectionState

RESTART_DELAY_POLITE = 2.0
"""Seconds that the polite side leaves to the other one: an ICE restart from both sides at once is a collision."""

RESTART_INTERVAL = 4.0
"""Seconds between two attempts: what the first one sent over the driver may be lost."""


class ConnectionWatch:
    """The state of one connection, and its timers.

    :param timeout: seconds to connect, and to come back after `disconnected`; 0 is for ever.
    :param polite: whether this side is the polite one.
    """

    __slots__ = ("_deadline", "_polite", "_restart_at", "_timeout", "control_open", "failed", "state")

    def __init__(self, timeout: float, now: float, *, polite: bool) -> None:
        self.state = ConnectionState.NEW
        self.failed = False
        """Whether it has failed, also when it is closed by now."""
        self._timeout = timeout
        self._polite = polite
        self.control_open = False
        """Whether the control channel has opened."""
        self._restart_at: float | None = None
        self._deadline: float | None = None
        self._start_timer(now)

    def handle_state(self, state: ConnectionState, now: float) -> bool:
        """The connection says so; True when that is news."""
        if state is self.state or self.state is ConnectionState.CLOSED:
            return False
        if self.state is ConnectionState.FAILED and state is not ConnectionState.CLOSED:
            return False
        self.state = state
        self.failed = self.failed or state is ConnectionState.FAILED
        if state is ConnectionState.DISCONNECTED:
            self._start_timer(now)
            self._restart_at = now + (RESTART_DELAY_POLITE if self._polite else 0.0)
        elif state is ConnectionState.CONNECTING:
            # Either side looks for a new path. The other one may have lost the old path before we noticed.
            if self._deadline is None:
                self._start_timer(now)
        else:
            self._restart_at = None
            if state is ConnectionState.CONNECTED and self.control_open:
                self._deadline = None
        return True

    def handle_control_open(self) -> None:
        """The control channel is open: only now the connection is of use."""
        self.control_open = True
        if self.state is ConnectionState.CONNECTED:
            self._deadline = None

    def next_timeout(self) -> float | None:
        """When to look at `overdue` and `take_restart`."""
        if self._deadline is None or self._restart_at is None:
            return self._restart_at if self._deadline is None else self._deadline
        return min(self._deadline, self._restart_at)

    def overdue(self, now: float) -> bool:
        """Whether the connection has to be given up."""
        return self._deadline is not None and now >= self._deadline

    def take_restart(self, now: float) -> bool:
        """Whether it is time to look for a new path; the next attempt is planned then."""
        if self._restart_at is None or now < self._restart_at:
            return False
        self._restart_at = now + RESTART_INTERVAL
        return True

    def _start_timer(self, now: float) -> None:
        self._deadline = now + self._timeout if self._timeout else None
