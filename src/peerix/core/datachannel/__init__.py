"""WebRTC data channels over SCTP (RFC 8831, RFC 8832)."""

from peerix.core.datachannel.channel import Channel, MessageTransport, ReadyState
from peerix.core.datachannel.channels import DEFAULT_MAX_MESSAGE_SIZE, DataChannels
from peerix.core.datachannel.dcep import PPID_BINARY
from peerix.core.datachannel.events import (
    ChannelClosed,
    ChannelClosing,
    ChannelError,
    ChannelEvent,
    ChannelMessage,
    ChannelMessages,
    ChannelOpened,
    ChannelReceived,
)
from peerix.core.datachannel.registry import MAX_CHANNELS

__all__ = [
    "DEFAULT_MAX_MESSAGE_SIZE",
    "MAX_CHANNELS",
    "PPID_BINARY",
    "Channel",
    "ChannelClosed",
    "ChannelClosing",
    "ChannelError",
    "ChannelEvent",
    "ChannelMessage",
    "ChannelMessages",
    "ChannelOpened",
    "ChannelReceived",
    "DataChannels",
    "MessageTransport",
    "ReadyState",
]
