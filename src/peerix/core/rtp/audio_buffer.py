"""Packets of an audio stream to a sequence without holes in time, for decoders that can conceal what is lost.

What is next in order leaves at once. A hole is waited for as long as the jitter of the stream suggests, and then
becomes a unit without payload, of the duration that is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.rtp.clock import Unwrapper, signed_difference
from peerix.core.rtp.playout import PlayoutDelay

if TYPE_CHECKING:
    from collections.abc import Callable

MINIMUM_DELAY = 0.02
"""Seconds that a hole is waited for at least: the next packet may only have overtaken."""

MAXIMUM_DELAY = 0.5
"""Seconds that a hole is waited for at most."""

MAX_UNITS = 256
"""Packets that are kept behind a hole, five seconds of 20 ms."""

MAX_HOLE = 10.0
"""Seconds of a hole that are filled; after a longer one the stream begins anew."""

_LATE_IN_A_ROW = 10


@dataclass(slots=True)
class AudioUnit:
    """One piece of a stream; each begins where the one before ends, but after a new beginning."""

    timestamp: int
    """As in the packets, 32 bits of the codec's clock."""
    duration: int
    """In units of that clock."""
    payload: bytes | None
    """An encoded frame; None: it is lost, or nothing was sent."""
    recovery: bytes | None = None
    """Of a lost piece: the packet behind it, which repeats it (Opus in-band FEC)."""
    silence: bool = False
    """Nothing was sent, since nobody spoke (DTX)."""
    playout_at: float = 0.0
    """When it is to be heard so that few come too late; advice for those who play."""


@dataclass(slots=True)
class AudioCounters:
    """What became of packets."""

    packets: int = 0
    late_packets: int = 0
    duplicates: int = 0
    released: int = 0
    """What was handed out, in units of the clock, what is missing or silent included."""
    concealed: int = 0
    """Of lost packets that nothing repeats, in units of the clock."""
    concealments: int = 0
    """Holes of which nothing repeats at least a part."""
    recovered: int = 0
    """Holes that the next packet fills, at least in part."""
    repetitions: int = 0
    """Packets beside others (RED) or in them (in-band FEC)."""
    repetitions_unused: int = 0
    """Those of them that were not needed, or came too late."""


@dataclass(slots=True)
class _Held:
    payload: bytes
    duration: int
    sequence_number: int
    repeated: int = 0
    """How much before it is in it, too."""


def never_repeats(_payload: bytes) -> int:
    """Answer for codecs without in-band FEC."""
    return 0


class AudioBuffer:
    """The units of one stream.

    `duration_of` gives the duration of a payload, None when it is none; `repeated_by` how much of what is before it a
    payload also holds. With `counters` it goes on counting there.
    """

    __slots__ = (
        "_clock_rate",
        "_duration_of",
        "_held",
        "_hole_since",
        "_late_in_a_row",
        "_next",
        "_played",
        "_repeated_by",
        "_unwrapper",
        "counters",
        "playout",
    )

    def __init__(
        self,
        clock_rate: int,
        duration_of: Callable[[bytes], int | None],
        repeated_by: Callable[[bytes], int] = never_repeats,
        maximum_delay: float = MAXIMUM_DELAY,
        counters: AudioCounters | None = None,
    ) -> None:
        self._clock_rate = clock_rate
        self._duration_of = duration_of
        self._repeated_by = repeated_by
        self.playout = PlayoutDelay(clock_rate, MINIMUM_DELAY, maximum_delay)
        self.counters = counters or AudioCounters()
        self._unwrapper = Unwrapper(32)
        self._held: dict[int, _Held] = {}
        self._next: int | None = None
        self._played: _Held | None = None
        self._hole_since: float | None = None
        self._late_in_a_row = 0

    def insert(self, extended: int, timestamp: int, payload: bytes, now: float) -> list[AudioUnit]:
        """Take one packet by its extended sequence number and give what is next in order."""
        duration = self._duration_of(payload)
        if duration is None:
            return []
        time = self._unwrapper.unwrap(timestamp)
        repeated = self._repeated_by(payload)
        self.counters.repetitions += repeated > 0
        if self._next is not None and time < self._next:
            self.counters.late_packets += 1
            self._late_in_a_row += 1
            if self._late_in_a_row < _LATE_IN_A_ROW:
                self.counters.repetitions_unused += repeated > 0
                return []
            self._begin_anew()  # the sender's clock jumped back
        self._late_in_a_row = 0
        self.counters.packets += 1
        self.playout.arrived(time, now)
        self._hold(time, _Held(payload, duration, extended, repeated))
        return self._release(now)

    def insert_redundant(self, extended: int, timestamp: int, payload: bytes, now: float) -> list[AudioUnit]:
        """Take a repeated packet (RED); it counts only where the first one is missing."""
        duration = self._duration_of(payload)
        if duration is None or self._next is None:
            return []
        self.counters.repetitions += 1
        time = self._next + signed_difference(timestamp, self._next & 0xFFFFFFFF, 32)
        if time < self._next or time in self._held:
            self.counters.repetitions_unused += 1
            return []
        repeated = self._repeated_by(payload)
        self.counters.repetitions += repeated > 0
        self._hold(time, _Held(payload, duration, extended, repeated))
        return self._release(now)

    def next_timeout(self) -> float | None:
        """When a hole is given up."""
        if self._hole_since is None or self._next is None:
            return None
        wanted = max(self.playout.playout_at(self._next), self._hole_since + MINIMUM_DELAY)
        return min(wanted, self._hole_since + MAXIMUM_DELAY)

    def handle_timeout(self, now: float) -> list[AudioUnit]:
        """Conceal a hole whose deadline has come, and give what follows it."""
        return self._release(now)

    def _hold(self, time: int, held: _Held) -> None:
        if time in self._held:
            self.counters.duplicates += 1
            self.counters.repetitions_unused += held.repeated > 0
            return
        self._held[time] = held
        if len(self._held) > MAX_UNITS:
            del self._held[min(self._held)]

    def _release(self, now: float) -> list[AudioUnit]:
        units: list[AudioUnit] = []
        if self._next is None and self._held:
            self._next = min(self._held)
        while self._next is not None and self._held:
            held = self._held.pop(self._next, None)
            if held is not None:
                self.counters.repetitions_unused += held.repeated > 0
                units.append(self._unit(self._next, held.duration, held.payload))
                self._next += held.duration
                self._played = held
                continue
            following = min(self._held)
            if following < self._next:
                overlapping = self._held.pop(following)  # with what has left
                self.counters.repetitions_unused += overlapping.repeated > 0
                self.counters.late_packets += 1
                continue
            silence = self._is_silence(following)
            if not silence and not self._is_overdue(now):
                return units
            units += self._fill(following, silence=silence)
            self._next = following
        self._hole_since = None
        return units

    def _is_silence(self, following: int) -> bool:
        """Nothing is missing when the sequence numbers go on."""
        return self._played is not None and self._held[following].sequence_number == self._played.sequence_number + 1

    def _is_overdue(self, now: float) -> bool:
        if self._hole_since is None:
            self._hole_since = now
        deadline = self.next_timeout()
        if deadline is None or now < deadline:
            return False
        self._hole_since = None
        return True

    def _fill(self, following: int, *, silence: bool) -> list[AudioUnit]:
        """Give units for what is missing before `following`, which the packet there may repeat in part."""
        start = following if self._next is None else self._next
        missing = following - start
        if missing > MAX_HOLE * self._clock_rate:
            return []
        if silence:
            return [self._unit(start, missing, None, silence=True)]
        held = self._held[following]
        repeated = held.repeated
        self.counters.concealments += repeated != missing
        if not repeated or repeated > missing:
            self.counters.concealed += missing
            return [self._unit(start, missing, None)]
        held.repeated = 0  # it is made use of
        self.counters.recovered += 1
        self.counters.concealed += missing - repeated
        last = self._unit(following - repeated, repeated, None, recovery=held.payload)
        return [self._unit(start, missing - repeated, None), last] if missing > repeated else [last]

    def _unit(
        self,
        time: int,
        duration: int,
        payload: bytes | None,
        *,
        recovery: bytes | None = None,
        silence: bool = False,
    ) -> AudioUnit:
        self.counters.released += duration
        return AudioUnit(time & 0xFFFFFFFF, duration, payload, recovery, silence, self.playout.playout_at(time))

    def _begin_anew(self) -> None:
        self._held.clear()
        self._next = None
        self._played = None
        self._hole_since = None
