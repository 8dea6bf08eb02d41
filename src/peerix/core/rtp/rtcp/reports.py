"""Sender and receiver reports (RFC 3550 section 6.4).

|                         SSRC of sender                        |
|      NTP timestamp, 64 bits, in a sender report only          |
|      RTP timestamp; packet count; octet count   (32 bits each)|
then for each source
|                  SSRC of the source reported on               |
| fraction lost |       cumulative number of packets lost       |
|           extended highest sequence number received           |
|  jitter;  last SR;  delay since last SR         (32 bits each)|
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from peerix.core.rtp.rtcp.header import RECEIVER_REPORT, SENDER_REPORT, write_block

_BLOCK = struct.Struct("!IIIIII")
_SENDER = struct.Struct("!IQIII")
_SSRC = struct.Struct("!I")


@dataclass(slots=True)
class ReportBlock:
    """How one source is received."""

    ssrc: int
    fraction_lost: int
    """Packets lost since the last report, in 256ths."""
    cumulative_lost: int
    """Signed, 24 bits: duplicates make it negative."""
    highest_sequence: int
    """Extended by the number of wraps."""
    jitter: int
    """In units of the RTP clock."""
    last_sender_report: int = 0
    """The middle 32 bits of the NTP time of the last sender report; 0 when none came."""
    delay_since_last: int = 0
    """Since that report came, in 65,536ths of a second."""


@dataclass(slots=True)
class SenderReport:
    """What a sender sent, and which RTP timestamp belongs to which wall-clock time."""

    ssrc: int
    ntp_time: int
    """Seconds since 1900 as a fixed-point number, 32 bits before and 32 after the point."""
    rtp_time: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(slots=True)
class ReceiverReport:
    """The report of somebody who sends nothing."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


def write_sender_report(report: SenderReport) -> bytes:
    """Write a report with at most 31 blocks."""
    body = _SENDER.pack(
        report.ssrc,
        report.ntp_time,
        report.rtp_time,
        report.packets & 0xFFFFFFFF,
        report.octets & 0xFFFFFFFF,
    )
    return write_block(len(report.blocks), SENDER_REPORT, body + _write_blocks(report.blocks))


def write_receiver_report(report: ReceiverReport) -> bytes:
    """Write a report with at most 31 blocks."""
    return write_block(len(report.blocks), RECEIVER_REPORT, _SSRC.pack(report.ssrc) + _write_blocks(report.blocks))


def read_sender_report(count: int, body: bytes) -> SenderReport | None:
    """Read the body of a sender report."""
    if len(body) < 24 + 24 * count:
        return None
    ssrc, ntp_time, rtp_time, packets, octets = _SENDER.unpack_from(body)
    return SenderReport(ssrc, ntp_time, rtp_time, packets, octets, _read_blocks(count, body, 24))


def read_receiver_report(count: int, body: bytes) -> ReceiverReport | None:
    """Read the body of a receiver report."""
    if len(body) < 4 + 24 * count:
        return None
    return ReceiverReport(_SSRC.unpack_from(body)[0], _read_blocks(count, body, 4))


def _write_blocks(blocks: tuple[ReportBlock, ...]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            block.ssrc,
            block.fraction_lost << 24 | block.cumulative_lost & 0xFFFFFF,
            block.highest_sequence,
            block.jitter,
            block.last_sender_report,
            block.delay_since_last,
        )
        for block in blocks
    )


def _read_blocks(count: int, body: bytes, offset: int) -> tuple[ReportBlock, ...]:
    blocks: list[ReportBlock] = []
    for index in range(count):
        ssrc, lost, highest, jitter, last, delay = _BLOCK.unpack_from(body, offset + 24 * index)
        # Sign-extend 24 bits.
        cumulative = (lost & 0xFFFFFF ^ 0x800000) - 0x800000
        blocks.append(ReportBlock(ssrc, lost >> 24, cumulative, highest, jitter, last, delay))
    return tuple(blocks)
