"""From I-DATA chunks to messages (RFC 8260 section 2.2.2).

Fragments carry their message's number and their own, so messages of several streams may come interleaved.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from peerix.core.sctp.chunks import FLAG_BEGIN, FLAG_END, FLAG_UNORDERED
from peerix.core.sctp.window import FRAGMENT_OVERHEAD

if TYPE_CHECKING:
    from peerix.core.sctp.inbox import Inbox

MESSAGE_OVERHEAD = 512
"""Bytes that an unfinished message counts beyond its fragments."""

_WHOLE = FLAG_BEGIN | FLAG_END
_WHOLE_UNORDERED = _WHOLE | FLAG_UNORDERED
_HALF = 1 << 31
_MASK = 0xFFFFFFFF
_MESSAGE = struct.Struct("!II")


class Partial:
    """An unfinished message: fragments in order, and those that came before their turn.

    :ivar message: how its chunks name it: stream id and MID.
    """

    __slots__ = ("last_fsn", "late", "message", "parts", "ppid", "size", "unordered")

    def __init__(self, stream_id: int, mid: int, *, unordered: bool) -> None:
        self.message = _MESSAGE.pack(stream_id << 16, mid)
        self.unordered = unordered
        self.parts: list[bytes] = []
        self.late: dict[int, bytes] = {}
        self.last_fsn = -2  # no number of a fragment, nor one less than the first
        self.ppid = 0
        self.size = MESSAGE_OVERHEAD


class InterleavedReassembly:
    """The counterpart of `Reassembly` for I-DATA.

    :ivar growing: the message of which a fragment came last, when it lacks nothing but what comes after that.
    """

    __slots__ = ("_deliver_ordered", "_inbox", "_partial", "growing")

    def __init__(self, inbox: Inbox) -> None:
        self._deliver_ordered = inbox.deliver_ordered
        self._inbox = inbox
        self._partial: dict[int, dict[int, Partial]] = {}
        """By stream id * 2 + unordered, then by MID."""
        self.growing: Partial | None = None

    def receive_next(self, tsn: int, flags: int, stream_word: int, mid: int, last_word: int, payload: bytes) -> None:
        """Take a chunk. `stream_word` is stream id and reserved bits, `last_word` PPID or FSN."""
        if flags & _WHOLE_UNORDERED == _WHOLE:
            self._deliver_ordered(stream_word >> 16, mid, last_word, payload)
            return
        stream_id = stream_word >> 16
        ppid = last_word
        if flags & _WHOLE != _WHOLE:
            partial = self._collect(flags, stream_id, mid, last_word, payload)
            if partial is None:
                return
            ppid, payload = partial.ppid, b"".join(partial.parts)
        if flags & FLAG_UNORDERED:
            self._inbox.deliver(stream_id, ppid, payload)
        else:
            self._inbox.deliver_ordered(stream_id, mid, ppid, payload)

    def receive_late(self, tsn: int, flags: int, stream_word: int, mid: int, last_word: int, payload: bytes) -> None:
        """Take a chunk that came out of turn: all the same, since fragments have numbers of their own."""
        self.receive_next(tsn, flags, stream_word, mid, last_word, payload)

    def _collect(self, flags: int, stream_id: int, mid: int, last_word: int, payload: bytes) -> Partial | None:
        """Add a fragment to its message; give that when it is whole."""
        unordered = flags & FLAG_UNORDERED
        if not unordered and self._inbox.is_past(stream_id, mid):
            return None
        key = stream_id * 2 + (unordered != 0)
        messages = self._partial.get(key)
        if messages is None:
            messages = self._partial[key] = {}
        partial = messages.get(mid)
        if partial is None:
            partial = messages[mid] = Partial(stream_id, mid, unordered=unordered != 0)
            self._inbox.window.buffered += MESSAGE_OVERHEAD
        if not self._add(partial, flags, last_word, payload):
            self.growing = None if partial.late else partial
            return None
        self.growing = None
        del messages[mid]
        if not messages:
            del self._partial[key]
        self._inbox.window.buffered -= partial.size
        return partial

    def _add(self, partial: Partial, flags: int, last_word: int, payload: bytes) -> bool:
        """Add a fragment; return whether the message is whole."""
        fsn = last_word
        if flags & FLAG_BEGIN:
            partial.ppid = last_word
            fsn = 0
        if flags & FLAG_END:
            partial.last_fsn = fsn
        parts = partial.parts
        if fsn != len(parts):
            if fsn < len(parts) or fsn in partial.late:
                return False
            partial.late[fsn] = payload
        else:
            parts.append(payload)
            late = partial.late
            while late and len(parts) in late:
                parts.append(late.pop(len(parts)))
        size = len(payload) + FRAGMENT_OVERHEAD
        partial.size += size
        self._inbox.window.buffered += size
        return len(parts) - 1 == partial.last_fsn

    def extend(self, partial: Partial, payloads: list[bytes], size: int) -> None:
        """Add the next fragments, none of them the last, to the message that grows; `size` with their overhead."""
        partial.parts += payloads
        partial.size += size
        self._inbox.window.buffered += size

    def skip(self, cumulative: int, streams: list[tuple[int, bool, int]]) -> None:
        """Forget what the peer gave up (RFC 8260 section 2.3.1)."""
        self.growing = None
        for stream_id, unordered, mid in streams:
            key = stream_id * 2 + unordered
            messages = self._partial.get(key, {})
            for old in [old for old in messages if (mid - old) & _MASK < _HALF]:
                self._inbox.window.buffered -= messages.pop(old).size
            if key in self._partial and not messages:
                del self._partial[key]
            if not unordered:
                self._inbox.skip_to(stream_id, mid)

    def reset(self, stream_ids: tuple[int, ...]) -> None:
        """Begin anew with the numbers of these streams; none named means all."""
        self.growing = None
        named = stream_ids or tuple({key >> 1 for key in self._partial})
        for stream_id in named:
            for key in (stream_id * 2, stream_id * 2 + 1):
                for partial in self._partial.pop(key, {}).values():
                    self._inbox.window.buffered -= partial.size
        self._inbox.reset(stream_ids)
