"""Bandwidth estimation (draft-ietf-rmcat-gcc-02).

`BandwidthEstimator` is the whole of it at the sender; `RemoteEstimator` stands at the receiver of senders that know no
transport-wide feedback.
"""

from __future__ import annotations

from peerix.core.rtp.bandwidth.estimator import MIN_BITRATE, START_BITRATE, BandwidthEstimator
from peerix.core.rtp.bandwidth.probing import Probe, Prober
from peerix.core.rtp.bandwidth.remote import RemoteEstimator
from peerix.core.rtp.bandwidth.reported import ReportedRate
from peerix.core.rtp.bandwidth.sent_packets import PacketResult, SentPackets
from peerix.core.rtp.bandwidth.trendline import TrendlineEstimator, Usage

__all__ = [
    "MIN_BITRATE",
    "START_BITRATE",
    "BandwidthEstimator",
    "PacketResult",
    "Probe",
    "Prober",
    "RemoteEstimator",
    "ReportedRate",
    "SentPackets",
    "TrendlineEstimator",
    "Usage",
]
