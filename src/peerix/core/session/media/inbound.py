"""What one transport receives of media, by section, and what it tells of the path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.deadlines import earliest
from peerix.core.rtp.arrivals import ArrivalRecorder
from peerix.core.rtp.bandwidth import RemoteEstimator
from peerix.core.rtp.header_extensions import NO_EXTENSIONS, ExtensionMap
from peerix.core.rtp.packet import read_packet
from peerix.core.rtp.routing import MAX_LATCHED, Router
from peerix.core.rtp.steady_header import SteadyHeader, foretell
from peerix.core.rtp.timeline import SenderTimeline
from peerix.core.session.media.receiving import Receiving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.core.jsep import Transceiver
    from peerix.core.rtp.rtcp import ReportBlock, RtcpPacket, SenderReport
    from peerix.core.session.media.receiving import ReceivedMedia


IP_AND_UDP = 28
"""Bytes of headers below, which count where the path is measured."""


class Inbound:
    """The receivers of one transport, and what they share.

    :param ssrc: who we are in feedback.
    :ivar receiving: the sections that receive, by MID.
    """

    __slots__ = ("_arrivals", "_extensions", "_remote", "_sender", "_ssrc", "_steady", "octets", "receiving", "router")

    def __init__(self, ssrc: int) -> None:
        self._ssrc = ssrc
        self._extensions = ExtensionMap(())
        self._arrivals = ArrivalRecorder(ssrc)
        self._remote = RemoteEstimator(ssrc)
        self._sender = SenderTimeline()
        self._steady: dict[bytes, SteadyHeader] = {}
        """What the headers of a source are foretold to be, by its SSRC as packets have it."""
        self.octets = 0
        """Bytes of all packets that came."""
        self.router = Router()
        self.receiving: dict[str, Receiving] = {}

    def configure(self, transceivers: Sequence[Transceiver]) -> None:
        """Take what the descriptions have made of the transceivers; what goes on is not disturbed."""
        receiving: dict[str, Receiving] = {}
        extensions: set[tuple[int, str]] = set()
        for transceiver in transceivers:
            mid, parameters = transceiver.mid, transceiver.association.receive
            if mid is None or transceiver.stopped or parameters is None or not parameters.codecs:
                continue
            if not transceiver.association.receiving:
                continue
            there = self.receiving.get(mid)
            if there is None or there.parameters != parameters:
                there = Receiving(transceiver.kind, parameters, self._ssrc, self._sender)
            receiving[mid] = there
            extensions.update(parameters.extensions)
        self.receiving = receiving
        self._steady.clear()
        self._extensions = ExtensionMap(sorted(extensions))
        self.router.set_sections([one.routes() for one in receiving.values()])

    def receive(self, data: bytes, now: float) -> list[ReceivedMedia]:
        """Take a packet and give what it makes whole."""
        steady = self._steady.get(data[8:12])
        if steady is None or (packet := steady.read(data)) is None:
            return self._read(data, now)
        self.octets += len(data)
        if at := steady.sequence_at:
            self._arrivals.receive(data[at] << 8 | data[at + 1], packet.ssrc, now)
        route = steady.route
        return self.receiving[route.mid].receive(route, packet, NO_EXTENSIONS, now)

    def _read(self, data: bytes, now: float) -> list[ReceivedMedia]:
        """Take a packet whose header was not foretold."""
        packet = read_packet(data)
        if packet is None:
            return []
        self.octets += len(data)
        extensions = self._extensions.read(packet)
        if extensions.transport_sequence is not None:
            self._arrivals.receive(extensions.transport_sequence, packet.ssrc, now)
        route = self.router.route(packet, extensions)
        if route is None:
            return []
        receiving = self.receiving[route.mid]
        if receiving.tells_maximum:
            if extensions.abs_send_time is not None:
                self._remote.receive(extensions.abs_send_time, len(data) + IP_AND_UDP, now)
        elif receiving.audio is None and (steady := foretell(packet, extensions, self._extensions, route)) is not None:
            if len(self._steady) >= MAX_LATCHED:
                self._steady.clear()
            self._steady[data[8:12]] = steady
        return receiving.receive(route, packet, extensions, now)

    def handle_timeout(self, now: float) -> list[ReceivedMedia]:
        """Give what goes on without what is overdue."""
        received: list[ReceivedMedia] = []
        for one in self.receiving.values():
            received += one.handle_timeout(now)
        return received

    def next_timeout(self) -> float | None:
        """When `handle_timeout` wants to be called."""
        return earliest(one.next_timeout() for one in self.receiving.values())

    # -- what we tell of it

    @property
    def arrivals_at(self) -> float | None:
        """When `arrivals_to_tell` has something to tell that cannot wait for the next packet."""
        return self._arrivals.feedback_at

    def arrivals_to_tell(self, now: float) -> list[RtcpPacket]:
        """The transport-wide feedback that is ready."""
        return list(self._arrivals.feedback()) if self._arrivals.is_ready(now) else []

    def maximum_to_tell(self, now: float) -> list[RtcpPacket]:
        """What the path carries, told to senders that do not hear when their packets arrive."""
        ssrcs = [ssrc for one in self.receiving.values() if one.tells_maximum for ssrc in one.ssrcs()]
        report = self._remote.report(ssrcs, now) if ssrcs else None
        return [] if report is None else [report]

    def requests_at(self) -> float | None:
        """When `requests` has something to ask for."""
        return earliest(one.requests_at() for one in self.receiving.values())

    def requests(self, now: float, round_trip: float | None) -> list[RtcpPacket]:
        """What the receivers ask for now: lost packets and key frames."""
        requests: list[RtcpPacket] = []
        for one in self.receiving.values():
            requests += one.requests(now, round_trip)
        return requests

    def report_blocks(self, now: float) -> list[ReportBlock]:
        """What arrived of each source."""
        return [block for one in self.receiving.values() for block in one.report_blocks(now)]

    def receive_sender_report(self, report: SenderReport, now: float) -> None:
        """Take a report of a source of the other side."""
        place = self.router.place_of(report.ssrc)
        if place is not None and place[0] in self.receiving:
            self.receiving[place[0]].receive_sender_report(place[1], report, now)
