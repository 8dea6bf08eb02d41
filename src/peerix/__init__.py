"""Rooms of peers that share data channels, files, audio and video over WebRTC.

The names here are loaded when they are first used, so that the parts (`peerix.core`, `peerix.rtc`) can be
imported alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peerix.addons import Addon
    from peerix.channels import RemoteChannel
    from peerix.core.errors import (
        DataChannelError,
        ErrorCode,
        EventsLost,
        IceCandidateError,
        LocalProtocolError,
        MediaStreamError,
        MessageTooLarge,
        NegotiationError,
        PeerixError,
        RemoteProtocolError,
        SignalingError,
        TransferAborted,
        TransferTimeout,
    )
    from peerix.drivers import BroadcastDriver, Driver, MemoryDriver, NatsDriver
    from peerix.event_stream import EventStream
    from peerix.events import (
        ChannelErrorEvent,
        ChannelEvent,
        ConnectionEvent,
        ErrorEvent,
        MessageEvent,
        PeerEvent,
        StreamEvent,
        TrackEvent,
    )
    from peerix.media_parameters import AudioParameters, VideoParameters
    from peerix.messages import MessageData
    from peerix.peer import Peer
    from peerix.raw_carrier import ChannelStatistics
    from peerix.remote_peer import RemotePeer
    from peerix.rtc import ConnectionState, IceServer, MediaStream
    from peerix.transfers import Progress, Transfer

_HOMES = {
    "peerix.addons": ("Addon",),
    "peerix.channels": ("RemoteChannel",),
    "peerix.core.errors": (
        "DataChannelError",
        "ErrorCode",
        "EventsLost",
        "IceCandidateError",
        "LocalProtocolError",
        "MediaStreamError",
        "MessageTooLarge",
        "NegotiationError",
        "PeerixError",
        "RemoteProtocolError",
        "SignalingError",
        "TransferAborted",
        "TransferTimeout",
    ),
    "peerix.drivers": ("BroadcastDriver", "Driver", "MemoryDriver", "NatsDriver"),
    "peerix.event_stream": ("EventStream",),
    "peerix.events": (
        "ChannelErrorEvent",
        "ChannelEvent",
        "ConnectionEvent",
        "ErrorEvent",
        "MessageEvent",
        "PeerEvent",
        "StreamEvent",
        "TrackEvent",
    ),
    "peerix.media_parameters": ("AudioParameters", "VideoParameters"),
    "peerix.messages": ("MessageData",),
    "peerix.peer": ("Peer",),
    "peerix.raw_carrier": ("ChannelStatistics",),
    "peerix.remote_peer": ("RemotePeer",),
    "peerix.rtc": ("ConnectionState", "IceServer", "MediaStream"),
    "peerix.transfers": ("Progress", "Transfer"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Addon",
    "AudioParameters",
    "BroadcastDriver",
    "ChannelErrorEvent",
    "ChannelEvent",
    "ChannelStatistics",
    "ConnectionEvent",
    "ConnectionState",
    "DataChannelError",
    "Driver",
    "ErrorCode",
    "ErrorEvent",
    "EventStream",
    "EventsLost",
    "IceCandidateError",
    "IceServer",
    "LocalProtocolError",
    "MediaStream",
    "MediaStreamError",
    "MemoryDriver",
    "MessageData",
    "MessageEvent",
    "MessageTooLarge",
    "NatsDriver",
    "NegotiationError",
    "Peer",
    "PeerEvent",
    "PeerixError",
    "Progress",
    "RemoteChannel",
    "RemotePeer",
    "RemoteProtocolError",
    "SignalingError",
    "StreamEvent",
    "TrackEvent",
    "Transfer",
    "TransferAborted",
    "TransferTimeout",
    "VideoParameters",
]


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
