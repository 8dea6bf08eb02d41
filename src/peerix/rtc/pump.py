"""Moves bytes, time and events between the sockets and a session; decides nothing.

A wake-up is: read a batch, let the session work on it, hand out its events, send what it wants to send, set the
timer. There is one clock reading and one flush a wake-up. What is sent between wake-ups is sent at once when the
session is idle, so that a lone message leaves without delay; otherwise the pump's task is woken and sends all that
came together.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from anyio import CancelScope, Event, create_task_group, current_time

from peerix.rtc.udp_port import UdpPort

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from peerix.core.session import Session, SessionEvent
    from peerix.rtc.datagram_socket import DatagramSocket, Received
    from peerix.rtc.udp_port import Port

MAX_FLUSH = 512 * 1024
"""Bytes sent in one wake-up; then other tasks, the receiver in this process among them, get their turn."""

MIN_DELAY = 0.001
"""Seconds. No timer is armed below this: uvloop would spin, the other loops round up."""

MUCH_LATER = 1.0
"""Seconds. A deadline that moves away by less stays where it is, and one wake-up finds nothing to do: on a busy
connection timers start and stop with every message. An idle one sleeps on when its check has been answered."""


class Pump:
    """The tasks of one connection: a reader for each port and one for the clock and late flushes.

    :param dispatch: gets every batch of events that the session reports; must not block or raise.
    :ivar after_flush: called at the end of every wake-up.
    :ivar flush_due: the task is about to send all that has come together: who adds to that need not say so.
    """

    __slots__ = (
        "_armed",
        "_busy",
        "_dispatch",
        "_next_port",
        "_ports",
        "_sleep_scope",
        "_task_group",
        "_wake",
        "after_flush",
        "flush_due",
        "session",
    )

    def __init__(self, session: Session, dispatch: Callable[[list[SessionEvent]], None]) -> None:
        self.session = session
        self.after_flush: Callable[[], None] = _nothing
        self._dispatch = dispatch
        self._ports: dict[int, Port] = {}
        self._next_port = 0
        self._task_group: TaskGroup | None = None
        self._wake = Event()
        self._sleep_scope = CancelScope()
        self._armed = 0.0
        self._busy = False
        self.flush_due = False

    # -- ports

    @property
    def ports(self) -> list[Port]:
        """The open ports."""
        return list(self._ports.values())

    def open_port(self, sock: DatagramSocket) -> UdpPort:
        """Take over a bound socket and begin to read it."""
        port = UdpPort(self.new_port_id(), sock, self)
        self._ports[port.port_id] = port
        if self._task_group is not None:
            port.start(self._task_group)
        return port

    def new_port_id(self) -> int:
        """A number that no port of this connection had before."""
        self._next_port += 1
        return self._next_port - 1

    def add_port(self, port: Port) -> None:
        """Send through a port that somebody else reads."""
        self._ports[port.port_id] = port

    def remove_port(self, port_id: int) -> None:
        """Close a port and forget it."""
        port = self._ports.pop(port_id, None)
        if port is not None:
            port.close()

    def close_ports(self) -> None:
        """Close all sockets."""
        for port in self._ports.values():
            port.close()
        self._ports.clear()

    # -- wake-ups

    def receive_datagrams(self, port: int, batch: list[Received], now: float) -> None:
        """A port has received a batch."""
        self._busy = True
        self.session.receive_datagrams(port, batch, now)
        self.finish(now)

    def resume_sending(self) -> None:
        """A port that was blocked has room again."""
        self._busy = True
        self.finish(time.monotonic())

    def finish(self, now: float) -> None:
        """End a wake-up: hand out events, send, set the timer."""
        # Handlers may send, which may bring further events (a channel that closes): handed out before the flush.
        self._busy = True
        session = self.session
        while events := session.poll_events():
            self._dispatch(events)
        self._busy = False
        self._flush(now)

    def touch(self, *, idle: bool) -> None:
        """The session has something to send. It leaves now when the session was `idle` before, else with the others."""
        if self._busy:
            return
        if idle:
            self.finish(time.monotonic())
        else:
            self._flush_soon()

    def _flush_soon(self) -> None:
        self.flush_due = True
        self._wake.set()

    def _flush(self, now: float) -> None:
        session = self.session
        ports = self._ports
        sent = 0
        while outgoing := session.datagrams_to_send(now):
            blocked = False
            for port_id, destination, buffer, segment_size in outgoing:
                port = ports.get(port_id)
                if port is None:
                    continue
                port.send(destination, buffer, segment_size)
                sent += len(buffer)
                blocked = blocked or port.blocked
            if blocked:
                break
            if not session.has_more:
                break
            if sent >= MAX_FLUSH:
                self._flush_soon()
                break
        if sent and (events := session.poll_events()):
            self._dispatch(events)
        self.after_flush()
        self._arm(session.next_timeout(), now)

    def _arm(self, deadline: float | None, now: float) -> None:
        """Let the task sleep shorter, or much longer: to wake it for that would cost ten times as much."""
        armed = self._armed
        if deadline is not None and (deadline < armed or (armed and deadline > armed + MUCH_LATER)):
            self._armed = deadline
            self._sleep_scope.deadline = current_time() + max(deadline - now, MIN_DELAY)

    async def run(self) -> None:
        """Run the ports and the clock until cancelled."""
        async with create_task_group() as self._task_group:
            for port in self._ports.values():
                if isinstance(port, UdpPort):
                    port.start(self._task_group)
            try:
                while True:
                    if not await self._sleep():
                        continue
                    now = time.monotonic()
                    self._busy = True
                    self.session.handle_timeout(now)
                    self.finish(now)
            finally:
                self.close_ports()

    async def _sleep(self) -> bool:
        """Sleep until something is due or to be sent; False when what was due has moved on."""
        # A deadline that woke us is kept even when it is gone by now: on a busy connection timers start and stop with
        # every message, and each start would be a wake-up.
        now = time.monotonic()
        deadline = self.session.next_timeout()
        if self._armed > now and (deadline is None or self._armed < deadline):
            deadline = self._armed
        if deadline is None:
            self._armed = math.inf
            until = math.inf
        else:
            self._armed = deadline
            until = current_time() + max(deadline - now, MIN_DELAY)
        with CancelScope(deadline=until) as self._sleep_scope:
            await self._wake.wait()
        is_wanted = self._wake.is_set()
        if self._armed <= time.monotonic() or self._armed == math.inf:
            self._armed = 0.0
        if is_wanted:
            self._wake = Event()
            self.flush_due = False
        deadline = self.session.next_timeout()
        return is_wanted or (deadline is not None and deadline <= time.monotonic())


def _nothing() -> None:
    pass
