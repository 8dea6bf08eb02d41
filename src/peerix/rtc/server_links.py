"""How a TURN server is reached: a UDP socket of its own, or a TCP or TLS stream."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from anyio import (
    BrokenResourceError,
    ClosedResourceError,
    EndOfStream,
    Event,
    aclose_forcefully,
    connect_tcp,
)

from peerix.rtc.udp_port import UdpPort

if TYPE_CHECKING:
    from ssl import SSLContext

    from anyio.abc import ByteStream, TaskGroup

    from peerix.rtc.datagram_socket import Address, DatagramSocket, Received

MAX_QUEUED = 512 * 1024
"""Bytes that wait for a stream; more is lost, as in a full network queue."""

MAX_READ = 65_536

_STREAM_ERRORS = (EndOfStream, BrokenResourceError, ClosedResourceError, OSError)


class LinkUser(Protocol):
    """Who gets what a server sends."""

    def receive_from_server(self, messages: list[bytes], now: float) -> None:
        """Take datagrams, or pieces of the stream."""
        ...

    def resume_sending(self) -> None:
        """The link has room again."""
        ...

    def handle_link_lost(self) -> None:
        """The stream has ended."""
        ...


class ServerLink(Protocol):
    """A way to one server."""

    @property
    def local_host(self) -> str:
        """The address of this host from which it goes."""
        ...

    @property
    def blocked(self) -> bool:
        """Whether there was no room for all that was sent."""
        ...

    def start(self, tasks: TaskGroup, user: LinkUser) -> None:
        """Begin to read."""
        ...

    def send(self, buffer: bytes, segment_size: int) -> None:
        """Send one or more messages of `segment_size` bytes each (0: it is one)."""
        ...

    async def aclose(self) -> None:
        """Close it, at once."""
        ...


class UdpLink:
    """A UDP socket for one server; what comes from elsewhere is dropped."""

    __slots__ = ("_port", "_server", "_user")

    def __init__(self, sock: DatagramSocket, server: Address) -> None:
        self._port = UdpPort(0, sock, self)
        self._server = server
        self._user: LinkUser | None = None

    @property
    def local_host(self) -> str:
        """The address of this host from which it goes."""
        return self._port.socket.address[0]

    @property
    def blocked(self) -> bool:
        """Whether the system had no room for all that was sent."""
        return self._port.blocked

    def start(self, tasks: TaskGroup, user: LinkUser) -> None:
        """Begin to read."""
        self._user = user
        self._port.start(tasks)

    def send(self, buffer: bytes, segment_size: int) -> None:
        """Send datagrams."""
        self._port.send(self._server, buffer, segment_size)

    async def aclose(self) -> None:
        """Close the socket."""
        self._port.close()

    def receive_datagrams(self, port: int, batch: list[Received], now: float) -> None:
        """The port has received a batch."""
        messages: list[bytes] = []
        for source, data, segment_size in batch:
            if source == self._server:
                step = segment_size or len(data)
                messages += [data[at : at + step] for at in range(0, len(data), step)]
        if messages and self._user is not None:
            self._user.receive_from_server(messages, now)

    def resume_sending(self) -> None:
        """The port has room again."""
        if self._user is not None:
            self._user.resume_sending()


class StreamLink:
    """A TCP or TLS connection to a server: a task that reads and one that writes."""

    __slots__ = ("_queue", "_queued", "_stream", "_user", "_wake", "blocked", "local_host")

    def __init__(self, stream: ByteStream, local_host: str) -> None:
        self._stream = stream
        self.local_host = local_host
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._wake = Event()
        self._user: LinkUser | None = None
        self.blocked = False

    @classmethod
    async def connect(cls, server: Address, local_host: str, context: SSLContext | None, name: str) -> StreamLink:
        """Connect.

        :param context: makes it a TLS connection; the certificate has to be that of `name`.
        :raises OSError: the server is not reached, or its certificate is not accepted.
        """
        try:
            if context is None:
                stream: ByteStream = await connect_tcp(*server, local_host=local_host)
            else:
                stream = await connect_tcp(
                    *server,
                    local_host=local_host,
                    ssl_context=context,
                    tls_hostname=name,
                    tls_standard_compatible=False,
                )
        except (EndOfStream, BrokenResourceError, ClosedResourceError) as error:
            message = "the connection ended before it was made"
            raise ConnectionAbortedError(message) from error
        return cls(stream, local_host)

    def start(self, tasks: TaskGroup, user: LinkUser) -> None:
        """Begin to read and to write."""
        self._user = user
        tasks.start_soon(self._read, user, name="TURN stream reader")
        tasks.start_soon(self._write, user, name="TURN stream writer")

    def send(self, buffer: bytes, segment_size: int) -> None:
        """Queue messages for the stream; they frame themselves."""
        if self._queued + len(buffer) > MAX_QUEUED:
            self.blocked = True
            return
        self._queue.append(buffer)
        self._queued += len(buffer)
        self.blocked = self._queued > MAX_QUEUED // 2
        self._wake.set()

    async def aclose(self) -> None:
        """Close the connection."""
        await aclose_forcefully(self._stream)

    async def _read(self, user: LinkUser) -> None:
        try:
            while True:
                data = await self._stream.receive(MAX_READ)
                user.receive_from_server([data], time.monotonic())
        except _STREAM_ERRORS:
            user.handle_link_lost()

    async def _write(self, user: LinkUser) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake = Event()
                while self._queue:
                    buffer = b"".join(self._queue)
                    self._queue.clear()
                    await self._stream.send(buffer)
                    self._queued -= len(buffer)
                if self.blocked:
                    self.blocked = False
                    user.resume_sending()
        except _STREAM_ERRORS:
            user.handle_link_lost()
