"""Short bursts above the estimate that find out quickly what the path carries."""

from __future__ import annotations

from dataclasses import dataclass, field

from peerix.core.rtp.bandwidth.sent_packets import PacketResult

PROBE_TIME = 0.02
"""Seconds that a burst lasts."""

MIN_PACKETS = 5
"""Packets of a burst, at least: fewer measure nothing."""

MAX_PROBE_TIME = 0.2
"""Seconds after which a burst ends that found too little to send."""

MAX_LATENESS = 4.0
"""How many times more than planned leaves when a wake-up comes late: a busy machine is not to be taken for the path."""

RESULT_TIMEOUT = 1.0
"""Seconds after which a burst without an answer is forgotten."""

REPEAT = 2.0
"""Seconds between two bursts in search of more."""

FIRST_FACTORS = (3.0, 6.0)
"""Of the first estimate, for the bursts with which a connection begins."""

NEXT_FACTOR = 2.0
"""Of the estimate, for later bursts."""

WORTHWHILE = 0.9
"""When a burst found this much of what it tried, the next one tries more at once."""


@dataclass(slots=True)
class Probe:
    """One burst: how fast it is to leave, and what was seen of it."""

    number: int
    bitrate: float
    begun_at: float
    first_sent_at: float | None = None
    sent_bytes: int = 0
    sent_packets: int = 0
    done_at: float | None = None
    results: list[PacketResult] = field(default_factory=list["PacketResult"])

    @property
    def wanted_bytes(self) -> int:
        """Bytes of the whole burst."""
        return int(self.bitrate * PROBE_TIME / 8)

    @property
    def packet_size(self) -> int:
        """Bytes of each packet that is made for it, so that there are enough of them."""
        return self.wanted_bytes // MIN_PACKETS

    @property
    def due_at(self) -> float:
        """When the next packet leaves so that the burst has its bitrate."""
        if self.first_sent_at is None:
            return self.begun_at
        return self.first_sent_at + self.sent_bytes * 8 / self.bitrate

    def is_complete(self, now: float) -> bool:
        """Tell whether all of it has left, what is due by now among it."""
        elapsed = 0.0 if self.first_sent_at is None else now - self.first_sent_at
        if elapsed > MAX_PROBE_TIME:
            return True
        planned = max(self.wanted_bytes, int(min(elapsed / PROBE_TIME, MAX_LATENESS) * self.wanted_bytes))
        return self.sent_bytes >= planned and self.sent_packets >= MIN_PACKETS

    def measured(self) -> float | None:
        """Give the bitrate that came through; None when too little of it has arrived."""
        came = [
            (result.sent_at, result.arrived_at, result.size) for result in self.results if result.arrived_at is not None
        ]
        if len(came) < max(0.8 * self.sent_packets, MIN_PACKETS - 1):
            return None
        sent = max(item[0] for item in came) - min(item[0] for item in came)
        arrived = max(item[1] for item in came) - min(item[1] for item in came)
        total = sum(item[2] for item in came)
        if sent <= 0 or arrived <= 0:
            return None
        # Of n packets, n - 1 intervals were measured: the last one leaves, the first one arrives, outside of them.
        send_rate = (total - max(came)[2]) * 8 / sent
        receive_rate = (total - min(came, key=lambda item: item[1])[2]) * 8 / arrived
        if receive_rate > 2 * send_rate:
            return None
        return receive_rate * 0.95 if receive_rate < 0.9 * send_rate else min(send_rate, receive_rate)


class Prober:
    """Decides when to probe, and how far; the pacer asks it for the probe that is under way."""

    __slots__ = ("_count", "_factors", "_next_at", "_planned", "_waiting", "active")

    def __init__(self) -> None:
        self._count = 0
        self._factors: tuple[float, ...] = (NEXT_FACTOR,)
        self._next_at: float | None = None
        self._planned: list[float] = []
        self._waiting: dict[int, Probe] = {}
        self.active: Probe | None = None
        """The burst that is leaving."""

    def start(self, bitrate: float, maximum: float, now: float) -> None:
        """Plan the first bursts."""
        self._planned = [bitrate * factor for factor in FIRST_FACTORS if bitrate * factor <= 2 * maximum]
        self._begin_planned(now)

    def search(self, bitrate: float, maximum: float, now: float) -> None:
        """Plan a burst when the last one is long ago, and more is wanted than the estimate."""
        if self._next_at is None or now < self._next_at or self.active is not None or bitrate >= maximum:
            return
        self._planned = sorted({min(bitrate * factor, maximum * 1.05) for factor in self._factors})
        self._factors = (NEXT_FACTOR,)
        self._begin_planned(now)

    def hurry(self) -> None:
        """Search with the next feedback as at the beginning: more is wanted than before."""
        if self._next_at is not None:
            self._factors, self._next_at = FIRST_FACTORS, float("-inf")

    def postpone(self, now: float) -> None:
        """Do not probe soon: the path is at its limit."""
        self._planned.clear()
        self.active = None
        self._next_at = now + REPEAT

    def sent(self, size: int, now: float) -> None:
        """Count a packet of the active burst."""
        probe = self.active
        if probe is None:
            return
        if probe.first_sent_at is None:
            probe.first_sent_at = now
        probe.sent_bytes += size
        probe.sent_packets += 1
        if probe.is_complete(now):
            probe.done_at = now
            self.active = None
            self._begin_planned(now)

    def receive(self, result: PacketResult, now: float) -> float | None:
        """Take the result of a packet of a burst; gives the bitrate when the burst has told enough."""
        probe = self._waiting.get(result.probe)
        if probe is None:
            return None
        if now - probe.begun_at > RESULT_TIMEOUT:
            del self._waiting[result.probe]
            return None
        probe.results.append(result)
        if probe.done_at is None or len(probe.results) < probe.sent_packets:
            return None
        del self._waiting[result.probe]
        measured = probe.measured()
        if measured is not None and measured > WORTHWHILE * probe.bitrate and not self._planned:
            self._next_at = now
        return measured

    def _begin_planned(self, now: float) -> None:
        self._next_at = now + REPEAT
        if not self._planned:
            return
        self._count += 1
        self.active = Probe(self._count, self._planned.pop(0), now)
        self._waiting[self._count] = self.active
        for number in [n for n, probe in self._waiting.items() if now - probe.begun_at > RESULT_TIMEOUT]:
            del self._waiting[number]
