"""The orderly end of an association (RFC 9260 section 9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sctp.chunks import SHUTDOWN, SHUTDOWN_ACK, write_chunk
from peerix.core.sctp.intervals import TSN_MASK
from peerix.core.sctp.state import AssociationState, Lifecycle
from peerix.core.sctp.timer import RetransmissionTimer

if TYPE_CHECKING:
    from peerix.core.sctp.control import ControlQueue
    from peerix.core.sctp.inbound import Inbound
    from peerix.core.sctp.outbound import Outbound


class Shutdown:
    """Ends the association once everything queued has arrived.

    :ivar timer: T2-shutdown.
    """

    __slots__ = ("_control", "_inbound", "_lifecycle", "_outbound", "timer")

    def __init__(self, lifecycle: Lifecycle, inbound: Inbound, outbound: Outbound, control: ControlQueue) -> None:
        self._lifecycle = lifecycle
        self._inbound = inbound
        self._outbound = outbound
        self._control = control
        self.timer = RetransmissionTimer(outbound.recovery.timeout)

    def begin(self, now: float) -> None:
        """The user wants to end it."""
        self._lifecycle.move(AssociationState.SHUTDOWN_PENDING)
        self.advance(now)

    def receive_shutdown(self, now: float) -> None:
        """The peer wants to end it."""
        if self._lifecycle.state is AssociationState.SHUTDOWN_SENT:
            self._send(AssociationState.SHUTDOWN_ACK_SENT, now)
            return
        self._lifecycle.move(AssociationState.SHUTDOWN_RECEIVED)
        self.advance(now)

    def answer_data(self, now: float) -> None:
        """DATA may have come after our SHUTDOWN: tell again how far we are (RFC 9260 section 9.2)."""
        if self._lifecycle.state is AssociationState.SHUTDOWN_SENT and self._inbound.received.has_news:
            self._write()
            self.timer.start(now)

    def advance(self, now: float) -> None:
        """Take the next step when all that was sent is acknowledged."""
        if self._outbound.outstanding.is_waiting or self._outbound.queue.total:
            return
        if self._lifecycle.state is AssociationState.SHUTDOWN_PENDING:
            self._send(AssociationState.SHUTDOWN_SENT, now)
        elif self._lifecycle.state is AssociationState.SHUTDOWN_RECEIVED:
            self._send(AssociationState.SHUTDOWN_ACK_SENT, now)

    def _send(self, state: AssociationState, now: float) -> None:
        if self._lifecycle.move(state):
            self._outbound.open = False
            self.timer.stop()
            self._write()
            self.timer.start(now)

    def _write(self) -> None:
        if self._lifecycle.state is AssociationState.SHUTDOWN_SENT:
            cumulative = self._inbound.received.cumulative & TSN_MASK
            self._control.add(write_chunk(SHUTDOWN, 0, cumulative.to_bytes(4, "big")))
        else:
            self._control.add(write_chunk(SHUTDOWN_ACK))

    def handle_timeout(self, now: float) -> None:
        """Say it again (T2-shutdown)."""
        if self.timer.take_expired(now):
            self._outbound.recovery.silent += 1
            self._write()
            self.timer.start(now)
