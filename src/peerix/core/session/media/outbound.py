"""What one transport sends of media, by section: paced, as fast as the path carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from peerix.core.deadlines import earliest
from peerix.core.rtp.bandwidth import BandwidthEstimator
from peerix.core.rtp.pacer import AUDIO, MIN_SLEEP, RETRANSMISSION, VIDEO, Pacer
from peerix.core.rtp.repair_budget import SHARE, RepairBudget
from peerix.core.session.media.sending import MAX_DATAGRAM, SRTP_OVERHEAD, Sending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from peerix.core.jsep import RtpParameters, Transceiver
    from peerix.core.rtp.retransmission import SentPacket
    from peerix.core.session.media.sending import Encoding, OutgoingFrame

MAX_BITRATE = 8_000_000.0
"""Bits a second that are wanted of the path while nobody says otherwise."""

Waiting: TypeAlias = "tuple[Encoding, SentPacket, bool]"
"""What waits in the pacer: whose packet, the packet, and whether it is sent again."""


class Outbound:
    """The senders of one transport, and what they share.

    :param wall_offset: the wall clock (seconds since 1970) minus the monotonic clock `now`.
    :ivar sending: the sections that send, by MID.
    :ivar estimator: what the path carries.
    """

    __slots__ = ("_known", "_random_bytes", "_repairs", "_ssrcs", "_wall_offset", "estimator", "pacer", "sending")

    def __init__(self, random_bytes: Callable[[int], bytes], wall_offset: float, now: float) -> None:
        self._random_bytes = random_bytes
        self._wall_offset = wall_offset
        self._known: dict[int, Sending] = {}
        """All that ever was sent, by SSRC: one for each transceiver."""
        self._ssrcs = {0}
        """Those that are taken; 0 is no SSRC for some receivers."""
        self._repairs = RepairBudget()
        self.estimator = BandwidthEstimator(MAX_BITRATE)
        self.pacer: Pacer[Waiting] = Pacer(self.estimator.bitrate, now)
        self.sending: dict[str, Sending] = {}

    def configure(self, transceivers: Sequence[Transceiver]) -> None:
        """Take what the descriptions have made of the transceivers; what goes on is not disturbed."""
        sending: dict[str, Sending] = {}
        self._ssrcs.update(ssrc for t in transceivers for ssrc in (t.outgoing.ssrc, t.outgoing.rtx_ssrc))
        for transceiver in transceivers:
            mid, association = transceiver.mid, transceiver.association
            parameters = association.send
            if mid is None or transceiver.stopped or parameters is None or not parameters.codecs:
                continue
            if association.direction is not None and association.direction.sends:
                sending[mid] = self._sending_of(transceiver, parameters)
        self.sending = sending

    def _sending_of(self, transceiver: Transceiver, parameters: RtpParameters) -> Sending:
        """The one that there is, even if it did not send for a while: numbers of an SSRC never begin again."""
        ssrc = transceiver.outgoing.ssrc
        sending = self._known.get(ssrc)
        if sending is None:
            sending = self._known[ssrc] = Sending(
                transceiver,
                parameters,
                wall_offset=self._wall_offset,
                random_bytes=self._random_bytes,
                new_ssrc=self._new_ssrc,
            )
        else:
            sending.set_parameters(transceiver, parameters)
        return sending

    def _new_ssrc(self) -> int:
        """Choose an SSRC that none of ours has: two with one would use an SRTP nonce twice."""
        ssrc = int.from_bytes(self._random_bytes(4), "big")
        while ssrc in self._ssrcs:
            ssrc = ssrc + 1 & 0xFFFFFFFF
        self._ssrcs.add(ssrc)
        return ssrc

    # -- packets

    def send(self, mid: str, rid: str, frame: OutgoingFrame) -> None:
        """Let the packets of a frame wait for their turn; see `MediaTransport.send`."""
        sending = self.sending.get(mid)
        encoding = None if sending is None else sending.encoding(rid)
        if sending is None or encoding is None:
            return
        priority = AUDIO if sending.codec.codec.kind == "audio" else VIDEO
        for packet in encoding.packetize(sending.codec, frame, sending.playout_delay):
            self.pacer.put((encoding, packet, False), len(packet.payload), priority)

    def send_again(self, lost: Iterable[tuple[Encoding, SentPacket]], now: float) -> None:
        """Let packets that were asked for wait for their turn, as many as there is room for."""
        bitrate = self.estimator.bitrate
        self._repairs.expire(now)
        for encoding, packet in lost:
            if self._repairs.spend(len(packet.payload), bitrate, now):
                self.pacer.put((encoding, packet, True), len(packet.payload), RETRANSMISSION)

    def packets_to_send(self, now: float) -> list[bytes]:
        """What leaves now, not yet encrypted."""
        packets: list[bytes] = []
        if not self.sending and not self.pacer.queued_bytes:
            return packets
        self._put_tones(now)
        for encoding, packet, is_again in self.pacer.take(now):
            stream = encoding.stream
            number = self._number(encoding, len(packet.payload) + stream.overhead + SRTP_OVERHEAD, now)
            written = stream.write_again(packet, number, now) if is_again else stream.write(packet, number, now)
            if written is not None:
                packets.append(written)
        if self.estimator.prober.active is not None:
            packets += self._fill_probe(now)
        return packets

    def _put_tones(self, now: float) -> None:
        for sending in self.sending.values():
            if sending.codec.codec.kind == "video":
                continue
            at = sending.tones.next_timeout()
            if at is not None and now >= at:
                encoding = next(iter(sending.encodings.values()))
                for packet in sending.tone_packets(now):
                    self.pacer.put((encoding, packet, False), len(packet.payload), AUDIO)

    def _number(self, encoding: Encoding, size: int, now: float) -> int:
        """The transport-wide number of a packet, where the other side tells what arrived."""
        if encoding.told_of_arrivals:
            return self.estimator.sent(size, now)
        self.estimator.sent_untold(size, now)
        return 0

    def _fill_probe(self, now: float) -> list[bytes]:
        """What a probe of the path lacks of packets that are wanted anyway."""
        packets: list[bytes] = []
        encoding = self._encoding_for_probes()
        while encoding is not None and (probe := self.estimator.prober.active) is not None and probe.due_at <= now:
            size = min(probe.packet_size, MAX_DATAGRAM - SRTP_OVERHEAD - encoding.stream.overhead)
            written = encoding.stream.write_probe(size, self._number(encoding, size, now), now)
            if written is None:
                break
            self.pacer.use(len(written))
            packets.append(written)
        return packets

    def _encoding_for_probes(self) -> Encoding | None:
        """The stream whose packets are sent once more to fill a probe; None while others wait, which fill it too."""
        if self.pacer.queued_bytes:
            return None
        encodings = (one for sending in self.sending.values() for one in sending.encodings.values())
        return next((one for one in encodings if one.told_of_arrivals and one.stream.can_probe), None)

    # -- time

    def next_timeout(self) -> float | None:
        """When `handle_timeout`, and then `packets_to_send`, want to be called."""
        times = [self.pacer.next_timeout(), self.estimator.next_timeout()]
        probe = self.estimator.prober.active
        if probe is not None and self._encoding_for_probes() is not None:
            times.append(probe.due_at + MIN_SLEEP)
        times += [one.tones.next_timeout() for one in self.sending.values() if one.codec.codec.kind == "audio"]
        return earliest(times)

    def follow_estimate(self) -> float:
        """Pace as the estimate says, and give what of it is left for what is new."""
        probe = self.estimator.prober.active
        bitrate = self.estimator.bitrate
        self.pacer.set_bitrate(bitrate, probing=0.0 if probe is None else probe.bitrate)
        return bitrate - min(self._repairs.bitrate, SHARE * bitrate)
