"""From DATA chunks to messages (RFC 9260 section 6.5, 6.6 and 6.9).

Fragments of a message have consecutive TSNs, so what belongs together is a run of TSNs. The run that grows at the end
is kept at hand: in order, a fragment costs one comparison and one append.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from peerix.core.sctp.chunks import FLAG_BEGIN, FLAG_END, FLAG_UNORDERED
from peerix.core.sctp.window import FRAGMENT_OVERHEAD

if TYPE_CHECKING:
    from peerix.core.sctp.inbox import Inbox

_WHOLE = FLAG_BEGIN | FLAG_END


class _Run:
    """Fragments with consecutive TSNs; `next_tsn` would continue it."""

    __slots__ = ("begun", "ended", "first", "flags", "next_tsn", "parts", "ppid", "size", "ssn", "stream_id")

    def __init__(self, tsn: int, flags: int, stream_id: int, ssn: int, ppid: int, payload: bytes) -> None:
        self.first = tsn
        self.next_tsn = tsn + 1
        self.begun = bool(flags & FLAG_BEGIN)
        self.ended = bool(flags & FLAG_END)
        self.flags = flags
        self.stream_id = stream_id
        self.ssn = ssn
        self.ppid = ppid
        self.parts = deque((payload,))
        self.size = len(payload)

    def join(self, right: _Run) -> _Run:
        """Put two neighbours together, the shorter one into the longer one."""
        if len(self.parts) >= len(right.parts):
            self.parts.extend(right.parts)
        else:
            right.parts.extendleft(reversed(self.parts))
            self.parts = right.parts
        self.next_tsn = right.next_tsn
        self.ended = right.ended
        self.size += right.size
        return self


class Reassembly:
    """Puts fragments together and messages into the order of their streams."""

    __slots__ = ("_by_end", "_by_start", "_current", "_deliver_ordered", "_inbox", "_window")

    def __init__(self, inbox: Inbox) -> None:
        self._window = inbox.window
        self._deliver_ordered = inbox.deliver_ordered
        self._inbox = inbox
        self._current: _Run | None = None
        self._by_start: dict[int, _Run] = {}
        """Runs that lack their beginning, by their first TSN."""
        self._by_end: dict[int, _Run] = {}
        """Runs that lack their end, by the TSN that would continue them."""

    def receive_next(self, tsn: int, flags: int, stream_id: int, ssn: int, ppid: int, payload: bytes) -> None:
        """Take the chunk with the highest TSN so far."""
        if flags & _WHOLE == _WHOLE:
            if flags & FLAG_UNORDERED:
                self._inbox.deliver(stream_id, ppid, payload)
            else:
                self._deliver_ordered(stream_id, ssn, ppid, payload)
            return
        run = self._current
        if run is None or run.next_tsn != tsn or flags & FLAG_BEGIN or run.ended:
            self.receive_late(tsn, flags, stream_id, ssn, ppid, payload)
            return
        run.parts.append(payload)
        run.next_tsn = tsn + 1
        run.size += len(payload)
        self._window.buffered += len(payload) + FRAGMENT_OVERHEAD
        if flags & FLAG_END:
            run.ended = True
            self._current = None
            self._place(run)

    def receive_late(self, tsn: int, flags: int, stream_id: int, ssn: int, ppid: int, payload: bytes) -> None:
        """Take a chunk with any TSN that was not there before."""
        run = _Run(tsn, flags, stream_id, ssn, ppid, payload)
        if run.begun and run.ended:
            self.receive_next(tsn, flags, stream_id, ssn, ppid, payload)
            return
        self._inbox.window.buffered += run.size + FRAGMENT_OVERHEAD
        current = self._current
        if current is not None:
            self._current = None
            self._place(current)
        left = None if run.begun else self._by_end.pop(tsn, None)
        right = None if run.ended else self._by_start.pop(tsn + 1, None)
        if left is not None:
            self._by_start.pop(left.first, None)
            run = left.join(run)
        if right is not None:
            self._by_end.pop(right.next_tsn, None)
            run = run.join(right)
        if run.begun and not run.ended and run.next_tsn == tsn + 1:
            self._current = run
        else:
            self._place(run)

    def _place(self, run: _Run) -> None:
        """Deliver a whole message, file anything else where its neighbours find it."""
        if not (run.begun and run.ended):
            if not run.ended:
                self._by_end[run.next_tsn] = run
            if not run.begun:
                self._by_start[run.first] = run
            return
        inbox = self._inbox
        inbox.window.buffered -= run.size + FRAGMENT_OVERHEAD * len(run.parts)
        data = b"".join(run.parts)
        if run.flags & FLAG_UNORDERED:
            inbox.deliver(run.stream_id, run.ppid, data)
        else:
            inbox.deliver_ordered(run.stream_id, run.ssn, run.ppid, data)

    def skip(self, cumulative: int, streams: list[tuple[int, bool, int]]) -> None:
        """Forget what the peer gave up (RFC 3758 section 3.6)."""
        if self._current is not None:
            run, self._current = self._current, None
            self._place(run)
        for run in [run for run in self._by_end.values() if run.first <= cumulative]:
            del self._by_end[run.next_tsn]
            self._by_start.pop(run.first, None)
            self._forget(run)
        for run in [run for run in self._by_start.values() if run.first <= cumulative]:
            del self._by_start[run.first]
            self._forget(run)
        for stream_id, _, ssn in streams:
            self._inbox.skip_to(stream_id, ssn)

    def _forget(self, run: _Run) -> None:
        self._inbox.window.buffered -= run.size + FRAGMENT_OVERHEAD * len(run.parts)

    def reset(self, stream_ids: tuple[int, ...]) -> None:
        """Begin anew with the numbers of these streams; none named means all."""
        self._inbox.reset(stream_ids)
