"""What an association has once the handshake is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sctp.heartbeat import Heartbeat
from peerix.core.sctp.inbound import Inbound
from peerix.core.sctp.path_mtu import ETHERNET, PathMtuDiscovery
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

WORTH_PROBING = 4
"""Packets' worth of queued messages from which on larger packets are looked for."""


class Established:
    """The parts that need to know the peer.

    :ivar agreement: what was agreed on in the handshake.
    :ivar inbound: what arrives.
    :ivar resets: stream resets of both sides.
    :ivar shutdown: the orderly end.
    :ivar heartbeat: watches the path while nothing is sent.
    :ivar path_mtu: looks for larger packets.
    :ivar receiving: whether DATA is taken in the present state.
    """

    __slots__ = ("_outbound", "agreement", "heartbeat", "inbound", "path_mtu", "receiving", "resets", "shutdown")

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
        self.path_mtu = PathMtuDiscovery(outbound.recovery.packet_size, config.max_packet_size_limit, random_bytes)

    def has_due(self, now: float) -> bool:
        """Whether a reset is to be asked for, or a probe of the path is due."""
        probe_at = self.path_mtu.next_timeout()
        return (probe_at is not None and now >= probe_at) or not self.resets.is_idle

    def deadlines(self) -> tuple[float | None, ...]:
        """The deadlines of its timers."""
        return (
            self.inbound.received.sack_at,
            self.resets.timer.deadline,
            self.shutdown.timer.deadline,
            self.heartbeat.next_timeout(),
            self.path_mtu.next_timeout(),
        )

    def handle_timeout(self, now: float) -> None:
        """Let what was due by now happen."""
        self.inbound.received.handle_timeout(now)
        if self.resets.handle_timeout(now):
            self._outbound.recovery.silent += 1
        self.shutdown.handle_timeout(now)
        self.heartbeat.handle_timeout(now)
        self.watch_size(now)

    def watch_size(self, now: float) -> None:
        """Doubt the size of packets when large ones seem to vanish."""
        recovery = self._outbound.recovery
        stubborn, recovery.detector.stubborn = recovery.detector.stubborn, 0
        if stubborn > self.path_mtu.base:
            self.path_mtu.confirm(now)

    def take_probes(self, config: SctpConfig, now: float) -> list[bytes]:
        """Return the bodies of packets that probe the path; the first of them when there is much to send."""
        path_mtu, outbound = self.path_mtu, self._outbound
        if not path_mtu.started:
            if not config.path_mtu_discovery or outbound.queue.total < WORTH_PROBING * outbound.recovery.packet_size:
                return []
            # aiortc reads 1,500 bytes for each datagram: a larger one delays all that come after it, for good.
            path_mtu.pad_chunks = self.agreement.pad_chunks
            limit = config.max_packet_size_limit if path_mtu.pad_chunks else ETHERNET
            path_mtu.limit = min(limit, config.max_packet_size_limit) & ~3
            path_mtu.start(now)
        probes = path_mtu.take_probes(outbound.recovery.timeout.srtt, now)
        self._follow_size()
        return probes

    def _follow_size(self) -> None:
        if self.path_mtu.size != self._outbound.recovery.packet_size:
            self._outbound.set_packet_size(self.path_mtu.size)

    def receive_heartbeat_ack(self, value: bytes, now: float) -> bool:
        """Take the answer to a heartbeat or a probe; False when it is none."""
        if self.heartbeat.receive_ack(value, now):
            return True
        if not self.path_mtu.receive_ack(value, now):
            return False
        self._outbound.recovery.silent = 0
        self._follow_size()
        return True
