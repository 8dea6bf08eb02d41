"""One data channel: what it is called, how reliable it is, and where in its life."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from peerix.core.datachannel.dcep import ChannelOpen


class ReadyState(StrEnum):
    """RTCDataChannelState of W3C WebRTC."""

    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class MessageTransport(Protocol):
    """What channels need of an SCTP association."""

    def send_message(
        self,
        stream_id: int,
        ppid: int,
        data: bytes,
        *,
        ordered: bool = True,
        max_retransmits: int | None = None,
        max_packet_life_time: float | None = None,
        now: float,
    ) -> None:
        """Queue a message on a stream; life time in seconds."""

    def put_all(self, stream_id: int, ppid: int, payloads: Sequence[bytes]) -> None:
        """Queue ordered messages of unlimited reliability, none of them empty."""

    def buffered_amount(self, stream_id: int) -> int:
        """User bytes of a stream that were never sent."""
        ...

    def unacknowledged_amount(self, stream_id: int) -> int:
        """User bytes of a stream that the peer has not acknowledged."""
        ...

    def reset_streams(self, stream_ids: Iterable[int], now: float) -> None:
        """Reset outgoing streams once they are flushed."""

    def set_priority(self, stream_id: int, priority: int) -> None:
        """Give a stream its share of the path."""

    def release(self, size: int) -> None:
        """Count received bytes as read."""


class Channel:
    """A data channel (RFC 8831). Its state and `plain_limit` are changed by `DataChannels` only.

    :ivar id: its stream, None until the DTLS role is known.
    :ivar max_packet_life_time: milliseconds.
    :ivar plain_limit: bytes of the largest binary message that is sent in order and for as long as it takes; 0 for
        none: the channel is not open, or not of that kind.
    :ivar confirmed: the peer knows of the channel: unordered messages may overtake (RFC 8832 section 6).
    """

    __slots__ = (
        "_transport",
        "confirmed",
        "id",
        "label",
        "max_packet_life_time",
        "max_retransmits",
        "negotiated",
        "ordered",
        "plain_limit",
        "priority",
        "protocol",
        "state",
    )

    def __init__(
        self, transport: MessageTransport, properties: ChannelOpen, *, negotiated: bool, channel_id: int | None
    ) -> None:
        self._transport = transport
        self.id = channel_id
        self.label = properties.label
        self.protocol = properties.protocol
        self.ordered = properties.ordered
        self.max_retransmits = properties.max_retransmits
        self.max_packet_life_time = properties.max_packet_life_time
        self.priority = properties.priority
        self.negotiated = negotiated
        self.confirmed = negotiated
        self.plain_limit = 0
        self.state = ReadyState.CONNECTING

    def __repr__(self) -> str:
        return f"<Channel {self.label!r} id={self.id} {self.state}>"

    @property
    def buffered_amount(self) -> int:
        """User bytes that were never sent."""
        return 0 if self.id is None else self._transport.buffered_amount(self.id)

    @property
    def unacknowledged_amount(self) -> int:
        """User bytes that the peer has not acknowledged, those never sent included."""
        return 0 if self.id is None else self._transport.unacknowledged_amount(self.id)
