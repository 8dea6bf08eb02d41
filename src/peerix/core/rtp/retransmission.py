"""Retransmissions in a stream of their own (RFC 4588), and what is kept to make them.

    |  RTP header of the retransmission stream                      |
    |  original sequence number     |  original payload ...         |

Without RTX nothing is kept: a second packet with the same sequence number would use an SRTP nonce twice.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from peerix.core.rtp.header_extensions import HeaderExtensions

if TYPE_CHECKING:
    from peerix.core.rtp.packet import RtpPacket

MAX_PACKETS = 2048
"""Sent packets that are kept; more than a second of 20 Mbit/s."""

MAX_BYTES = 3 << 20
"""Bytes of payloads that are kept. Receivers of one published track share them."""

MAX_AGE = 2.0
"""Seconds that a packet is kept; nobody waits longer for it."""

DEFAULT_ROUND_TRIP = 0.1
"""Seconds, until one was measured."""


@dataclass(slots=True)
class SentPacket:
    """What is needed to send a packet again."""

    payload_type: int
    marker: bool
    sequence_number: int
    timestamp: int
    payload: bytes
    sent_at: float
    resent_at: float = -1.0
    marks: HeaderExtensions | None = None
    """Header extensions of this packet alone; one that is sent again carries them too."""


class SendHistory:
    """The packets of one source that can be sent again."""

    __slots__ = ("_bytes", "_order", "_packets")

    def __init__(self) -> None:
        self._packets: dict[int, SentPacket] = {}
        self._order: deque[SentPacket] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._order)

    def add(self, packet: SentPacket) -> None:
        """Keep a packet that leaves; what is too old or too much goes."""
        self._order.append(packet)
        self._packets[packet.sequence_number] = packet
        self._bytes += len(packet.payload)
        oldest = packet.sent_at - MAX_AGE
        while len(self._order) > MAX_PACKETS or self._bytes > MAX_BYTES or self._order[0].sent_at < oldest:
            gone = self._order.popleft()
            self._bytes -= len(gone.payload)
            if self._packets.get(gone.sequence_number) is gone:
                del self._packets[gone.sequence_number]
            if not self._order:
                break

    def take(self, sequence_number: int, now: float, round_trip: float | None) -> SentPacket | None:
        """Give a packet that was asked for.

        None when it is gone, or when it was sent again less than a round trip ago: the request did not know of that.
        """
        packet = self._packets.get(sequence_number)
        if packet is None or now - packet.sent_at > MAX_AGE:
            return None
        wait = DEFAULT_ROUND_TRIP if round_trip is None else round_trip
        if packet.resent_at >= 0 and now - packet.resent_at < wait:
            return None
        packet.resent_at = now
        return packet

    def newest(self) -> SentPacket | None:
        """Give the last packet, with which a probe can be filled."""
        return self._order[-1] if self._order else None


def write_rtx_payload(packet: SentPacket) -> bytes:
    """Write the payload of a retransmission."""
    return packet.sequence_number.to_bytes(2, "big") + packet.payload


def read_rtx(packet: RtpPacket, ssrc: int, payload_type: int) -> RtpPacket | None:
    """Give back the packet that was sent again; None when there is nothing in it, as in probes."""
    if len(packet.payload) < 3:
        return None
    return replace(
        packet,
        ssrc=ssrc,
        payload_type=payload_type,
        sequence_number=int.from_bytes(packet.payload[:2], "big"),
        payload=packet.payload[2:],
        padding=0,
    )
