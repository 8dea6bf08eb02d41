"""RTCP of a session: what we tell of our streams and theirs, and what the other side asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.rtp.report_schedule import ReportSchedule
from peerix.core.rtp.rtcp import (
    CNAME,
    ExtendedReport,
    FullIntraRequest,
    MaximumBitrate,
    Nack,
    PictureLoss,
    ReceiverDelay,
    ReceiverReport,
    SenderReport,
    SourceChunk,
    SourceDescription,
    TransportFeedback,
    read_compound,
    write_compound,
    write_rtcp,
)
from peerix.core.rtp.transmission import ReferenceTimes
from peerix.core.session.media.events import KeyFrameRequested

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from peerix.core.rtp.retransmission import SentPacket
    from peerix.core.rtp.rtcp import ReportBlock, RtcpPacket
    from peerix.core.session.media.events import MediaEvent
    from peerix.core.session.media.inbound import Inbound
    from peerix.core.session.media.outbound import Outbound
    from peerix.core.session.media.sending import Encoding, Sending

MAX_BLOCKS = 24
"""Report blocks of one compound packet; RFC 3550 section 6.4.1 allows 31 a report, the path not so many."""

MAX_SENDER_REPORTS = 6
"""Of one compound packet; with their names and `MAX_BLOCKS` blocks a kilobyte."""

MAX_COMPOUND = 1100
"""Bytes of feedback that travels together."""

HEADERS = 48
"""Bytes of IP, UDP and SRTCP, which RTCP's share of the bandwidth counts."""

WORTH_TELLING = 0.03
"""By how much of itself the estimate has to move before encoders hear of it."""


class Reports:
    """Writes and reads the reports of one transport.

    :param events: where requests for key frames go.
    :ivar ssrc: who we are in reports while we send nothing.
    """

    __slots__ = (
        "_arrived",
        "_cname",
        "_events",
        "_introduced",
        "_is_reduced",
        "_references",
        "_round_trip",
        "_schedule",
        "_sending",
        "_sources",
        "_told",
        "ssrc",
    )

    def __init__(self, random_bytes: Callable[[int], bytes], events: list[MediaEvent], now: float) -> None:
        self.ssrc = int.from_bytes(random_bytes(4), "big")
        self._cname = random_bytes(12).hex().encode()
        self._events = events
        self._schedule = ReportSchedule(random_bytes, 0.0, now)
        self._sending: Mapping[str, Sending] = {}
        self._sources: dict[int, tuple[Sending, Encoding]] = {}
        self._is_reduced = False
        self._references = ReferenceTimes()
        self._introduced: set[int] = set()
        """SSRCs of ours of which a report was sent."""
        self._arrived = (0, now)
        """Bytes that had come at the last report, and when that was."""
        self._told = 0.0
        self._round_trip: float | None = None

    def configure(self, sending: Mapping[str, Sending], inbound: Inbound) -> None:
        """Report of these from now on."""
        self._sending = sending
        self._sources = {
            encoding.stream.ssrc: (one, encoding) for one in sending.values() for encoding in one.encodings.values()
        }
        parameters = [one.parameters for one in sending.values()]
        parameters += [one.parameters for one in inbound.receiving.values()]
        self._is_reduced = bool(parameters) and all(one.reduced_size_rtcp for one in parameters)

    def follow(self, bitrate: float) -> bool:
        """Take the estimate; true when it has moved so far that encoders should hear of it."""
        if abs(bitrate - self._told) <= WORTH_TELLING * self._told:
            return False
        self._told = bitrate
        self._schedule.set_bandwidth(bitrate / 8)
        return True

    def next_timeout(self, inbound: Inbound) -> float | None:
        """When the next regular report leaves, or feedback that is due and within its share."""
        if not self._sending and not inbound.receiving:
            return None
        due_at = self._schedule.next_report_at
        if inbound.receiving:
            if (requests_at := inbound.requests_at()) is not None:
                due_at = min(due_at, max(requests_at, self._schedule.feedback_at(urgent=True)))
            if (arrivals_at := inbound.arrivals_at) is not None:
                due_at = min(due_at, max(arrivals_at, self._schedule.feedback_at()))
        return due_at

    # -- what we tell

    def packets_to_send(self, inbound: Inbound, now: float) -> list[bytes]:
        """The compound packets that leave now."""
        packets: list[bytes] = []
        if self._is_report_due(inbound, now):
            packets += (write_compound(compound) for compound in self._regular(inbound, now))
            self._schedule.report_sent(sum(len(packet) + HEADERS for packet in packets), now)
            self._follow_arriving(inbound, now)
        if not inbound.receiving or now < self._schedule.feedback_at(urgent=True):
            return packets
        requests = inbound.requests(now, self._round_trip)
        if now >= self._schedule.feedback_at():
            requests += inbound.arrivals_to_tell(now)
            requests += inbound.maximum_to_tell(now)
        if not requests:
            return packets
        for early in self._compounds(requests):
            self._schedule.feedback_sent(len(early) + HEADERS, now)
            packets.append(early)
        return packets

    def _is_report_due(self, inbound: Inbound, now: float) -> bool:
        """Whether the time has come, or a stream has begun: without a report nobody knows what is in step with it."""
        if now >= self._schedule.next_report_at and (self._sending or inbound.receiving):
            return True
        if self._introduced.issuperset(self._sources):
            return False
        return any(
            ssrc not in self._introduced and encoding.stream.statistics.packets
            for ssrc, (_, encoding) in self._sources.items()
        )

    def _follow_arriving(self, inbound: Inbound, now: float) -> None:
        """Count what comes to the bandwidth of which RTCP has its share (RFC 3550 section 6.2)."""
        octets, then = self._arrived
        self._arrived = inbound.octets, now
        arriving = (inbound.octets - octets) / max(now - then, 0.1)
        self._schedule.set_bandwidth(self._told / 8 + arriving)

    def _regular(self, inbound: Inbound, now: float) -> Iterator[list[RtcpPacket]]:
        blocks = inbound.report_blocks(now)
        streams = [stream for one in self._sending.values() for stream in one.streams]
        reports = [report for stream in streams if (report := stream.statistics.sender_report(now)) is not None]
        self._introduced.update(report.ssrc for report in reports)
        while True:
            part, reports = reports[:MAX_SENDER_REPORTS], reports[MAX_SENDER_REPORTS:]
            told, blocks = tuple(blocks[:MAX_BLOCKS]), blocks[MAX_BLOCKS:]
            if part:
                part[0].blocks = told
                yield [*part, self._description(report.ssrc for report in part)]
            else:
                yield [ReceiverReport(self.ssrc, told), self._description(())]
            if not reports and not blocks:
                break
        if answers := self._references.take(now):
            delays = tuple(ReceiverDelay(*answer) for answer in answers)
            yield [ReceiverReport(self.ssrc, ()), self._description(()), ExtendedReport(self.ssrc, delays=delays)]

    def _compounds(self, requests: Iterable[RtcpPacket]) -> Iterator[bytes]:
        """Put requests together; nothing stands before them where reduced size was agreed on (RFC 5506)."""
        front = b"" if self._is_reduced else write_compound([ReceiverReport(self.ssrc, ()), self._description(())])
        compound = front
        for request in requests:
            written = write_rtcp(request)
            if len(compound) > len(front) and len(compound) + len(written) > MAX_COMPOUND:
                yield compound
                compound = front
            compound += written
        if len(compound) > len(front):
            yield compound

    def _description(self, ssrcs: Iterable[int]) -> SourceDescription:
        """Name ourselves, and the sources that are told of."""
        return SourceDescription(tuple(SourceChunk(ssrc, ((CNAME, self._cname),)) for ssrc in (self.ssrc, *ssrcs)))

    # -- what we are told

    def receive(
        self, data: bytes, inbound: Inbound, outbound: Outbound, now: float
    ) -> list[tuple[Encoding, SentPacket]]:
        """Take a compound packet; returns the packets that are asked for again."""
        again: list[tuple[Encoding, SentPacket]] = []
        for packet in read_compound(data):
            if isinstance(packet, TransportFeedback):
                outbound.estimator.receive_feedback(packet, now)
            elif isinstance(packet, Nack):
                again += self._lost(packet, now)
            elif isinstance(packet, PictureLoss):
                self._picture_lost(packet)
            elif isinstance(packet, FullIntraRequest):
                self._key_frames_requested(packet)
            elif isinstance(packet, ExtendedReport):
                self._reference_received(packet, now)
            elif isinstance(packet, MaximumBitrate):
                outbound.estimator.set_remote_limit(packet.bitrate)
            elif isinstance(packet, SenderReport):
                inbound.receive_sender_report(packet, now)
                self._blocks_received(packet.blocks, outbound, now)
            elif isinstance(packet, ReceiverReport):
                self._blocks_received(packet.blocks, outbound, now)
        return again

    def _lost(self, packet: Nack, now: float) -> list[tuple[Encoding, SentPacket]]:
        if packet.media_ssrc not in self._sources:
            return []
        _, encoding = self._sources[packet.media_ssrc]
        encoding.stream.counters.nacks += 1
        return [(encoding, lost) for lost in encoding.stream.take_lost(packet.lost, now)]

    def _picture_lost(self, packet: PictureLoss) -> None:
        if packet.media_ssrc in self._sources:
            sending, encoding = self._sources[packet.media_ssrc]
            encoding.stream.counters.picture_losses += 1
            self._events.append(KeyFrameRequested(sending.parameters.mid or "", encoding.rid))

    def _key_frames_requested(self, packet: FullIntraRequest) -> None:
        for ssrc, number in packet.entries:
            if ssrc not in self._sources:
                continue
            sending, encoding = self._sources[ssrc]
            encoding.stream.counters.full_intra_requests += 1
            if encoding.is_new_request(number):
                self._events.append(KeyFrameRequested(sending.parameters.mid or "", encoding.rid))

    def _reference_received(self, packet: ExtendedReport, now: float) -> None:
        if packet.reference_time is not None:
            self._references.receive(packet.ssrc, packet.reference_time, now)

    def _blocks_received(self, blocks: Iterable[ReportBlock], outbound: Outbound, now: float) -> None:
        for block in blocks:
            if block.ssrc not in self._sources:
                continue
            _, encoding = self._sources[block.ssrc]
            statistics = encoding.stream.statistics
            statistics.receive_report_block(block, now)
            self._round_trip = statistics.round_trip_time or self._round_trip
            if self._round_trip is not None:
                outbound.pacer.set_round_trip(self._round_trip)
            if not encoding.told_of_arrivals:
                outbound.estimator.receive_report(block, statistics.round_trip_time, now)
