"""Messages on their way out, and the streams that they leave by."""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

DEFAULT_PRIORITY = 256
"""The middle one of W3C's priorities; a stream's share of the path is in proportion to its priority."""


class Limits:
    """How long to try with a message (RFC 3758, RFC 7496).

    :ivar max_retransmits: how often a chunk may be sent again, None for any number.
    :ivar expires_at: when to give up, None for never.
    :ivar first_tsn: the TSN of its first chunk, once it has one.
    :ivar last_tsn: the TSN of its last chunk so far.
    """

    __slots__ = ("abandoned", "expires_at", "first_tsn", "last_tsn", "max_retransmits")

    def __init__(self, max_retransmits: int | None, expires_at: float | None) -> None:
        self.max_retransmits = max_retransmits
        self.expires_at = expires_at
        self.abandoned = False
        self.first_tsn = 0
        self.last_tsn = -1

    def exceeded(self, sends: int, now: float) -> bool:
        """Whether to give up a message of which a chunk was sent `sends` times."""
        if self.max_retransmits is not None and sends > self.max_retransmits:
            return True
        return self.expires_at is not None and now >= self.expires_at


Queued: TypeAlias = tuple[int, bytes, int]
"""A message of unlimited reliability of which nothing has left: PPID, data, and the U bit or nothing.

Most messages leave whole, and never become anything else: a tuple is made in a sixth of the time of an
`OutboundMessage`, and one of ints and bytes is nothing that the garbage collector has to look at again.
"""


class OutboundStream:
    """One outgoing stream.

    :ivar queued: bytes that were never sent.
    :ivar unacked: bytes that left and that the peer has not acknowledged.
    :ivar paused: being reset; nothing leaves.
    :ivar deficit: bytes it may send before the next stream's turn, when messages interleave.
    """

    __slots__ = (
        "active",
        "deficit",
        "id",
        "messages",
        "next_ordered",
        "next_unordered",
        "paused",
        "priority",
        "queued",
        "unacked",
    )

    def __init__(self, stream_id: int) -> None:
        self.id = stream_id
        self.messages: deque[OutboundMessage | Queued] = deque()
        self.queued = 0
        self.unacked = 0
        self.next_ordered = 0
        self.next_unordered = 0
        self.active = False
        self.paused = False
        self.priority = DEFAULT_PRIORITY
        self.deficit = 0


class OutboundMessage:
    """One message; fragments are cut when they leave, and again when they are sent again.

    :ivar flags: the U bit or nothing.
    :ivar number: SSN or MID, -1 until its first fragment leaves.
    :ivar offset: bytes that left.
    :ivar fragments: fragments that left.
    """

    __slots__ = ("data", "flags", "fragments", "limits", "number", "offset", "ppid", "stream")

    def __init__(self, stream: OutboundStream, ppid: int, data: bytes, flags: int, limits: Limits | None) -> None:
        self.stream = stream
        self.ppid = ppid
        self.data = data
        self.flags = flags
        self.limits = limits
        self.number = -1
        self.offset = 0
        self.fragments = 0


SentChunk: TypeAlias = tuple[OutboundMessage, int, int, float, int, int]
"""A chunk with a TSN: message, start, end, when it was sent last, sends, fragment number.

Sends is how often it was sent while it is in flight, the same negated while it waits to be sent again, and 0 once it is
settled (acknowledged by a gap block, or given up). A tuple is made in a third of the time of an object.
"""

SentRun: TypeAlias = tuple[int, int, int, float, OutboundStream, int, int, list[Queued]]
"""Whole messages of one stream that left once, with consecutive TSNs, in one packet: first TSN, last TSN, bytes, when
they were sent, stream, number of the first message, mask of the numbers (0: they have none), messages.

They are mostly acknowledged together. Where not, each becomes a `SentChunk`.
"""
