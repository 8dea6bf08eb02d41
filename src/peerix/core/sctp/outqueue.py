"""What waits to be sent, and whose turn it is (RFC 8260 section 3)."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from peerix.core.errors import LocalProtocolError
from peerix.core.sctp.messages import DEFAULT_PRIORITY, OutboundMessage, OutboundStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.core.sctp.counters import SentCounters
    from peerix.core.sctp.messages import Limits

SSN_MASK = 0xFFFF
MID_MASK = 0xFFFFFFFF


class OutboundQueue:
    """Streams take turns.

    With DATA a turn is a whole message, since its fragments must follow one another; with I-DATA it is about one
    packet, weighted by priority.

    :ivar streams: all streams that were used, by id.
    :ivar ring: those with something to send; the first one's turn it is.
    :ivar total: bytes queued on all of them.
    :ivar accepting: whether the association is established.
    :ivar interleaving: whether I-DATA was agreed on.
    """

    __slots__ = ("_counters", "accepting", "interleaving", "quantum", "ring", "streams", "total")

    def __init__(self, counters: SentCounters) -> None:
        self._counters = counters
        self.streams: dict[int, OutboundStream] = {}
        self.ring: deque[OutboundStream] = deque()
        self.total = 0
        self.accepting = False
        self.interleaving = False
        self.quantum = 1200

    def stream(self, stream_id: int) -> OutboundStream:
        """Return the stream, made on first use."""
        stream = self.streams.get(stream_id)
        if stream is None:
            stream = self.streams[stream_id] = OutboundStream(stream_id)
        return stream

    def add(self, stream_id: int, ppid: int, data: bytes, flags: int, limits: Limits | None) -> None:
        """Queue a message at the end of its stream; `flags` is the U bit or nothing."""
        stream = self.streams.get(stream_id)
        if stream is None:
            stream = self.stream(stream_id)
        size = len(data)
        if limits is None:
            stream.messages.append((ppid, data, flags))
        else:
            stream.messages.append(OutboundMessage(stream, ppid, data, flags, limits))
        stream.queued += size
        self.total += size
        counters = self._counters
        counters.messages += 1
        counters.message_bytes += size
        if not stream.active and not stream.paused:
            stream.active = True
            self.ring.append(stream)

    def put(self, stream_id: int, ppid: int, data: bytes, size: int) -> None:
        """Queue an ordered message of unlimited reliability: what `Association.send_message` does, in one call.

        :param size: of `data`, at least 1.
        :raises LocalProtocolError: the association is not established.
        """
        if not self.accepting:
            raise LocalProtocolError("the association is not established")
        stream = self.streams.get(stream_id)
        if stream is None:
            stream = self.stream(stream_id)
        stream.messages.append((ppid, data, 0))
        stream.queued += size
        self.total += size
        counters = self._counters
        counters.messages += 1
        counters.message_bytes += size
        if not stream.active and not stream.paused:
            stream.active = True
            self.ring.append(stream)

    def put_all(self, stream_id: int, ppid: int, payloads: Sequence[bytes]) -> None:
        """Queue ordered messages of unlimited reliability, as `put` does with each.

        :raises LocalProtocolError: the association is not established, or one of them is empty; none is queued then.
        """
        sizes = list(map(len, payloads))
        if not self.accepting or not all(sizes):
            raise LocalProtocolError("the association is not established, or a message is empty")
        if not sizes:
            return
        stream = self.stream(stream_id)
        stream.messages.extend((ppid, data, 0) for data in payloads)
        size = sum(sizes)
        stream.queued += size
        self.total += size
        self._counters.messages += len(sizes)
        self._counters.message_bytes += size
        if not stream.active and not stream.paused:
            stream.active = True
            self.ring.append(stream)

    def number(self, message: OutboundMessage) -> None:
        """Give a message its SSN or MID when its first fragment leaves."""
        stream = message.stream
        if not message.flags:
            message.number = stream.next_ordered
            stream.next_ordered = (message.number + 1) & (MID_MASK if self.interleaving else SSN_MASK)
        elif self.interleaving:
            message.number = stream.next_unordered
            stream.next_unordered = (message.number + 1) & MID_MASK
        else:
            message.number = 0

    def share(self, stream: OutboundStream) -> float:
        """How many bytes of whole messages may leave before others have their turn; the last one may be longer."""
        if len(self.ring) == 1:
            return math.inf
        return max(stream.deficit, 1) if self.interleaving else 1

    def note_left(self, stream: OutboundStream, size: int, number: int, unordered: int) -> None:
        """Whole messages of the stream whose turn it is have left; `number` is that of the next one."""
        stream.queued -= size
        self.total -= size
        if not unordered:
            stream.next_ordered = number
        elif self.interleaving:
            stream.next_unordered = number
        self.pass_on(stream, size)

    def pass_on(self, stream: OutboundStream, size: int) -> None:
        """Whole messages of the stream whose turn it is have left, of so many bytes."""
        ring = self.ring
        if not stream.messages:
            ring.popleft()
            stream.active = False
            stream.deficit = 0
        elif self.interleaving:
            self.spend(stream, size)
        else:
            ring.rotate(-1)

    def spend(self, stream: OutboundStream, size: int) -> None:
        """With I-DATA: pass the turn on when the stream has had its share."""
        if len(self.ring) == 1:
            return  # nobody waits, and who comes is not to wait until all this is made up for
        stream.deficit -= size
        if stream.deficit <= 0:
            stream.deficit += max(self.quantum * stream.priority // DEFAULT_PRIORITY, 1)
            self.ring.rotate(-1)

    def drop(self, message: OutboundMessage) -> int:
        """Take a message out that will not be sent to its end; return the bytes that had not left."""
        stream = message.stream
        if not stream.messages or stream.messages[0] is not message:
            return 0
        rest = len(message.data) - message.offset
        stream.queued -= rest
        self.total -= rest
        stream.messages.popleft()
        if not stream.messages and stream.active:
            self.ring.remove(stream)
            stream.active = False
        return rest

    def pause(self, stream: OutboundStream) -> None:
        """Let nothing new of a stream leave."""
        stream.paused = True
        if stream.active:
            self.ring.remove(stream)
            stream.active = False

    def resume(self, stream: OutboundStream) -> None:
        """Let it go on."""
        stream.paused = False
        if stream.messages and not stream.active:
            stream.active = True
            self.ring.append(stream)

    def clear(self) -> None:
        """Forget everything."""
        self.streams.clear()
        self.ring.clear()
        self.total = 0
