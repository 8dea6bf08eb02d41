"""The way to one other driver: a bounded queue and the task that empties it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

if TYPE_CHECKING:
    import socket

    from peerix.drivers.broadcast.endpoint import Endpoint

MAX_QUEUE = 4 << 20
"""Bytes that wait for one receiver, beside what the kernel holds; what does not fit is lost to it."""


class Link:
    """Sends frames to one endpoint, in order, and drops those that a slow receiver has no room for."""

    def __init__(self, endpoint: Endpoint, name: str) -> None:
        self._endpoint = endpoint
        self._name = name
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._closing = False
        self._changed = anyio.Event()
        self._drained = anyio.Event()
        self._drained.set()
        self.dropped = 0

    def offer(self, frame: bytes) -> None:
        """Queue a frame, or drop it when the receiver is too far behind."""
        if self._queued + len(frame) > MAX_QUEUE:
            self.dropped += 1
            return
        if not self._queue:
            self._drained = anyio.Event()
        self._queue.append(frame)
        self._queued += len(frame)
        self._changed.set()

    def finish(self) -> None:
        """Let `run` return once the queue is empty."""
        self._closing = True
        self._changed.set()

    async def drained(self) -> None:
        """Wait until the kernel has everything, or the receiver turned out to be gone."""
        await self._drained.wait()

    async def run(self) -> None:
        """Connect and carry frames until the receiver is gone or `finish` was called."""
        try:
            # A connection that broke is made once more: that is how a dead receiver is told from a lost connection.
            while await self._carry():
                pass
        finally:
            self._drained.set()

    async def _carry(self) -> bool:
        """Use one connection; True when it was of some use and broke."""
        try:
            connection = await self._endpoint.connect(self._name)
        except ConnectionRefusedError:
            await self._endpoint.forget(self._name)
            return False
        except (OSError, TimeoutError):
            # Gone, not ours, or too busy to answer: the next packet tries again.
            return False
        used = False
        with connection:
            while True:
                while self._queue:
                    if not await _send(connection, self._queue[0]):
                        return used
                    used = True
                    self._queued -= len(self._queue.popleft())
                self._drained.set()
                if self._closing:
                    return False
                self._changed = anyio.Event()
                await self._changed.wait()


async def _send(connection: socket.socket, frame: bytes) -> bool:
    await checkpoint_if_cancelled()
    view = memoryview(frame)
    while view:
        try:
            view = view[connection.send(view) :]
        except BlockingIOError:
            await anyio.wait_writable(connection)
        except OSError:
            return False
    return True
