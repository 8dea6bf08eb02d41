"""WebRTC objects on AnyIO: connections, data channels and UDP ports."""

from peerix.core.datachannel import ReadyState
from peerix.core.dtls import Certificate
from peerix.core.ice import IceState
from peerix.core.jsep import SignalingState
from peerix.core.sdp import IceCandidate, SessionDescription
from peerix.core.session import ConnectionState, IceGatheringState
from peerix.rtc.codec_registry import (
    EncoderSettings,
    register_decoder,
    register_encoder,
    unregister_decoder,
    unregister_encoder,
)
from peerix.rtc.configuration import Configuration, IceServer
from peerix.rtc.data_channel import DataChannel
from peerix.rtc.encoded_frame import EncodedFrame
from peerix.rtc.encoded_track import EncodedTrack
from peerix.rtc.encoder_pool import EncoderPool
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
    SendingFailed,
    SignalingStateChanged,
    ToneReceived,
    TrackReceived,
    TrackRemoved,
)
from peerix.rtc.media_stream import MediaStream
from peerix.rtc.media_track import FrameReader, MediaTrack
from peerix.rtc.peer_connection import PeerConnection
from peerix.rtc.received_track import ReceivedTrack
from peerix.rtc.rtp_parameters import RtpEncodingParameters
from peerix.rtc.rtp_receiver import RtpReceiver
from peerix.rtc.rtp_sender import RtpSender
from peerix.rtc.stats import Stats, StatsReport
from peerix.rtc.transceiver import RtpTransceiver
from peerix.rtc.udp_mux import UdpMux

__all__ = [
    "Certificate",
    "Configuration",
    "ConnectionEvent",
    "ConnectionState",
    "ConnectionStateChanged",
    "DataChannel",
    "DataChannelReceived",
    "EncodedFrame",
    "EncodedTrack",
    "EncoderPool",
    "EncoderSettings",
    "EventStream",
    "FrameReader",
    "IceCandidate",
    "IceConnectionStateChanged",
    "IceGatheringState",
    "IceGatheringStateChanged",
    "IceServer",
    "IceServerFailed",
    "IceState",
    "LocalCandidate",
    "MediaStream",
    "MediaTrack",
    "NegotiationNeeded",
    "PeerConnection",
    "ReadyState",
    "ReceivedTrack",
    "RtpEncodingParameters",
    "RtpReceiver",
    "RtpSender",
    "RtpTransceiver",
    "SendingFailed",
    "SessionDescription",
    "SignalingState",
    "SignalingStateChanged",
    "Stats",
    "StatsReport",
    "ToneReceived",
    "TrackReceived",
    "TrackRemoved",
    "UdpMux",
    "register_decoder",
    "register_encoder",
    "unregister_decoder",
    "unregister_encoder",
]
