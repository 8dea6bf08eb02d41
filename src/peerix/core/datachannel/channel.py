"""A data channel as the protocol sees it: what was agreed about it, and its state."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from peerix.core.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LABEL_LENGTH = 65_535
"""Bytes of a label or a protocol: its length has 16 bits (RFC 8832 section 5.1)."""

MAX_STREAM_ID = 1_023
"""Browsers and this library open at most 1,024 streams; RFC 8831 section 6.2 asks for them, 65,535 is never a channel."""

OUR_END = 1
THEIR_END = 2
"""The directions of a channel's stream that have been reset (`Channel.closed_ends`)."""

_MAX_RELIABILITY = 65_535


class ReadyState(StrEnum):
    """The W3C `RTCDataChannelState` values."""

    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


@dataclass(slots=True, frozen=True)
class ChannelOptions:
    """How a channel is to be (W3C RTCDataChannelInit).

    :param max_packet_life_time: milliseconds for which a message is sent again; None for ever.
    :param max_retransmits: how often a message is sent again; None for ever.
    :param negotiated: both sides open it with the same `id`, and DCEP says nothing.
    :param priority: RFC 8832 section 8.1: 128 very low, 256 normal, 512 high, 1024 very high.
    :raises LocalProtocolError: the parameters contradict each other or are out of range.
    """

    protocol: str = ""
    ordered: bool = True
    max_retransmits: int | None = None
    max_packet_life_time: int | None = None
    negotiated: bool = False
    id: int | None = None
    priority: int = 256

    def __post_init__(self) -> None:
        if self.max_retransmits is not None and self.max_packet_life_time is not None:
            message = "give max_retransmits or max_packet_life_time, not both"
            raise LocalProtocolError(message)
        for limit in (self.max_retransmits, self.max_packet_life_time):
            if limit is not None and not 0 <= limit <= _MAX_RELIABILITY:
                message = f"max_retransmits and max_packet_life_time are between 0 and {_MAX_RELIABILITY:,}"
                raise LocalProtocolError(message)
        if self.negotiated and self.id is None:
            message = "a negotiated channel needs the id that both sides have agreed on"
            raise LocalProtocolError(message)
        if self.negotiated and not 0 <= (self.id or 0) <= MAX_STREAM_ID:
            message = f"the id of a channel is between 0 and {MAX_STREAM_ID:,}"
            raise LocalProtocolError(message)
        if len(self.protocol.encode()) > MAX_LABEL_LENGTH:
            message = f"a protocol has at most {MAX_LABEL_LENGTH:,} bytes of UTF-8"
            raise LocalProtocolError(message)


class Channel:
    """One data channel; made by `DataChannels`.

    `id` is None until the DTLS role is known that decides it.
    """

    __slots__ = ("_buffered", "acknowledged", "closed_ends", "id", "label", "options", "state")

    def __init__(self, label: str, options: ChannelOptions, buffered: Callable[[int], int]) -> None:
        self.label = label
        self.options = options
        self.state = ReadyState.CONNECTING
        self.id: int | None = options.id if options.negotiated else None
        # Until the other side has acknowledged the OPEN its messages go in order, lest one overtakes the OPEN
        # (RFC 8832 section 6).
        self.acknowledged = options.negotiated
        self.closed_ends = 0
        self._buffered = buffered

    @property
    def buffered_amount(self) -> int:
        """Bytes of messages that were handed in and have not left yet."""
        return 0 if self.id is None else self._buffered(self.id)

    def __repr__(self) -> str:
        return f"<Channel {self.label!r} id={self.id} {self.state}>"
