"""Packets that are like the one before but for their numbers: they are taken in runs, without being read one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sctp.interleaved import InterleavedReassembly
from peerix.core.sctp.middle_fragments import MiddleFragments
from peerix.core.sctp.whole_messages import WholeMessages

if TYPE_CHECKING:
    from peerix.core.sctp.established import Established
    from peerix.core.sctp.wire import Wire


class PacketRuns:
    """The kinds of runs of one association.

    :ivar middle: fragments of large messages, None with DATA.
    :ivar whole: messages that have a packet each.
    """

    __slots__ = ("middle", "whole")

    def __init__(self, wire: Wire, established: Established) -> None:
        inbound = established.inbound
        self.middle: MiddleFragments | None = None
        if isinstance(inbound.reassembly, InterleavedReassembly):
            self.middle = MiddleFragments(wire, inbound.reassembly, inbound.received, inbound.window)
        self.whole = WholeMessages(wire, established)
