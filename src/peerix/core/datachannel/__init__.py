"""WebRTC data channels over SCTP (RFC 8831, RFC 8832)."""

from peerix.core.datachannel.association import MessageAssociation
from peerix.core.datachannel.channel import Channel, ChannelOptions, ReadyState
from peerix.core.datachannel.channels import DataChannels
from peerix.core.datachannel.events import (
    ChannelClosed,
    ChannelClosing,
    ChannelError,
    ChannelMessage,
    ChannelOpened,
    ChannelReceived,
    DataChannelEvent,
)

__all__ = [
    "Channel",
    "ChannelClosed",
    "ChannelClosing",
    "ChannelError",
    "ChannelMessage",
    "ChannelOpened",
    "ChannelOptions",
    "ChannelReceived",
    "DataChannelEvent",
    "DataChannels",
    "MessageAssociation",
    "ReadyState",
]
