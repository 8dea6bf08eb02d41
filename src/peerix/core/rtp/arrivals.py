"""Arrival times of all packets of a transport, told to the sender by transport-wide feedback."""

from __future__ import annotations

from peerix.core.rtp.clock import Unwrapper
from peerix.core.rtp.rtcp import TICK, TICKS_IN_REFERENCE, TransportFeedback

MAX_STATUSES = 400
"""Packets of one feedback: with two bytes each it is 936 bytes, so that every path and SRTP take it."""

MAX_RECORDED = 4096
"""Packets whose arrival is remembered; the oldest are forgotten first."""

REPEATED = 256
"""Sequence numbers that are told again when a late one among them comes."""

FEEDBACK_WAIT = 0.05
"""Seconds from the first packet that was not told of; then feedback goes with what comes next, which wakes us anyway.

What the delay-based estimate of a sender wants, where packets come at any time; 100 ms on a near path, where the
packets of a picture come together, 30 times a second. libwebrtc's feedback leaves every 50 to 250 ms.
"""

MAX_FEEDBACK_WAIT = 0.25
"""Seconds from the first packet that was not told of; then feedback leaves though nothing came."""

MAX_GAP = 4096
"""A larger jump of the sequence numbers is no loss: what lies before it is forgotten."""

_MAX_STEP = 32_767


class ArrivalRecorder:
    """Records what arrived and writes the feedback of it, from `ssrc`."""

    __slots__ = (
        "_arrivals",
        "_count",
        "_highest",
        "_next",
        "_ready_at",
        "_ssrc",
        "_unwrapper",
        "feedback_at",
        "media_ssrc",
    )

    def __init__(self, ssrc: int) -> None:
        self._ssrc = ssrc
        self.media_ssrc = 0
        self._arrivals: dict[int, float] = {}
        self._unwrapper = Unwrapper(16)
        self._next: int | None = None
        self._highest = 0
        self._count = 0
        self._ready_at = float("inf")
        self.feedback_at: float | None = None
        """When feedback is due if nothing comes before; None when there is nothing to tell."""

    def receive(self, transport_sequence: int, media_ssrc: int, now: float) -> None:
        """Record one packet."""
        number = self._unwrapper.unwrap(transport_sequence)
        if number in self._arrivals:
            return
        if self._next is None:
            self._next = number
        elif number < self._next:
            if number < self._next - REPEATED:
                return
            self._next = number
        elif number - self._highest > MAX_GAP:
            self._arrivals.clear()
            self._next = number
        self._highest = number if not self._arrivals else max(number, self._highest)
        self.media_ssrc = media_ssrc
        self._arrivals[number] = now
        if len(self._arrivals) > MAX_RECORDED:
            oldest = next(iter(self._arrivals))
            del self._arrivals[oldest]
            self._next = max(self._next, oldest + 1)  # it would be told as lost
        if self.feedback_at is None:
            self._ready_at = now + FEEDBACK_WAIT
            self.feedback_at = now + MAX_FEEDBACK_WAIT

    def is_ready(self, now: float) -> bool:
        """Whether feedback is worth sending by whoever is awake."""
        return now >= self._ready_at

    def feedback(self) -> list[TransportFeedback]:
        """Tell everything that was not told yet, in as many packets as it takes."""
        self.feedback_at = None
        self._ready_at = float("inf")
        if self._next is None or not self._arrivals:
            return []
        end = self._highest + 1
        packets: list[TransportFeedback] = []
        begin = self._next
        while begin < end:
            packet, begin = self._write(begin, end)
            packets.append(packet)
        self._next = end
        for number in [number for number in self._arrivals if number < end - REPEATED]:
            del self._arrivals[number]
        return packets

    def _write(self, begin: int, end: int) -> tuple[TransportFeedback, int]:
        """Write one packet from `begin` on; the second of the answer is where the next one begins."""
        get = self._arrivals.get
        first = next((time for number in range(begin, end) if (time := get(number)) is not None), 0.0)
        reference = int(first / (TICK * TICKS_IN_REFERENCE))
        start = reference * TICK * TICKS_IN_REFERENCE
        arrivals: list[int | None] = []
        previous = 0
        for number in range(begin, min(end, begin + MAX_STATUSES)):
            time = get(number)
            if time is None:
                arrivals.append(None)
                continue
            ticks = round((time - start) / TICK)
            if abs(ticks - previous) > _MAX_STEP:
                break
            arrivals.append(ticks)
            previous = ticks
        count, self._count = self._count, self._count + 1 & 0xFF
        reference = (reference + 0x800000 & 0xFFFFFF) - 0x800000
        packet = TransportFeedback(self._ssrc, self.media_ssrc, begin & 0xFFFF, reference, count, tuple(arrivals))
        return packet, begin + len(arrivals)
