"""The sockets of multicast DNS, one for each family of addresses (RFC 6762 section 3)."""

from __future__ import annotations

import errno
import socket
import struct
from contextlib import suppress
from typing import Protocol

GROUP = "224.0.0.251"
GROUP_IPV6 = "ff02::fb"
MAX_DRAIN = 64
MAX_MESSAGE = 9000
"""RFC 6762 section 17."""


class MulticastSocket(Protocol):
    """A socket that hears and asks on some interfaces; each family names an interface in its own way."""

    sock: socket.socket

    def join(self, interface: str | int) -> None:
        """Listen on one more interface; nothing happens where that is not possible."""
        ...

    def ask(self, query: bytes) -> None:
        """Send a question out of every interface that was joined."""
        ...


class Ipv4Multicast:
    """IPv4: an interface is one of its addresses. This is where browsers announce and answer, IPv6 addresses too."""

    __slots__ = ("_joined", "_port", "sock")

    def __init__(self, port: int) -> None:
        self.sock = _open(socket.AF_INET, ("", port))
        self._port = port
        self._joined: set[str] = set()
        self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)  # RFC 6762 section 11
        self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)  # browsers of this host hear it only so

    def join(self, interface: str | int) -> None:
        """Listen on the interface with an address."""
        host = str(interface)
        if host not in self._joined:
            membership = socket.inet_aton(GROUP) + socket.inet_aton(host)
            if _set(self.sock, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership):
                self._joined.add(host)

    def ask(self, query: bytes) -> None:
        """Send a question out of every interface that was joined."""
        for host in self._joined:
            with suppress(OSError):
                self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(host))
                self.sock.sendto(query, (GROUP, self._port))


class Ipv6Multicast:
    """IPv6: an interface is its index. For networks that have nothing else."""

    __slots__ = ("_joined", "_port", "sock")

    def __init__(self, port: int) -> None:
        self.sock = _open(socket.AF_INET6, ("::", port))
        self._port = port
        self._joined: set[int] = set()
        self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)

    def join(self, interface: str | int) -> None:
        """Listen on the interface with an index."""
        index = int(interface)
        if index not in self._joined:
            membership = socket.inet_pton(socket.AF_INET6, GROUP_IPV6) + struct.pack("@I", index)
            if _set(self.sock, socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership):
                self._joined.add(index)

    def ask(self, query: bytes) -> None:
        """Send a question out of every interface that was joined."""
        for index in self._joined:
            with suppress(OSError):
                self.sock.sendto(query, (GROUP_IPV6, self._port, 0, index))


def drain(sock: socket.socket, port: int) -> list[bytes]:
    """Read the messages that have arrived."""
    messages: list[bytes] = []
    for _ in range(MAX_DRAIN):
        try:
            data, source = sock.recvfrom(MAX_MESSAGE)
        except OSError:
            break
        if source[1] == port:  # RFC 6762 section 6: whatever else it is, it is no answer
            messages.append(data)
    return messages


def _open(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        # Everybody on this host who speaks multicast DNS has the same port.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


def _set(sock: socket.socket, level: int, option: int, value: bytes) -> bool:
    try:
        sock.setsockopt(level, option, value)
    except OSError as error:
        # An interface without multicast, or more than the system admits. EADDRINUSE: it has been joined before, by an
        # address that it had then.
        return error.errno == errno.EADDRINUSE
    return True
