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
    from peerix.core.errors import PeerixError
    from peerix.rtc.data_channel import DataChannel
    from peerix.rtc.media_stream import MediaStream
    from peerix.rtc.received_track import ReceivedTrack
    from peerix.rtc.rtp_receiver import RtpReceiver
    from peerix.rtc.rtp_sender import RtpSender
    from peerix.rtc.transceiver import RtpTransceiver


@dataclass(slots=True)
class DataChannelReceived:
    """The other side opened a channel; it is open already."""

    channel: DataChannel


@dataclass(slots=True)
class TrackReceived:
    """The other side began to send a track, or began again (W3C `track` event).

    `streams` are those that it belongs to, at least empty; tracks of one stream have the same stream object.
    """

    track: ReceivedTrack
    receiver: RtpReceiver
    transceiver: RtpTransceiver
    streams: tuple[MediaStream[ReceivedTrack], ...]


@dataclass(slots=True)
class TrackRemoved:
    """The other side ceased to send a track: for good when it has `ended`, else it is `muted`.

    `streams` are those that it belonged to.
    """

    track: ReceivedTrack
    receiver: RtpReceiver
    transceiver: RtpTransceiver
    streams: tuple[MediaStream[ReceivedTrack], ...]


@dataclass(slots=True)
class ToneReceived:
    """The other side sent a dial tone beside the sound of a track: one of "0123456789*#ABCD", and its seconds.

    Of a long one, more than 1.3 s, they are those of its last segment.
    """

    track: ReceivedTrack
    digit: str
    duration: float


@dataclass(slots=True)
class SendingFailed:
    """A track cannot be sent: there is no encoder for it, or the other side takes another codec."""

    sender: RtpSender
    error: PeerixError


ConnectionEvent: TypeAlias = (
    NegotiationNeeded
    | LocalCandidate
    | IceServerFailed
    | SignalingStateChanged
    | IceConnectionStateChanged
    | IceGatheringStateChanged
    | ConnectionStateChanged
    | DataChannelReceived
    | TrackReceived
    | TrackRemoved
    | ToneReceived
    | SendingFailed
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
    "SendingFailed",
    "SignalingStateChanged",
    "ToneReceived",
    "TrackReceived",
    "TrackRemoved",
]
