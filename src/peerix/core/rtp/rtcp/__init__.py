"""RTCP: reports, descriptions, goodbyes and feedback, read and written.

data --read_compound--> [SenderReport, Nack, ...] --write_compound--> data
"""

from __future__ import annotations

from peerix.core.rtp.rtcp.compound import MAX_PACKETS, RtcpPacket, read_compound, write_compound, write_rtcp
from peerix.core.rtp.rtcp.extended import ExtendedReport, ReceiverDelay
from peerix.core.rtp.rtcp.feedback import MAX_NACK_WORDS, FullIntraRequest, MaximumBitrate, Nack, PictureLoss
from peerix.core.rtp.rtcp.reports import ReceiverReport, ReportBlock, SenderReport
from peerix.core.rtp.rtcp.sources import CNAME, Goodbye, SourceChunk, SourceDescription
from peerix.core.rtp.rtcp.transport_feedback import TICK, TICKS_IN_REFERENCE, TransportFeedback

__all__ = [
    "CNAME",
    "MAX_NACK_WORDS",
    "MAX_PACKETS",
    "TICK",
    "TICKS_IN_REFERENCE",
    "ExtendedReport",
    "FullIntraRequest",
    "Goodbye",
    "MaximumBitrate",
    "Nack",
    "PictureLoss",
    "ReceiverDelay",
    "ReceiverReport",
    "ReportBlock",
    "RtcpPacket",
    "SenderReport",
    "SourceChunk",
    "SourceDescription",
    "TransportFeedback",
    "read_compound",
    "write_compound",
    "write_rtcp",
]
