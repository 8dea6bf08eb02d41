"""One sent stream: payloads to numbered packets, packets to bytes when they leave, and again when they were lost.

Numbering and writing are two steps, since a pacer stands between: the transport-wide sequence number and the time of
sending are those of the moment when a packet leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.rtp.header_extensions import ExtensionMap, HeaderExtensions, abs_send_time
from peerix.core.rtp.packet_writer import PacketWriter
from peerix.core.rtp.retransmission import SendHistory, SentPacket, write_rtx_payload
from peerix.core.rtp.transmission import TransmissionStatistics

if TYPE_CHECKING:
    from collections.abc import Sequence


MAX_PADDING = 255
"""Bytes of one packet that is padding only."""


@dataclass(slots=True)
class SendCounters:
    """What happened to a stream beside its first sending."""

    retransmitted: int = 0
    """Packets that were sent again."""
    retransmitted_octets: int = 0
    """Of their payloads."""
    header_octets: int = 0
    """Bytes of the headers, extensions and padding of all that was sent."""
    nacks: int = 0
    """Requests for packets, as received."""
    picture_losses: int = 0
    full_intra_requests: int = 0
    frames: int = 0
    key_frames: int = 0


@dataclass(frozen=True, slots=True)
class StreamParameters:
    """What the descriptions say of a stream; `rtx_payload_types` maps payload types to those of their repetition.

    `rtx_ssrc` is None when nothing is sent again. `wall_offset` is the wall clock minus the monotonic one, in seconds.
    """

    ssrc: int
    clock_rate: int
    extensions: ExtensionMap
    mid: str | None = None
    rid: str | None = None
    rtx_ssrc: int | None = None
    rtx_payload_types: Mapping[int, int] | None = None
    wall_offset: float = 0.0


class SendStream:
    """Numbers, writes and repeats the packets of one SSRC, from random beginnings (RFC 3550 section 5.1)."""

    __slots__ = (
        "_history",
        "_parameters",
        "_rtx_sequence",
        "_rtx_writer",
        "_sequence",
        "_timestamp_offset",
        "_writer",
        "counters",
        "statistics",
    )

    def __init__(self, parameters: StreamParameters, random: bytes) -> None:
        """Take at least 8 random bytes."""
        self._parameters = parameters
        self._sequence = (
            int.from_bytes(random[:2], "big") >> 1
        )  # no wrap at once: SRTP would lose count (RFC 3711 3.3.1)
        self._rtx_sequence = int.from_bytes(random[2:4], "big") >> 1
        self._timestamp_offset = int.from_bytes(random[4:8], "big")
        self._history = SendHistory()
        self.statistics = TransmissionStatistics(parameters.ssrc, parameters.clock_rate, parameters.wall_offset)
        self.counters = SendCounters()
        self._writer, self._rtx_writer = _writers(parameters)

    def set_parameters(self, parameters: StreamParameters) -> None:
        """Go on as another negotiation says; the numbers of the same SSRC go on, or SRTP would refuse them."""
        self._parameters = parameters
        self._writer, self._rtx_writer = _writers(parameters)
        self.statistics.clock_rate = parameters.clock_rate

    @property
    def ssrc(self) -> int:
        """The source."""
        return self._parameters.ssrc

    @property
    def overhead(self) -> int:
        """Bytes that a packet has beside its payload, at most: the room that a packetiser has to leave."""
        if self._rtx_writer is None:
            return self._writer.overhead
        return max(self._writer.overhead, self._rtx_writer.overhead + 2)

    @property
    def rtx_ssrc(self) -> int | None:
        """The source of what is sent again; None when nothing is."""
        return self._parameters.rtx_ssrc

    @property
    def can_probe(self) -> bool:
        """Whether there is something to make probes of."""
        return self._rtx_writer is not None and self._history.newest() is not None

    def number(
        self,
        payloads: Sequence[bytes],
        payload_type: int,
        timestamp: int,
        captured_at: float,
        *,
        marker: bool = True,
    ) -> list[SentPacket]:
        """Number the payloads of one frame; the last one has the marker bit if `marker`.

        `timestamp` counts from anywhere; `captured_at` is the monotonic time of capture.
        """
        time = timestamp + self._timestamp_offset & 0xFFFFFFFF
        self.statistics.set_reference(time, captured_at)
        last = len(payloads) - 1
        packets: list[SentPacket] = []
        for index, payload in enumerate(payloads):
            packets.append(
                SentPacket(payload_type, marker and index == last, self._sequence, time, payload, captured_at)
            )
            self._sequence = self._sequence + 1 & 0xFFFF
        return packets

    def number_event(self, payload: bytes, payload_type: int, began_at: float, *, marker: bool) -> SentPacket:
        """Number a packet that tells of something beside the frames; it has the timestamp of its beginning.

        :param began_at: monotonic seconds.
        """
        time = self.statistics.timestamp_at(began_at)
        if time is None:
            time = self._timestamp_offset
            self.statistics.set_reference(time, began_at)
        packet = SentPacket(payload_type, marker, self._sequence, time, payload, began_at)
        self._sequence = self._sequence + 1 & 0xFFFF
        return packet

    def write(self, packet: SentPacket, transport_sequence: int, now: float) -> bytes:
        """Write a packet that leaves now, for the first time."""
        packet.sent_at = now
        size = len(packet.payload)
        self.statistics.count(1, size)
        if self._rtx_writer is not None:
            self._history.add(packet)
        written = self._writer.write(
            packet.payload_type,
            packet.marker,
            packet.sequence_number,
            packet.timestamp,
            packet.payload,
            transport_sequence,
            abs_send_time(now),
            marks=packet.marks,
        )
        self.counters.header_octets += len(written) - size
        return written

    def take_lost(self, sequence_numbers: Sequence[int], now: float) -> list[SentPacket]:
        """Give the packets that were asked for and can be sent again."""
        if self._rtx_writer is None:
            return []
        round_trip = self.statistics.round_trip_time
        found = [self._history.take(number, now, round_trip) for number in sequence_numbers]
        return [packet for packet in found if packet is not None]

    def write_again(self, packet: SentPacket, transport_sequence: int, now: float) -> bytes | None:
        """Write a packet of `take_lost` in the retransmission stream; None when its codec has none."""
        payload_type = (self._parameters.rtx_payload_types or {}).get(packet.payload_type)
        if self._rtx_writer is None or payload_type is None:
            return None
        self.counters.retransmitted += 1
        self.counters.retransmitted_octets += len(packet.payload)
        number, self._rtx_sequence = self._rtx_sequence, self._rtx_sequence + 1 & 0xFFFF
        payload = write_rtx_payload(packet)
        return self._counted(
            self._rtx_writer.write(
                payload_type,
                packet.marker,
                number,
                packet.timestamp,
                payload,
                transport_sequence,
                abs_send_time(now),
                marks=packet.marks,
            ),
            len(payload),
        )

    def write_probe(self, size: int, transport_sequence: int, now: float) -> bytes | None:
        """Write a packet of about `size` bytes that only measures the path; None when there is nothing to make it of.

        It goes to the retransmission stream: the last packet once more, or padding.
        """
        newest = self._history.newest()
        if newest is None:
            return None
        if size > MAX_PADDING and len(newest.payload) <= size:
            return self.write_again(newest, transport_sequence, now)
        payload_type = (self._parameters.rtx_payload_types or {}).get(newest.payload_type)
        if self._rtx_writer is None or payload_type is None:
            return None
        number, self._rtx_sequence = self._rtx_sequence, self._rtx_sequence + 1 & 0xFFFF
        time, padding = newest.timestamp, max(min(size, MAX_PADDING), 1)
        return self._counted(
            self._rtx_writer.write(
                payload_type, False, number, time, b"", transport_sequence, abs_send_time(now), padding
            ),
            0,
        )

    def _counted(self, written: bytes, payload: int) -> bytes:
        self.counters.header_octets += len(written) - payload
        return written


def _writers(parameters: StreamParameters) -> tuple[PacketWriter, PacketWriter | None]:
    """Those of a stream and of its retransmissions, which a stream without `rtx_ssrc` has none of."""
    mid, rid = parameters.mid, parameters.rid
    writer = PacketWriter(parameters.ssrc, parameters.extensions, HeaderExtensions(mid=mid, rid=rid))
    if parameters.rtx_ssrc is None:
        return writer, None
    fixed = HeaderExtensions(mid=mid, repaired_rid=rid)
    return writer, PacketWriter(parameters.rtx_ssrc, parameters.extensions, fixed)
