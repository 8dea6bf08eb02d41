"""Requests to a program that the whole test session shares, from whatever event loop a test runs on.

A thread reads what the program says. It wakes the task that asked without waiting for it: its loop may be over.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import trio
from anyio import Event
from anyio.lowlevel import current_token

if TYPE_CHECKING:
    from collections.abc import Callable


class ForeignError(Exception):
    """The other program says that it could not do what it was asked to."""


@dataclass(slots=True)
class Reply:
    """What will have been answered to one request."""

    wake: Callable[[], object]
    arrived: Event
    result: Any = None
    error: str | None = None


class Replies:
    """The requests that wait for an answer."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._waiting: dict[int, Reply] = {}
        self._lock = threading.Lock()
        self._over: str | None = None

    async def ask(self, send: Callable[[int], None]) -> Any:
        """Send a request under a new number, and wait for its answer.

        :raises ForeignError: the answer is an error, or there will be none.
        """
        arrived = Event()
        reply = Reply(_waker(arrived), arrived)
        number = next(self._numbers)
        with self._lock:
            if self._over is not None:
                raise ForeignError(self._over)
            self._waiting[number] = reply
        try:
            send(number)
            await arrived.wait()
        finally:
            with self._lock:
                self._waiting.pop(number, None)
        if reply.error is not None:
            raise ForeignError(reply.error)
        return reply.result

    def answer(self, number: int, result: Any, error: str | None = None) -> None:
        """Called in the reading thread."""
        with self._lock:
            reply = self._waiting.pop(number, None)
        if reply is not None:
            reply.result, reply.error = result, error
            with contextlib.suppress(RuntimeError):  # the loop is closed; trio's error is one, too
                reply.wake()

    def end(self, reason: str) -> None:
        """No more answers will come. Called in the reading thread."""
        with self._lock:
            self._over = reason
            numbers = list(self._waiting)
        for number in numbers:
            self.answer(number, None, reason)


def _waker(event: Event) -> Callable[[], object]:
    loop = current_token().native_token
    if isinstance(loop, trio.lowlevel.TrioToken):
        return partial(loop.run_sync_soon, event.set)
    return partial(asyncio.get_running_loop().call_soon_threadsafe, event.set)
