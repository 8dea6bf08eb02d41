"""The sockets of an entered driver: one that listens, one from each sender, one to each receiver."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from peerix.core.errors import RemoteProtocolError
from peerix.drivers.broadcast.frames import FrameReader
from peerix.drivers.broadcast.link import Link
from peerix.task_groups import owned_task_group

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator, Callable

    from anyio.abc import TaskGroup

    from peerix.drivers.broadcast.endpoint import Endpoint

MAX_CONNECTIONS = 1024
"""Processes that may be connected to one driver; more are turned away."""

FLUSH_TIMEOUT = 0.5
"""Seconds that leaving gives receivers to take what was published just before."""

_RECEIVE_SIZE = 65536
_RECEIVE_BATCH = 16
_ACCEPT_PAUSE = 0.05
"""Seconds after a sender could not be accepted: the listener stays readable, and descriptors come back in silence."""


class Network:
    """Accepts senders, and keeps a link to each receiver that something was published to.

    :param deliver: called with the namespace and the packet of each frame that arrives
    """

    def __init__(self, endpoint: Endpoint, tasks: TaskGroup, deliver: Callable[[str, bytes], None]) -> None:
        self._endpoint = endpoint
        self._tasks = tasks
        self._deliver = deliver
        self._links: dict[str, Link] = {}
        self._connections = 0

    @classmethod
    @asynccontextmanager
    async def opened(cls, endpoint: Endpoint, deliver: Callable[[str, bytes], None]) -> AsyncGenerator[Self]:
        """Be reachable for as long as a block lasts; leaving it waits a moment for what is under way."""
        listener = await endpoint.open()
        try:
            async with owned_task_group() as tasks:
                network = cls(endpoint, tasks, deliver)
                tasks.start_soon(network.accept, listener)
                try:
                    yield network
                finally:
                    endpoint.close()
                    with anyio.move_on_after(FLUSH_TIMEOUT, shield=True):
                        await network.flush()
                    tasks.cancel_scope.cancel()
        finally:
            endpoint.close()
            listener.close()

    def broadcast(self, frame: bytes) -> None:
        """Queue a frame for every other endpoint that is there now."""
        names = self._endpoint.others()
        for name in names:
            link = self._links.get(name)
            if link is None:
                link = self._links[name] = Link(self._endpoint, name)
                self._tasks.start_soon(self._run_link, name, link)
            link.offer(frame)
        for name in self._links.keys() - names:
            self._links[name].finish()

    async def flush(self) -> None:
        """Wait until every receiver has what was queued for it."""
        for link in tuple(self._links.values()):
            await link.drained()

    async def accept(self, listener: socket.socket) -> None:
        """Accept senders for ever."""
        while True:
            await checkpoint_if_cancelled()
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                await anyio.wait_readable(listener)
            except OSError:
                # Out of descriptors, or the sender is gone again: neither is a reason to stop listening.
                await anyio.sleep(_ACCEPT_PAUSE)
            else:
                if self._connections >= MAX_CONNECTIONS:
                    connection.close()
                else:
                    self._connections += 1
                    self._tasks.start_soon(self._serve, connection)

    async def _run_link(self, name: str, link: Link) -> None:
        try:
            await link.run()
        finally:
            del self._links[name]

    async def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.setblocking(False)
                if await self._endpoint.admit(connection):
                    await self._receive(connection)
        finally:
            self._connections -= 1

    async def _receive(self, connection: socket.socket) -> None:
        reader = FrameReader()
        while True:
            await anyio.wait_readable(connection)
            # wait_readable of uvloop does not notice a cancellation while there is something to read.
            await checkpoint_if_cancelled()
            for _ in range(_RECEIVE_BATCH):
                try:
                    data = connection.recv(_RECEIVE_SIZE)
                except BlockingIOError:
                    break
                except OSError:
                    return
                if not data:
                    return
                try:
                    packets = reader.receive_bytes(data)
                except RemoteProtocolError:
                    return
                for namespace, packet in packets:
                    self._deliver(namespace, packet)
