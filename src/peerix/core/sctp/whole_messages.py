"""Packets that hold one whole message each, the next of a stream: what comes of messages that just fit into a packet.

As with `middle_fragments` their headers are foretold: all but the TSN and the message's number is as in the first of a
run. The layers above get a run as one event. The pieces of files arrive so.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from peerix.core.sctp.chunks import FLAG_BEGIN, FLAG_END
from peerix.core.sctp.outqueue import MID_MASK, SSN_MASK
from peerix.core.sctp.wire import HEADER_SIZE, NO_CHECKSUM
from peerix.core.sctp.writer import DATA_FORMAT, I_DATA_FORMAT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.core.sctp.established import Established
    from peerix.core.sctp.wire import Wire

_WHOLE = FLAG_BEGIN | FLAG_END
_FLAGS = HEADER_SIZE + 1
_LENGTH = HEADER_SIZE + 2
_LEAST = HEADER_SIZE + I_DATA_FORMAT.size
_CONSTANT = struct.Struct("!8s4sBBH")
_DATA_HEADERS = struct.Struct("!16sIHHI")
_I_DATA_HEADERS = struct.Struct("!16sIIII")


LOOKS_WHOLE = slice(_FLAGS, _FLAGS + 1), bytes((_WHOLE,))
"""Where a packet that may begin such a run has its flags, and what they are."""


class WholeMessages:
    """Takes runs of them, without a checksum (RFC 9653), ordered and in order; everything else is left."""

    __slots__ = ("_established", "_format", "_headers", "_inbound", "_mask", "_wire")

    def __init__(self, wire: Wire, established: Established) -> None:
        inbound = established.inbound
        self._wire = wire
        self._established = established
        self._inbound = inbound
        self._format = I_DATA_FORMAT if inbound.interleaving else DATA_FORMAT
        self._headers = _I_DATA_HEADERS if inbound.interleaving else _DATA_HEADERS
        self._mask = MID_MASK if inbound.interleaving else SSN_MASK

    def receive(self, packets: Sequence[bytes], start: int) -> int:
        """Take packets from `start` on, two at least or none; return where something else begins."""
        packet = packets[start]
        size = len(packet)
        # Most packets with a whole message have more of them; two bytes tell.
        if size <= _LEAST or size - packet[_LENGTH] * 256 - packet[_LENGTH + 1] > HEADER_SIZE + 3:
            return start
        if packet[_FLAGS] != _WHOLE or start + 1 >= len(packets) or len(packets[start + 1]) != size:
            return start
        inbound, window = self._inbound, self._inbound.window
        ready = self._established.receiving and self._wire.accept_zero_checksum
        if not ready or len(inbound.received.tsns.ends) > 1:
            return start
        # What does not fit into the window is read.
        room = (window.limit - window.held - window.buffered) // size
        _, _, length, _, stream, number, ppid = self._format.unpack_from(packet, HEADER_SIZE)
        stream_id = stream >> 16 if inbound.interleaving else stream
        if room < 2 or (HEADER_SIZE + length + 3) & ~3 != size or inbound.inbox.expected.get(stream_id) != number:
            return start
        messages = self._payloads(packets[start : start + room], length, stream, number, ppid)
        if len(messages) < 2:
            return start
        inbound.take_run(stream_id, ppid, messages)
        return start + len(messages)

    def _payloads(self, packets: Sequence[bytes], length: int, stream: int, number: int, ppid: int) -> list[bytes]:
        inbound, mask, headers = self._inbound, self._mask, self._headers.pack
        constant = _CONSTANT.pack(self._wire.expected, NO_CHECKSUM, inbound.data_kind, _WHOLE, length)
        begin, end, size = HEADER_SIZE + self._format.size, HEADER_SIZE + length, len(packets[0])
        if end <= begin:
            return []
        tsn = inbound.received.cumulative
        payloads: list[bytes] = []
        for packet in packets:
            tsn += 1
            foretold = headers(constant, tsn & 0xFFFFFFFF, stream, number & mask, ppid)
            if len(packet) != size or not packet.startswith(foretold):
                break
            payloads.append(packet[begin:end])
            number += 1
        return payloads
