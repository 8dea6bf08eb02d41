"""Statistics in the shape of W3C webrtc-stats: nothing is pushed, the cores count and this reads."""

from __future__ import annotations

import time
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from cryptography.hazmat.primitives.serialization import Encoding

from peerix.core.dtls import DtlsState
from peerix.core.ice import Traffic
from peerix.rtc.media_stats import available_outgoing_bitrate, media_stats

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from peerix.core.dtls import Certificate
    from peerix.core.ice import Candidate, CandidatePair
    from peerix.core.session import Session
    from peerix.rtc.data_channel import DataChannel
    from peerix.rtc.received_track import ReceivedTrack
    from peerix.rtc.udp_mux import MuxPort
    from peerix.rtc.udp_port import UdpPort

Stats: TypeAlias = dict[str, object]
"""One object of webrtc-stats: `id`, `type`, `timestamp` (milliseconds of the wall clock) and the members of its type,
under their W3C names. What is not known is left out."""

StatsReport: TypeAlias = dict[str, Stats]
"""All objects by their `id` (W3C RTCStatsReport)."""

_TRANSPORT = "T0"
_CERTIFICATE = "CF"
_REMOTE_CERTIFICATE = "CR"
_NO_TRAFFIC = Traffic()


@dataclass(slots=True)
class MessageCounters:
    """What went over one data channel."""

    messages_sent: int = 0
    bytes_sent: int = 0
    messages_received: int = 0
    bytes_received: int = 0


def collect(
    session: Session,
    certificate: Certificate,
    channels: Iterable[DataChannel],
    ports: Iterable[UdpPort | MuxPort],
    tracks: Mapping[str, ReceivedTrack],
) -> StatsReport:
    """Read the counters of a connection.

    Beside the types of webrtc-stats there is `sctp-transport`, as Chromium has it, and `udp-port` with what the system
    granted and refused.

    :param tracks: those received, by mid.
    """
    report: list[Stats] = [
        *_candidates(session),
        *(_pair(pair, session) for pair in session.transport.ice.pairs),
        *_remote_certificate(session),
        _transport(session),
        _sctp(session),
        _certificate(certificate),
        *(_channel(channel) for channel in channels),
        *media_stats(session, _TRANSPORT, tracks),
        *(_port(port) for port in ports),
        _connection(session),
    ]
    now = time.time() * 1000
    return {str(entry["id"]): {"timestamp": now, **_known(entry)} for entry in report}


def _known(entry: Stats) -> Stats:
    return {name: value for name, value in entry.items() if value is not None}


def _connection(session: Session) -> Stats:
    return {
        "id": "P",
        "type": "peer-connection",
        "dataChannelsOpened": session.channels.opened,
        "dataChannelsClosed": session.channels.left_open,
    }


def _candidate_id(kind: str, candidate: Candidate) -> str:
    return f"{kind}:{candidate.type}:{candidate.host}:{candidate.port}"


def _candidates(session: Session) -> Iterable[Stats]:
    ice = session.transport.ice
    gathering = session.negotiation.gathering
    pairs = ice.pairs
    for kind, side, known in (
        ("local-candidate", "IL", [*ice.local_candidates, *(pair.local for pair in pairs)]),
        ("remote-candidate", "IR", [*ice.remote_candidates, *(pair.remote for pair in pairs)]),
    ):
        for candidate in {_candidate_id(side, entry): entry for entry in known}.values():
            source = gathering.source(candidate.host, candidate.port) if side == "IL" else None
            yield {
                "id": _candidate_id(side, candidate),
                "type": kind,
                "transportId": _TRANSPORT,
                "address": candidate.host,
                "port": candidate.port,
                "protocol": candidate.transport,
                "candidateType": candidate.type,
                "priority": candidate.priority,
                "url": source and source.url,
                "relayProtocol": source and source.relay_protocol,
                "foundation": candidate.foundation,
                "relatedAddress": candidate.related_address,
                "relatedPort": candidate.related_port,
                "usernameFragment": candidate.ufrag,
                "tcpType": candidate.tcptype,
            }


def _pair_id(pair: CandidatePair) -> str:
    return f"CP:{pair.port}:{pair.remote.host}:{pair.remote.port}"


def _pair(pair: CandidatePair, session: Session) -> Stats:
    counters = pair.counters
    selected = pair is session.transport.ice.selected_pair
    traffic = session.transport.ice.traffic(pair.port, pair.address) or _NO_TRAFFIC
    return {
        "id": _pair_id(pair),
        "type": "candidate-pair",
        "transportId": _TRANSPORT,
        "localCandidateId": _candidate_id("IL", pair.local),
        "remoteCandidateId": _candidate_id("IR", pair.remote),
        "state": pair.state.value,
        "nominated": pair.nominated,
        "selected": selected,
        "priority": pair.priority,
        "packetsSent": traffic.packets_sent,
        "packetsReceived": traffic.packets_received,
        "bytesSent": traffic.bytes_sent,
        "bytesReceived": traffic.bytes_received,
        "requestsSent": counters.requests_sent,
        "requestsReceived": counters.requests_received,
        "responsesSent": counters.responses_sent,
        "responsesReceived": counters.responses_received,
        "consentRequestsSent": counters.consent_requests_sent,
        "totalRoundTripTime": counters.total_round_trip_time,
        "currentRoundTripTime": counters.round_trip_time,
        "availableOutgoingBitrate": available_outgoing_bitrate(session) if selected else None,
    }


def _transport(session: Session) -> Stats:
    transport = session.transport
    counters, ice, dtls = transport.counters, transport.ice, transport.dtls
    selected = ice.selected_pair
    return {
        "id": _TRANSPORT,
        "type": "transport",
        "packetsSent": counters.packets_sent,
        "packetsReceived": counters.packets_received,
        "bytesSent": counters.bytes_sent,
        "bytesReceived": counters.bytes_received,
        "dtlsState": dtls.state.value,
        "dtlsRole": None if dtls.role is None else dtls.role.value,
        "iceState": ice.state.value,
        "iceRole": "controlling" if ice.controlling else "controlled",
        "iceLocalUsernameFragment": ice.local_parameters.ufrag,
        "selectedCandidatePairId": None if selected is None else _pair_id(selected),
        "selectedCandidatePairChanges": ice.counters.path_changes,
        "localCertificateId": _CERTIFICATE,
        "remoteCertificateId": _REMOTE_CERTIFICATE if dtls.state is DtlsState.CONNECTED else None,
    }


def _sctp(session: Session) -> Stats:
    association = session.association
    return {
        "id": "SCTP",
        "type": "sctp-transport",
        "transportId": _TRANSPORT,
        "state": association.state.value,
        "smoothedRoundTripTime": association.srtt,
        "congestionWindow": association.cwnd,
        "mtu": association.max_packet_size,
        "unackData": association.outstanding_bytes,
        "retransmittedChunks": association.counters.sent.retransmitted_chunks,
    }


def _certificate(certificate: Certificate) -> Stats:
    fingerprint = certificate.fingerprints[0]
    return {
        "id": _CERTIFICATE,
        "type": "certificate",
        "fingerprint": fingerprint.value,
        "fingerprintAlgorithm": fingerprint.algorithm,
        "base64Certificate": b64encode(certificate.certificate.public_bytes(Encoding.DER)).decode(),
    }


def _remote_certificate(session: Session) -> Iterable[Stats]:
    transport = session.transport
    if transport.dtls.state is DtlsState.CONNECTED and transport.peer_fingerprints:
        fingerprint = transport.peer_fingerprints[0]
        yield {
            "id": _REMOTE_CERTIFICATE,
            "type": "certificate",
            "fingerprint": fingerprint.value,
            "fingerprintAlgorithm": fingerprint.algorithm,
        }


def _channel(channel: DataChannel) -> Stats:
    counters = channel.counters
    return {
        "id": f"D{channel.id}",
        "type": "data-channel",
        "label": channel.label,
        "protocol": channel.protocol,
        "dataChannelIdentifier": channel.id,
        "state": channel.ready_state.value,
        "messagesSent": counters.messages_sent,
        "bytesSent": counters.bytes_sent,
        "messagesReceived": counters.messages_received,
        "bytesReceived": counters.bytes_received,
    }


def _port(port: UdpPort | MuxPort) -> Stats:
    counters, sock = port.socket.counters, port.socket
    return {
        "id": f"U{port.port_id}",
        "type": "udp-port",
        "address": sock.address[0],
        "port": sock.address[1],
        "receiveBuffer": sock.receive_buffer,
        "sendBuffer": sock.send_buffer,
        "datagramsSent": counters.datagrams_sent,
        "datagramsReceived": counters.datagrams_received,
        "sendErrors": counters.send_errors,
        "truncated": counters.truncated,
    }
