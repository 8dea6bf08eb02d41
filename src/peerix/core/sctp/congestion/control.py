"""What a congestion controller is told, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from peerix.core.sctp.delivery import DeliverySample

INITIAL_PACKETS = 10
"""The initial window in packets (RFC 6928; RFC 9260 section 7.2.1 has 4,404 bytes, from before that)."""

MIN_PACKETS = 4
"""The window after a loss is at least so many packets (RFC 9260 section 7.2.3)."""


def fills_window(flight: int, cwnd: int, packet_size: int) -> bool:
    """Whether so much in flight says that the window is what limits the sender.

    Pacing leaves up to a tick's worth unsent now and then, hence the eighth.
    """
    return flight + packet_size + (cwnd >> 3) >= cwnd


class CongestionControl(Protocol):
    """Decides how many bytes may be in flight, and how fast they leave.

    Calls say what happened; `cwnd` and `pacing_rate` are the answer. Byte counts are user bytes of DATA chunks.

    :ivar cwnd: bytes that may be in flight.
    :ivar pacing_rate: bytes a second; 0 while nothing is known of the path, then only the window counts.
    """

    cwnd: int
    pacing_rate: float

    def receive_acked(self, sample: DeliverySample, now: float) -> None:
        """Take note of what a SACK told: newly delivered bytes, round trip, delivery rate, losses found."""

    def handle_loss(self, flight: int, now: float) -> None:
        """React to a loss; called once a window of data (RFC 9260 section 7.2.4). `flight` was in flight before it."""

    def handle_timeout(self, flight: int, now: float) -> None:
        """React to an expired T3-rtx timer (RFC 9260 section 7.2.3)."""

    def undo(self) -> None:
        """Take back the last reaction: the loss turned out to be reordering."""

    def set_packet_size(self, packet_size: int) -> None:
        """Go on with packets of another size."""


CongestionControlFactory: TypeAlias = Callable[[int], CongestionControl]
"""Makes a controller for packets of the given size."""
