"""What data channels tell the layer above."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from peerix.core.datachannel.channel import Channel
from peerix.core.errors import PeerixError


@dataclass(slots=True)
class ChannelOpened:
    """A channel of ours can send."""

    channel: Channel


@dataclass(slots=True)
class ChannelReceived:
    """The peer opened a channel; it can send already, no `ChannelOpened` follows."""

    channel: Channel


@dataclass(slots=True)
class ChannelMessage:
    """A message came.

    :ivar size: bytes that it holds of the receive window: `release` so many when it has been read.
    """

    channel: Channel
    data: str | bytes
    size: int


@dataclass(slots=True)
class ChannelMessages:
    """Binary messages that came one after the other: what many `ChannelMessage` would say.

    :ivar size: bytes that they hold of the receive window.
    """

    channel: Channel
    messages: list[bytes]
    size: int


@dataclass(slots=True)
class ChannelClosing:
    """The peer closes the channel: nothing more can be sent on it."""

    channel: Channel


@dataclass(slots=True)
class ChannelClosed:
    """The channel is gone; its id may serve another one."""

    channel: Channel


@dataclass(slots=True)
class ChannelError:
    """Something is wrong with the channel; a `ChannelClosing` or `ChannelClosed` follows."""

    channel: Channel
    error: PeerixError


ChannelEvent: TypeAlias = (
    ChannelOpened | ChannelReceived | ChannelMessage | ChannelMessages | ChannelClosing | ChannelClosed | ChannelError
)
