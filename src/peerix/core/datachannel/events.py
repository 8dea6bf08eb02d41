"""What happens to data channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from peerix.core.datachannel.channel import Channel
    from peerix.core.errors import PeerixError


@dataclass(slots=True)
class ChannelOpened:
    """Messages may be sent on the channel from now on."""

    channel: Channel


@dataclass(slots=True)
class ChannelReceived:
    """The other side opened a channel. `ChannelOpened` follows."""

    channel: Channel


@dataclass(slots=True)
class ChannelMessage:
    """A whole message. Its `size` in bytes stays on the receive window until it is released."""

    channel: Channel
    data: str | bytes
    size: int


@dataclass(slots=True)
class ChannelClosing:
    """The other side closes the channel: nothing can be sent on it any more."""

    channel: Channel


@dataclass(slots=True)
class ChannelClosed:
    """The channel is gone, and its id is free."""

    channel: Channel


@dataclass(slots=True)
class ChannelError:
    """The other side broke the protocol on this channel; it is being closed."""

    channel: Channel
    error: PeerixError


DataChannelEvent: TypeAlias = (
    ChannelOpened | ChannelReceived | ChannelMessage | ChannelClosing | ChannelClosed | ChannelError
)
