"""One listener of multicast DNS an event loop, shared by all connections (RFC 6762).

Browsers hide their addresses behind `.local` names. They announce a name a moment before they signal it, and answer a
question right after that only a second later (RFC 6762 section 6 limits answers): who has listened from the start has
the address at once.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import ifaddr
from anyio import ClosedResourceError, Event, Lock, move_on_after, sleep_forever, wait_readable
from anyio.lowlevel import RunVar, checkpoint_if_cancelled

from peerix.core.mdns import NameCache, build_query
from peerix.rtc.name_resolution import resolve_host

if TYPE_CHECKING:
    from collections.abc import Iterable

GROUP = "224.0.0.251"
PORT = 5353
"""RFC 6762 section 3. Chromium answers over IPv4 only, IPv6 addresses too."""

WAITS = (1.0, 1.0, 1.5)
"""A name is asked for at 0, 1 and 2 s; these are the seconds that each question waits for its answer."""

MAX_DRAIN = 64
MAX_MESSAGE = 9000
"""RFC 6762 section 17."""

_shared: RunVar[MulticastDns] = RunVar("_shared")


class MulticastDns:
    """The listener. Its socket is open as long as somebody listens; where it cannot be opened, the system is asked."""

    __slots__ = ("_begun", "_cache", "_joined", "_reading", "_sock", "_users", "_waiters")

    def __init__(self) -> None:
        self._begun = Event()
        self._cache = NameCache()
        self._sock: socket.socket | None = None
        self._joined: set[str] = set()
        self._reading = Lock()
        self._users = 0
        self._waiters: dict[str, Event] = {}

    async def listen(self) -> None:
        """Listen until cancelled. One of all who call this reads; when it ends, another one goes on."""
        self._users += 1
        try:
            self._open()
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
        if self._sock is None:
            return await resolve_host(name)
        query, key = build_query(name), name.lower().rstrip(".")
        for wait in WAITS if query else ():
            found = self.known(name)
            if found:
                return found
            self._ask(query)
            heard = self._waiters.setdefault(key, Event())
            with move_on_after(wait):
                await heard.wait()
        self._waiters.pop(key, None)
        return self.known(name)

    def _open(self) -> None:
        with suppress(OSError):
            if self._sock is None:
                self._sock = _open_socket()
            for host in multicast_hosts():
                self._join(self._sock, host)

    def _join(self, sock: socket.socket, host: str) -> None:
        if host not in self._joined:
            with suppress(OSError):  # an interface without multicast, or more than the system admits
                membership = socket.inet_aton(GROUP) + socket.inet_aton(host)
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
                self._joined.add(host)

    def _close(self) -> None:
        if self._sock is not None:
            self._sock.close()
        self._sock = None
        self._begun = Event()
        self._joined.clear()
        self._cache = NameCache()

    def _ask(self, query: bytes) -> None:
        for host in self._joined if self._sock is not None else ():
            assert self._sock is not None
            with suppress(OSError):
                self._sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(host))
                self._sock.sendto(query, (GROUP, PORT))

    async def _read(self) -> None:
        sock = self._sock
        if sock is None:
            await sleep_forever()
            return
        while True:
            try:
                await wait_readable(sock)
            except (ClosedResourceError, OSError, ValueError):
                return
            # uvloop's wait_readable does not notice a cancellation while the socket is readable.
            await checkpoint_if_cancelled()
            self._wake(_drain(sock, self._cache))

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


def multicast_hosts() -> list[str]:
    """The IPv4 addresses of the interfaces on which names are asked for."""
    hosts = [str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]
    return [host for host in hosts if not ipaddress.ip_address(host).is_loopback]


def _open_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        # Everybody on this host who speaks multicast DNS has the same port.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)  # RFC 6762 section 11
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)  # browsers of this host hear it only so
        sock.bind(("", PORT))
    except BaseException:
        sock.close()
        raise
    return sock


def _drain(sock: socket.socket, cache: NameCache) -> set[str]:
    """Read what has arrived; return the names that have addresses now."""
    names: set[str] = set()
    now = time.monotonic()
    for _ in range(MAX_DRAIN):
        try:
            data, source = sock.recvfrom(MAX_MESSAGE)
        except OSError:
            break
        if source[1] == PORT:  # RFC 6762 section 6: whatever else it is, it is no answer
            names |= cache.receive(data, now)
    return names
