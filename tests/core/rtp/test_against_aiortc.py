"""Packets that we write, read by another implementation, and the other way around."""

from __future__ import annotations

from importlib import import_module

import pytest

from peerix.core.rtp.header_extensions import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    MID,
    RID,
    TRANSPORT_SEQUENCE,
    AudioLevel,
    ExtensionMap,
    HeaderExtensions,
)
from peerix.core.rtp.packet import RtpPacket, read_packet, write_packet
from peerix.core.rtp.payload import H264Depacketizer, H264Packetizer, Vp8Depacketizer, Vp8Packetizer
from peerix.core.rtp.rtcp import (
    Goodbye,
    MaximumBitrate,
    Nack,
    PictureLoss,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceChunk,
    SourceDescription,
    read_compound,
    write_compound,
)

# It is not typed.
aiortc_rtp = import_module("aiortc.rtp")
aiortc_h264 = import_module("aiortc.codecs.h264")
aiortc_vpx = import_module("aiortc.codecs.vpx")

IDS = {1: MID, 2: RID, 3: ABS_SEND_TIME, 4: TRANSPORT_SEQUENCE, 5: AUDIO_LEVEL}


def their_map() -> object:
    parameters = import_module("aiortc.rtcrtpparameters")
    extensions = aiortc_rtp.HeaderExtensionsMap()
    extensions.configure(
        parameters.RTCRtpParameters(
            headerExtensions=[parameters.RTCRtpHeaderExtensionParameters(id=i, uri=uri) for i, uri in IDS.items()]
        )
    )
    return extensions


def test_they_read_our_packets() -> None:
    values = HeaderExtensions(
        mid="video", rid="h", abs_send_time=0x123456, transport_sequence=777, audio_level=AudioLevel(30, voice=True)
    )
    profile, data = ExtensionMap(IDS.items()).write(values)
    packet = RtpPacket(96, True, 65_535, 1 << 31, 0xFEED, b"payload", (1, 2), profile, data, 7)
    theirs = aiortc_rtp.RtpPacket.parse(write_packet(packet), their_map())
    assert (theirs.payload_type, theirs.marker, theirs.sequence_number, theirs.timestamp) == (96, 1, 65_535, 1 << 31)
    assert (theirs.ssrc, theirs.csrc, theirs.payload, theirs.padding_size) == (0xFEED, [1, 2], b"payload", 7)
    read = theirs.extensions
    assert (read.mid, read.rtp_stream_id, read.abs_send_time) == ("video", "h", 0x123456)
    assert (read.transport_sequence_number, read.audio_level) == (777, (True, 30))


def test_we_read_their_packets() -> None:
    theirs = aiortc_rtp.RtpPacket(payload_type=96, marker=1, sequence_number=5, timestamp=6, ssrc=7, payload=b"abc")
    theirs.extensions.mid = "0"
    theirs.extensions.abs_send_time = 99
    theirs.padding_size = 4
    packet = read_packet(theirs.serialize(their_map()))
    assert packet is not None
    assert (packet.sequence_number, packet.payload, packet.padding, packet.marker) == (5, b"abc", 4, True)
    assert ExtensionMap(IDS.items()).read(packet) == HeaderExtensions(mid="0", abs_send_time=99)


def test_they_read_our_reports_and_feedback() -> None:
    block = ReportBlock(2, 12, -3, 70_000, 5, 6, 7)
    data = write_compound(
        [
            SenderReport(1, 1 << 40, 5, 6, 7, (block,)),
            ReceiverReport(1, (block,)),
            SourceDescription((SourceChunk(1, ((1, b"name"),)),)),
            Nack(1, 2, (10, 12, 65_000)),
            PictureLoss(1, 2),
            MaximumBitrate(1, 1_000_000, (2, 3)),
            Goodbye((1,)),
        ]
    )
    sender, receiver, sdes, nack, loss, remb, bye = aiortc_rtp.RtcpPacket.parse(data)
    assert (sender.sender_info.ntp_timestamp, sender.sender_info.octet_count) == (1 << 40, 7)
    for report in (sender, receiver):
        (theirs,) = report.reports
        assert (theirs.fraction_lost, theirs.packets_lost, theirs.highest_sequence, theirs.dlsr) == (12, -3, 70_000, 7)
    assert sdes.chunks[0].items == [(1, b"name")]
    assert (nack.fmt, nack.lost) == (1, [10, 12, 65_000])
    assert (loss.fmt, loss.media_ssrc) == (1, 2)
    assert aiortc_rtp.unpack_remb_fci(remb.fci) == (1_000_000, [2, 3])
    assert bye.sources == [1]


def test_we_read_their_reports_and_feedback() -> None:
    info = aiortc_rtp.RtcpReceiverInfo(
        ssrc=2, fraction_lost=12, packets_lost=-3, highest_sequence=70_000, jitter=5, lsr=6, dlsr=7
    )
    data = bytes(aiortc_rtp.RtcpRrPacket(ssrc=1, reports=[info]))
    data += bytes(aiortc_rtp.RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=2, lost=[10, 12, 65_000]))
    fci = aiortc_rtp.pack_remb_fci(5_000_000, [2])
    data += bytes(aiortc_rtp.RtcpPsfbPacket(fmt=15, ssrc=1, media_ssrc=0, fci=fci))
    report, nack, remb = read_compound(data)
    assert report == ReceiverReport(1, (ReportBlock(2, 12, -3, 70_000, 5, 6, 7),))
    assert nack == Nack(1, 2, (10, 12, 65_000))
    assert isinstance(remb, MaximumBitrate)
    assert remb.bitrate == pytest.approx(5_000_000, rel=1e-4)


def test_vp8_goes_both_ways() -> None:
    frame = b"\x10" + bytes(range(256)) * 12
    theirs = [aiortc_vpx.VpxPayloadDescriptor.parse(payload) for payload in Vp8Packetizer(300).packetize(frame, 900)]
    assert b"".join(data for _, data in theirs) == frame
    assert [descriptor.partition_start for descriptor, _ in theirs] == [1, 0, 0, 0]
    assert {descriptor.picture_id for descriptor, _ in theirs} == {300}
    payloads = aiortc_vpx.Vp8Encoder._packetize(frame, 301)
    assembled = Vp8Depacketizer().assemble(payloads)
    assert assembled is not None
    assert (assembled.data, assembled.key_frame) == (frame, True)


def test_h264_goes_both_ways() -> None:
    units = [b"\x67sps", b"\x68pps", b"\x65\x88" + bytes(range(1, 256)) * 10, b"\x65\x11small"]
    frame = b"".join(b"\0\0\0\1" + unit for unit in units)
    theirs = [aiortc_h264.H264PayloadDescriptor.parse(payload) for payload in H264Packetizer().packetize(frame, 900)]
    assert b"".join(data for _, data in theirs) == frame
    payloads = aiortc_h264.H264Encoder._packetize(iter(units))
    assembled = H264Depacketizer().assemble(payloads)
    assert assembled is not None
    assert (assembled.data, assembled.key_frame) == (frame, True)
