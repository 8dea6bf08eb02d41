"""Cuts messages into DATA and I-DATA chunks (RFC 9260 section 3.3.1, RFC 8260 section 2.1).

::

    |   Type = 0    |Reserved|I|U|B|E|           Length             |
    |                              TSN                              |
    |      Stream Identifier        |    Stream Sequence Number     |
    |                 Payload Protocol Identifier                   |

    |   Type = 64   | Res   |I|U|B|E|           Length              |
    |                              TSN                              |
    |      Stream Identifier        |           Reserved            |
    |                      Message Identifier                       |
    |    Payload Protocol Identifier / Fragment Sequence Number     |

Both are packed and unpacked as type, flags, length, TSN, stream, number, last, so the loops here and at the receiver
serve both.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from peerix.core.sctp.chunks import DATA, FLAG_BEGIN, FLAG_END, FLAG_IMMEDIATE, I_DATA
from peerix.core.sctp.messages import OutboundMessage
from peerix.core.sctp.outqueue import MID_MASK, SSN_MASK

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.sctp.messages import OutboundStream, Queued, SentChunk
    from peerix.core.sctp.outqueue import OutboundQueue
    from peerix.core.sctp.outstanding import Outstanding
    from peerix.core.sctp.reliability import PartialReliability

DATA_FORMAT = struct.Struct("!BBHIHHI")
I_DATA_FORMAT = struct.Struct("!BBHIIII")

MIN_FRAGMENT = 256
"""A message is not cut for less than this at the end of a packet that has other chunks."""

_WHOLE = FLAG_BEGIN | FLAG_END
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


class ChunkWriter:
    """Writes chunks from the queue and enters them on the scoreboard."""

    __slots__ = ("_format", "_interleaving", "_kind", "_outstanding", "_queue", "_reliability", "header_size")

    def __init__(self, queue: OutboundQueue, outstanding: Outstanding, reliability: PartialReliability) -> None:
        self._queue = queue
        self._outstanding = outstanding
        self._reliability = reliability
        self.set_interleaving(interleaving=False)

    def set_interleaving(self, *, interleaving: bool) -> None:
        """Choose between DATA and I-DATA."""
        self._interleaving = interleaving
        self._queue.interleaving = interleaving
        self._format = I_DATA_FORMAT if interleaving else DATA_FORMAT
        self._kind = I_DATA if interleaving else DATA
        self.header_size = self._format.size

    def _write(self, tsn: int, chunk: SentChunk, flags: int) -> bytes:
        """Write a chunk of the scoreboard, with padding."""
        message, start, end, _, _, fragment = chunk
        data = message.data
        size = end - start
        flags |= message.flags
        last = message.ppid
        if not start:
            flags |= FLAG_BEGIN
        elif self._interleaving:
            last = fragment
        if end == len(data):
            flags |= FLAG_END
        stream = message.stream.id << 16 if self._interleaving else message.stream.id
        header = self._format.pack(
            self._kind, flags, self.header_size + size, tsn & 0xFFFFFFFF, stream, message.number, last
        )
        return header + data[start:end] + _PADDING[size & 3]

    def resend(self, room: int, parts: list[bytes], now: float, note: Callable[[int, int], None]) -> int:
        """Write lost chunks again as far as there is room; return the room that is left.

        A chunk larger than a packet goes alone: the path shrank after it was cut, and a TSN cannot be split.
        """
        outstanding = self._outstanding
        while (tsn := outstanding.next_lost()) is not None:
            message, start, end, _, sends, fragment = outstanding.chunks[tsn]
            if self._reliability.expire(message, -sends, now):
                continue
            size = (self.header_size + end - start + 3) & ~3
            if size > room and parts:
                break
            outstanding.lost.popleft()
            chunk = (message, start, end, now, 1 - sends, fragment)
            outstanding.chunks[tsn] = chunk
            outstanding.flight += end - start
            parts.append(self._write(tsn, chunk, FLAG_IMMEDIATE))
            note(tsn, 1 - sends)
            room -= size
            if room < 0:
                break
        return max(room, 0)

    def repeat(self, tsn: int, now: float) -> bytes:
        """Write a chunk in flight again, as a probe for a lost tail."""
        message, start, end, _, sends, fragment = self._outstanding.chunks[tsn]
        chunk = (message, start, end, now, sends + 1, fragment)
        self._outstanding.chunks[tsn] = chunk
        return self._write(tsn, chunk, FLAG_IMMEDIATE)

    def _head(self, now: float) -> OutboundMessage | None:
        """Return the message whose turn it is; those whose time is over are given up."""
        ring = self._queue.ring
        while ring:
            stream = ring[0]
            message = stream.messages[0]
            if isinstance(message, tuple):
                message = stream.messages[0] = OutboundMessage(stream, *message, None)
            limits = message.limits
            if limits is not None:
                if self._reliability.expire(message, 0, now):
                    continue
                if not message.offset:
                    limits.first_tsn = self._outstanding.next_tsn
            return message
        return None

    def fill(self, room: int, parts: list[bytes], now: float, flags: int) -> int:
        """Write new chunks as far as there is room; return the room that is left."""
        outstanding, header_size = self._outstanding, self.header_size
        while room > header_size:
            room = self._fill_whole(room, parts, now, flags)
            if parts and room < header_size + MIN_FRAGMENT and self._has_whole:
                break
            message = self._head(now) if room > header_size else None
            if message is None:
                break
            start, end = message.offset, len(message.data)
            space = room - header_size
            if end - start > space:
                if parts and space < MIN_FRAGMENT:
                    break
                end = start + (space & ~3)
            if not start:
                self._queue.number(message)
            tsn = outstanding.next_tsn
            chunk = (message, start, end, now, 1, message.fragments)
            size = end - start
            if start and size == self._queue.total:
                # The end of a large message with nothing behind it: its sender may wait for the SACK (RFC 7053).
                flags |= FLAG_IMMEDIATE
            parts.append(self._write(tsn, chunk, flags))
            outstanding.chunks[tsn] = chunk
            outstanding.next_tsn = tsn + 1
            outstanding.flight += size
            message.stream.unacked += size
            room -= (header_size + size + 3) & ~3
            self._advance(message, tsn, size)
        return room

    @property
    def _has_whole(self) -> bool:
        """Whether the next message is one that would have left if there were room for all of it."""
        ring = self._queue.ring
        return bool(ring) and isinstance(ring[0].messages[0], tuple)

    def _fill_whole(self, room: int, parts: list[bytes], now: float, flags: int) -> int:
        """Write whole messages of unlimited reliability as long as they come; return the room that is left."""
        ring, before = self._queue.ring, room + 1
        while ring and room < before:
            before = room
            room = self._take_turn(ring[0], room, parts, now, flags)
        return room

    def _take_turn(self, stream: OutboundStream, room: int, parts: list[bytes], now: float, flags: int) -> int:
        """Write whole messages of the stream whose turn it is, as many as it may; return the room that is left.

        Small messages leave by this loop, and are one entry of the scoreboard together.
        """
        messages = stream.messages
        head, header_size = messages[0], self.header_size
        if not isinstance(head, tuple) or header_size + len(head[1]) > room:
            return room
        pack, kind = self._format.pack, self._kind
        append, take = parts.append, messages.popleft
        share = self._queue.share(stream)
        unordered = head[2]
        first, mask = self._numbers(stream, unordered)
        word = stream.id << 16 if self._interleaving else stream.id
        before = tsn = self._outstanding.next_tsn
        number, total, whole = first, 0, flags | unordered | _WHOLE
        run: list[Queued] = []
        while messages and total < share:
            head = messages[0]
            if not isinstance(head, tuple):
                break
            ppid, data, bit = head
            size = len(data)
            length = header_size + size
            if length > room or bit != unordered:
                break
            append(pack(kind, whole, length, tsn & 0xFFFFFFFF, word, number, ppid))
            append(data)
            if size & 3:
                append(_PADDING[size & 3])
            run.append(head)
            take()
            number = (number + 1) & mask
            tsn += 1
            total += size
            room -= (length + 3) & ~3
        if run:
            self._outstanding.add_run((before, tsn - 1, total, now, stream, first, mask, run))
            self._queue.note_left(stream, total, number, unordered)
        return room

    def _numbers(self, stream: OutboundStream, unordered: int) -> tuple[int, int]:
        """Return the SSN or MID of the next message, and the mask of those that follow."""
        if self._interleaving:
            return (stream.next_unordered if unordered else stream.next_ordered), MID_MASK
        return (0, 0) if unordered else (stream.next_ordered, SSN_MASK)

    def _advance(self, message: OutboundMessage, tsn: int, size: int) -> None:
        """Note that so many bytes of the message whose turn it is have left."""
        queue, stream = self._queue, message.stream
        stream.queued -= size
        queue.total -= size
        message.fragments += 1
        message.offset += size
        if message.limits is not None:
            message.limits.last_tsn = tsn
        if message.offset == len(message.data):
            stream.messages.popleft()
            queue.pass_on(stream, size)
        elif self._interleaving:
            queue.spend(stream, size)

    def bulk(self, room: int, most: int, now: float, write: Callable[[bytes], bytes]) -> list[bytes]:
        """Write up to `most` packets, each with a middle fragment of the message whose turn it is, which has begun.

        Nearly all bytes of large messages leave by this loop; it does without the choices of `fill`, which costs
        twice the time.
        """
        queue, outstanding = self._queue, self._outstanding
        if self._interleaving and len(queue.ring) > 1:
            return []
        message = queue.ring[0].messages[0]
        if isinstance(message, tuple):
            return []
        data, start = message.data, message.offset
        size = (room - self.header_size) & ~3
        count = min(most, (len(data) - start - 1) // size)
        if count < 2 or message.limits is not None:
            return []
        chunks, pack, kind, length = outstanding.chunks, self._format.pack, self._kind, self.header_size + size
        flags, number, last, fragment = message.flags, message.number, message.ppid, message.fragments
        stream = message.stream.id << 16 if self._interleaving else message.stream.id
        step = 1 if self._interleaving else 0
        if step:
            last = fragment
        packets: list[bytes] = []
        tsn = outstanding.next_tsn
        for _ in range(count):
            end = start + size
            packets.append(write(pack(kind, flags, length, tsn & 0xFFFFFFFF, stream, number, last) + data[start:end]))
            chunks[tsn] = (message, start, end, now, 1, fragment)
            fragment += 1
            last += step
            tsn += 1
            start = end
        outstanding.next_tsn = tsn
        outstanding.flight += count * size
        message.fragments = fragment
        message.offset = start
        message.stream.queued -= count * size
        message.stream.unacked += count * size
        queue.total -= count * size
        return packets

    def lone(self, room: int, most: int, now: float, write: Callable[..., bytes]) -> list[bytes]:
        """Write up to `most` packets, each with a whole message that leaves no room for a part of the next one.

        The pieces of files leave by this loop. Only one stream may have something to send.
        """
        queue, outstanding = self._queue, self._outstanding
        stream = queue.ring[0]
        run = self._lone_messages(stream, room - self.header_size, most)
        if not run:
            return []
        _, _, unordered = run[0]
        number, mask = self._numbers(stream, unordered)
        pack, kind, flags, header_size = self._format.pack, self._kind, unordered | _WHOLE, self.header_size
        word = stream.id << 16 if self._interleaving else stream.id
        tsn, total = outstanding.next_tsn, 0
        packets: list[bytes] = []
        for message in run:
            ppid, data, _ = message
            size = len(data)
            header = pack(kind, flags, header_size + size, tsn & 0xFFFFFFFF, word, number, ppid)
            packets.append(write(header, data, _PADDING[size & 3]))
            outstanding.runs.append((tsn, tsn, size, now, stream, number, mask, [message]))
            number = (number + 1) & mask
            tsn += 1
            total += size
        outstanding.note_sent(stream, tsn - 1, total)
        queue.note_left(stream, total, number, unordered)
        return packets

    def _lone_messages(self, stream: OutboundStream, space: int, most: int) -> list[Queued]:
        """Take messages, one for a packet with so much space for it, off the stream; those behind them may not fit."""
        messages = stream.messages
        least = space - self.header_size - MIN_FRAGMENT
        found: list[Queued] = []
        unordered = None
        for message in messages:
            if not isinstance(message, tuple) or not least < len(message[1]) <= space or len(found) > most:
                break
            if unordered is None:
                unordered = message[2]
            elif unordered != message[2]:
                break
            found.append(message)
        if len(found) < len(messages):
            # The last one's packet may have room for a small one behind it.
            del found[-1:]
        del found[most:]
        for _ in found:
            messages.popleft()
        return found
