"""The line between the two ends of a benchmark: signalling, and words like "start" and "stop".

One JSON object a line over a socket pair, the same whether the ends share a process or not.
"""

from __future__ import annotations

import json
import socket
from collections import deque
from typing import TypeAlias

import anyio
from anyio.lowlevel import checkpoint

Word: TypeAlias = "dict[str, str | int | float | None]"


class Wire:
    """One end of the line; one task reads it at a time."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._buffer = b""
        self._words: deque[Word] = deque()

    @classmethod
    def from_descriptor(cls, descriptor: int) -> Wire:
        """Take over an inherited descriptor."""
        return cls(socket.socket(fileno=descriptor))

    @classmethod
    def pair(cls) -> tuple[Wire, Wire]:
        """Make both ends in this process."""
        first, second = socket.socketpair()
        return cls(first), cls(second)

    def send(self, kind: str, **fields: str | float | None) -> None:
        """Say something; it is short, so that the socket's buffer takes it at once."""
        self._sock.sendall(json.dumps({"kind": kind, **fields}).encode() + b"\n")

    async def receive(self) -> Word:
        """Wait for the next word."""
        while not self._words:
            try:
                data = self._sock.recv(65536)
            except BlockingIOError:
                await anyio.wait_readable(self._sock)
                continue
            if not data:
                raise EOFError("the other end of the benchmark is gone")
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            self._words.extend(json.loads(line) for line in lines)
        await checkpoint()
        return self._words.popleft()

    async def expect(self, kind: str) -> Word:
        """Wait for a word of this kind and let others pass."""
        while True:
            word = await self.receive()
            if word["kind"] == kind:
                return word

    def close(self) -> None:
        """Hang up."""
        self._sock.close()
