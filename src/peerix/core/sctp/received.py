"""Which TSNs arrived, and when the peer is told so (RFC 9260 sections 6.2 and 6.2.1)."""

from __future__ import annotations

from peerix.core.sctp.chunks import MAX_DUPLICATES, MAX_GAP_BLOCKS, Sack
from peerix.core.sctp.intervals import TSN_MASK, IntervalSet

MAX_TSN_AHEAD = 65_535
"""TSNs further above the cumulative one are dropped: a gap block (16 bits) could not tell of them."""

MAX_INTERVALS = 4_096
"""Gaps that are kept; DATA that would open another is dropped and comes again."""

PACKETS_PER_SACK = 2
"""A SACK at least for every second packet (RFC 9260 section 6.2)."""


class ReceivedTsns:
    """The TSNs of one direction and the SACK that is due.

    The first interval ends at the cumulative TSN; the others are the gap blocks.

    :ivar repeated: chunks that came again.
    :ivar packets: packets with DATA since the last SACK.
    :ivar urgent: the next SACK does not wait.
    :ivar sack_at: when a delayed SACK is due.
    """

    __slots__ = ("_delay", "duplicates", "packets", "repeated", "sack_at", "tsns", "urgent")

    def __init__(self, initial_tsn: int, delay: float) -> None:
        self.tsns = IntervalSet()
        self.tsns.add(initial_tsn - 1)
        self.duplicates: list[int] = []
        self.packets = 0
        self.repeated = 0
        self.urgent = False
        self.sack_at: float | None = None
        self._delay = delay

    @property
    def cumulative(self) -> int:
        """The TSN up to which all arrived."""
        return self.tsns.ends[0]

    def add_late(self, tsn: int) -> bool:
        """Note a TSN that is not the next one; False when it must be dropped (RFC 9260 section 6.2)."""
        tsns = self.tsns
        if not self.cumulative < tsn <= self.cumulative + MAX_TSN_AHEAD:
            fresh = False
        elif len(tsns) >= MAX_INTERVALS and tsn - 1 not in tsns and tsn + 1 not in tsns:
            return False
        else:
            fresh = tsns.add(tsn)
        self.urgent = True
        if not fresh:
            self.repeated += 1
            if len(self.duplicates) < MAX_DUPLICATES:
                self.duplicates.append(tsn & TSN_MASK)
        return fresh

    def advance(self, cumulative: int) -> bool:
        """Let the peer skip up to `cumulative` (RFC 3758 section 3.6); False when that is nothing new."""
        self.urgent = True
        if cumulative <= self.cumulative:
            return False
        tsns = self.tsns
        floor = tsns.starts[0]
        tsns.remove_to(cumulative)
        if tsns.starts and tsns.starts[0] == cumulative + 1:
            tsns.starts[0] = floor
        else:
            tsns.starts.insert(0, floor)
            tsns.ends.insert(0, cumulative)
        return True

    def finish_batch(self, now: float) -> None:
        """Decide once for all packets that came together."""
        if not self.packets and not self.urgent:
            return
        if self.packets >= PACKETS_PER_SACK or len(self.tsns) > 1:
            self.urgent = True
        elif self.sack_at is None:
            self.sack_at = now + self._delay

    def handle_timeout(self, now: float) -> None:
        """Let a delayed SACK go."""
        if self.sack_at is not None and now >= self.sack_at:
            self.urgent = True

    @property
    def has_news(self) -> bool:
        """Whether a SACK that goes with other chunks would tell the peer anything."""
        return self.urgent or self.packets > 0

    def take_sack(self, advertised_rwnd: int) -> Sack:
        """Make the SACK and count from there."""
        starts, ends = self.tsns.starts, self.tsns.ends
        cumulative = ends[0]
        gaps: list[int] = []
        for index in range(1, min(len(starts), MAX_GAP_BLOCKS + 1)):
            gaps.append(starts[index] - cumulative)
            gaps.append(ends[index] - cumulative)
        duplicates = self.duplicates
        self.duplicates = []
        self.packets = 0
        self.urgent = False
        self.sack_at = None
        return Sack(cumulative & TSN_MASK, advertised_rwnd, gaps, duplicates)
