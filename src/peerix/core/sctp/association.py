"""One SCTP association over DTLS (RFC 9260, RFC 8261), without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.deadlines import earliest
from peerix.core.errors import LocalProtocolError
from peerix.core.sctp.chunks import CAUSE_USER_ABORT, FLAG_UNORDERED
from peerix.core.sctp.config import MAX_STREAMS, SctpConfig
from peerix.core.sctp.control import ControlQueue
from peerix.core.sctp.counters import Counters
from peerix.core.sctp.dispatch import Dispatch
from peerix.core.sctp.handshake import Handshake
from peerix.core.sctp.messages import Limits
from peerix.core.sctp.outbound import Outbound
from peerix.core.sctp.state import AssociationState, Lifecycle
from peerix.core.sctp.window import ReceiveWindow
from peerix.core.sctp.wire import HEADER_SIZE, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from peerix.core.sctp.events import AssociationEvent

DEFAULT_PACKET_SIZE = 1160
"""Bytes of an SCTP packet whose DTLS record and UDP datagram stay within 1,200 (RFC 8261 section 5)."""


class Association:
    """Sends and receives messages on up to 1,024 streams.

    Feed it batches of packets and the time; take packets, events and the next deadline. It never raises for what a peer
    sends. All times are monotonic seconds, all sizes bytes.

    :param random_bytes: gives so many random bytes.
    :param local_port: SCTP port, of `a=sctp-port` in WebRTC.
    :param max_packet_size: of a whole SCTP packet, that is the plaintext of one DTLS record.
    :param config: settings.
    :ivar counters: plain counts.
    :ivar put: queues an ordered message of unlimited reliability (`OutboundQueue.put`).
    """

    __slots__ = (
        "_control",
        "_dispatch",
        "_events",
        "_handshake",
        "_outbound",
        "_window",
        "_wire",
        "config",
        "counters",
        "put",
    )

    def __init__(
        self,
        *,
        random_bytes: Callable[[int], bytes],
        local_port: int = 5000,
        max_packet_size: int = DEFAULT_PACKET_SIZE,
        config: SctpConfig | None = None,
    ) -> None:
        self.config = config = SctpConfig() if config is None else config
        self.counters = Counters()
        self._events: list[AssociationEvent] = []
        self._wire = Wire(local_port, int.from_bytes(random_bytes(4), "big") or 1)
        self._wire.accept_zero_checksum = config.zero_checksum
        self._control = ControlQueue()
        self._window = ReceiveWindow(config.receive_limit)
        self._handshake = Handshake(self._wire, Lifecycle(), random_bytes, config)
        self._outbound = Outbound(
            self._wire, self._handshake.initial_tsn, max_packet_size, config, self._events, self.counters.sent
        )
        self.put = self._outbound.queue.put
        self._dispatch = Dispatch(
            self._wire,
            self._handshake,
            self._outbound,
            self._window,
            self._control,
            random_bytes,
            config,
            self._events,
            self.counters,
        )

    @property
    def state(self) -> AssociationState:
        """Where the association is in its life."""
        return self._handshake.lifecycle.state

    @property
    def remote_port(self) -> int:
        """The peer's SCTP port; set it before `connect`."""
        return self._wire.remote_port

    @remote_port.setter
    def remote_port(self, port: int) -> None:
        self._wire.set_remote(port, self._wire.remote_tag, send_zero_checksum=self._wire.send_zero_checksum)

    @property
    def interleaving(self) -> bool:
        """Whether I-DATA was agreed on (RFC 8260)."""
        return self._outbound.queue.interleaving

    @property
    def max_packet_size(self) -> int:
        """Size of the packets that are full."""
        return self._outbound.recovery.packet_size

    @property
    def srtt(self) -> float | None:
        """Smoothed round trip, None before the first one."""
        return self._outbound.recovery.timeout.srtt

    @property
    def cwnd(self) -> int:
        """Congestion window."""
        return self._outbound.recovery.flow.congestion.cwnd

    @property
    def outstanding_bytes(self) -> int:
        """User bytes that were sent and may be on the path."""
        return self._outbound.outstanding.flight

    @property
    def is_idle(self) -> bool:
        """Whether no user bytes are on the path or wait to be sent."""
        return not self._outbound.outstanding.flight and not self._outbound.queue.total

    @property
    def total_buffered(self) -> int:
        """User bytes that were never sent, on all streams."""
        return self._outbound.queue.total

    def buffered_amount(self, stream_id: int) -> int:
        """User bytes of one stream that were never sent."""
        stream = self._outbound.queue.streams.get(stream_id)
        return 0 if stream is None else stream.queued

    def unacknowledged_amount(self, stream_id: int) -> int:
        """User bytes of one stream that the peer has not acknowledged, those never sent included."""
        stream = self._outbound.queue.streams.get(stream_id)
        return 0 if stream is None else stream.queued + stream.unacked

    def connect(self, now: float) -> None:
        """Open the association; in WebRTC both sides do (RFC 8831 section 6.2)."""
        self._handshake.connect(now)

    def send_message(
        self,
        stream_id: int,
        ppid: int,
        data: bytes,
        *,
        ordered: bool = True,
        max_retransmits: int | None = None,
        max_packet_life_time: float | None = None,
        now: float,
    ) -> None:
        """Queue a message; before the handshake is done it waits.

        :param data: at least one byte; kept, not copied.
        :param max_retransmits: give up after so many (RFC 7496 section 3.2).
        :param max_packet_life_time: give up after so many seconds (RFC 3758 section 4.1).
        :raises LocalProtocolError: the association closes or is closed, the stream is out of range, or `data` is empty.
        """
        state = self._handshake.lifecycle.state
        if state is not AssociationState.ESTABLISHED:
            self._check_sending(state)
        if not data or not 0 <= stream_id < MAX_STREAMS:
            raise LocalProtocolError("a message has at least one byte and a stream below 1,024")
        limits = None
        if max_retransmits is not None or max_packet_life_time is not None:
            limits = Limits(max_retransmits, None if max_packet_life_time is None else now + max_packet_life_time)
        self._outbound.queue.add(stream_id, ppid, data, 0 if ordered else FLAG_UNORDERED, limits)

    def put_all(self, stream_id: int, ppid: int, payloads: Sequence[bytes]) -> None:
        """Queue ordered messages of unlimited reliability, none of them empty, on a stream that is in use.

        :raises LocalProtocolError: the association is not established, or one of them is empty; none is queued then.
        """
        self._outbound.queue.put_all(stream_id, ppid, payloads)

    def _check_sending(self, state: AssociationState) -> None:
        opening = (AssociationState.CLOSED, AssociationState.COOKIE_WAIT, AssociationState.COOKIE_ECHOED)
        if self._handshake.lifecycle.ended or state not in opening:
            raise LocalProtocolError("the association is closing or closed")

    def set_priority(self, stream_id: int, priority: int) -> None:
        """Give a stream its share: in proportion to its priority when messages interleave (RFC 8260 section 3.6)."""
        self._outbound.queue.stream(stream_id).priority = max(priority, 1)

    def reset_streams(self, stream_ids: Iterable[int], now: float) -> None:
        """Reset outgoing streams once what is queued on them has left (RFC 6525 section 5.1.2)."""
        established = self._dispatch.established
        if established is not None and not self._handshake.lifecycle.ended:
            established.resets.reset(tuple(stream_ids))

    def abort(self, reason: str, now: float) -> None:
        """End the association at once; what is queued is lost (RFC 9260 section 9.1)."""
        self._dispatch.abort(CAUSE_USER_ABORT, reason)

    def shutdown(self, now: float) -> None:
        """End the association once all that is queued has arrived (RFC 9260 section 9.2)."""
        established = self._dispatch.established
        if established is None:
            self._dispatch.abort(CAUSE_USER_ABORT, "shut down before it was established")
        else:
            self._outbound.queue.accepting = False
            established.shutdown.begin(now)

    def hold(self, size: int) -> None:
        """Count bytes as not yet read; they close the receive window."""
        self._window.held += size

    def release(self, size: int) -> None:
        """Count bytes as read. Every delivered message is held with its length until then."""
        if self._window.release(size) and self._dispatch.established is not None:
            self._dispatch.established.inbound.received.urgent = True

    def set_receive_limit(self, size: int) -> None:
        """Change the size of the receive window."""
        self._window.set_limit(size)
        self.release(0)

    def reset_path(self, max_packet_size: int, now: float) -> None:
        """Go on over another path: forget round trip and congestion window (RFC 9260 section 8.2)."""
        self._outbound.reset_path(max_packet_size, now)
        if self._dispatch.established is not None:
            self._dispatch.established.path_mtu.reset(max_packet_size & ~3)

    def receive_packets(self, packets: Sequence[bytes], now: float) -> None:
        """Take packets that came together; whether to acknowledge is decided once for all of them."""
        self.counters.received.packets += len(packets)
        self._dispatch.receive_packets(packets, now)
        self._dispatch.finish_batch(now)

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is to be called, None for never."""
        if self._handshake.lifecycle.ended:
            return None
        established = self._dispatch.established
        if established is None:
            return self._handshake.timer.deadline
        timer = self._handshake.timer
        return earliest((timer.deadline, *self._outbound.recovery.deadlines(), *established.deadlines()))

    def handle_timeout(self, now: float) -> None:
        """Let what was due by now happen."""
        if self._handshake.lifecycle.ended:
            return
        self._handshake.handle_timeout(now)
        recovery = self._outbound.recovery
        timeouts = recovery.silent
        recovery.handle_timeout(now)
        established = self._dispatch.established
        if established is not None:
            established.handle_timeout(now)
            if recovery.silent != timeouts:
                self._outbound.reliability.remind(0.0, now)
        if self._handshake.failed or recovery.silent > self.config.timers.max_retransmissions:
            self._dispatch.abort(CAUSE_USER_ABORT, "the peer does not answer")

    @property
    def has_pending(self) -> bool:
        """Whether `packets_to_send` would give something now."""
        if self._handshake.outbox or self._control.chunks:
            return True
        established = self._dispatch.established
        if established is None or self._handshake.lifecycle.ended:
            return False
        if established.inbound.received.urgent or not established.resets.is_idle:
            return True
        return not self._outbound.is_drained and self._outbound.has_pending

    def packets_to_send(self, now: float, max_packets: int) -> list[bytes]:
        """Return up to so many packets; those full of DATA all have the same size.

        A few more may follow that probe the path (`is_probe`), each larger than the one before.
        """
        packets = self._handshake.outbox[:max_packets]
        del self._handshake.outbox[:max_packets]
        established = self._dispatch.established
        if established is None or self._handshake.lifecycle.ended:
            return packets
        if self._outbound.open:
            established.resets.write_request(now)
            forward = self._outbound.take_forward_tsn(now)
            if forward is not None:
                self._control.add(forward)
        received = established.inbound.received
        if self._outbound.is_drained and not (
            packets or received.urgent or self._control.chunks or established.has_due(now)
        ):
            return packets
        if received.urgent or (received.packets and self._outbound.has_pending):
            self._control.add_first(established.inbound.take_sack())
        room = self._outbound.recovery.packet_size - HEADER_SIZE
        first: list[bytes] = []
        while self._control.chunks and len(packets) < max_packets:
            first = self._control.take(room)
            if not self._control.chunks:
                break
            packets.append(self._wire.write(b"".join(first)))
            first = []
        packets += self._outbound.packets(now, max_packets - len(packets), first)
        packets += map(self._wire.write, established.take_probes(self.config, now))
        self.counters.sent.packets += len(packets)
        return packets

    def poll_events(self) -> list[AssociationEvent]:
        """Return what happened since the last call, and forget it."""
        if not self._events:
            return []
        events = self._events[:]
        self._events.clear()  # the same list: the parts of the association hold it
        return events
