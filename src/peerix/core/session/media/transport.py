"""All media of one transport: packets, pacing, reports and the estimate of what the path carries."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from peerix.core.rtp.arrivals import ArrivalRecorder
from peerix.core.rtp.bandwidth import BandwidthEstimator
from peerix.core.rtp.header_extensions import TRANSPORT_SEQUENCE, ExtensionMap
from peerix.core.rtp.pacer import AUDIO, RETRANSMISSION, VIDEO, Pacer
from peerix.core.rtp.packet import is_rtcp, read_packet
from peerix.core.rtp.routing import Router
from peerix.core.session.media.events import BitrateChanged, MediaEvent
from peerix.core.session.media.receiving import Receiving
from peerix.core.session.media.reports import Reports
from peerix.core.session.media.sending import MAX_DATAGRAM, SRTP_OVERHEAD, Sending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from peerix.core.jsep import RtpParameters, Transceiver
    from peerix.core.rtp.retransmission import SentPacket
    from peerix.core.srtp import SrtpSession

MAX_BITRATE = 8_000_000.0
"""Bits a second that are wanted of the path while nobody says otherwise."""

Waiting: TypeAlias = "tuple[Sending, SentPacket, bool]"
"""What waits in the pacer: whose packet, the packet, and whether it is sent again."""


class MediaTransport:
    """Senders and receivers by section, and what they share.

    :param wall_offset: the wall clock (seconds since 1970) minus the monotonic clock `now`.
    :ivar receiving: what is received, by MID.
    :ivar sending: what is sent, by MID.
    :ivar estimator: what the path carries.
    """

    __slots__ = (
        "_arrivals",
        "_events",
        "_extensions",
        "_known",
        "_new_sending",
        "_srtp",
        "estimator",
        "pacer",
        "receiving",
        "reports",
        "router",
        "sending",
    )

    def __init__(self, random_bytes: Callable[[int], bytes], wall_offset: float, now: float) -> None:
        self._new_sending = partial(Sending, wall_offset=wall_offset, random_bytes=random_bytes)
        self._srtp: SrtpSession | None = None
        self._events: list[MediaEvent] = []
        self._extensions = ExtensionMap(())
        self._known: dict[int, Sending] = {}
        """All that ever was sent, by SSRC: one for each transceiver."""
        self.reports = Reports(random_bytes, self._events, now)
        self._arrivals = ArrivalRecorder(self.reports.ssrc)
        self.estimator = BandwidthEstimator(MAX_BITRATE)
        self.pacer: Pacer[Waiting] = Pacer(self.estimator.bitrate, now)
        self.router = Router()
        self.receiving: dict[str, Receiving] = {}
        self.sending: dict[str, Sending] = {}

    # -- what was agreed on

    def start(self, srtp: SrtpSession) -> None:
        """There are keys: packets flow from now on."""
        self._srtp = srtp

    def configure(self, transceivers: Sequence[Transceiver]) -> None:
        """Take what the descriptions have made of the transceivers; what goes on is not disturbed."""
        sending: dict[str, Sending] = {}
        receiving: dict[str, Receiving] = {}
        extensions: set[tuple[int, str]] = set()
        for transceiver in transceivers:
            association, mid = transceiver.association, transceiver.mid
            if mid is None or transceiver.stopped:
                continue
            send, receive = association.send, association.receive
            if send is not None and send.codecs and association.direction is not None and association.direction.sends:
                sending[mid] = self._sending_of(transceiver, send)
            if receive is not None and receive.codecs and association.receiving:
                there = self.receiving.get(mid)
                if there is None or there.parameters != receive:
                    there = Receiving(transceiver.kind, receive, self.reports.ssrc)
                receiving[mid] = there
                extensions.update(receive.extensions)
        self.sending, self.receiving = sending, receiving
        self._extensions = ExtensionMap(sorted(extensions))
        self.router.set_sections([one.routes() for one in receiving.values()])
        self.reports.configure(sending, receiving)

    def _sending_of(self, transceiver: Transceiver, parameters: RtpParameters) -> Sending:
        """The one that there is, even if it did not send for a while: numbers of an SSRC never begin again."""
        ssrc = transceiver.outgoing.ssrc
        sending = self._known.get(ssrc)
        if sending is None:
            sending = self._known[ssrc] = self._new_sending(transceiver, parameters)
        else:
            sending.set_parameters(transceiver, parameters)
        return sending

    # -- packets

    def receive(self, datagrams: Sequence[bytes], now: float) -> None:
        """Take SRTP and SRTCP datagrams."""
        srtp = self._srtp
        if srtp is None:
            return
        for datagram in datagrams:
            if is_rtcp(datagram):
                plain = srtp.unprotect_rtcp(datagram)
                if plain is not None:
                    self._receive_rtcp(plain, now)
            else:
                plain = srtp.unprotect_rtp(datagram)
                if plain is not None:
                    self._receive_rtp(plain, now)

    def _receive_rtp(self, data: bytes, now: float) -> None:
        packet = read_packet(data)
        if packet is None:
            return
        extensions = self._extensions.read(packet)
        if extensions.transport_sequence is not None:
            self._arrivals.receive(extensions.transport_sequence, packet.ssrc, now)
        route = self.router.route(packet, extensions)
        if route is not None:
            self._events += self.receiving[route.mid].receive(route, packet, extensions, now)

    def _receive_rtcp(self, data: bytes, now: float) -> None:
        again = self.reports.receive(data, self.router, self.estimator, now)
        for sending, packet in again:
            self.pacer.put((sending, packet, True), len(packet.payload), RETRANSMISSION)
        self._follow_estimate()

    def send(self, mid: str, data: bytes, timestamp: int, captured_at: float) -> None:
        """Send an encoded frame; it is dropped while nothing may be sent in that section.

        :param timestamp: in units of the codec's RTP clock, from anywhere.
        :param captured_at: monotonic seconds.
        :raises LocalProtocolError: it is no frame of the codec.
        """
        sending = self.sending.get(mid)
        if sending is None or self._srtp is None:
            return
        priority = AUDIO if sending.codec.codec.kind == "audio" else VIDEO
        for packet in sending.packetize(data, timestamp, captured_at):
            self.pacer.put((sending, packet, False), len(packet.payload), priority)

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """What leaves now."""
        srtp = self._srtp
        if srtp is None:
            return []
        datagrams = [srtp.protect_rtcp(packet) for packet in self._rtcp_to_send(now)]
        for sending, packet, is_again in self.pacer.take(now):
            written = self._write(sending, packet, is_again=is_again, now=now)
            if written is not None:
                datagrams.append(srtp.protect_rtp(written))
        if self.estimator.prober.active is not None:
            datagrams += [srtp.protect_rtp(packet) for packet in self._fill_probe(now)]
        return datagrams

    def _write(self, sending: Sending, packet: SentPacket, *, is_again: bool, now: float) -> bytes | None:
        stream = sending.stream
        number = self._number(sending, len(packet.payload) + stream.overhead + SRTP_OVERHEAD, now)
        return stream.write_again(packet, number, now) if is_again else stream.write(packet, number, now)

    def _number(self, sending: Sending, size: int, now: float) -> int:
        """The transport-wide number of a packet, where the other side tells what arrived."""
        is_told = any(uri == TRANSPORT_SEQUENCE for _, uri in sending.parameters.extensions)
        return self.estimator.sent(size, now) if is_told else 0

    def _fill_probe(self, now: float) -> list[bytes]:
        """What a probe of the path lacks of packets that are wanted anyway."""
        sending = next((one for one in self.sending.values() if one.codec.rtx_payload_type is not None), None)
        packets: list[bytes] = []
        while sending is not None and self.estimator.prober.active is not None and self.pacer.spare(now) > 0:
            size = min(self.pacer.spare(now), MAX_DATAGRAM - SRTP_OVERHEAD - sending.stream.overhead)
            written = sending.stream.write_probe(size, self._number(sending, size, now), now)
            if written is None:
                break
            self.pacer.use(len(written))
            packets.append(written)
        return packets

    def _rtcp_to_send(self, now: float) -> list[bytes]:
        feedback = list(self._arrivals.feedback()) if _is_due(self._arrivals.feedback_at, now) else []
        return self.reports.packets_to_send(feedback, now)

    # -- time

    def next_timeout(self) -> float | None:
        """When `handle_timeout`, and then `datagrams_to_send`, want to be called."""
        if self._srtp is None or not (self.sending or self.receiving):
            return None
        times = [self.pacer.next_timeout(), self._arrivals.feedback_at, self.estimator.next_timeout()]
        times += [self.reports.next_timeout(), *(one.next_timeout() for one in self.receiving.values())]
        return min((time for time in times if time is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """React to the passing of time."""
        for one in self.receiving.values():
            self._events += one.handle_timeout(now)
        self.estimator.handle_timeout(now)
        self._follow_estimate()

    def poll_events(self) -> list[MediaEvent]:
        """What has happened since the last call."""
        events = self._events.copy()
        self._events.clear()
        return events

    def _follow_estimate(self) -> None:
        probe = self.estimator.prober.active
        bitrate = self.estimator.bitrate
        self.pacer.set_bitrate(bitrate, probing=0.0 if probe is None else probe.bitrate)
        if self.reports.follow(bitrate):
            self._events.append(BitrateChanged(bitrate))


def _is_due(time: float | None, now: float) -> bool:
    return time is not None and now >= time
