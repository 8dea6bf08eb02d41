"""From packets to the parts that understand their chunks (RFC 9260 sections 6.10 and 8.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sctp import chunks
from peerix.core.sctp.chunks import describe_causes, read_chunk, write_chunk, write_tlv
from peerix.core.sctp.established import Established
from peerix.core.sctp.events import AssociationClosed, AssociationEstablished, AssociationEvent
from peerix.core.sctp.handshake import CAUSE_STALE_COOKIE, Handshake
from peerix.core.sctp.packet_runs import PacketRuns
from peerix.core.sctp.state import RECEIVING, SENDING, AssociationState, Lifecycle
from peerix.core.sctp.whole_messages import LOOKS_WHOLE
from peerix.core.sctp.wire import HEADER_SIZE, PacketFault, Wire, read_header, write_packet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from peerix.core.sctp.config import SctpConfig
    from peerix.core.sctp.control import ControlQueue
    from peerix.core.sctp.counters import Counters
    from peerix.core.sctp.outbound import Outbound
    from peerix.core.sctp.window import ReceiveWindow


class Dispatch:
    """Reads packets.

    A handler returns False when its chunk is malformed; the rest of the packet is dropped then.

    :ivar established: the parts that need to know the peer, None until the handshake is done.
    """

    __slots__ = (
        "_config",
        "_control",
        "_counters",
        "_events",
        "_handlers",
        "_handshake",
        "_outbound",
        "_random_bytes",
        "_runs",
        "_window",
        "_wire",
        "established",
    )

    def __init__(
        self,
        wire: Wire,
        handshake: Handshake,
        outbound: Outbound,
        window: ReceiveWindow,
        control: ControlQueue,
        random_bytes: Callable[[int], bytes],
        config: SctpConfig,
        events: list[AssociationEvent],
        counters: Counters,
    ) -> None:
        self._wire = wire
        self._handshake = handshake
        self._outbound = outbound
        self._window = window
        self._control = control
        self._random_bytes = random_bytes
        self._config = config
        self._events = events
        self._counters = counters
        self.established: Established | None = None
        self._runs: PacketRuns | None = None
        self._handlers: dict[int, Callable[[bytes, float], bool]] = {
            chunks.INIT_ACK: self._handle_init_ack,
            chunks.SACK: self._handle_sack,
            chunks.HEARTBEAT: self._handle_heartbeat,
            chunks.HEARTBEAT_ACK: self._handle_heartbeat_ack,
            chunks.ABORT: self._handle_abort,
            chunks.SHUTDOWN: self._handle_shutdown,
            chunks.SHUTDOWN_ACK: self._handle_shutdown_ack,
            chunks.SHUTDOWN_COMPLETE: self._handle_shutdown_complete,
            chunks.ERROR: self._handle_error,
            chunks.COOKIE_ECHO: self._handle_cookie_echo,
            chunks.COOKIE_ACK: self._handle_cookie_ack,
            chunks.RE_CONFIG: self._handle_re_config,
            chunks.PAD: self._handle_pad,
            chunks.FORWARD_TSN: self._handle_forward_tsn,
            chunks.I_FORWARD_TSN: self._handle_i_forward_tsn,
        }

    @property
    def _lifecycle(self) -> Lifecycle:
        return self._handshake.lifecycle

    def receive_packets(self, packets: Sequence[bytes], now: float) -> None:
        """Take packets that came together.

        Most of them hold nothing but DATA; those need no more than the checks and one call, or less in a run of packets
        of the same kind.
        """
        accepts, runs = self._wire.accepts, self._runs
        middle, whole = (None, None) if runs is None else (runs.middle, runs.whole)
        index, count = 0, len(packets)
        flags_place, whole_flags = LOOKS_WHOLE
        while index < count:
            if middle is not None and middle.is_expected and (end := middle.receive(packets, index)) > index:
                index = end
                continue
            packet = packets[index]
            if (
                packet[flags_place] == whole_flags
                and whole is not None
                and (end := whole.receive(packets, index)) > index
            ):
                index = end
                continue
            index += 1
            if not accepts(packet):
                self._receive_stray(packet, now)
                continue
            established = self.established
            offset = HEADER_SIZE
            if established is not None and established.receiving:
                offset = established.inbound.receive_data(packet, HEADER_SIZE)
            if offset < len(packet):
                self._receive_chunks(packet, offset, now)

    def _receive_chunks(self, packet: bytes, offset: int, now: float) -> None:
        size = len(packet)
        while offset < size:
            found = read_chunk(packet, offset)
            if found is None:
                self._counters.received.malformed += 1
                return
            kind, flags, value, offset = found
            if not self._handle(kind, flags, value, now):
                return
            established = self.established
            if established is not None and established.receiving:
                offset = established.inbound.receive_data(packet, offset)

    def _handle(self, kind: int, flags: int, value: bytes, now: float) -> bool:
        """Handle one chunk; return whether the rest of the packet may be looked at."""
        if self._lifecycle.ended:
            return False
        handler = self._handlers.get(kind)
        if handler is None:
            return self._handle_unknown(kind, flags, value, now)
        if not handler(value, now):
            self._counters.received.malformed += 1
            return False
        return not self._lifecycle.ended

    def _handle_unknown(self, kind: int, flags: int, value: bytes, now: float) -> bool:
        """The two highest bits of an unknown type say what to do (RFC 9260 section 3.2)."""
        if kind in (chunks.DATA, chunks.I_DATA):
            self._refuse_data(now)
            return False
        if kind & 0x40 and self.established is not None:
            chunk = write_chunk(kind, flags, value[:256])
            cause = write_tlv(chunks.CAUSE_UNRECOGNIZED_CHUNK, chunk, last=True)
            self._control.add(write_chunk(chunks.ERROR, 0, cause))
        return bool(kind & 0x80)

    def _refuse_data(self, now: float) -> None:
        """DATA without user data, or of the kind that was not agreed on (RFC 9260 3.3.1, RFC 8260 2.2)."""
        self._counters.received.malformed += 1
        if self.established is not None and self.established.receiving:
            self.abort(chunks.CAUSE_PROTOCOL_VIOLATION, "DATA chunk without user data or of the wrong kind")

    def _receive_stray(self, packet: bytes, now: float) -> None:
        """Take a packet that does not look like this association's: part of a handshake, or nothing."""
        header = read_header(packet, zero_checksum=self._wire.accept_zero_checksum)
        counters = self._counters.received
        if isinstance(header, PacketFault):
            if header is PacketFault.CHECKSUM:
                counters.bad_checksums += 1
            else:
                counters.malformed += 1
            return
        source, destination, tag = header
        first = read_chunk(packet, HEADER_SIZE)
        if first is None or destination != self._wire.local_port:
            counters.malformed += 1
            return
        kind, flags, value, _ = first
        if kind == chunks.INIT and not tag:
            good = self._handshake.receive_init(value, source, now)
            counters.malformed += not good
        elif self._is_reflected(kind, flags, tag):
            self._handle(kind, flags, value, now)
        elif tag == self._wire.local_tag and self.established is None:
            self._receive_chunks(packet, HEADER_SIZE, now)
        else:
            counters.bad_tags += 1

    def _is_reflected(self, kind: int, flags: int, tag: int) -> bool:
        """Whether this is an ABORT or SHUTDOWN COMPLETE with the tag that we send with (RFC 9260 section 8.5.1)."""
        if kind not in (chunks.ABORT, chunks.SHUTDOWN_COMPLETE) or not flags & chunks.FLAG_TAG_REFLECTED:
            return False
        return bool(tag) and tag == self._wire.remote_tag

    def _handle_init_ack(self, value: bytes, now: float) -> bool:
        return self._handshake.receive_init_ack(value, self._wire.remote_port, now)

    def _handle_cookie_echo(self, value: bytes, now: float) -> bool:
        good = self._handshake.receive_cookie_echo(value, now)
        self._establish(now)
        return good

    def _handle_cookie_ack(self, value: bytes, now: float) -> bool:
        self._handshake.receive_cookie_ack()
        self._establish(now)
        return True

    def _establish(self, now: float) -> None:
        agreement = self._handshake.agreement
        if self.established is not None or agreement is None:
            return
        if self._lifecycle.state is not AssociationState.ESTABLISHED:
            return
        self.established = Established(
            agreement,
            self._handshake,
            self._outbound,
            self._window,
            self._control,
            self._random_bytes,
            self._config,
            self._events,
            self._counters,
        )
        self._runs = PacketRuns(self._wire, self.established)
        self._outbound.establish(agreement)
        self.established.heartbeat.start(now)
        self._events.append(AssociationEstablished(agreement.inbound_streams, agreement.outbound_streams))

    def _handle_sack(self, value: bytes, now: float) -> bool:
        sack = chunks.read_sack(value)
        if sack is None:
            return False
        if self.established is None:
            return True
        self._counters.received.sacks += 1
        self.established.heartbeat.note_heard(now)
        good = self._outbound.recovery.receive_sack(sack, now)
        self._outbound.reliability.remind(self._outbound.recovery.timeout.srtt or 0.1, now)
        return good

    def _handle_heartbeat(self, value: bytes, now: float) -> bool:
        if self.established is not None:
            self._control.add(write_chunk(chunks.HEARTBEAT_ACK, 0, value))
        return True

    def _handle_heartbeat_ack(self, value: bytes, now: float) -> bool:
        return self.established is None or self.established.receive_heartbeat_ack(value, now)

    def _handle_abort(self, value: bytes, now: float) -> bool:
        if self._lifecycle.state is not AssociationState.CLOSED:
            self.close(describe_causes(value) or "aborted by the peer", by_peer=True)
        return True

    def _handle_shutdown(self, value: bytes, now: float) -> bool:
        if len(value) != 4:
            return False
        if self.established is not None:
            sack = chunks.Sack(int.from_bytes(value, "big"), self._outbound.recovery.peer_rwnd, ())
            self._outbound.recovery.receive_sack(sack, now)
            self.established.shutdown.receive_shutdown(now)
        return True

    def _handle_shutdown_ack(self, value: bytes, now: float) -> bool:
        if self._lifecycle.state in (AssociationState.SHUTDOWN_SENT, AssociationState.SHUTDOWN_ACK_SENT):
            self.close("shut down", by_peer=False)
            self._handshake.outbox.append(self._wire.write(write_chunk(chunks.SHUTDOWN_COMPLETE)))
        return True

    def _handle_shutdown_complete(self, value: bytes, now: float) -> bool:
        if self._lifecycle.state is AssociationState.SHUTDOWN_ACK_SENT:
            self.close("shut down", by_peer=True)
        return True

    def _handle_error(self, value: bytes, now: float) -> bool:
        causes = chunks.read_tlvs(value)
        if causes and causes[0][0] == CAUSE_STALE_COOKIE:
            self._handshake.receive_stale_cookie(now)
        return causes is not None

    def _handle_re_config(self, value: bytes, now: float) -> bool:
        if self.established is None or not self.established.agreement.reconfig:
            return True
        return self.established.resets.receive(value, now)

    def _handle_pad(self, value: bytes, now: float) -> bool:
        return True

    def _handle_forward_tsn(self, value: bytes, now: float) -> bool:
        return self._skip(value, interleaving=False)

    def _handle_i_forward_tsn(self, value: bytes, now: float) -> bool:
        return self._skip(value, interleaving=True)

    def _skip(self, value: bytes, *, interleaving: bool) -> bool:
        established = self.established
        forward = chunks.read_forward_tsn(value, interleaving=interleaving)
        if forward is None:
            return False
        if established is not None and established.agreement.interleaving == interleaving:
            established.inbound.receive_forward_tsn(forward)
        return True

    def finish_batch(self, now: float) -> None:
        """Decide what to answer, once for all packets that came together."""
        established = self.established
        if established is None or self._lifecycle.ended:
            return
        inbound = established.inbound
        inbound.received.finish_batch(now)
        self._counters.received.duplicate_chunks = inbound.received.repeated
        if inbound.inbox.invalid_streams:
            self._report_invalid_streams(inbound.inbox.take_invalid_streams())
        established.resets.finish_batch()
        if self._outbound.recovery.detector.stubborn:
            established.watch_size(now)
        if self._lifecycle.state is not AssociationState.ESTABLISHED:
            established.shutdown.answer_data(now)
            established.shutdown.advance(now)
            self._follow_state()

    def _report_invalid_streams(self, stream_ids: list[int]) -> None:
        for stream_id in stream_ids:
            cause = write_tlv(chunks.CAUSE_INVALID_STREAM, stream_id.to_bytes(2, "big") + b"\0\0", last=True)
            self._control.add(write_chunk(chunks.ERROR, 0, cause))

    def _follow_state(self) -> None:
        """Keep the flags of the hot loops: hashing an Enum member takes longer than the checks of a packet."""
        state = self._lifecycle.state
        self._outbound.open = state in SENDING
        self._outbound.queue.accepting = state is AssociationState.ESTABLISHED
        if self.established is not None:
            self.established.receiving = state in RECEIVING

    def abort(self, cause: int, reason: str) -> None:
        """End the association at once and tell the peer."""
        wire = self._wire
        if self._lifecycle.ended:
            return
        if wire.remote_tag:
            packet = write_packet(wire.local_port, wire.remote_port, wire.remote_tag, chunks.write_abort(cause, reason))
            self.close(reason, by_peer=False)
            self._handshake.outbox.append(packet)
        else:
            self.close(reason, by_peer=False)

    def close(self, reason: str, *, by_peer: bool) -> None:
        """End the association."""
        if self._lifecycle.ended:
            return
        self._lifecycle.end()
        self._follow_state()
        self._outbound.close()
        self._handshake.timer.stop()
        self._handshake.outbox.clear()
        self._control.chunks.clear()
        self._events.append(AssociationClosed(reason, by_peer))
