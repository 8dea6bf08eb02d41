"""Moves bytes, time and events between the sockets and a session; decides nothing.

A wake-up is: read a batch, let the session work on it, hand out its events, send what it wants to send, set the
timer. There is one clock reading and one flush a wake-up. What is sent between wake-ups is sent at once when the
session is idle, so that a lone message leaves without delay; otherwise the alarm rings at the loop's next turn and all
that came together is sent.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from peerix.rtc.alarm import Alarm
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
    """The readers of the ports of one connection, its clock, and its late flushes.

    :param dispatch: gets every batch of events that the session reports; must not block or raise.
    :ivar after_flush: called at the end of every wake-up.
    :ivar flush_due: the alarm is about to send all that has come together: who adds to that need not say so.
    """

    __slots__ = (
        "_alarm",
        "_armed",
        "_busy",
        "_dispatch",
        "_next_port",
        "_ports",
        "_task_group",
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
        self._alarm = Alarm(self._wake_up)
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
        self._alarm.ring_soon()

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
        if self._armed:
            self._arm(session.next_timeout(), now)

    def _arm(self, deadline: float | None, now: float) -> None:
        """Let the alarm ring earlier, or much later: each time that is set costs more than most wake-ups."""
        armed = self._armed
        if deadline is not None and (deadline < armed or deadline > armed + MUCH_LATER):
            self._armed = deadline
            self._alarm.set(max(deadline - now, MIN_DELAY))

    def start(self, tasks: TaskGroup) -> None:
        """Run the clock and the ports until `close`, which is to be called before the group ends."""
        self._task_group = tasks
        for port in self._ports.values():
            if isinstance(port, UdpPort):
                port.start(tasks)
        self._alarm.start(tasks)
        self._set_alarm(self.session.next_timeout(), time.monotonic())

    def close(self) -> None:
        """Stop the clock and close all sockets."""
        self._alarm.close()
        for port in self._ports.values():
            port.close()
        self._ports.clear()

    def _wake_up(self) -> None:
        now = time.monotonic()
        if not self.flush_due and ((deadline := self.session.next_timeout()) is None or deadline > now):
            self._set_alarm(deadline, now)  # what was due has moved on
            return
        self.flush_due = False
        armed, self._armed = self._armed, 0.0
        self._busy = True
        self.session.handle_timeout(now)
        self.finish(now)
        # A deadline that is gone by now is kept when something else has woken us: on a busy connection timers start and
        # stop with every message, and each start would be a wake-up.
        deadline = self.session.next_timeout()
        if self._alarm.is_set and now < armed and (deadline is None or armed <= deadline):
            self._armed = armed
        else:
            self._set_alarm(deadline, now)

    def _set_alarm(self, deadline: float | None, now: float) -> None:
        self._armed = math.inf if deadline is None else deadline
        self._alarm.set(max(self._armed - now, MIN_DELAY))


def _nothing() -> None:
    pass
