"""What an association tells the layer above, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(slots=True)
class AssociationEstablished:
    """The handshake is done: messages flow from now on (RFC 9260 section 5.1).

    :ivar inbound_streams: how many streams the peer may use towards us.
    :ivar outbound_streams: how many streams we may use towards the peer.
    """

    inbound_streams: int
    outbound_streams: int


@dataclass(slots=True)
class MessageReceived:
    """One whole message. Its bytes count as held in the receive window until they are released."""

    stream_id: int
    ppid: int
    data: bytes


@dataclass(slots=True)
class MessagesReceived:
    """Whole messages that came one after the other on a stream, at least two: what many `MessageReceived` would say.

    An object for each was a tenth of what a small message cost.
    """

    stream_id: int
    ppid: int
    messages: list[bytes]


@dataclass(slots=True)
class MessageAbandoned:
    """A message of limited reliability was given up before the peer had all of it (RFC 3758 section 3.5)."""

    stream_id: int


@dataclass(slots=True)
class StreamsReset:
    """The peer reset its outgoing streams: their numbering towards us starts anew (RFC 6525 section 5.2.2)."""

    stream_ids: tuple[int, ...]


@dataclass(slots=True)
class StreamsResetDone:
    """The peer confirmed the reset of streams of ours (RFC 6525 section 5.2.7).

    :ivar accepted: False when the peer refused; the numbering went on then.
    """

    stream_ids: tuple[int, ...]
    accepted: bool = True


@dataclass(slots=True)
class AssociationClosed:
    """The association is gone; nothing arrives or leaves any more.

    :ivar reason: a sentence for people; the peer's own words when it sent some.
    :ivar by_peer: whether the peer ended it.
    """

    reason: str
    by_peer: bool


AssociationEvent: TypeAlias = (
    AssociationEstablished
    | MessageReceived
    | MessagesReceived
    | MessageAbandoned
    | StreamsReset
    | StreamsResetDone
    | AssociationClosed
)
