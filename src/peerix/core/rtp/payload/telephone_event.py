"""Dial tones as events (RFC 4733 section 2.3).

|     event     |E|R| volume    |          duration             |
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_EVENT = struct.Struct("!BBH")

DIGITS = "0123456789*#ABCD"
"""The digits of a telephone by their event number (RFC 4733 section 3.2)."""

MAX_DURATION = 0xFFFF

END_REPEATS = 3
"""How often the end is sent (RFC 4733 section 2.5.1.4)."""


@dataclass(slots=True)
class TelephoneEvent:
    """A tone that is going on, or has ended: `duration` in timestamp units, `volume` in -dBm0, 0 to 63."""

    event: int
    end: bool
    volume: int
    duration: int

    @property
    def digit(self) -> str | None:
        """The digit of the event; None for other events."""
        return DIGITS[self.event] if self.event < len(DIGITS) else None


def write_telephone_event(event: TelephoneEvent) -> bytes:
    """Write the payload."""
    return _EVENT.pack(event.event, event.end << 7 | event.volume & 0x3F, min(event.duration, MAX_DURATION))


def read_telephone_event(payload: bytes) -> TelephoneEvent | None:
    """Read the payload; None when it is too short."""
    if len(payload) < 4:
        return None
    event, flags, duration = _EVENT.unpack_from(payload)
    return TelephoneEvent(event, flags > 0x7F, flags & 0x3F, duration)


def write_tone(digit: str, duration: int, step: int, volume: int = 10) -> list[TelephoneEvent]:
    """Give the events of one tone of `duration` timestamp units, one every `step`; the end comes three times.

    All are sent with the timestamp of the first, which alone has the marker bit.

    :raises ValueError: if there is no such digit.
    """
    number = DIGITS.index(digit.upper())
    going_on = [TelephoneEvent(number, end=False, volume=volume, duration=d) for d in range(step, duration, step)]
    ended = [TelephoneEvent(number, end=True, volume=volume, duration=duration)] * END_REPEATS
    return [*going_on, *ended]
