"""The receiving half of an association: from packets to messages and SACKs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sctp.chunks import (
    DATA,
    FLAG_BEGIN,
    FLAG_END,
    FLAG_IMMEDIATE,
    FLAG_UNORDERED,
    I_DATA,
    ForwardTsn,
    write_sack,
)
from peerix.core.sctp.inbox import Inbox
from peerix.core.sctp.interleaved import InterleavedReassembly
from peerix.core.sctp.intervals import unwrap
from peerix.core.sctp.reassembly import Reassembly
from peerix.core.sctp.received import MAX_TSN_AHEAD, ReceivedTsns
from peerix.core.sctp.writer import DATA_FORMAT, I_DATA_FORMAT

if TYPE_CHECKING:
    from struct import Struct

    from peerix.core.sctp.config import SctpConfig
    from peerix.core.sctp.counters import ReceivedCounters
    from peerix.core.sctp.events import AssociationEvent
    from peerix.core.sctp.init import Agreement
    from peerix.core.sctp.window import ReceiveWindow

_BEYOND_32_BITS = 1 << 32
_WHOLE = FLAG_BEGIN | FLAG_END
_WHOLE_UNORDERED = _WHOLE | FLAG_UNORDERED


class Inbound:
    """Receives messages.

    :ivar interleaving: whether I-DATA was agreed on.
    :ivar data_kind: the type of chunk that brings messages.
    """

    __slots__ = (
        "_counters",
        "_deliver",
        "_format",
        "data_kind",
        "inbox",
        "interleaving",
        "reassembly",
        "received",
        "window",
    )

    def __init__(
        self,
        agreement: Agreement,
        window: ReceiveWindow,
        config: SctpConfig,
        events: list[AssociationEvent],
        counters: ReceivedCounters,
    ) -> None:
        self._counters = counters
        self.window = window
        self.interleaving = agreement.interleaving
        self.received = ReceivedTsns(agreement.initial_tsn + _BEYOND_32_BITS, config.timers.delayed_ack)
        bits = 32 if self.interleaving else 16
        self.inbox = Inbox(events, window, counters, number_bits=bits)
        self.reassembly: Reassembly | InterleavedReassembly
        if self.interleaving:
            self._format: Struct = I_DATA_FORMAT
            self.data_kind = I_DATA
            self.reassembly = InterleavedReassembly(self.inbox)
        else:
            self._format = DATA_FORMAT
            self.data_kind = DATA
            self.reassembly = Reassembly(self.inbox)
        self._deliver = self.reassembly.receive_next

    def receive_data(self, packet: bytes, offset: int) -> int:
        """Take the DATA chunks from `offset` on; return where the first other chunk begins.

        This loop sees every byte that arrives. In order, a chunk costs one unpack, one slice and one call.
        """
        unpack, header_size, kind = self._format.unpack_from, self._format.size, self.data_kind
        received, window = self.received, self.window
        begin, size = offset, len(packet)
        limit = size - header_size
        ends = received.tsns.ends
        small = len(ends) == 1
        while offset < limit:
            found, flags, length, tsn, stream, number, last = unpack(packet, offset)
            stop = offset + length
            if found != kind or length <= header_size or stop > size:
                break
            if window.held + window.buffered > window.limit and window.is_full:
                return self._refuse(size)
            if flags & FLAG_IMMEDIATE:
                received.urgent = True
            following = ends[-1] + 1
            if small and stop < limit and flags & _WHOLE_UNORDERED == _WHOLE:
                # More follows in the packet, so this is a small message, and they may be many.
                after = self._receive_run(packet, offset, following)
                if after:
                    offset = after
                    continue
                small = False
            if following & 0xFFFFFFFF == tsn and following - ends[0] <= MAX_TSN_AHEAD:
                ends[-1] = following
                self._deliver(following, flags, stream, number, last, packet[offset + header_size : stop])
            else:
                small = False
                tsn = unwrap(tsn, following)
                if received.add_late(tsn):
                    payload = packet[offset + header_size : stop]
                    self._deliver_late(tsn, flags, stream, number, last, payload)
            offset = (stop + 3) & ~3
        if offset != begin:
            received.packets += 1
        return offset

    def _receive_run(self, packet: bytes, offset: int, following: int) -> int:
        """Take whole messages of one stream from `offset` on as long as they are in order; return where these end.

        Small messages arrive by this loop: TSNs, window and the layers above see them all at once. Less than two are
        left where they are, and the answer is 0. `following` is the next TSN.
        """
        unpack, header_size = self._format.unpack_from, self._format.size
        window, size = self.window, len(packet)
        kind, flags, _, tsn, stream, number, ppid = unpack(packet, offset)
        stream_id = stream >> 16 if self.interleaving else stream
        full = window.held + window.buffered + size > window.limit
        if full or following & 0xFFFFFFFF != tsn or self.inbox.expected.get(stream_id) != number:
            return 0
        messages: list[bytes] = []
        append, limit, total = messages.append, size - header_size, 0
        while offset < limit:
            its_kind, its_flags, length, its_tsn, its_stream, its_number, its_ppid = unpack(packet, offset)
            stop = offset + length
            # Numbers begin anew at 0 now and then; that ends the run, no more.
            if its_tsn != tsn or its_number != number or its_stream != stream or its_flags != flags:
                break
            if its_ppid != ppid or its_kind != kind or length <= header_size or stop > size:
                break
            append(packet[offset + header_size : stop])
            total += length
            tsn += 1
            number += 1
            offset = (stop + 3) & ~3
        count = len(messages)
        if count < 2:
            return 0
        self.received.tsns.ends[-1] = following + count - 1
        self.inbox.deliver_run(stream_id, ppid, messages, total - count * header_size)
        return offset

    def take_run(self, stream_id: int, ppid: int, messages: list[bytes]) -> None:
        """Take whole messages that have a packet each, the next ones in every respect."""
        self.received.tsns.ends[-1] += len(messages)
        self.received.packets += len(messages)
        self.inbox.deliver_run(stream_id, ppid, messages, sum(map(len, messages)))

    def _deliver_late(self, tsn: int, flags: int, stream: int, number: int, last: int, payload: bytes) -> None:
        """Take a chunk that opens or fills a gap."""
        if tsn == self.received.tsns.ends[-1]:
            self.reassembly.receive_next(tsn, flags, stream, number, last, payload)
        else:
            self.reassembly.receive_late(tsn, flags, stream, number, last, payload)

    def _refuse(self, size: int) -> int:
        """Drop the DATA of a packet, and say so: it comes again when there is room (RFC 9260 section 6.2)."""
        self._counters.refused_chunks += 1
        self.received.urgent = True
        return size

    def receive_forward_tsn(self, forward: ForwardTsn) -> None:
        """Skip what the peer gave up (RFC 3758 section 3.6)."""
        received = self.received
        cumulative = unwrap(forward.new_cumulative_tsn, received.cumulative)
        if cumulative > received.tsns.ends[-1] + MAX_TSN_AHEAD:
            return
        if received.advance(cumulative):
            self.reassembly.skip(cumulative, forward.streams)

    def take_sack(self) -> bytes:
        """Write the SACK of this moment."""
        return write_sack(self.received.take_sack(self.window.advertise()))
