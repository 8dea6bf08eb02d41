"""Chunks that have a TSN and are not acknowledged for good (RFC 9260 sections 6.2.1 and 6.3)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from peerix.core.sctp.intervals import IntervalSet
from peerix.core.sctp.messages import OutboundMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.core.sctp.messages import OutboundStream, SentChunk, SentRun


class Delivered:
    """What one SACK told for the first time.

    :ivar size: bytes.
    :ivar sent_at: when the chunk was sent that left last of those delivered; `tsn` and `sends` are its own.
    :ivar holes: ranges of TSNs below a delivered one that are missing, found now.
    :ivar revived: chunks that were marked lost, and arrived before they were sent again.
    :ivar late: a chunk sent once was delivered after one that had been sent later.
    """

    __slots__ = ("holes", "late", "revived", "sends", "sent_at", "size", "tsn")

    def __init__(self) -> None:
        self.size = 0
        self.sent_at = -1.0
        self.tsn = -1
        self.sends = 0
        self.holes: list[range] = []
        self.revived = 0
        self.late = False


class Outstanding:
    """The scoreboard of the sender.

    Small messages of a packet are one entry, a run, until a SACK or a timeout tells them apart.

    :ivar chunks: by TSN, everything above `cumulative` that is not in `runs`.
    :ivar runs: in the order of their TSNs; all that they have is in flight, and above whatever a gap block told of.
    :ivar cumulative: the highest TSN of which all up to it are acknowledged.
    :ivar next_tsn: the next one to assign.
    :ivar flight: bytes that are thought to be on the path.
    :ivar gap_acked: TSNs above `cumulative` that the peer has; it may take that back (reneging).
    :ivar lost: TSNs to send again, those that were settled since included.
    """

    __slots__ = ("chunks", "cumulative", "flight", "gap_acked", "lost", "next_tsn", "runs")

    def __init__(self, initial_tsn: int) -> None:
        self.chunks: dict[int, SentChunk] = {}
        self.runs: deque[SentRun] = deque()
        self.next_tsn = initial_tsn
        self.cumulative = initial_tsn - 1
        self.flight = 0
        self.gap_acked = IntervalSet()
        self.lost: deque[int] = deque()

    @property
    def highest_acked(self) -> int:
        """The highest TSN that the peer has told of."""
        ends = self.gap_acked.ends
        return ends[-1] if ends else self.cumulative

    @property
    def is_waiting(self) -> bool:
        """Whether anything is not acknowledged for good."""
        return bool(self.chunks or self.runs)

    def clear(self) -> None:
        """Forget everything."""
        self.chunks.clear()
        self.runs.clear()
        self.lost.clear()
        self.flight = 0

    def add_run(self, run: SentRun) -> None:
        """Whole messages have left, with the next TSNs."""
        _, last, size, _, stream, _, _, _ = run
        self.runs.append(run)
        self.note_sent(stream, last, size)

    def note_sent(self, stream: OutboundStream, last: int, size: int) -> None:
        """So many bytes of a stream have left, up to TSN `last`."""
        self.next_tsn = last + 1
        self.flight += size
        stream.unacked += size

    def _split(self, end: int) -> None:
        """Make chunks of the runs that begin below `end`: their messages fare differently from now on."""
        runs, chunks = self.runs, self.chunks
        while runs and runs[0][0] < end:
            tsn, _, _, sent_at, stream, number, mask, messages = runs.popleft()
            for ppid, data, flags in messages:
                message = OutboundMessage(stream, ppid, data, flags, None)
                message.number = number
                message.offset = len(data)
                number = (number + 1) & mask
                chunks[tsn] = (message, 0, len(data), sent_at, 1, 0)
                tsn += 1

    def acknowledge(self, cumulative: int, gaps: Sequence[int]) -> Delivered:
        """Take a SACK that is neither old nor about TSNs never sent; gap blocks as offsets."""
        delivered = Delivered()
        if cumulative > self.cumulative:
            self._acknowledge_to(cumulative, delivered)
            if not self.chunks:
                self.chunks.clear()  # an empty dict keeps the 36 KiB that it had for a window of chunks
        if gaps:
            self._split(cumulative + max(gaps) + 1)
            self._acknowledge_gaps(cumulative, gaps, delivered)
        return delivered

    def _acknowledge_to(self, cumulative: int, delivered: Delivered) -> None:
        if self.runs:
            self._acknowledge_runs(cumulative, delivered)
        if self.chunks:
            self._acknowledge_chunks(cumulative, delivered)
        self.cumulative = cumulative
        if self.gap_acked.starts:
            self.gap_acked.remove_to(cumulative)

    def _acknowledge_runs(self, cumulative: int, delivered: Delivered) -> None:
        runs = self.runs
        total = 0
        while runs and runs[0][1] <= cumulative:
            _, last, size, sent_at, stream, _, _, _ = runs.popleft()
            stream.unacked -= size
            total += size
            # Runs leave one after the other, and nothing in them was sent again.
            delivered.sent_at, delivered.tsn, delivered.sends = sent_at, last, 1
        delivered.size += total
        self.flight -= total
        self._split(cumulative + 1)

    def _acknowledge_chunks(self, cumulative: int, delivered: Delivered) -> None:
        pop = self.chunks.pop
        highest = self.highest_acked
        flight = size = run = 0
        latest, latest_tsn, latest_sends = -1.0, -1, 0
        run_of: OutboundMessage | None = None
        for tsn in range(self.cumulative + 1, cumulative + 1):
            chunk = pop(tsn, None)
            if chunk is None or not chunk[4]:
                continue  # it was in a run, or is settled
            message, start, end, sent_at, sends, _ = chunk
            length = end - start
            if message is not run_of:
                if run_of is not None:
                    run_of.stream.unacked -= run
                run_of, run = message, 0
            run += length
            size += length
            if sends > 0:
                flight += length
            else:
                delivered.revived += 1
            if sent_at >= latest:
                latest, latest_tsn, latest_sends = sent_at, tsn, sends
            if sends == 1 and tsn < highest:
                delivered.late = True
        if run_of is not None:
            run_of.stream.unacked -= run
        if (latest, latest_tsn) > (delivered.sent_at, delivered.tsn):
            delivered.sent_at, delivered.tsn, delivered.sends = latest, latest_tsn, latest_sends
        delivered.size += size
        self.flight -= flight

    def _acknowledge_gaps(self, cumulative: int, gaps: Sequence[int], delivered: Delivered) -> None:
        gap_acked = self.gap_acked
        highest = self.highest_acked
        floor = cumulative + 1
        for index in range(0, len(gaps) - 1, 2):
            start, end = cumulative + gaps[index], cumulative + gaps[index + 1]
            if start <= floor or end < start or end >= self.next_tsn:
                continue
            for first, last in gap_acked.add_range(start, end):
                self._settle(first, last, highest, delivered)
                if first > highest + 1:
                    delivered.holes.append(range(highest + 1, first))
                highest = max(highest, last)

    def _settle(self, first: int, last: int, highest: int, delivered: Delivered) -> None:
        chunks = self.chunks
        for tsn in range(first, last + 1):
            message, start, end, sent_at, sends, fragment = chunks[tsn]
            if not sends:
                continue
            length = end - start
            chunks[tsn] = (message, start, end, sent_at, 0, fragment)
            message.stream.unacked -= length
            delivered.size += length
            if sends > 0:
                self.flight -= length
            else:
                delivered.revived += 1
            if sends == 1 and tsn < highest:
                delivered.late = True
            if sent_at >= delivered.sent_at:
                delivered.sent_at = sent_at
                delivered.tsn = tsn
                delivered.sends = sends

    @property
    def has_reneged(self) -> bool:
        """Whether the peer dropped what it had acknowledged by a gap block: the one after the cumulative TSN."""
        starts = self.gap_acked.starts
        return bool(starts) and starts[0] == self.cumulative + 1

    def renege(self) -> None:
        """Take all gap acknowledgements back; what they settled is sent again."""
        for start, end in zip(self.gap_acked.starts, self.gap_acked.ends, strict=True):
            for tsn in range(start, end + 1):
                message, first, last, sent_at, _, fragment = self.chunks[tsn]
                if message.limits is not None and message.limits.abandoned:
                    continue
                message.stream.unacked += last - first
                self.chunks[tsn] = (message, first, last, sent_at, -1, fragment)
                self.lost.append(tsn)
        self.gap_acked.clear()

    def mark_lost(self, tsn: int) -> SentChunk | None:
        """Take a chunk off the path and queue it to be sent again; None when it is not in flight."""
        chunk = self.chunks.get(tsn)
        if chunk is None or chunk[4] <= 0:
            return None
        message, start, end, sent_at, sends, fragment = chunk
        self.chunks[tsn] = (message, start, end, sent_at, -sends, fragment)
        self.flight -= end - start
        self.lost.append(tsn)
        return chunk

    def mark_all_lost(self) -> list[SentChunk]:
        """Mark everything in flight lost, in the order of TSNs."""
        self._split(self.next_tsn)
        waiting = sorted(tsn for tsn, chunk in self.chunks.items() if chunk[4] > 0)
        marked = [chunk for tsn in waiting if (chunk := self.mark_lost(tsn)) is not None]
        self.lost = deque(sorted(set(self.lost)))
        return marked

    def next_lost(self) -> int | None:
        """Return the first TSN to send again, if any."""
        lost, chunks = self.lost, self.chunks
        while lost:
            chunk = chunks.get(lost[0])
            if chunk is not None and chunk[4] < 0:
                return lost[0]
            lost.popleft()
        return None

    def abandon(self, first: int, last: int, owner: object) -> None:
        """Settle the chunks of one message that is given up."""
        for tsn in range(max(first, self.cumulative + 1), last + 1):
            chunk = self.chunks.get(tsn)
            if chunk is None or chunk[0] is not owner or not chunk[4]:
                continue
            message, start, end, sent_at, sends, fragment = chunk
            message.stream.unacked -= end - start
            if sends > 0:
                self.flight -= end - start
            self.chunks[tsn] = (message, start, end, sent_at, 0, fragment)

    def add_settled(self, message: OutboundMessage, now: float) -> int:
        """Take a TSN for a chunk that never leaves; return it."""
        tsn = self.next_tsn
        self.next_tsn = tsn + 1
        end = len(message.data)
        self.chunks[tsn] = (message, end, end, now, 0, message.fragments)
        return tsn

    def highest_in_flight(self) -> int | None:
        """Return the highest TSN on the path; what a tail-loss probe sends again."""
        self._split(self.next_tsn)
        for tsn in range(self.next_tsn - 1, self.cumulative, -1):
            if self.chunks[tsn][4] > 0:
                return tsn
        return None
