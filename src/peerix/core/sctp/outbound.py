"""The sending half of an association: queue, scoreboard, recovery, and the packets that come of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sctp.chunks import FLAG_IMMEDIATE
from peerix.core.sctp.flow import Flow
from peerix.core.sctp.outqueue import OutboundQueue
from peerix.core.sctp.outstanding import Outstanding
from peerix.core.sctp.recovery import LossRecovery
from peerix.core.sctp.reliability import PartialReliability
from peerix.core.sctp.timer import RetransmissionTimeout
from peerix.core.sctp.wire import HEADER_SIZE, Wire
from peerix.core.sctp.writer import ChunkWriter

if TYPE_CHECKING:
    from peerix.core.sctp.config import SctpConfig
    from peerix.core.sctp.counters import SentCounters
    from peerix.core.sctp.events import AssociationEvent
    from peerix.core.sctp.init import Agreement

MAX_CHUNKS_OUTSTANDING = 60_000
"""TSNs without cumulative acknowledgement; a gap block (16 bits) cannot tell of more."""

MANY_GAPS = 200
"""Gaps from which on SACKs may not tell of all: one of 1,160 bytes has room for about 280."""

_BEYOND_32_BITS = 1 << 32


class Outbound:
    """Sends messages.

    :ivar open: whether DATA may leave in the present state.
    """

    __slots__ = (
        "_config",
        "_counters",
        "_starved",
        "_wire",
        "_writer",
        "open",
        "outstanding",
        "queue",
        "recovery",
        "reliability",
    )

    def __init__(
        self,
        wire: Wire,
        initial_tsn: int,
        packet_size: int,
        config: SctpConfig,
        events: list[AssociationEvent],
        counters: SentCounters,
    ) -> None:
        timers = config.timers
        self._config = config
        self._wire = wire
        self._counters = counters
        self.queue = OutboundQueue(counters)
        self.outstanding = Outstanding(initial_tsn + _BEYOND_32_BITS)
        timeout = RetransmissionTimeout(timers.rto_initial, timers.rto_min, timers.rto_max)
        flow = Flow(config.make_congestion_control(packet_size), timeout)
        self.recovery = LossRecovery(self.outstanding, flow, timeout, packet_size, counters)
        self.reliability = PartialReliability(self.queue, self.outstanding, events, counters)
        self._writer = ChunkWriter(self.queue, self.outstanding, self.reliability)
        self._starved = True
        self.open = False
        self.set_packet_size(packet_size)

    def establish(self, agreement: Agreement) -> None:
        """Begin to send, in the way that was agreed on."""
        self._writer.set_interleaving(interleaving=agreement.interleaving)
        self.reliability.supported = agreement.forward_tsn
        self.recovery.peer_rwnd = agreement.advertised_rwnd
        self.open = self.queue.accepting = True

    def close(self) -> None:
        """Forget what was queued and what is on the path."""
        self.open = self.queue.accepting = False
        self.queue.clear()
        self.outstanding.clear()
        self.recovery.timer.stop()
        self.recovery.flow.pacer.wait(pending=False)

    def reset_path(self, packet_size: int, now: float) -> None:
        """Go on over another path, of which nothing is known."""
        recovery = self.recovery
        flow = Flow(self._config.make_congestion_control(packet_size), recovery.timeout)
        recovery.reset_path(flow, packet_size, now)
        self.set_packet_size(packet_size)

    def set_packet_size(self, size: int) -> None:
        """Cut what leaves from now on for packets of this size."""
        self.recovery.packet_size = size & ~3
        self.recovery.flow.congestion.set_packet_size(size & ~3)
        self.queue.quantum = size & ~3

    def _allowance(self) -> int:
        """Bytes of new chunks that may leave now; negative when none may (RFC 9260 section 6.1)."""
        outstanding, recovery = self.outstanding, self.recovery
        flight = outstanding.flight
        if outstanding.next_tsn - outstanding.cumulative > MAX_CHUNKS_OUTSTANDING:
            return -1
        window = min(recovery.flow.congestion.cwnd, self._config.max_outstanding)
        credit = recovery.peer_rwnd - flight
        if credit < min(recovery.packet_size, self.queue.total):
            return -1 if outstanding.is_waiting else recovery.packet_size
        return min(window - flight, credit)

    @property
    def _may_resend(self) -> bool:
        """Whether a lost chunk may leave now; one always may when nothing else is on the path.

        Where there are more gaps than SACKs tell of, much of what counts as in flight has arrived or is lost: only
        closing the first gaps shows how much, so the window must not be what forbids that.
        """
        outstanding = self.outstanding
        if not outstanding.lost or outstanding.next_lost() is None:
            return False
        window = self.recovery.flow.congestion.cwnd
        if len(outstanding.gap_acked) > MANY_GAPS:
            window *= 2
        return not outstanding.flight or outstanding.flight < window

    @property
    def _has_data(self) -> bool:
        """Whether chunks wait that the windows have room for."""
        return self._may_resend or (bool(self.queue.ring) and self._allowance() > 0)

    @property
    def is_drained(self) -> bool:
        """Whether nothing waits, for the windows or for its time."""
        return not (self.queue.ring or self.outstanding.lost or self.reliability.pending or self.recovery.probe_due)

    @property
    def has_pending(self) -> bool:
        """Whether something could leave now."""
        if not self.open:
            return False
        if self.reliability.pending or self.recovery.probe_due:
            return True
        return self.recovery.flow.pacer.deadline is None and self._has_data

    def take_forward_tsn(self, now: float) -> bytes | None:
        """Write FORWARD TSN when one is due."""
        if not self.open or not self.reliability.pending:
            return None
        return self.reliability.take_forward_tsn(now)

    def packets(self, now: float, limit: int, first: list[bytes]) -> list[bytes]:
        """Write up to `limit` packets, the first of them behind the control chunks `first`."""
        flow, outstanding = self.recovery.flow, self.outstanding
        flight, before, resent = outstanding.flight, outstanding.next_tsn, self._counters.retransmitted_chunks
        if self._starved or self._is_closed:
            # The path could have taken more since the last flush: what leaves now measures the application.
            flow.note_app_limited(flight)
        if self.recovery.probe_due and self.open:
            self._probe(first, now)
        most = flow.allowance(limit, self.recovery.packet_size - HEADER_SIZE, now) if self.open else 0
        packets = self._write(first, most, now)
        sent = outstanding.next_tsn - before
        self._counters.chunks += sent
        if sent or self._counters.retransmitted_chunks != resent:
            self.recovery.note_sent(now)
            flow.note_sent(flight, outstanding.flight, now)
        flow.pacer.wait(pending=self.open and most < limit and self._has_data)
        self._starved = not self.queue.ring
        if self._starved or self._is_closed:
            flow.note_app_limited(outstanding.flight)
        return packets

    @property
    def _is_closed(self) -> bool:
        """Whether it is the peer's window that holds us back, and not the path."""
        return self.recovery.peer_rwnd - self.outstanding.flight < self.recovery.packet_size

    def _write(self, parts: list[bytes], most: int, now: float) -> list[bytes]:
        """Write packets, the first of them behind `parts`, up to `most` of them with chunks that are not there yet."""
        packets: list[bytes] = []
        write = self._wire.write
        while len(packets) < most:
            bulk = [] if parts else self._bulk(most - len(packets), now)
            if bulk:
                packets.extend(bulk)
                continue
            self._fill(parts, now)
            if not parts:
                break
            packets.append(write(b"".join(parts)))
            parts = []
            if not self.queue.ring and not self.outstanding.lost:
                break
        if parts:
            packets.append(write(b"".join(parts)))
        return packets

    def _bulk(self, limit: int, now: float) -> list[bytes]:
        """Let packets of one kind leave, when nothing else is to be sent.

        That is the middle of a large message, whose first fragment has left, or messages that have a packet each.
        """
        ring = self.queue.ring
        if not ring or self.outstanding.lost:
            return []
        head = ring[0].messages[0]
        size = self.recovery.packet_size
        if isinstance(head, tuple):
            if 2 * len(head[1]) < size or len(ring) > 1:
                return []
        elif not head.offset:
            return []
        room = size - HEADER_SIZE
        most = min(limit, self._allowance() // room)
        if most < 2:
            return []
        if isinstance(head, tuple):
            return self._writer.lone(room, most, now, self._wire.write_parts)
        return self._writer.bulk(room, most, now, self._wire.write)

    def _fill(self, parts: list[bytes], now: float) -> None:
        """Fill one packet: lost chunks first, then new ones."""
        room = self.recovery.packet_size - HEADER_SIZE
        if parts:
            room -= sum(map(len, parts))
        if self.outstanding.lost and self._may_resend:
            room = self._writer.resend(room, parts, now, self._note_resent)
        if self.queue.ring and self._allowance() > 0:
            small_window = self.recovery.flow.congestion.cwnd < 2 * self.recovery.packet_size
            self._writer.fill(room, parts, now, FLAG_IMMEDIATE if small_window else 0)

    def _note_resent(self, tsn: int, sends: int) -> None:
        self._counters.retransmitted_chunks += 1
        self.recovery.detector.note_resent(tsn, sends)

    def _probe(self, parts: list[bytes], now: float) -> None:
        """Provoke a SACK that tells of a lost tail: new data, else the last chunk again (RFC 8985 section 7.3)."""
        self.recovery.probe_due = False
        outstanding = self.outstanding
        credit = self.recovery.peer_rwnd - outstanding.flight
        room = self.recovery.packet_size - HEADER_SIZE - sum(map(len, parts))
        self._counters.tail_probes += 1
        if self.queue.ring and credit >= self.recovery.packet_size:
            self._writer.fill(room, parts, now, FLAG_IMMEDIATE)
            return
        tsn = outstanding.highest_in_flight()
        if tsn is None:
            return
        parts.append(self._writer.repeat(tsn, now))
        self._note_resent(tsn, outstanding.chunks[tsn][4])
