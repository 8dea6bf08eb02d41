"""Dial tones that a section sends, packet by packet as time passes (RFC 4733 section 2.5)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from peerix.core.errors import LocalProtocolError
from peerix.core.rtp.payload.telephone_event import (
    DIGITS,
    END_REPEATS,
    MAX_DURATION,
    TelephoneEvent,
    write_telephone_event,
)

STEP = 0.05
"""Seconds between two packets of one tone (section 2.5.1.2)."""

MIN_DURATION = 0.04
"""Seconds that a tone lasts at least, and `MAX_TONE` at most (W3C WebRTC 7.2)."""

MAX_TONE = 6.0

MIN_GAP = 0.03
"""Seconds of silence between two tones, at least."""

MAX_WAITING = 64
"""Tones that wait for their turn."""

END_STEP = 0.02
"""Seconds between the packets that tell of the end, so that one burst of loss does not take them all."""

VOLUME = 10
"""-dBm0."""


@dataclass(slots=True)
class TonePacket:
    """One packet: when it leaves, when what it tells of began, and whether it begins a tone."""

    at: float
    began_at: float
    payload: bytes
    first: bool


class Tones:
    """The tones of one section, one after the other."""

    __slots__ = ("_free_at", "_packets", "_waiting")

    def __init__(self) -> None:
        self._free_at = 0.0
        self._packets: deque[TonePacket] = deque()
        self._waiting: deque[tuple[int, float, float]] = deque()

    def add(self, digit: str, duration: float, gap: float) -> None:
        """Let a tone follow those that wait.

        :raises LocalProtocolError: there is no such digit, or too many wait.
        """
        number = DIGITS.find(digit.upper())
        if number < 0 or len(digit) != 1:
            raise LocalProtocolError(f"{digit!r} is no digit of a telephone")
        if len(self._waiting) >= MAX_WAITING:
            raise LocalProtocolError(f"more than {MAX_WAITING} tones wait")
        self._waiting.append((number, min(max(duration, MIN_DURATION), MAX_TONE), max(gap, MIN_GAP)))

    def due(self, clock_rate: int, now: float) -> list[TonePacket]:
        """Give what leaves now; the clock is that of the sound beside it."""
        due: list[TonePacket] = []
        while True:
            if not self._packets and self._waiting and now >= self._free_at:
                number, duration, gap = self._waiting.popleft()
                self._packets.extend(_packets(number, duration, clock_rate, now))
                self._free_at = now + duration + gap
            if not self._packets or now < self._packets[0].at:
                return due
            due.append(self._packets.popleft())

    def clear(self) -> None:
        """Forget them: nobody takes them any more."""
        self._packets.clear()
        self._waiting.clear()

    def next_timeout(self) -> float | None:
        """When `due` has something to give."""
        if self._packets:
            return self._packets[0].at
        return self._free_at if self._waiting else None


def _packets(number: int, duration: float, clock_rate: int, now: float) -> list[TonePacket]:
    """Make the packets of one tone; a long one is told in segments, since its duration has 16 bits (2.5.1.3)."""
    made: list[TonePacket] = []
    segment, longest = 0.0, MAX_DURATION / clock_rate
    elapsed = STEP
    while elapsed < duration:
        if elapsed - segment > longest:
            made.append(_packet(number, now, segment, segment + longest, clock_rate))
            segment += longest
        made.append(_packet(number, now, segment, elapsed, clock_rate))
        elapsed += STEP
    if duration - segment > longest:
        made.append(_packet(number, now, segment, segment + longest, clock_rate))
        segment += longest
    for repeat in range(END_REPEATS):
        made.append(_packet(number, now, segment, duration, clock_rate, end=True))
        made[-1].at += repeat * END_STEP
    made[0].at, made[0].first = now, True
    return made


def _packet(
    number: int, now: float, segment: float, elapsed: float, clock_rate: int, *, end: bool = False
) -> TonePacket:
    event = TelephoneEvent(number, end, VOLUME, round((elapsed - segment) * clock_rate))
    return TonePacket(now + elapsed, now + segment, write_telephone_event(event), first=False)
