"""Asking for packets that did not come, again and again until a deadline (RFC 4585 section 6.2.1)."""

from __future__ import annotations

from dataclasses import dataclass

REORDERING = 0.005
"""Seconds that a packet may be late before it is asked for."""

MINIMUM_REPEAT = 0.02
"""Seconds between two requests for one packet, however short the round trip."""

DEFAULT_ROUND_TRIP = 0.1
"""Seconds, until one was measured: here too, by how long answers take, since who only receives gets no reports."""

DEADLINE = 0.5
"""Seconds after which nobody waits for a packet any more."""

MAX_MISSING = 1000
"""Packets that are waited for at once; when more are missing, only a key frame helps."""


@dataclass(slots=True)
class _Missing:
    noticed_at: float
    ask_at: float
    asked_at: float = 0.0
    times_asked: int = 0


class NackGenerator:
    """The packets of one source that are missing; extended sequence numbers, as the reception statistics give them."""

    __slots__ = ("_highest", "_missing", "_next_at", "abandoned", "answer_time", "deadline", "requested")

    def __init__(self, deadline: float = DEADLINE) -> None:
        self.deadline = deadline
        self.requested = 0
        """Sequence numbers that were asked for, each time counted."""
        self.abandoned = 0
        """Packets that were given up."""
        self.answer_time: float | None = None
        """Seconds from a request to its answer, on average; None before the first one."""
        self._highest: int | None = None
        self._missing: dict[int, _Missing] = {}
        self._next_at: float | None = None

    @property
    def missing(self) -> int:
        """How many packets are being waited for."""
        return len(self._missing)

    def receive(self, extended: int, now: float) -> bool:
        """Take one packet, a repaired one too; False when so many are missing now that they were all given up."""
        if self._highest is None:
            self._highest = extended
            return True
        gap = extended - self._highest - 1
        if gap < 0:
            repaired = self._missing.pop(extended, None)
            if repaired is not None and repaired.times_asked == 1:
                self._measure(now - repaired.asked_at)
            return True
        first, self._highest = self._highest + 1, extended
        if not gap:
            return True
        if gap + len(self._missing) > MAX_MISSING:
            self.abandoned += gap + len(self._missing)
            self._missing.clear()
            self._next_at = None
            return False
        ask_at = now + REORDERING
        for number in range(first, extended):
            self._missing[number] = _Missing(now, ask_at)
        if self._next_at is None or ask_at < self._next_at:
            self._next_at = ask_at
        return True

    def forget_before(self, extended: int) -> None:
        """Stop to wait for what lies before; a key frame has made it useless."""
        for number in [number for number in self._missing if number < extended]:
            del self._missing[number]

    def next_timeout(self) -> float | None:
        """When `due` has something to say."""
        return self._next_at if self._missing else None

    def due(self, now: float, round_trip: float | None) -> tuple[int, ...]:
        """Give the sequence numbers (16 bits, in order) that are to be asked for now.

        Each is asked for again when an answer could have come; after the deadline it is given up.
        """
        if self._next_at is None or now < self._next_at:
            return ()
        expected = next((time for time in (round_trip, self.answer_time) if time is not None), DEFAULT_ROUND_TRIP)
        repeat = max(expected * 1.25, MINIMUM_REPEAT)
        asked: list[int] = []
        given_up: list[int] = []
        next_at: float | None = None
        for number, missing in self._missing.items():
            if now - missing.noticed_at >= self.deadline:
                given_up.append(number)
                continue
            if missing.ask_at <= now:
                asked.append(number)
                missing.ask_at = now + repeat
                missing.asked_at = now
                missing.times_asked += 1
            if next_at is None or missing.ask_at < next_at:
                next_at = missing.ask_at
        for number in given_up:
            del self._missing[number]
        self._next_at = next_at
        self.abandoned += len(given_up)
        self.requested += len(asked)
        return tuple(number & 0xFFFF for number in sorted(asked))

    def _measure(self, time: float) -> None:
        """Take one answer; of a packet that was asked for twice nobody knows which request it answers."""
        self.answer_time = time if self.answer_time is None else self.answer_time + (time - self.answer_time) / 4
