"""A UDP socket with the task that reads it."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from anyio import ClosedResourceError, notify_closing, wait_writable
from anyio.lowlevel import checkpoint_if_cancelled

from peerix.rtc.socket_reader import SocketReader

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from peerix.rtc.datagram_socket import Address, DatagramSocket, Received

MAX_BACKLOG = 256
"""Buffers that wait for the socket to be writable; a full backlog loses the newest, as a full network queue does."""


class DatagramReceiver(Protocol):
    """Who gets what a port receives."""

    def receive_datagrams(self, port: int, batch: list[Received], now: float) -> None:
        """Take a batch; called in the event loop, must not block or raise."""
        ...

    def resume_sending(self) -> None:
        """The port has room again."""
        ...


class Port(Protocol):
    """What the pump sends through: a socket, a part of a shared one, or a relay."""

    @property
    def port_id(self) -> int:
        """The number by which the session knows this port."""
        ...

    @property
    def blocked(self) -> bool:
        """Whether there was no room for all that was sent; `resume_sending` follows."""
        ...

    def send(self, destination: Address, buffer: bytes, segment_size: int) -> None:
        """Send datagrams of `segment_size` bytes each (0: it is one datagram; FRAGMENTABLE: it may be fragmented)."""
        ...

    def close(self) -> None:
        """Nothing is sent or received any more."""
        ...


class UdpPort:
    """A bound UDP socket, what reads it, and what waits to be written.

    Tasks run in the task group given to `start`; `close`, which is to be called before that group ends, ends them.

    :param port_id: the number by which the session knows this port.
    """

    __slots__ = ("_backlog", "_reader", "_receiver", "_task_group", "_writing", "port_id", "socket")

    def __init__(self, port_id: int, sock: DatagramSocket, receiver: DatagramReceiver) -> None:
        self.port_id = port_id
        self.socket = sock
        self._receiver = receiver
        self._reader = SocketReader(sock.sock, self._read)
        self._backlog: deque[tuple[Address, bytes, int]] = deque()
        self._task_group: TaskGroup | None = None
        self._writing = False

    def start(self, task_group: TaskGroup) -> None:
        """Begin to read."""
        self._task_group = task_group
        self._reader.start(task_group, f"UDP port {self.socket.address}")

    @property
    def blocked(self) -> bool:
        """Whether the system had no room for all that was sent."""
        return bool(self._backlog)

    @property
    def backlog(self) -> int:
        """How many buffers wait for the system to take them."""
        return len(self._backlog)

    def send(self, destination: Address, buffer: bytes, segment_size: int) -> None:
        """Send now what the system takes, and keep the rest until it takes more."""
        if not self._backlog:
            taken = self.socket.send(destination, buffer, segment_size)
            if taken == len(buffer):
                return
            buffer = buffer[taken:]
        if len(self._backlog) < MAX_BACKLOG:
            self._backlog.append((destination, buffer, segment_size))
        if not self._writing and self._task_group is not None:
            self._writing = True
            self._task_group.start_soon(self._write_backlog)

    def close(self) -> None:
        """Close the socket; nothing is read or written any more."""
        self._backlog.clear()
        self._reader.close()
        if self._writing and self.socket.sock.fileno() >= 0:
            notify_closing(self.socket.sock)
        self.socket.close()

    def _read(self) -> None:
        batch = self.socket.drain()
        if batch:
            self._receiver.receive_datagrams(self.port_id, batch, time.monotonic())

    async def _write_backlog(self) -> None:
        try:
            while self._backlog:
                try:
                    await wait_writable(self.socket.sock)
                except (ClosedResourceError, OSError, ValueError):
                    return
                await checkpoint_if_cancelled()
                self._write_some()
        finally:
            self._writing = False
        self._receiver.resume_sending()

    def _write_some(self) -> None:
        backlog = self._backlog
        while backlog:
            destination, buffer, segment_size = backlog[0]
            taken = self.socket.send(destination, buffer, segment_size)
            if taken < len(buffer):
                backlog[0] = (destination, buffer[taken:], segment_size)
                return
            backlog.popleft()
