"""Compound RTCP packets (RFC 3550 section 6.1), also of reduced size (RFC 5506)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from peerix.core.rtp.rtcp.extended import ExtendedReport, read_extended_report, write_extended_report
from peerix.core.rtp.rtcp.feedback import (
    FMT_APPLICATION,
    FMT_FIR,
    FMT_NACK,
    FMT_PLI,
    FullIntraRequest,
    MaximumBitrate,
    Nack,
    PictureLoss,
    read_full_intra_request,
    read_maximum_bitrate,
    read_nack,
    read_picture_loss,
    write_full_intra_request,
    write_maximum_bitrate,
    write_nack,
    write_picture_loss,
)
from peerix.core.rtp.rtcp.header import (
    EXTENDED_REPORT,
    GOODBYE,
    HEADER,
    PAYLOAD_FEEDBACK,
    RECEIVER_REPORT,
    SENDER_REPORT,
    SOURCE_DESCRIPTION,
    TRANSPORT_FEEDBACK,
)
from peerix.core.rtp.rtcp.reports import (
    ReceiverReport,
    SenderReport,
    read_receiver_report,
    read_sender_report,
    write_receiver_report,
    write_sender_report,
)
from peerix.core.rtp.rtcp.sources import (
    Goodbye,
    SourceDescription,
    read_goodbye,
    read_source_description,
    write_goodbye,
    write_source_description,
)
from peerix.core.rtp.rtcp.transport_feedback import (
    FMT_TRANSPORT_WIDE,
    TransportFeedback,
    read_transport_feedback,
    write_transport_feedback,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RtcpPacket: TypeAlias = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Goodbye
    | Nack
    | PictureLoss
    | FullIntraRequest
    | MaximumBitrate
    | TransportFeedback
    | ExtendedReport
)

MAX_PACKETS = 64
"""Packets looked at in one compound."""


def read_compound(data: bytes) -> list[RtcpPacket]:
    """Read the packets of a compound in their order; unknown and malformed ones are passed over.

    A wrong length ends the reading, what stood before it is kept.
    """
    packets: list[RtcpPacket] = []
    offset = 0
    for _ in range(MAX_PACKETS):
        if offset + 4 > len(data):
            break
        first, packet_type, words = HEADER.unpack_from(data, offset)
        start, offset = offset + 4, offset + 4 + 4 * words
        if first & 0xC0 != 0x80 or offset > len(data):
            break
        body = data[start:offset]
        if first & 0x20:
            padding = body[-1] if body else 0
            if not 0 < padding <= len(body):
                break
            body = body[:-padding]
        packet = _read(packet_type, first & 0x1F, body)
        if packet is not None:
            packets.append(packet)
    return packets


def _read(packet_type: int, count: int, body: bytes) -> RtcpPacket | None:
    if reader := _REPORTS.get(packet_type):
        return reader(count, body)
    if packet_type == EXTENDED_REPORT:
        return read_extended_report(body)
    if feedback_reader := _FEEDBACK.get((packet_type, count)):
        return feedback_reader(body)
    return None


_REPORTS: dict[int, Callable[[int, bytes], RtcpPacket | None]] = {
    SENDER_REPORT: read_sender_report,
    RECEIVER_REPORT: read_receiver_report,
    SOURCE_DESCRIPTION: read_source_description,
    GOODBYE: read_goodbye,
}

_FEEDBACK: dict[tuple[int, int], Callable[[bytes], RtcpPacket | None]] = {
    (TRANSPORT_FEEDBACK, FMT_NACK): read_nack,
    (TRANSPORT_FEEDBACK, FMT_TRANSPORT_WIDE): read_transport_feedback,
    (PAYLOAD_FEEDBACK, FMT_PLI): read_picture_loss,
    (PAYLOAD_FEEDBACK, FMT_FIR): read_full_intra_request,
    (PAYLOAD_FEEDBACK, FMT_APPLICATION): read_maximum_bitrate,
}


def write_compound(packets: Iterable[RtcpPacket]) -> bytes:
    """Write packets one after the other.

    Where reduced size was not negotiated (`a=rtcp-rsize`), the first is a report and a CNAME is among them.
    """
    return b"".join(write_rtcp(packet) for packet in packets)


def write_rtcp(packet: RtcpPacket) -> bytes:
    """Write one packet."""
    if isinstance(packet, SenderReport):
        return write_sender_report(packet)
    if isinstance(packet, ReceiverReport):
        return write_receiver_report(packet)
    if isinstance(packet, SourceDescription):
        return write_source_description(packet)
    if isinstance(packet, Goodbye):
        return write_goodbye(packet)
    if isinstance(packet, ExtendedReport):
        return write_extended_report(packet)
    return _write_feedback(packet)


def _write_feedback(packet: Nack | PictureLoss | FullIntraRequest | MaximumBitrate | TransportFeedback) -> bytes:
    if isinstance(packet, Nack):
        return write_nack(packet)
    if isinstance(packet, PictureLoss):
        return write_picture_loss(packet)
    if isinstance(packet, FullIntraRequest):
        return write_full_intra_request(packet)
    if isinstance(packet, MaximumBitrate):
        return write_maximum_bitrate(packet)
    return write_transport_feedback(packet)
