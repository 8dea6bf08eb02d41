"""Partial reliability: giving messages up and telling the peer to skip them (RFC 3758, RFC 7496, RFC 8260 2.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sctp.chunks import ForwardTsn, write_forward_tsn
from peerix.core.sctp.events import AssociationEvent, MessageAbandoned
from peerix.core.sctp.intervals import TSN_MASK

if TYPE_CHECKING:
    from peerix.core.sctp.counters import SentCounters
    from peerix.core.sctp.messages import OutboundMessage
    from peerix.core.sctp.outqueue import OutboundQueue
    from peerix.core.sctp.outstanding import Outstanding

MAX_FORWARD_STREAMS = 64
"""Entries of one FORWARD TSN; with more abandoned messages it advances in several steps."""


class PartialReliability:
    """Gives up messages whose limits are exceeded.

    :ivar pending: a FORWARD TSN is to be sent.
    :ivar supported: whether the peer understands it; without, every message is reliable.
    """

    __slots__ = ("_counters", "_events", "_outstanding", "_queue", "_sent_at", "pending", "supported")

    def __init__(
        self,
        queue: OutboundQueue,
        outstanding: Outstanding,
        events: list[AssociationEvent],
        counters: SentCounters,
    ) -> None:
        self._queue = queue
        self._outstanding = outstanding
        self._events = events
        self._counters = counters
        self._sent_at = 0.0
        self.pending = False
        self.supported = False

    def expire(self, message: OutboundMessage, sends: int, now: float) -> bool:
        """Give the message up if its limits say so; return whether it is given up."""
        limits = message.limits
        if limits is None or not self.supported:
            return False
        if limits.abandoned:
            return True
        if not limits.exceeded(sends, now):
            return False
        limits.abandoned = True
        unsent = self._queue.drop(message)
        if limits.last_tsn >= 0:
            if unsent:
                # The peer may have all that left of it and would wait for the end. A TSN that is never sent stands for
                # the rest: FORWARD TSN has something to skip then.
                limits.last_tsn = self._outstanding.add_settled(message, now)
            self._outstanding.abandon(limits.first_tsn, limits.last_tsn, message)
            self.pending = True
        self._counters.abandoned_messages += 1
        self._events.append(MessageAbandoned(message.stream.id))
        return True

    @property
    def _advanced(self) -> bool:
        """Whether the chunk after the cumulative TSN belongs to a message that was given up."""
        chunk = self._outstanding.chunks.get(self._outstanding.cumulative + 1)
        return chunk is not None and chunk[0].limits is not None and chunk[0].limits.abandoned

    def remind(self, patience: float, now: float) -> None:
        """After a SACK or a timeout: tell the peer again if it does not seem to know (RFC 3758 section 3.5 C3, F2)."""
        if now - self._sent_at >= patience and self._advanced:
            self.pending = True

    def take_forward_tsn(self, now: float) -> bytes | None:
        """Write the chunk that moves the peer to the Advanced.Peer.Ack.Point; None when there is nothing to skip."""
        self.pending = False
        chunks = self._outstanding.chunks
        tsn = self._outstanding.cumulative
        skipped: dict[tuple[int, bool], int] = {}
        while (chunk := chunks.get(tsn + 1)) is not None:
            message = chunk[0]
            if message.limits is None or not message.limits.abandoned:
                break
            key = (message.stream.id, bool(message.flags))
            if key not in skipped and len(skipped) >= MAX_FORWARD_STREAMS:
                break
            skipped[key] = message.number
            tsn += 1
        if tsn == self._outstanding.cumulative:
            return None
        self._sent_at = now
        entries = [(stream_id, unordered, number) for (stream_id, unordered), number in skipped.items()]
        return write_forward_tsn(ForwardTsn(tsn & TSN_MASK, entries), interleaving=self._queue.interleaving)
