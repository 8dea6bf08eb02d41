"""Whole messages in the order of their streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sctp.config import MAX_STREAMS
from peerix.core.sctp.events import AssociationEvent, MessageReceived, MessagesReceived
from peerix.core.sctp.outqueue import SSN_MASK
from peerix.core.sctp.window import FRAGMENT_OVERHEAD, ReceiveWindow

if TYPE_CHECKING:
    from peerix.core.sctp.counters import ReceivedCounters

MAX_INVALID_STREAMS = 16
"""Stream ids out of range that are reported at once."""


class Inbox:
    """Delivers messages, each stream in order (RFC 9260 section 6.6).

    :ivar window: delivered bytes are held there until they are released.
    :ivar expected: by stream, the SSN or MID whose turn it is.
    :ivar invalid_streams: ids above what we announced, to be reported to the peer.
    """

    __slots__ = ("_counters", "_events", "_half", "_mask", "_waiting", "expected", "invalid_streams", "window")

    def __init__(
        self,
        events: list[AssociationEvent],
        window: ReceiveWindow,
        counters: ReceivedCounters,
        *,
        number_bits: int,
    ) -> None:
        self._events = events
        self._counters = counters
        self.window = window
        self._mask = (1 << number_bits) - 1
        self._half = 1 << (number_bits - 1)
        self.expected: dict[int, int] = {}
        self.invalid_streams: list[int] = []
        self._waiting: dict[int, dict[int, tuple[int, bytes]]] = {}
        """By stream, then by number: messages that came before their turn."""

    def deliver(self, stream_id: int, ppid: int, data: bytes) -> None:
        """Hand one message up."""
        size = len(data)
        self.window.held += size
        counters = self._counters
        counters.messages += 1
        counters.message_bytes += size
        self._events.append(MessageReceived(stream_id, ppid, data))

    def deliver_ordered(self, stream_id: int, number: int, ppid: int, data: bytes) -> None:
        """Hand one message up when its turn has come; `number` is its SSN or MID."""
        expected = self.expected.get(stream_id, -1)
        if number == expected:
            self.expected[stream_id] = (expected + 1) & self._mask
            size = len(data)
            self.window.held += size
            counters = self._counters
            counters.messages += 1
            counters.message_bytes += size
            self._events.append(MessageReceived(stream_id, ppid, data))
            if self._waiting and stream_id in self._waiting:
                self._deliver_waiting(stream_id)
        elif expected >= 0:
            if self._mask > SSN_MASK and self.is_past(stream_id, number):
                return  # a MID of the past; an SSN may be so far ahead that it looks like one
            waiting = self._waiting.setdefault(stream_id, {})
            if number not in waiting:
                waiting[number] = (ppid, data)
                self.window.buffered += len(data) + FRAGMENT_OVERHEAD
        elif self._open(stream_id):
            self.deliver_ordered(stream_id, number, ppid, data)

    def deliver_run(self, stream_id: int, ppid: int, messages: list[bytes], size: int) -> None:
        """Hand up messages whose turn has come, of `size` bytes in all."""
        self.expected[stream_id] = (self.expected[stream_id] + len(messages)) & self._mask
        self.window.held += size
        counters = self._counters
        counters.messages += len(messages)
        counters.message_bytes += size
        events = self._events
        last = events[-1] if events else None
        if isinstance(last, MessagesReceived) and last.stream_id == stream_id and last.ppid == ppid:
            last.messages += messages
        else:
            events.append(MessagesReceived(stream_id, ppid, messages))
        if self._waiting and stream_id in self._waiting:
            self._deliver_waiting(stream_id)

    def _open(self, stream_id: int) -> bool:
        """Begin to count on a stream; False when its id is out of range (RFC 9260 section 3.3.10.1)."""
        if stream_id < MAX_STREAMS:
            self.expected[stream_id] = 0
            return True
        self._counters.refused_chunks += 1
        if len(self.invalid_streams) < MAX_INVALID_STREAMS:
            self.invalid_streams.append(stream_id)
        return False

    def take_invalid_streams(self) -> list[int]:
        """Return the ids to report, and forget them."""
        found, self.invalid_streams = self.invalid_streams, []
        return found

    def is_past(self, stream_id: int, number: int) -> bool:
        """Whether the turn of `number` is over."""
        distance = (number - self.expected.get(stream_id, 0)) & self._mask
        return distance >= self._half

    def _deliver_waiting(self, stream_id: int) -> None:
        waiting = self._waiting[stream_id]
        number = self.expected[stream_id]
        while number in waiting:
            ppid, data = waiting.pop(number)
            number = (number + 1) & self._mask
            self.window.buffered -= len(data) + FRAGMENT_OVERHEAD
            self.deliver(stream_id, ppid, data)
        self.expected[stream_id] = number
        if not waiting:
            del self._waiting[stream_id]

    def skip_to(self, stream_id: int, number: int) -> None:
        """Let the turn of all up to `number` pass; those of them that are here are delivered (RFC 3758 section 3.6)."""
        if self.is_past(stream_id, number) or stream_id >= MAX_STREAMS:
            return
        expected = self.expected.get(stream_id, 0)
        waiting = self._waiting.get(stream_id)
        self.expected[stream_id] = (number + 1) & self._mask
        if waiting is None:
            return
        span = (number - expected) & self._mask
        early = sorted((found - expected) & self._mask for found in waiting)
        for distance in early:
            if distance <= span:
                ppid, data = waiting.pop((expected + distance) & self._mask)
                self.window.buffered -= len(data) + FRAGMENT_OVERHEAD
                self.deliver(stream_id, ppid, data)
        self._deliver_waiting(stream_id)

    def reset(self, stream_ids: tuple[int, ...]) -> None:
        """Begin anew with the numbers of these streams; none named means all (RFC 6525 section 5.2.2)."""
        for stream_id in stream_ids or tuple({*self.expected, *self._waiting}):
            self.expected.pop(stream_id, None)
            for _, data in self._waiting.pop(stream_id, {}).values():
                self.window.buffered -= len(data) + FRAGMENT_OVERHEAD
