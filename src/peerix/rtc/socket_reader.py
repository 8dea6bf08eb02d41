"""Calls back whenever a socket has something to read: on asyncio out of the loop itself, elsewhere out of a task.

To wait for a readable socket is to put it on the loop's list, park a task, take the socket off the list and switch to
the task: 50 us for a lone datagram. asyncio and uvloop have call-backs that stay. trio has not, and there a task waits
each time.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING

from anyio import ClosedResourceError, notify_closing, wait_readable
from anyio.lowlevel import checkpoint_if_cancelled, current_token

from peerix.rtc.callback_context import callback_context, raise_error

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from anyio.abc import TaskGroup

CANCELLATION_EVERY = 8
"""Wake-ups of a task between two looks for a cancellation, each of which goes through all scopes around the task."""


class SocketReader:
    """Watches one socket.

    :param read: called each time there is something to read; must read it, and must not block.
    """

    __slots__ = ("_loop", "_read", "_sock", "_tasks")

    def __init__(self, sock: socket.socket, read: Callable[[], None]) -> None:
        self._sock = sock
        self._read = read
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: TaskGroup | None = None

    def start(self, tasks: TaskGroup, name: str) -> None:
        """Watch until `close`, which is to be called before the group ends; what reading raises ends the group."""
        if self._sock.fileno() < 0:
            return
        self._tasks = tasks
        loop = current_token().native_token
        if not (isinstance(loop, asyncio.AbstractEventLoop) and self._watch(loop)):
            tasks.start_soon(self._run, name=name)

    def close(self) -> None:
        """Stop, before the socket is closed. Harmless when it has stopped."""
        if self._loop is not None:
            self._loop.remove_reader(self._sock)
            self._loop = None
        elif self._sock.fileno() >= 0:
            notify_closing(self._sock)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Ask the loop for call-backs; False where it has none (asyncio's proactor on Windows)."""
        try:
            callback_context().run(loop.add_reader, self._sock, self._call_back)
        except RuntimeError:
            return False
        self._loop = loop
        return True

    def _call_back(self) -> None:
        try:
            self._read()
        except BaseException as error:  # noqa: BLE001 - it ends the group
            self.close()
            if self._tasks is not None:
                self._tasks.start_soon(raise_error, error, name="failed reader of a socket")

    async def _run(self) -> None:
        for wake_up in count():
            # It may be closed before this task has its turn; trio takes all closed sockets, which have one number, for
            # one.
            if self._sock.fileno() < 0:
                return
            try:
                await wait_readable(self._sock)
            except (ClosedResourceError, OSError, ValueError):
                return
            # uvloop's wait_readable does not notice a cancellation while the socket is readable.
            if not wake_up % CANCELLATION_EVERY:
                await checkpoint_if_cancelled()
            self._read()
