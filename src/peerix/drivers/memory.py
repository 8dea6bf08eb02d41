"""Signalling inside one process: `MemoryDriver`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from anyio.lowlevel import cancel_shielded_checkpoint, checkpoint

from peerix.drivers.activity import LoopOwner
from peerix.drivers.base import Driver, Handler, not_entered

if TYPE_CHECKING:
    from types import TracebackType


class MemoryDriver(Driver):
    """Carries packets between the peers that share this object, the publisher included.

    It may be entered several times at once (each peer without a driver enters the process-wide one), and is
    active while somebody is inside. Two event loops on one driver are an error: the peers of two threads need
    `BroadcastDriver`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._loop = LoopOwner("MemoryDriver")
        self._entered = 0

    async def __aenter__(self) -> Self:
        """Enter, in an event loop that the driver then belongs to until everybody left.

        :raises LocalProtocolError: the driver is entered in another event loop
        """
        await checkpoint()
        self._loop.claim()
        self._entered += 1
        self.set_active(active=True)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave; the last one to leave ends every subscription."""
        self._entered -= 1
        if self._entered == 0:
            self.close_register()
            self._loop.release()
        await cancel_shielded_checkpoint()

    async def subscribe(self, namespace: str, handler: Handler) -> None:
        """See `Driver.subscribe`."""
        if not self._entered:
            raise not_entered(self)
        self._loop.check()
        self.add_handler(namespace, handler)
        await checkpoint()

    async def unsubscribe(self, namespace: str, handler: Handler) -> None:
        """See `Driver.unsubscribe`."""
        if self._entered:
            self._loop.check()
        self.remove_handler(namespace, handler)
        await checkpoint()

    async def publish(self, namespace: str, data: bytes) -> None:
        """See `Driver.publish`: every handler has been called when this returns."""
        if self._entered:
            self._loop.check()
            self.dispatch(namespace, data)
        await checkpoint()


_process_wide = MemoryDriver()


def process_wide_driver() -> MemoryDriver:
    """The driver that all peers of this process share when they are given none."""
    return _process_wide
