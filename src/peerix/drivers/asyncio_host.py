"""A place for client libraries that only run on asyncio: this event loop if it is asyncio's, else a thread.

Under trio the library lives in a thread with an asyncio event loop. Calls go there through a blocking portal
that is entered, called and left without ever blocking the trio thread: asyncio code that calls back into a
trio thread which waits for it would never get an answer. Packets cross in both directions through queues that
wake the other side once for many packets.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

import anyio
from anyio import to_thread
from anyio.from_thread import start_blocking_portal
from anyio.lowlevel import current_token

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from concurrent.futures import Future

    from anyio.from_thread import BlockingPortal

MAX_WAITING_BYTES = 8 << 20
"""Bytes of packets that wait to cross to the other thread; what does not fit is lost, as on a network."""

MAX_WAITING_PACKETS = 16_384
"""The same bound for packets that have hardly any bytes."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class PacketQueue:
    """Packets on their way from one thread to another: many are put in, one wake-up takes them all out.

    :param deliver: called with the name and the data of each, in the other thread
    :param wake: runs a function in the other thread soon
    """

    def __init__(self, deliver: Callable[[str, bytes], None], wake: Callable[[Callable[[], None]], object]) -> None:
        self._deliver = deliver
        self._wake = wake
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._woken = False
        # Each is written by one of the threads only, so neither needs a lock.
        self._bytes_in = 0
        self._bytes_out = 0
        self.dropped = 0

    def put(self, name: str, data: bytes) -> None:
        """Send a packet across; it is dropped when too many wait."""
        waiting_bytes = self._bytes_in - self._bytes_out
        if waiting_bytes + len(data) > MAX_WAITING_BYTES or len(self._waiting) >= MAX_WAITING_PACKETS:
            self.dropped += 1
            return
        self._bytes_in += len(data)
        self._waiting.append((name, data))
        # The other thread clears the flag before it looks: either it sees this packet, or we wake it again.
        if not self._woken:
            self._woken = True
            self._wake(self._drain)

    def _drain(self) -> None:
        self._woken = False
        for _ in range(len(self._waiting)):
            name, data = self._waiting.popleft()
            self._bytes_out += len(data)
            self._deliver(name, data)


class AsyncioHost(ABC):
    """Where asyncio-only code runs, as seen from our event loop."""

    @abstractmethod
    async def call(self, function: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
        """Run an asyncio coroutine there, with its result or exception; cancelling us cancels it."""

    @abstractmethod
    def queue_inward(self, deliver: Callable[[str, bytes], None]) -> Callable[[str, bytes], None]:
        """A function for our thread that makes `deliver` get packets there."""

    @abstractmethod
    def queue_outward(self, deliver: Callable[[str, bytes], None]) -> Callable[[str, bytes], None]:
        """A function for their thread that makes `deliver` get packets in ours."""

    @abstractmethod
    def tell(self, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Call a function in our thread, from theirs. For rare things: nothing bounds them."""


class _SameLoop(AsyncioHost):
    async def call(self, function: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
        return await function(*args)

    def queue_inward(self, deliver: Callable[[str, bytes], None]) -> Callable[[str, bytes], None]:
        return deliver

    def queue_outward(self, deliver: Callable[[str, bytes], None]) -> Callable[[str, bytes], None]:
        return deliver

    def tell(self, function: Callable[[*Ts], object], *args: *Ts) -> None:
        function(*args)


class _OtherThread(AsyncioHost):
    def __init__(self, portal: BlockingPortal, loop: asyncio.AbstractEventLoop) -> None:
        import trio

        self._portal = portal
        self._loop = loop
        self._token = trio.lowlevel.current_trio_token()

    async def call(self, function: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
        ended = anyio.Event()

        async def run() -> T:
            try:
                return await function(*args)
            finally:
                self.tell(ended.set)

        settled = anyio.Event()
        future: Future[T] = self._portal.start_task_soon(run)
        future.add_done_callback(lambda _: self.tell(settled.set))
        try:
            await settled.wait()
        except BaseException:
            future.cancel()
            # It may have to tidy up, and must not run beside what its caller does next.
            with anyio.CancelScope(shield=True):
                await ended.wait()
            raise
        return future.result()

    def queue_inward(self, deliver: Callable[[str, bytes], None]) -> Callable[[str, bytes], None]:
        return PacketQueue(deliver, self._loop.call_soon_threadsafe).put

    def queue_outward(self, deliver: Callable[[str, bytes], None]) -> Callable[[str, bytes], None]:
        return PacketQueue(deliver, self.tell).put

    def tell(self, function: Callable[[*Ts], object], *args: *Ts) -> None:
        self._token.run_sync_soon(function, *args)


@asynccontextmanager
async def asyncio_host() -> AsyncGenerator[AsyncioHost]:
    """Have a place for asyncio code while a block lasts; a thread made for it is joined at the end."""
    if isinstance(current_token().native_token, asyncio.AbstractEventLoop):
        yield _SameLoop()
        return
    portal_block = start_blocking_portal("asyncio", name="peerix-asyncio")
    # A call in a thread is not cut short by a cancellation: there is never half a start to undo.
    portal = await to_thread.run_sync(portal_block.__enter__)
    try:
        loop = await to_thread.run_sync(portal.call, asyncio.get_running_loop)
        yield _OtherThread(portal, loop)
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(portal_block.__exit__, None, None, None)
