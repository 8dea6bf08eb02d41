"""One listener of multicast DNS an event loop, shared by all connections (RFC 6762).

Browsers hide their addresses behind `.local` names. They announce a name a moment before they signal it, and answer a
question right after that only a second later (RFC 6762 section 6 limits answers): who has listened from the start has
the address at once.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from anyio import Event, Lock, create_task_group, move_on_after, sleep_forever
from anyio.lowlevel import RunVar

from peerix.core.mdns import NameCache, build_query
from peerix.rtc.adapters import look_at_adapters
from peerix.rtc.interfaces import is_loopback
from peerix.rtc.multicast_socket import Ipv4Multicast, Ipv6Multicast, drain
from peerix.rtc.name_resolution import resolve_host
from peerix.rtc.socket_reader import SocketReader

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Sequence

    from ifaddr import Adapter

    from peerix.rtc.multicast_socket import MulticastSocket

PORT = 5353
"""RFC 6762 section 3."""

WAITS = (1.0, 1.0, 1.5)
"""A name is asked for at 0, 1 and 2 s; these are the seconds that each question waits for its answer."""

_shared: RunVar[MulticastDns] = RunVar("_shared")


class MulticastDns:
    """The listener. Its sockets are open as long as somebody listens; where there can be none, the system is asked."""

    __slots__ = ("_begun", "_cache", "_reading", "_sockets", "_users", "_waiters")

    def __init__(self) -> None:
        self._begun = Event()
        self._cache = NameCache()
        self._sockets: list[MulticastSocket] = []
        self._reading = Lock()
        self._users = 0
        self._waiters: dict[str, Event] = {}

    async def listen(self) -> None:
        """Listen until cancelled. One of all who call this reads; when it ends, another one goes on."""
        self._users += 1
        try:
            self.join()
            self._begun.set()
            async with self._reading:
                await self._read()
        finally:
            self._users -= 1
            if not self._users:
                self._close()

    def known(self, name: str) -> list[str]:
        """The addresses of a name that was announced."""
        return self._cache.addresses(name, time.monotonic())

    async def resolve(self, name: str) -> list[str]:
        """Find the addresses of a name, asking for it when nobody has announced it; an empty list after 3.5 s."""
        with move_on_after(WAITS[0]):
            await self._begun.wait()
        if not self._sockets:
            return await resolve_host(name)
        query, key = build_query(name), name.lower().rstrip(".")
        for wait in WAITS if query else ():
            found = self.known(name)
            if found:
                return found
            for one in self._sockets:
                one.ask(query)
            heard = self._waiters.setdefault(key, Event())
            with move_on_after(wait):
                await heard.wait()
        self._waiters.pop(key, None)
        return self.known(name)

    def join(self) -> None:
        """Listen on all interfaces that there are now."""
        if not self._users:
            return
        if not self._sockets:
            for kind in (Ipv4Multicast, Ipv6Multicast):
                with suppress(OSError):  # a system without that family, or the port is somebody's own
                    self._sockets.append(kind(PORT))
        adapters = look_at_adapters().every
        for one in self._sockets:
            for interface in (multicast_hosts if isinstance(one, Ipv4Multicast) else multicast_interfaces)(adapters):
                one.join(interface)

    def _close(self) -> None:
        for one in self._sockets:
            one.sock.close()
        self._sockets.clear()
        self._begun = Event()
        self._cache = NameCache()

    async def _read(self) -> None:
        if not self._sockets:
            await sleep_forever()
        readers = [SocketReader(one.sock, partial(self._receive, one.sock)) for one in self._sockets]
        async with create_task_group() as tasks:
            for reader in readers:
                reader.start(tasks, "multicast DNS reader")
            try:
                await sleep_forever()
            finally:
                for reader in readers:
                    reader.close()

    def _receive(self, sock: socket.socket) -> None:
        now = time.monotonic()
        for message in drain(sock, PORT):
            self._wake(self._cache.receive(message, now))

    def _wake(self, names: Iterable[str]) -> None:
        for name in names:
            waiter = self._waiters.pop(name, None)
            if waiter is not None:
                waiter.set()


def shared_multicast_dns() -> MulticastDns:
    """The listener of this event loop."""
    try:
        return _shared.get()
    except LookupError:
        made = MulticastDns()
        _shared.set(made)
        return made


def multicast_hosts(adapters: Sequence[Adapter]) -> Sequence[str]:
    """An IPv4 address of each interface on which names are asked for."""
    hosts = [str(ip.ip) for adapter in adapters for ip in adapter.ips if ip.is_IPv4]
    return [host for host in hosts if not is_loopback(host)]


def multicast_interfaces(adapters: Sequence[Adapter]) -> Sequence[int]:
    """The index of each interface that has an IPv6 address beside the loopback one."""
    return [
        adapter.index
        for adapter in adapters
        if adapter.index is not None and any(ip.is_IPv6 and not is_loopback(ip.ip[0]) for ip in adapter.ips)
    ]
