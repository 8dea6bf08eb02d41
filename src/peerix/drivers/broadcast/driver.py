"""The driver that needs no server: every process of a user on one machine."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from anyio import AsyncContextManagerMixin
from anyio.lowlevel import checkpoint

from peerix.drivers.activity import LoopOwner
from peerix.drivers.base import Driver, Handler, not_entered
from peerix.drivers.broadcast.endpoint import NAME_LENGTH, Endpoint, group_of
from peerix.drivers.broadcast.folder import Folder
from peerix.drivers.broadcast.frames import write_frame
from peerix.drivers.broadcast.loopback import LoopbackEndpoint
from peerix.drivers.broadcast.network import Network
from peerix.drivers.broadcast.unix import UnixEndpoint

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator


class BroadcastDriver(AsyncContextManagerMixin, Driver):
    """Carries packets between all drivers of one name that a user has on this machine; no server is needed.

    It is what BroadcastChannel is to the tabs of one browser: a packet goes to every other driver of the
    name, in this process and in others, and not back to the one that published it. Nobody else can listen or
    speak: the drivers meet in a folder that only this user can open, and check each other's user where the
    system tells it.

    :param name: which drivers belong together
    :param folder: where they meet, instead of the user's runtime folder (or a temporary one)
    :param shared: let other users of the machine take part: all of them, or those who can write to `folder`.
        Each of them can disturb the rooms that meet there
    :param echo: give packets to the handlers of this same object too, which is needed when several peers
        share it
    :param sockets: "auto" takes Unix sockets where there are any, else TCP over loopback; all must use the
        same kind
    """

    def __init__(
        self,
        name: str = "peerix",
        *,
        folder: str | os.PathLike[str] | None = None,
        shared: bool = False,
        echo: bool = False,
        sockets: Literal["auto", "unix", "loopback"] = "auto",
    ) -> None:
        super().__init__()
        self._group = group_of(name)
        self._folder = None if folder is None else Path(folder)
        self._shared = shared
        self._echo = echo
        self._use_unix = sockets == "unix" or (sockets == "auto" and hasattr(socket, "AF_UNIX"))
        self._loop = LoopOwner("BroadcastDriver")
        self._network: Network | None = None

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        await checkpoint()
        self._loop.claim()
        try:
            async with Network.opened(self._endpoint(), self.dispatch) as network:
                self._network = network
                self.set_active(active=True)
                try:
                    yield self
                finally:
                    self._network = None
                    self.close_register()
        finally:
            self._loop.release()

    async def subscribe(self, namespace: str, handler: Handler) -> None:
        """See `Driver.subscribe`."""
        if self._network is None:
            raise not_entered(self)
        self._loop.check()
        self.add_handler(namespace, handler)
        await checkpoint()

    async def unsubscribe(self, namespace: str, handler: Handler) -> None:
        """See `Driver.unsubscribe`."""
        if self._network is not None:
            self._loop.check()
        self.remove_handler(namespace, handler)
        await checkpoint()

    async def publish(self, namespace: str, data: bytes) -> None:
        """See `Driver.publish`; packets of up to 1 MiB."""
        if self._network is not None:
            self._loop.check()
            self._network.broadcast(write_frame(namespace, data))
            if self._echo:
                self.dispatch(namespace, data)
        await checkpoint()

    def _endpoint(self) -> Endpoint:
        name_length = NAME_LENGTH if self._use_unix else None
        folder = Folder(self._folder, shared=self._shared, name_length=name_length)
        kind = UnixEndpoint if self._use_unix else LoopbackEndpoint
        return kind(folder, self._group, shared=self._shared)
