"""Which chunks are lost: RACK (RFC 8985 section 6) with the three missing reports of RFC 9260 section 7.2.4 inside it.

A chunk is lost when another one that left later has arrived and, unless three reports or as many packets say so
already, some time for reordering has passed. Only chunks that can be lost are looked at: holes below what arrived, and
chunks sent again; each is looked at until it is decided, so the work follows the losses and not the window.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peerix.core.sctp.messages import SentChunk
    from peerix.core.sctp.outstanding import Delivered, Outstanding
    from peerix.core.sctp.timer import RetransmissionTimeout

MISSING_REPORTS = 3
"""RFC 9260 section 7.2.4 and DupThresh of RFC 8985."""

SENDS_OF_A_BLACK_HOLE = 4
"""Losses of one large chunk, while others arrive, that are taken for a path which carries less than before."""

MAX_WINDOW_STEPS = 20
"""The reordering window is at most so many quarters of the least round trip (and one smoothed round trip)."""


class LossDetector:
    """Decides which chunks in flight are lost.

    :ivar deadline: when to look again, None when nothing is in doubt.
    :ivar stubborn: size of what vanished again and again, or at a timeout; path-MTU discovery sets it back.
    """

    __slots__ = (
        "_acked_above",
        "_holes",
        "_latest",
        "_questionable",
        "_reordering",
        "_reports",
        "_resent",
        "_rtt",
        "_steps",
        "_timeout",
        "deadline",
        "stubborn",
    )

    def __init__(self, timeout: RetransmissionTimeout) -> None:
        self._timeout = timeout
        self._holes: deque[int] = deque()
        self._resent: deque[tuple[int, int]] = deque()
        self._questionable = 0
        self.stubborn = 0
        self.reset()

    def reset(self) -> None:
        """Forget the path; chunks in doubt stay so."""
        self._latest = (-1.0, -1)
        self._rtt = 0.0
        self._reordering = False
        self._steps = 1
        self._reports = 0
        self._acked_above = 0
        self.deadline: float | None = None

    def forget_chunks(self) -> None:
        """All in flight was marked lost by other means."""
        self._holes.clear()
        self._resent.clear()
        self._reports = 0
        self._acked_above = 0
        self.deadline = None

    def note_resent(self, tsn: int, sends: int) -> None:
        """A chunk was sent again."""
        self._resent.append((tsn, sends))

    def note_recovery(self, lost: int) -> None:
        """A recovery begins with so many chunks that seem to be lost."""
        self._questionable = lost

    def note_wrong(self, count: int) -> bool:
        """So many chunks that were thought lost had only been late: be more patient (RFC 8985 section 6.2 step 4).

        The peer tells of chunks that it got twice, and some arrive before they are sent again.

        :returns: whether this was true of all since the recovery began (RFC 3708 section 3).
        """
        if not count:
            return False
        self._reordering = True
        self._steps = min(self._steps + 1, MAX_WINDOW_STEPS)
        questionable = self._questionable
        self._questionable = max(questionable - count, 0)
        return 0 < questionable <= count

    def note_delivered(self, delivered: Delivered, now: float) -> None:
        """Take what a SACK told."""
        if delivered.late:
            self._reordering = True
        for hole in delivered.holes:
            self._holes.extend(hole)
        if self._holes:
            self._reports += 1
            self._acked_above += delivered.size
        else:
            self._reports = 0
            self._acked_above = 0
        if delivered.tsn < 0:
            return
        rtt = now - delivered.sent_at
        if delivered.sends != 1 and rtt < self._timeout.min_rtt:
            return  # An answer that fast is to the first one of two sends (RFC 8985 section 6.2 step 2).
        sent = (delivered.sent_at, delivered.tsn)
        if sent > self._latest:
            self._latest = sent
            self._rtt = rtt

    def _patience(self, packet_size: int, *, recovering: bool) -> float:
        """RACK.reo_wnd (RFC 8985 section 6.2 step 4)."""
        certain = recovering or self._reports >= MISSING_REPORTS or self._acked_above >= MISSING_REPORTS * packet_size
        if certain and not self._reordering:
            return 0.0
        timeout = self._timeout
        return min(self._steps * timeout.min_rtt / 4, timeout.srtt or timeout.min_rtt)

    def detect(self, outstanding: Outstanding, packet_size: int, now: float, *, recovering: bool) -> list[SentChunk]:
        """Mark what is lost by now; return it."""
        self.deadline = None
        lost: list[SentChunk] = []
        if not self._holes and not self._resent:
            return lost
        patience = self._rtt + self._patience(packet_size, recovering=recovering)
        latest = self._latest
        while self._holes:
            if not self._decide(self._holes[0], 1, outstanding, latest, patience, now, lost):
                break
            self._holes.popleft()
        while self._resent:
            tsn, sends = self._resent[0]
            if not self._decide(tsn, sends, outstanding, latest, patience, now, lost):
                break
            self._resent.popleft()
        return lost

    def _decide(
        self,
        tsn: int,
        sends: int,
        outstanding: Outstanding,
        latest: tuple[float, int],
        patience: float,
        now: float,
        lost: list[SentChunk],
    ) -> bool:
        """Decide on a chunk that was sent so often; False when it is too early to."""
        chunk = outstanding.chunks.get(tsn)
        if chunk is None or chunk[4] != sends:
            return True
        if not self._is_lost(tsn, chunk, latest, patience, now):
            return False
        outstanding.mark_lost(tsn)
        lost.append(chunk)
        self._questionable += 1
        if sends >= SENDS_OF_A_BLACK_HOLE:
            self.stubborn = max(self.stubborn, chunk[2] - chunk[1])
        return True

    def _is_lost(self, tsn: int, chunk: SentChunk, latest: tuple[float, int], patience: float, now: float) -> bool:
        """Whether it is; if time has to tell, the deadline is set."""
        sent_at = chunk[3]
        if (sent_at, tsn) >= latest:
            return False
        due = sent_at + patience
        if due <= now:
            return True
        if self.deadline is None or due < self.deadline:
            self.deadline = due
        return False
