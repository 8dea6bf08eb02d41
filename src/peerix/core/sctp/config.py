"""The settings of an association. Times are seconds, sizes bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from peerix.core.sctp.congestion import DEFAULT_ALGORITHM, CongestionControlFactory, find_algorithm

if TYPE_CHECKING:
    from peerix.core.sctp.congestion import CongestionControl

MAX_STREAMS = 1024
"""Streams in each direction that we announce and allocate. Browsers use ids below this."""

MAX_MESSAGE_SIZE = 262_144
"""Bytes of the largest message that we announce to take, as browsers do."""

RECEIVE_LIMIT = 2_097_152
"""Bytes of the receive window at the start: 20 MB/s at a round trip of 100 ms."""


@dataclass(slots=True)
class SctpTimers:
    """RFC 9260 section 16. RTO.Min and RTO.Max are lower than the RFC's, as all WebRTC stacks have them.

    `rto_min` must exceed the 200 ms for which a peer may delay a SACK.
    """

    rto_initial: float = 0.5
    rto_min: float = 0.3
    rto_max: float = 10.0
    delayed_ack: float = 0.2
    heartbeat_interval: float = 30.0
    max_retransmissions: int = 10
    max_init_retransmissions: int = 8


@dataclass(slots=True)
class SctpConfig:
    """What an association is made with.

    :ivar receive_limit: the receive window (`Association.set_receive_limit` changes it later).
    :ivar max_message_size: the largest message that the reassembly keeps.
    :ivar max_outstanding: ceiling of the bytes in flight, whatever the peer and the congestion window allow.
    :ivar zero_checksum: let DTLS guard the packets where the peer agrees (RFC 9653).
    :ivar interleaving: use I-DATA where the peer agrees (RFC 8260).
    :ivar path_mtu_discovery: look for larger packets (RFC 8899).
    :ivar max_packet_size_limit: the largest packet that discovery may try: a full packet of a transfer in one chunk (12
        + 20 + 16,334 bytes), and in one DTLS record (16,384).
    :ivar congestion_control: the name of the congestion controller (`congestion.ALGORITHMS`), or what makes one.
    :raises LocalProtocolError: there is no controller of that name.
    """

    timers: SctpTimers = field(default_factory=SctpTimers)
    receive_limit: int = RECEIVE_LIMIT
    max_message_size: int = MAX_MESSAGE_SIZE
    max_outstanding: int = 8_388_608
    zero_checksum: bool = True
    interleaving: bool = True
    path_mtu_discovery: bool = True
    max_packet_size_limit: int = 16_368
    congestion_control: str | CongestionControlFactory = DEFAULT_ALGORITHM

    def __post_init__(self) -> None:
        if isinstance(self.congestion_control, str):
            find_algorithm(self.congestion_control)

    def make_congestion_control(self, packet_size: int) -> CongestionControl:
        """Make a controller for a path of which nothing is known."""
        chosen = self.congestion_control
        return (find_algorithm(chosen) if isinstance(chosen, str) else chosen)(packet_size)
