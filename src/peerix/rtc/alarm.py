"""Calls back when it is time: on asyncio out of the loop itself, elsewhere out of a task.

A task that sleeps until a deadline that moves is woken by an exception, through all scopes around it: that takes longer
than what most wake-ups of an idle connection have to do. And a task takes 60 us to start and end.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from anyio import CancelScope, Event, current_time
from anyio.lowlevel import current_token

from peerix.rtc.callback_context import callback_context, raise_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    from anyio.abc import TaskGroup


class Alarm:
    """One time at which somebody wants to be called.

    :param ring: called then, and after `ring_soon`, from `start` to `close`; must not block.
    """

    __slots__ = ("_at", "_context", "_loop", "_ring", "_scope", "_soon", "_tasks", "_timer", "_wake")

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._at = math.inf
        self._soon = False
        self._tasks: TaskGroup | None = None
        # asyncio
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: Context | None = None
        self._timer: asyncio.TimerHandle | None = None
        # elsewhere
        self._scope: CancelScope | None = None
        self._wake: Event | None = None

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
        elif self._wake is not None:
            self._wake.set()

    def start(self, tasks: TaskGroup) -> None:
        """Ring until `close`, which is to be called before the group ends; what ringing raises ends the group."""
        self._tasks = tasks
        loop = current_token().native_token
        if not isinstance(loop, asyncio.AbstractEventLoop):
            self._wake = Event()
            tasks.start_soon(self._run, name="alarm")
            return
        self._loop, self._context = loop, callback_context()
        self.set(self._at - current_time())
        if self._soon:
            loop.call_soon(self._call_back_soon, context=self._context)

    def close(self) -> None:
        """Ring no more; the task, where there is one, ends with its group."""
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _call_back(self) -> None:
        self._timer = None
        self._call()

    def _call_back_soon(self) -> None:
        self._soon = False
        self._call()

    def _call(self) -> None:
        if self._loop is None or self._tasks is None:
            return
        try:
            self._ring()
        except BaseException as error:  # noqa: BLE001 - it ends the group
            self.close()
            self._tasks.start_soon(raise_error, error, name="failed alarm")

    async def _run(self) -> None:
        while True:
            with CancelScope(deadline=self._at) as self._scope:
                if not self._soon and self._wake is not None:
                    await self._wake.wait()
            if self._soon:
                self._wake = Event()
                self._soon = False
            if self._at <= current_time():
                self._at = math.inf
            self._ring()
