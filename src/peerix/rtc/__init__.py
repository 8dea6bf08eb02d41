"""WebRTC objects on AnyIO: connections, data channels and UDP ports."""

from peerix.core.datachannel import ReadyState
from peerix.core.dtls import Certificate
from peerix.core.ice import IceState
from peerix.core.jsep import SignalingState
from peerix.core.sdp import IceCandidate, SessionDescription
from peerix.core.session import ConnectionState, IceGatheringState
from peerix.rtc.configuration import Configuration, IceServer
from peerix.rtc.data_channel import DataChannel
from peerix.rtc.event_stream import EventStream
from peerix.rtc.events import (
    ConnectionEvent,
    ConnectionStateChanged,
    DataChannelReceived,
    IceConnectionStateChanged,
    IceGatheringStateChanged,
    IceServerFailed,
    LocalCandidate,
    NegotiationNeeded,
    SignalingStateChanged,
)
from peerix.rtc.peer_connection import PeerConnection
from peerix.rtc.stats import Stats, StatsReport
from peerix.rtc.udp_mux import UdpMux

__all__ = [
    "Certificate",
    "Configuration",
    "ConnectionEvent",
    "ConnectionState",
    "ConnectionStateChanged",
    "DataChannel",
    "DataChannelReceived",
    "EventStream",
    "IceCandidate",
    "IceConnectionStateChanged",
    "IceGatheringState",
    "IceGatheringStateChanged",
    "IceServer",
    "IceServerFailed",
    "IceState",
    "LocalCandidate",
    "NegotiationNeeded",
    "PeerConnection",
    "ReadyState",
    "SessionDescription",
    "SignalingState",
    "SignalingStateChanged",
    "Stats",
    "StatsReport",
    "UdpMux",
]
