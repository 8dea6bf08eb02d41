"""What a `PeerConnection` reports to its user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from peerix.core.session import (
    ConnectionStateChanged,
    IceConnectionStateChanged,
    IceGatheringStateChanged,
    IceServerFailed,
    LocalCandidate,
    NegotiationNeeded,
    SignalingStateChanged,
)

if TYPE_CHECKING:
    from peerix.rtc.data_channel import DataChannel


@dataclass(slots=True)
class DataChannelReceived:
    """The other side opened a channel; it is open already."""

    channel: DataChannel


ConnectionEvent: TypeAlias = (
    NegotiationNeeded
    | LocalCandidate
    | IceServerFailed
    | SignalingStateChanged
    | IceConnectionStateChanged
    | IceGatheringStateChanged
    | ConnectionStateChanged
    | DataChannelReceived
)

__all__ = [
    "ConnectionEvent",
    "ConnectionStateChanged",
    "DataChannelReceived",
    "IceConnectionStateChanged",
    "IceGatheringStateChanged",
    "IceServerFailed",
    "LocalCandidate",
    "NegotiationNeeded",
    "SignalingStateChanged",
]
