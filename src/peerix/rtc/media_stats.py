"""Statistics of RTP streams in the shape of W3C webrtc-stats, read from the counters of the cores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.rtp.audio_buffer import AudioCounters
from peerix.core.rtp.clock import unix_of
from peerix.rtc.track_decoder import DecodingCounters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from peerix.core.jsep import BoundCodec
    from peerix.core.rtp.audio_receiver import AudioReceiver
    from peerix.core.rtp.reception import ReceptionCounters, ReceptionStatistics
    from peerix.core.rtp.video_receiver import VideoReceiver
    from peerix.core.session import Session
    from peerix.core.session.media import MediaTransport
    from peerix.core.session.media.receiving import Receiving
    from peerix.core.session.media.sending import Encoding, Sending
    from peerix.rtc.received_track import ReceivedTrack
    from peerix.rtc.stats import Stats


def media_stats(
    session: Session, transport_id: str, tracks: Mapping[str, ReceivedTrack] | None = None
) -> Iterator[Stats]:
    """Give `codec`, `outbound-rtp`, `remote-inbound-rtp`, `inbound-rtp` and `remote-outbound-rtp` objects.

    Members that are not known are None. Samples are counted in units of the RTP clock.

    :param transport_id: the `transport` object that they all belong to.
    :param tracks: what is received, by mid: their decoders know more of sound than the buffers before them.
    """
    transport = None if session.media is None else session.media.transport
    if transport is None:
        return
    codecs: dict[str, Stats] = {}
    streams = [*_outbound(transport, codecs), *_inbound(transport, codecs, tracks or {})]
    for entry in (*codecs.values(), *streams):
        yield {**entry, "transportId": transport_id}


def available_outgoing_bitrate(session: Session) -> float | None:
    """Give the bits a second that the path carries, as far as media tell; None without media."""
    transport = None if session.media is None else session.media.transport
    return None if transport is None or not transport.sending else transport.outbound.estimator.bitrate


def outbound_id(mid: str, ssrc: int) -> str:
    """Name the `outbound-rtp` object of a stream."""
    return f"out:{mid}:{ssrc}"


def inbound_id(mid: str, ssrc: int) -> str:
    """Name the `inbound-rtp` object of a stream."""
    return f"in:{mid}:{ssrc}"


def _codec(codecs: dict[str, Stats], side: str, bound: BoundCodec | None) -> str | None:
    """Note a codec that is in use, and give its id; the same one of several sections is one object."""
    if bound is None:
        return None
    identifier = f"C{side}:{bound.payload_type}:{bound.parameters}"
    codec = bound.codec
    codecs[identifier] = {
        "id": identifier,
        "type": "codec",
        "payloadType": bound.payload_type,
        "mimeType": codec.mime_type,
        "clockRate": codec.clock_rate,
        "channels": codec.channels,
        "sdpFmtpLine": bound.parameters or None,
    }
    return identifier


# -- what is sent


def _outbound(transport: MediaTransport, codecs: dict[str, Stats]) -> Iterator[Stats]:
    for mid, sending in transport.sending.items():
        codec_id = _codec(codecs, "O", sending.codec)
        for encoding in sending.encodings.values():
            if not encoding.stream.statistics.packets:
                continue
            yield _outbound_stream(mid, sending, encoding, codec_id)
            yield from _remote_inbound(mid, sending, encoding, codec_id)


def _outbound_stream(mid: str, sending: Sending, encoding: Encoding, codec_id: str | None) -> Stats:
    stream = encoding.stream
    statistics, counters = stream.statistics, stream.counters
    is_video = sending.codec.codec.kind == "video"
    return {
        "id": outbound_id(mid, stream.ssrc),
        "type": "outbound-rtp",
        "kind": sending.codec.codec.kind,
        "ssrc": stream.ssrc,
        "rtxSsrc": stream.rtx_ssrc,
        "mid": mid,
        "rid": encoding.rid or None,
        "codecId": codec_id,
        "remoteId": None if statistics.block is None else _remote_inbound_id(mid, stream.ssrc),
        "packetsSent": statistics.packets + counters.retransmitted,
        "bytesSent": statistics.octets + counters.retransmitted_octets,
        "headerBytesSent": counters.header_octets,
        "retransmittedPacketsSent": counters.retransmitted,
        "retransmittedBytesSent": counters.retransmitted_octets,
        "nackCount": counters.nacks,
        "pliCount": counters.picture_losses if is_video else None,
        "firCount": counters.full_intra_requests if is_video else None,
        "framesSent": counters.frames if is_video else None,
    }


def _remote_inbound_id(mid: str, ssrc: int) -> str:
    return f"RI:{mid}:{ssrc}"


def _remote_inbound(mid: str, sending: Sending, encoding: Encoding, codec_id: str | None) -> Iterator[Stats]:
    """What the other side reports of a stream of ours."""
    statistics = encoding.stream.statistics
    if statistics.block is None:
        return
    yield {
        "id": _remote_inbound_id(mid, statistics.ssrc),
        "type": "remote-inbound-rtp",
        "kind": sending.codec.codec.kind,
        "ssrc": statistics.ssrc,
        "codecId": codec_id,
        "localId": outbound_id(mid, statistics.ssrc),
        "packetsLost": statistics.remote_lost,
        "fractionLost": statistics.fraction_lost,
        "jitter": statistics.remote_jitter,
        "roundTripTime": statistics.round_trip_time,
        "totalRoundTripTime": statistics.total_round_trip_time,
        "roundTripTimeMeasurements": statistics.round_trips,
    }


# -- what is received


def _inbound(
    transport: MediaTransport, codecs: dict[str, Stats], tracks: Mapping[str, ReceivedTrack]
) -> Iterator[Stats]:
    for receiving in transport.receiving.values():
        if receiving.audio is not None and (statistics := receiving.audio.statistics) is not None:
            codec_id = _codec(codecs, "I", receiving.codec_of(receiving.audio))
            track = tracks.get(receiving.mid)
            decoding = DecodingCounters() if track is None else track.decoding
            yield {**_inbound_stream(receiving, "audio", statistics, codec_id), **_sound(receiving.audio, decoding)}
            yield from _remote_outbound(receiving, "audio", statistics, codec_id)
        for stream in receiving.video.values():
            if (statistics := stream.statistics) is not None:
                codec_id = _codec(codecs, "I", receiving.codec_of(stream))
                yield {
                    **_inbound_stream(receiving, "video", statistics, codec_id),
                    **_picture(stream, statistics.counters),
                }
                yield from _remote_outbound(receiving, "video", statistics, codec_id)


def _inbound_stream(receiving: Receiving, kind: str, statistics: ReceptionStatistics, codec_id: str | None) -> Stats:
    counters = statistics.counters
    reported = statistics.sender_report is not None
    return {
        "id": inbound_id(receiving.mid, statistics.ssrc),
        "type": "inbound-rtp",
        "kind": kind,
        "ssrc": statistics.ssrc,
        "mid": receiving.mid,
        "codecId": codec_id,
        "remoteId": _remote_outbound_id(receiving.mid, statistics.ssrc) if reported else None,
        "packetsReceived": statistics.received + counters.repaired,
        "bytesReceived": statistics.octets + counters.repaired_octets,
        "headerBytesReceived": counters.header_octets,
        "packetsLost": statistics.lost,
        "jitter": statistics.jitter / statistics.clock_rate,
        "nackCount": counters.nacks,
    }


def _sound(stream: AudioReceiver, decoding: DecodingCounters) -> Stats:
    level = stream.level
    counters = AudioCounters() if stream.buffer is None else stream.buffer.counters
    return {
        "packetsDiscarded": counters.late_packets,
        "totalSamplesReceived": counters.released,
        "concealedSamples": counters.concealed + decoding.concealed,
        "concealmentEvents": counters.concealments + decoding.concealments,
        # Nothing is played faster or slower.
        "insertedSamplesForDeceleration": 0,
        "removedSamplesForAcceleration": 0,
        # Redundant ones (RFC 2198), and Opus packets that repeat the ones before them.
        "fecPacketsReceived": counters.repetitions,
        "fecPacketsDiscarded": counters.repetitions_unused + decoding.unrecovered,
        # Beside those of W3C, which has none for them.
        "undecodablePackets": decoding.undecodable,
        # Linear, as W3C has it; RFC 6464 tells it in -dBov.
        "audioLevel": None if level is None else 10 ** (-level.level / 20) if level.level < 127 else 0.0,
    }


def _picture(stream: VideoReceiver, counters: ReceptionCounters) -> Stats:
    return {
        "packetsDiscarded": None if stream.buffer is None else stream.buffer.counters.late_packets,
        "retransmittedPacketsReceived": counters.repaired,
        "retransmittedBytesReceived": counters.repaired_octets,
        "pliCount": counters.picture_losses,
        "firCount": 0,
        "framesReceived": counters.frames,
    }


def _remote_outbound_id(mid: str, ssrc: int) -> str:
    return f"RO:{mid}:{ssrc}"


def _remote_outbound(
    receiving: Receiving, kind: str, statistics: ReceptionStatistics, codec_id: str | None
) -> Iterator[Stats]:
    """What the other side reports of what it has sent."""
    report = statistics.sender_report
    if report is None:
        return
    yield {
        "id": _remote_outbound_id(receiving.mid, statistics.ssrc),
        "type": "remote-outbound-rtp",
        "kind": kind,
        "ssrc": statistics.ssrc,
        "codecId": codec_id,
        "localId": inbound_id(receiving.mid, statistics.ssrc),
        "packetsSent": report.packets,
        "bytesSent": report.octets,
        "remoteTimestamp": unix_of(report.ntp_time) * 1000 if report.ntp_time else None,
    }
