"""Requests to STUN and TURN servers in flight, and their retransmission (RFC 8489 6.2.1, 6.2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_REQUESTS = 256
"""Requests in flight; the oldest is given up for a new one. They are our own, so this is a belt beside braces."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a request is sent again.

    It goes out `transmissions` times, `rto` seconds after the first time and then after twice as long each, at most
    `max_rto`; `last_wait` seconds after the last time it has failed.
    """

    rto: float
    transmissions: int
    max_rto: float
    last_wait: float


@dataclass(slots=True)
class PendingRequest(Generic[T]):
    """One request in flight; `context` is what its sender wants back with the answer."""

    id: bytes
    data: bytes
    context: T
    next_at: float
    rto: float
    transmissions_left: int


class PendingRequests(Generic[T]):
    """The requests in flight, by transaction id."""

    __slots__ = ("_by_id", "_schedule")

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._by_id: dict[bytes, PendingRequest[T]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, transaction_id: bytes, data: bytes, context: T, now: float) -> None:
        """Keep a request that goes out now."""
        while len(self._by_id) >= MAX_REQUESTS:
            del self._by_id[next(iter(self._by_id))]
        schedule = self._schedule
        wait = schedule.rto if schedule.transmissions > 1 else schedule.last_wait
        self._by_id[transaction_id] = PendingRequest(
            transaction_id, data, context, now + wait, schedule.rto, schedule.transmissions - 1
        )

    def get(self, transaction_id: bytes) -> PendingRequest[T] | None:
        """Return the request with that id."""
        return self._by_id.get(transaction_id)

    def contexts(self) -> list[T]:
        """Return the context of each request in flight."""
        return [request.context for request in self._by_id.values()]

    def remove(self, transaction_id: bytes) -> None:
        """Forget a request."""
        self._by_id.pop(transaction_id, None)

    def clear(self) -> None:
        """Forget all requests."""
        self._by_id.clear()

    def due(self, now: float) -> tuple[list[PendingRequest[T]], list[PendingRequest[T]]]:
        """Return the requests to send again now, and those that failed (which are forgotten)."""
        again: list[PendingRequest[T]] = []
        failed: list[PendingRequest[T]] = []
        for request in list(self._by_id.values()):
            if request.next_at > now:
                continue
            if not request.transmissions_left:
                del self._by_id[request.id]
                failed.append(request)
                continue
            request.transmissions_left -= 1
            request.rto = min(request.rto * 2, self._schedule.max_rto)
            request.next_at = now + (request.rto if request.transmissions_left else self._schedule.last_wait)
            again.append(request)
        return again, failed

    def next_timeout(self) -> float | None:
        """Return when `due` has something to give."""
        return min((request.next_at for request in self._by_id.values()), default=None)
