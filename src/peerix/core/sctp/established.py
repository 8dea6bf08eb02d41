"""What an association has once the handshake is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sctp.heartbeat import Heartbeat
from peerix.core.sctp.inbound import Inbound
from peerix.core.sctp.reset import StreamReset
from peerix.core.sctp.shutdown import Shutdown

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.sctp.config import SctpConfig
    from peerix.core.sctp.control import ControlQueue
    from peerix.core.sctp.counters import Counters
    from peerix.core.sctp.events import AssociationEvent
    from peerix.core.sctp.handshake import Handshake
    from peerix.core.sctp.init import Agreement
    from peerix.core.sctp.outbound import Outbound
    from peerix.core.sctp.window import ReceiveWindow


class Established:
    """The parts that need to know the peer.

    :ivar agreement: what was agreed on in the handshake.
    :ivar inbound: what arrives.
    :ivar resets: stream resets of both sides.
    :ivar shutdown: the orderly end.
    :ivar heartbeat: watches the path while nothing is sent.
    :ivar receiving: whether DATA is taken in the present state.
    """

    __slots__ = ("_outbound", "agreement", "heartbeat", "inbound", "receiving", "resets", "shutdown")

    def __init__(
        self,
        agreement: Agreement,
        handshake: Handshake,
        outbound: Outbound,
        window: ReceiveWindow,
        control: ControlQueue,
        random_bytes: Callable[[int], bytes],
        config: SctpConfig,
        events: list[AssociationEvent],
        counters: Counters,
    ) -> None:
        self._outbound = outbound
        self.agreement = agreement
        self.receiving = True
        self.inbound = Inbound(agreement, window, config, events, counters.received)
        self.resets = StreamReset(self.inbound, outbound, agreement, handshake.initial_tsn, control, events)
        self.shutdown = Shutdown(handshake.lifecycle, self.inbound, outbound, control)
        self.heartbeat = Heartbeat(outbound.recovery, control, config.timers.heartbeat_interval, random_bytes)

    def deadlines(self) -> tuple[float | None, ...]:
        """The deadlines of its timers."""
        return (
            self.inbound.received.sack_at,
            self.resets.timer.deadline,
            self.shutdown.timer.deadline,
            self.heartbeat.next_timeout(),
        )

    def handle_timeout(self, now: float) -> None:
        """Let what was due by now happen."""
        self.inbound.received.handle_timeout(now)
        if self.resets.handle_timeout(now):
            self._outbound.recovery.silent += 1
        self.shutdown.handle_timeout(now)
        self.heartbeat.handle_timeout(now)
