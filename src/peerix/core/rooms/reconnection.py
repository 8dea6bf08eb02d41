"""When to invite a member again whose connection failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.deadlines import earliest

if TYPE_CHECKING:
    from collections.abc import Callable

JITTER_MS = 1000
"""An invitation is late by a random number of milliseconds below this: two sides should seldom collide."""

BACK_OFF_LIMIT = 30.0
"""Seconds between two invitations at most; before that 1, 2, 4, ..."""

MAX_ATTEMPTS = 8
"""Invitations to one member without a connection; then it is given up, after about a minute and a half."""


@dataclass(slots=True)
class _Retry:
    attempts: int = 0
    at: float | None = None


class Reconnections:
    """The members to invite, and when.

    :param random_bytes: for the jitter.
    :param limit: so many members are kept; the one kept longest goes first.
    """

    def __init__(self, random_bytes: Callable[[int], bytes], limit: int) -> None:
        self._random_bytes = random_bytes
        self._limit = limit
        self._retries: dict[str, _Retry] = {}

    def schedule(self, member: str, now: float) -> None:
        """The connection to `member` failed, or an invitation went out: plan the next one."""
        retry = self._retries.pop(member, None) or _Retry()
        if retry.attempts >= MAX_ATTEMPTS:
            return
        if len(self._retries) >= self._limit:
            del self._retries[next(iter(self._retries))]
        back_off = min(2.0 ** (retry.attempts - 1), BACK_OFF_LIMIT) if retry.attempts else 0.0
        jitter = int.from_bytes(self._random_bytes(4), "big") % JITTER_MS / 1000
        retry.attempts += 1
        retry.at = now + back_off + jitter
        self._retries[member] = retry

    def suspend(self, member: str) -> None:
        """A new connection to `member` is under way: wait, but remember how often it was tried."""
        retry = self._retries.get(member)
        if retry is not None:
            retry.at = None

    def forget(self, member: str) -> None:
        """The member is connected, or has left."""
        self._retries.pop(member, None)

    def clear(self) -> None:
        """Forget all."""
        self._retries.clear()

    def next_timeout(self) -> float | None:
        """When `take_due` gives something."""
        return earliest(retry.at for retry in self._retries.values())

    def take_due(self, now: float) -> list[str]:
        """Give the members to invite now; the next invitation to each is planned already."""
        due = [member for member, retry in self._retries.items() if retry.at is not None and retry.at <= now]
        for member in due:
            self.schedule(member, now)
        return due
