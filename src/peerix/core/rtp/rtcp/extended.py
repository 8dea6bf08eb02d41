"""Extended reports (RFC 3611) with which a receiver measures the round trip: RRTR and DLRR (sections 4.4 and 4.5).

|     BT        |   reserved    |       block length, words     |
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from peerix.core.rtp.rtcp.header import EXTENDED_REPORT, write_block

_RECEIVER_REFERENCE_TIME = 4
_DELAY_SINCE_LAST = 5

MAX_DLRR = 64
"""Sub-blocks that are read of one report."""

_SSRC = struct.Struct("!I")
_BLOCK = struct.Struct("!BxH")
_NTP = struct.Struct("!Q")
_DLRR = struct.Struct("!III")


@dataclass(slots=True)
class ReceiverDelay:
    """One sub-block of DLRR: the answer to the reference time of a receiver."""

    ssrc: int
    last_receiver_report: int
    """The middle 32 bits of the NTP time of its reference time."""
    delay_since_last: int
    """Since that came, in 65,536ths of a second."""


@dataclass(slots=True)
class ExtendedReport:
    """XR: our own time as a receiver, and answers to the times of others."""

    ssrc: int
    reference_time: int | None = None
    """NTP, 64 bits."""
    delays: tuple[ReceiverDelay, ...] = ()


def write_extended_report(report: ExtendedReport) -> bytes:
    """Write the blocks that the report has."""
    body = _SSRC.pack(report.ssrc)
    if report.reference_time is not None:
        body += _BLOCK.pack(_RECEIVER_REFERENCE_TIME, 2) + _NTP.pack(report.reference_time)
    if report.delays:
        body += _BLOCK.pack(_DELAY_SINCE_LAST, 3 * len(report.delays))
        body += b"".join(_DLRR.pack(d.ssrc, d.last_receiver_report, d.delay_since_last) for d in report.delays)
    return write_block(0, EXTENDED_REPORT, body)


def read_extended_report(body: bytes) -> ExtendedReport | None:
    """Read the body of an extended report; other blocks are passed over."""
    if len(body) < 4:
        return None
    report = ExtendedReport(_SSRC.unpack_from(body)[0])
    offset = 4
    while offset + 4 <= len(body):
        kind, words = _BLOCK.unpack_from(body, offset)
        start, offset = offset + 4, offset + 4 + 4 * words
        if offset > len(body):
            break
        if kind == _RECEIVER_REFERENCE_TIME and words == 2:
            report.reference_time = _NTP.unpack_from(body, start)[0]
        elif kind == _DELAY_SINCE_LAST and words % 3 == 0:
            found = [ReceiverDelay(*fields) for fields in _DLRR.iter_unpack(body[start:offset])]
            report.delays = (*report.delays, *found)[:MAX_DLRR]
    return report
