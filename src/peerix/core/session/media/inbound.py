"""What one transport receives of media, by section, and what it tells of the path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.rtp.arrivals import ArrivalRecorder
from peerix.core.rtp.header_extensions import ExtensionMap
from peerix.core.rtp.packet import read_packet
from peerix.core.rtp.routing import Router
from peerix.core.rtp.timeline import SenderTimeline
from peerix.core.session.media.receiving import Receiving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.core.jsep import Transceiver
    from peerix.core.rtp.rtcp import TransportFeedback
    from peerix.core.session.media.receiving import ReceivedMedia


class Inbound:
    """The receivers of one transport, and what they share.

    :param ssrc: who we are in feedback.
    :ivar receiving: the sections that receive, by MID.
    """

    __slots__ = ("_arrivals", "_extensions", "_sender", "_ssrc", "receiving", "router")

    def __init__(self, ssrc: int) -> None:
        self._ssrc = ssrc
        self._extensions = ExtensionMap(())
        self._arrivals = ArrivalRecorder(ssrc)
        self._sender = SenderTimeline()
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
        self._extensions = ExtensionMap(sorted(extensions))
        self.router.set_sections([one.routes() for one in receiving.values()])

    def receive(self, data: bytes, now: float) -> list[ReceivedMedia]:
        """Take a packet and give what it makes whole."""
        packet = read_packet(data)
        if packet is None:
            return []
        extensions = self._extensions.read(packet)
        if extensions.transport_sequence is not None:
            self._arrivals.receive(extensions.transport_sequence, packet.ssrc, now)
        route = self.router.route(packet, extensions)
        return [] if route is None else self.receiving[route.mid].receive(route, packet, extensions, now)

    def handle_timeout(self, now: float) -> list[ReceivedMedia]:
        """Give what goes on without what is overdue."""
        return [media for one in self.receiving.values() for media in one.handle_timeout(now)]

    def next_timeout(self) -> float | None:
        """When `handle_timeout` wants to be called, or feedback to be sent."""
        times = [self._arrivals.feedback_at, *(one.next_timeout() for one in self.receiving.values())]
        return min((time for time in times if time is not None), default=None)

    def arrivals_to_tell(self, now: float) -> list[TransportFeedback]:
        """The transport-wide feedback that is due."""
        at = self._arrivals.feedback_at
        return list(self._arrivals.feedback()) if at is not None and now >= at else []
