"""RTCP of a session: what we tell of our streams and theirs, and what the other side asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.rtp.report_schedule import ReportSchedule
from peerix.core.rtp.rtcp import (
    CNAME,
    FullIntraRequest,
    MaximumBitrate,
    Nack,
    PictureLoss,
    ReceiverReport,
    SenderReport,
    SourceChunk,
    SourceDescription,
    TransportFeedback,
    read_compound,
    write_compound,
)
from peerix.core.session.media.events import KeyFrameRequested

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from peerix.core.rtp.bandwidth import BandwidthEstimator
    from peerix.core.rtp.retransmission import SentPacket
    from peerix.core.rtp.routing import Router
    from peerix.core.rtp.rtcp import ReportBlock, RtcpPacket
    from peerix.core.session.media.events import MediaEvent
    from peerix.core.session.media.receiving import Receiving
    from peerix.core.session.media.sending import Sending

MAX_BLOCKS = 31
"""Report blocks of one packet (RFC 3550 section 6.4.1)."""

HEADERS = 28
"""Bytes of IP and UDP, which RTCP's share of the bandwidth counts."""

WORTH_TELLING = 0.03
"""By how much of itself the estimate has to move before encoders hear of it."""


class Reports:
    """Writes and reads the reports of one transport.

    :param events: where requests for key frames go.
    :ivar ssrc: who we are in reports while we send nothing.
    """

    __slots__ = ("_cname", "_events", "_introduced", "_receiving", "_schedule", "_sending", "_told", "ssrc")

    def __init__(self, random_bytes: Callable[[int], bytes], events: list[MediaEvent], now: float) -> None:
        self.ssrc = int.from_bytes(random_bytes(4), "big")
        self._cname = random_bytes(12).hex().encode()
        self._events = events
        self._schedule = ReportSchedule(random_bytes, 0.0, now)
        self._sending: Mapping[str, Sending] = {}
        self._receiving: Mapping[str, Receiving] = {}
        self._introduced: set[int] = set()
        """SSRCs of ours of which a report was sent."""
        self._told = 0.0

    def configure(self, sending: Mapping[str, Sending], receiving: Mapping[str, Receiving]) -> None:
        """Report of these from now on."""
        self._sending, self._receiving = sending, receiving

    def follow(self, bitrate: float) -> bool:
        """Take the estimate; true when it has moved so far that encoders should hear of it."""
        if abs(bitrate - self._told) <= WORTH_TELLING * self._told:
            return False
        self._told = bitrate
        self._schedule.set_bandwidth(bitrate / 8)
        return True

    def next_timeout(self) -> float | None:
        """When the next regular report leaves."""
        return self._schedule.next_report_at if self._sending or self._receiving else None

    # -- what we tell

    def packets_to_send(self, feedback: Sequence[TransportFeedback], now: float) -> list[bytes]:
        """The compound packets that leave now."""
        packets: list[bytes] = []
        if self._is_report_due(now):
            regular = write_compound(self._regular(now))
            self._schedule.report_sent(len(regular) + HEADERS, now)
            packets.append(regular)
        round_trip = self._round_trip()
        requests: list[RtcpPacket] = [*feedback]
        for one in self._receiving.values():
            requests += one.feedback(now, round_trip)
        for request in requests:
            early = write_compound([*self._in_front(), request])
            self._schedule.may_send_feedback(len(early) + HEADERS, now)
            packets.append(early)
        return packets

    def _is_report_due(self, now: float) -> bool:
        """Whether the time has come, or a stream has begun: without a report nobody knows what is in step with it."""
        if now >= self._schedule.next_report_at and (self._sending or self._receiving):
            return True
        known = self._introduced
        streams = (one.stream for one in self._sending.values())
        return any(stream.ssrc not in known and stream.statistics.packets for stream in streams)

    def _regular(self, now: float) -> list[RtcpPacket]:
        blocks = self._blocks(now)
        reports: list[RtcpPacket] = []
        for one in self._sending.values():
            report = one.stream.statistics.sender_report(now)
            if report is not None:
                self._introduced.add(report.ssrc)
                report.blocks, blocks = tuple(blocks[:MAX_BLOCKS]), blocks[MAX_BLOCKS:]
                reports.append(report)
        while blocks or not reports:
            reports.append(ReceiverReport(self.ssrc, tuple(blocks[:MAX_BLOCKS])))
            blocks = blocks[MAX_BLOCKS:]
        reports.append(self._description())
        return reports

    def _in_front(self) -> list[RtcpPacket]:
        """What stands before feedback: nothing where reduced size was agreed on (RFC 5506)."""
        parameters = [one.parameters for one in self._sending.values()]
        parameters += [one.parameters for one in self._receiving.values()]
        if parameters and all(one.reduced_size_rtcp for one in parameters):
            return []
        return [ReceiverReport(self.ssrc, ()), self._description()]

    def _description(self) -> SourceDescription:
        ssrcs = [self.ssrc, *(one.stream.ssrc for one in self._sending.values())]
        return SourceDescription(tuple(SourceChunk(ssrc, ((CNAME, self._cname),)) for ssrc in ssrcs))

    def _blocks(self, now: float) -> list[ReportBlock]:
        return [block for one in self._receiving.values() for block in one.report_blocks(now)]

    def _round_trip(self) -> float | None:
        known = [one.stream.statistics.round_trip_time for one in self._sending.values()]
        return next((time for time in known if time is not None), None)

    # -- what we are told

    def receive(
        self, data: bytes, router: Router, estimator: BandwidthEstimator, now: float
    ) -> list[tuple[Sending, SentPacket]]:
        """Take a compound packet; returns the packets that are asked for again."""
        again: list[tuple[Sending, SentPacket]] = []
        for packet in read_compound(data):
            if isinstance(packet, TransportFeedback):
                estimator.receive_feedback(packet, now)
            elif isinstance(packet, Nack):
                again += self._lost(packet, now)
            elif isinstance(packet, PictureLoss | FullIntraRequest):
                self._ask_key_frame(packet)
            elif isinstance(packet, MaximumBitrate):
                estimator.set_remote_limit(packet.bitrate)
            elif isinstance(packet, SenderReport | ReceiverReport):
                self._take_report(packet, router, now)
        return again

    def _lost(self, packet: Nack, now: float) -> list[tuple[Sending, SentPacket]]:
        one = self._of_ssrc(packet.media_ssrc)
        return [] if one is None else [(one, lost) for lost in one.stream.take_lost(packet.lost, now)]

    def _ask_key_frame(self, packet: PictureLoss | FullIntraRequest) -> None:
        asked = [packet.media_ssrc] if isinstance(packet, PictureLoss) else [ssrc for ssrc, _ in packet.entries]
        for ssrc in asked:
            one = self._of_ssrc(ssrc)
            if one is not None and one.parameters.mid is not None:
                self._events.append(KeyFrameRequested(one.parameters.mid))

    def _take_report(self, report: SenderReport | ReceiverReport, router: Router, now: float) -> None:
        for block in report.blocks:
            one = self._of_ssrc(block.ssrc)
            if one is not None:
                one.stream.statistics.receive_report_block(block, now)
        if isinstance(report, SenderReport):
            place = router.place_of(report.ssrc)
            if place is not None and place[0] in self._receiving:
                self._receiving[place[0]].receive_sender_report(place[1], report, now)

    def _of_ssrc(self, ssrc: int) -> Sending | None:
        return next((one for one in self._sending.values() if one.stream.ssrc == ssrc), None)
