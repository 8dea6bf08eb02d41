"""Packets that are like the one before but for their numbers: they are taken in runs, without being read one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sctp.interleaved import InterleavedReassembly
from peerix.core.sctp.middle_fragments import MiddleFragments
from peerix.core.sctp.whole_messages import WholeMessages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.core.sctp.established import Established
    from peerix.core.sctp.wire import Wire


class PacketRuns:
    """The kinds of runs of one association.

    :ivar middle: fragments of large messages, None with DATA.
    :ivar whole: messages that have a packet each.
    """

    __slots__ = ("_established", "middle", "whole")

    def __init__(self, wire: Wire, established: Established) -> None:
        inbound = established.inbound
        self._established = established
        self.middle: MiddleFragments | None = None
        if isinstance(inbound.reassembly, InterleavedReassembly):
            self.middle = MiddleFragments(wire, inbound.reassembly, inbound.received, inbound.window)
        self.whole = WholeMessages(wire, inbound)

    def receive(self, packets: Sequence[bytes], start: int) -> int:
        """Take the run that begins at `start`; return where it ends, `start` when there is none."""
        middle = self.middle
        if middle is not None and middle.is_expected and (end := middle.receive(packets, start)) > start:
            return end
        if start + 1 < len(packets) and self._established.receiving:
            return self.whole.receive(packets, start)
        return start
