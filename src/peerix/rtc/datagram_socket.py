"""A UDP socket that moves many datagrams a system call where the kernel can.

On Linux one `sendmsg` with UDP_SEGMENT sends up to 64 datagrams of equal size (GSO), and one `recvmsg` with UDP_GRO
returns the datagrams that arrived together as one buffer: 0.3 us a datagram instead of 5. Elsewhere, and wherever the
kernel refuses, datagrams go one at a time. They also arrive one at a time until many have come at once: a lone one is
read in half of the time then, and the first socket of a machine that wants UDP_GRO makes the kernel rewrite its own
code, and the last one again: 90 us each.
"""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from peerix.core.session.transport import FRAGMENTABLE

Address: TypeAlias = tuple[str, int]
"""A numeric host and a port; a link-local IPv6 host carries its zone ("fe80::1%eth0")."""

Received: TypeAlias = tuple[Address, bytes, int]
"""Source, one or more datagrams, and the size of each but the last of them (0 when there is just one)."""

WANTED_BUFFER = 4 * 1024 * 1024
"""Bytes asked for as SO_RCVBUF and SO_SNDBUF. The system grants what its limits allow."""

MAX_DRAIN = 64
"""Reads a wake-up: enough for a burst, few enough to let other tasks live."""

MAX_DRAIN_BYTES = 1024 * 1024
"""Bytes a wake-up: what is read at once is in memory at once, and a process does not give back all of its peak."""

MANY = 4
"""Datagrams in one wake-up, from which on those that arrive together are wanted as one buffer."""

_BUFFER_SIZE = 65_535
_SOL_UDP = 17
_UDP_SEGMENT = 103
_UDP_GRO = 104
# Python's socket module has none of these. PROBE sets the don't-fragment bit and ignores what the kernel has learnt of
# the path: with the default, the kernel fragments a 16,000-byte datagram and path-MTU discovery would believe in it.
_IP_MTU_DISCOVER = 10
_IPV6_MTU_DISCOVER = 23
_IPV6_MTU = 24
_PMTUDISC_DONT = 0
_PMTUDISC_PROBE = 3
_LEAST_IPV6_MTU = 1280

_CUT_OFF = int(getattr(socket, "MSG_TRUNC", 0) | getattr(socket, "MSG_CTRUNC", 0))

_ON_LINUX = sys.platform == "linux"
_HAS_MSG = hasattr(socket.socket, "recvmsg") and hasattr(socket.socket, "sendmsg")
_BLOCKED = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS)


@dataclass(slots=True)
class SocketCounters:
    """What went over a socket, and what the system refused."""

    datagrams_sent: int = 0
    bytes_sent: int = 0
    datagrams_received: int = 0
    bytes_received: int = 0
    send_errors: int = 0
    receive_errors: int = 0
    truncated: int = 0


class DatagramSocket:
    """A bound, non-blocking UDP socket.

    :raises OSError: the address or the port cannot be bound.
    """

    __slots__ = (
        "_gro",  # None: it was not wanted yet
        "_gso",
        "address",
        "can_find_mtu",
        "counters",
        "receive_buffer",
        "send_buffer",
        "sock",
    )

    def __init__(self, host: str, port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            self.receive_buffer = _raise_buffer(sock, socket.SO_RCVBUF)
            self.send_buffer = _raise_buffer(sock, socket.SO_SNDBUF)
            self.can_find_mtu = _forbid_fragments(sock, family)
            self._gro: bool | None = None
            self._gso = _ON_LINUX and _HAS_MSG
            sock.bind(socket.getaddrinfo(host, port, family, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)[0][4])
        except BaseException:
            sock.close()
            raise
        self.address: Address = (host, sock.getsockname()[1])
        self.counters = SocketCounters()

    def close(self) -> None:
        """Close the socket. Harmless when it is closed."""
        self.sock.close()

    def drain(self) -> list[Received]:
        """Read what has arrived, up to MAX_DRAIN reads or MAX_DRAIN_BYTES; an empty list when there is nothing."""
        batch: list[Received] = []
        size = 0
        read = self._read_many if self._gro else self._read_one
        for _ in range(MAX_DRAIN):
            try:
                received = read()
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                # An ICMP error of an earlier send (ECONNREFUSED, ECONNRESET): it says nothing about what else is here.
                self.counters.receive_errors += 1
                if self.sock.fileno() < 0:
                    break
                continue
            if received[1]:
                batch.append(received)
                size += len(received[1])
                if size >= MAX_DRAIN_BYTES:
                    break
        if self._gro is None and len(batch) >= MANY:
            self._gro = _switch_on_gro(self.sock)
        return batch

    def _read_many(self) -> Received:
        # A buffer of its own each time, of which the rest is given back: to read into one that is shared, and copy out
        # of it, takes a third to a half longer.
        data, ancillary, flags, source = self.sock.recvmsg(_BUFFER_SIZE, 64)
        size = len(data)
        segment = 0
        for level, kind, value in ancillary:
            if level == _SOL_UDP and kind == _UDP_GRO:
                segment = int.from_bytes(value[:4], sys.byteorder)
        counters = self.counters
        counters.bytes_received += size
        if 0 < segment < size:
            counters.datagrams_received += -(-size // segment)
        else:
            counters.datagrams_received += 1
            segment = 0
        if flags & _CUT_OFF:
            counters.truncated += 1
            data = b""
        return source[:2], data, segment

    def _read_one(self) -> Received:
        data, source = self.sock.recvfrom(_BUFFER_SIZE)
        self.counters.datagrams_received += 1
        self.counters.bytes_received += len(data)
        return source[:2], data, 0

    def send(self, destination: Address, buffer: bytes, segment_size: int) -> int:
        """Send a buffer of datagrams of `segment_size` bytes each (0: it is one datagram; FRAGMENTABLE: as fragments).

        Returns how many bytes were taken, by the system or by loss (a send error is a lost datagram, not an exception);
        fewer than the buffer has when the system has no room now.
        """
        if segment_size == 0 or segment_size >= len(buffer):
            return len(buffer) if self._send_one(destination, buffer) else 0
        if segment_size == FRAGMENTABLE:
            return len(buffer) if self._send_fragmented(destination, buffer) else 0
        refused = self.counters.send_errors
        broken = False
        if self._gso:
            try:
                sent = self.sock.sendmsg(
                    (buffer,), ((_SOL_UDP, _UDP_SEGMENT, segment_size.to_bytes(2, sys.byteorder)),), 0, destination
                )
            except OSError as error:
                if error.errno in _BLOCKED:
                    return 0
                broken = error.errno in (errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP)
            else:
                self.counters.datagrams_sent += -(-sent // segment_size)
                self.counters.bytes_sent += sent
                return sent
        for start in range(0, len(buffer), segment_size):
            if not self._send_one(destination, buffer[start : start + segment_size]):
                return start
        # EIO and EINVAL say that the kernel or the device cannot do it at all, unless the datagrams are too large for
        # this destination's link: kernels before 6.10 say EINVAL then, too.
        if broken and self.counters.send_errors == refused:
            self._gso = False
        return len(buffer)

    def _send_fragmented(self, destination: Address, datagram: bytes) -> bool:
        if self.can_find_mtu:
            _allow_fragments(self.sock)
        try:
            return self._send_one(destination, datagram)
        finally:
            if self.can_find_mtu:
                _forbid_fragments(self.sock, self.sock.family)

    def _send_one(self, destination: Address, datagram: bytes) -> bool:
        try:
            self.sock.sendto(datagram, destination)
        except OSError as error:
            if error.errno in _BLOCKED:
                return False
            self.counters.send_errors += 1
        else:
            self.counters.datagrams_sent += 1
            self.counters.bytes_sent += len(datagram)
        return True


def _raise_buffer(sock: socket.socket, option: int) -> int:
    """Ask for WANTED_BUFFER bytes; return what the system granted, as it counts them."""
    if sock.getsockopt(socket.SOL_SOCKET, option) < WANTED_BUFFER:
        with suppress(OSError):  # macOS refuses what is above its limit, and keeps the default
            sock.setsockopt(socket.SOL_SOCKET, option, WANTED_BUFFER)
    return sock.getsockopt(socket.SOL_SOCKET, option)


def _forbid_fragments(sock: socket.socket, family: socket.AddressFamily) -> bool:
    """Set the don't-fragment bit; False where that cannot be done, and path-MTU discovery has to stay off."""
    if not _ON_LINUX:
        return False
    try:
        if family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_PROBE)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE)
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU, 0)
    except OSError:
        return False
    return True


def _allow_fragments(sock: socket.socket) -> None:
    """Let the system and the routers fragment; over IPv6, where routers do not, to what every link carries."""
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DONT)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_DONT)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU, _LEAST_IPV6_MTU)


def _switch_on_gro(sock: socket.socket) -> bool:
    if not (_ON_LINUX and _HAS_MSG):
        return False
    try:
        sock.setsockopt(_SOL_UDP, _UDP_GRO, 1)
    except OSError:
        return False
    return True
