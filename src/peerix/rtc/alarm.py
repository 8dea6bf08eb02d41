"""Calls back when it is time: on asyncio out of the loop itself, elsewhere out of a task.

A task that sleeps until a deadline that moves is woken by an exception, through all scopes around it: that takes longer
than what most wake-ups of an idle connection have to do.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from anyio import CancelScope, Event, current_time
from anyio.lowlevel import current_token

from peerix.rtc.callback_context import callback_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context


class Alarm:
    """One time at which somebody wants to be called.

    :param ring: called then, and after `ring_soon`, while `run` runs; must not block. What it raises ends `run`.
    """

    __slots__ = ("_at", "_context", "_ended", "_failure", "_loop", "_ring", "_scope", "_soon", "_timer", "_wake")

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._at = math.inf
        self._soon = False
        # asyncio
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: Context | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._failure: BaseException | None = None
        self._ended = Event()
        # elsewhere
        self._scope: CancelScope | None = None
        self._wake = Event()

    @property
    def is_set(self) -> bool:
        """Whether there is a time to come at which it rings."""
        return self._timer is not None if self._loop is not None else self._at < math.inf

    def set(self, delay: float) -> None:
        """Ring in `delay` seconds, and not at the time that was set before; infinity is never."""
        if self._loop is not None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
            if delay < math.inf:
                self._timer = self._loop.call_later(delay, self._call_back, context=self._context)
            return
        self._at = current_time() + delay
        if self._scope is not None:
            self._scope.deadline = self._at

    def ring_soon(self) -> None:
        """Ring at the next turn of the loop, beside the time that is set."""
        if self._soon:
            return
        self._soon = True
        if self._loop is not None:
            self._loop.call_soon(self._call_back_soon, context=self._context)
        else:
            self._wake.set()

    async def run(self) -> None:
        """Ring when it is time, until cancelled."""
        loop = current_token().native_token
        if isinstance(loop, asyncio.AbstractEventLoop):
            await self._run_call_backs(loop)
        else:
            await self._run_task()

    async def _run_call_backs(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._context = loop, callback_context()
        try:
            self.set(self._at - current_time())
            if self._soon:
                loop.call_soon(self._call_back_soon, context=self._context)
            await self._ended.wait()
        finally:
            self._stop()
        if self._failure is not None:
            raise self._failure

    def _call_back(self) -> None:
        self._timer = None
        self._call()

    def _call_back_soon(self) -> None:
        self._soon = False
        self._call()

    def _call(self) -> None:
        if self._loop is None:
            return
        try:
            self._ring()
        except BaseException as error:  # noqa: BLE001 - `run` raises it
            self._failure = error
            self._stop()
            self._ended.set()

    def _stop(self) -> None:
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _run_task(self) -> None:
        while True:
            with CancelScope(deadline=self._at) as self._scope:
                await self._wake.wait()
            if self._soon:
                self._wake = Event()
                self._soon = False
            if self._at <= current_time():
                self._at = math.inf
            self._ring()
