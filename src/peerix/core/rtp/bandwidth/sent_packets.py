"""What left with transport-wide sequence numbers, matched with the feedback that comes for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.rtp.clock import Unwrapper, signed_difference
from peerix.core.rtp.rtcp import TICK, TICKS_IN_REFERENCE

if TYPE_CHECKING:
    from peerix.core.rtp.rtcp import TransportFeedback

MAX_SENT = 8192
"""Packets that are remembered; two seconds of 40 Mbit/s."""

NO_PROBE = 0


@dataclass(slots=True)
class PacketResult:
    """What became of one packet. The two clocks are not the same one."""

    sequence: int
    size: int
    sent_at: float
    arrived_at: float | None
    """By the receiver's clock; None for a packet that did not come."""
    probe: int
    """The number of the probe that the packet was a part of."""


@dataclass(slots=True)
class _Sent:
    size: int
    sent_at: float
    probe: int
    told_lost: bool = False


class SentPackets:
    """Hands out transport-wide sequence numbers, and turns feedback into results."""

    __slots__ = ("_next", "_references", "_sent", "in_flight", "round_trip_time")

    def __init__(self) -> None:
        self._next = 0
        self._references = Unwrapper(24)
        self._sent: dict[int, _Sent] = {}
        self.in_flight = 0
        """Bytes of which nothing was heard."""
        self.round_trip_time: float | None = None
        """Seconds from sending to feedback, of the last feedback; with what the receiver waited."""

    def add(self, size: int, now: float, probe: int = NO_PROBE) -> int:
        """Note a packet that leaves now, `size` bytes with all headers, and give its 16-bit number."""
        number = self._next
        self._next = number + 1
        self._sent[number] = _Sent(size, now, probe)
        self.in_flight += size
        gone = self._sent.pop(number - MAX_SENT, None)
        if gone is not None and not gone.told_lost:
            self.in_flight -= gone.size
        return number & 0xFFFF

    def receive(self, feedback: TransportFeedback, now: float) -> list[PacketResult]:
        """Give the results that a feedback packet tells, in the order of sending; each arrival is told once."""
        base = self._next + signed_difference(feedback.base_sequence, self._next & 0xFFFF, 16)
        start = self._references.unwrap(feedback.reference_time & 0xFFFFFF) * TICKS_IN_REFERENCE
        results: list[PacketResult] = []
        find, forget = self._sent.get, self._sent.pop
        for number, ticks in enumerate(feedback.arrivals, base):
            sent = find(number)
            if sent is None or (ticks is None and sent.told_lost):
                continue
            arrived_at = None if ticks is None else (start + ticks) * TICK
            results.append(PacketResult(number, sent.size, sent.sent_at, arrived_at, sent.probe))
            if not sent.told_lost:
                self.in_flight -= sent.size
            if ticks is None:
                sent.told_lost = True
            else:
                forget(number)
                self.round_trip_time = now - sent.sent_at
        return results
