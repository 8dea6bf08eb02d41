"""A link in virtual time: it loses and delays packets by a seed."""

from __future__ import annotations

import heapq
import random


class Link:
    """One direction; `loss` is a share, `delay` and `jitter` are seconds, `rate` bytes a second with a queue."""

    def __init__(
        self,
        seed: int,
        *,
        loss: float = 0.0,
        delay: float = 0.03,
        jitter: float = 0.0,
        rate: float | None = None,
        queue: float = 0.5,
    ) -> None:
        self.chance = random.Random(seed)
        self.loss, self.delay, self.jitter, self.rate, self.queue = loss, delay, jitter, rate, queue
        self.free_at = 0.0
        self.lost = 0
        self._count = 0
        self._packets: list[tuple[float, int, bytes]] = []

    def send(self, packet: bytes, now: float) -> None:
        wait = max(self.free_at - now, 0.0)
        if wait > self.queue or self.chance.random() < self.loss:
            self.lost += 1
            return
        if self.rate is not None:
            wait += len(packet) / self.rate
            self.free_at = now + wait
        self._count += 1
        arrival = now + wait + self.delay + self.chance.uniform(0, self.jitter)
        heapq.heappush(self._packets, (arrival, self._count, packet))

    def receive(self, now: float) -> list[tuple[float, bytes]]:
        found: list[tuple[float, bytes]] = []
        while self._packets and self._packets[0][0] <= now:
            arrival, _, packet = heapq.heappop(self._packets)
            found.append((arrival, packet))
        return found

    def next_arrival(self) -> float | None:
        return self._packets[0][0] if self._packets else None
