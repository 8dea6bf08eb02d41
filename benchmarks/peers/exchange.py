"""Requests to another program over a socket: JSON objects, told apart by a byte, and answered under the same ``id``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    import socket


class ForeignError(Exception):
    """The other program could not do what it was asked to, or it ended."""


@dataclass(slots=True)
class Reply:
    """What will have been answered to one request."""

    arrived: anyio.Event = field(default_factory=anyio.Event)
    content: dict[str, Any] = field(default_factory=dict)


class Exchange:
    """This side of the socket; `run` has to run while it is used.

    :param separator: ends each object.
    """

    def __init__(self, sock: socket.socket, separator: bytes) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._separator = separator
        self._numbers = count(1)
        self._waiting: dict[int, Reply] = {}

    async def run(self) -> None:
        """Read replies.

        :raises ForeignError: the other program ended.
        """
        rest = b""
        while True:
            await anyio.wait_readable(self._sock)
            data = self._sock.recv(1 << 20)
            if not data:
                raise ForeignError("the program that was to be measured has ended")
            *messages, rest = (rest + data).split(self._separator)
            for message in messages:
                content = json.loads(message)
                reply = self._waiting.pop(content.get("id"), None)
                if reply is not None:  # neither news nor an answer that nobody waits for
                    reply.content = content
                    reply.arrived.set()

    def send(self, message: dict[str, Any]) -> int:
        """Send a request whose answer does not matter; it is short, so that the socket's buffer takes it at once."""
        number = next(self._numbers)
        self._sock.sendall(json.dumps({"id": number, **message}).encode() + self._separator)
        return number

    async def ask(self, message: dict[str, Any]) -> Any:
        """Send a request and wait for what comes of it.

        :raises ForeignError: it failed.
        """
        number = self.send(message)
        reply = self._waiting[number] = Reply()
        try:
            await reply.arrived.wait()
        finally:
            self._waiting.pop(number, None)
        if "error" in reply.content:
            raise ForeignError(str(reply.content["error"]))
        return reply.content.get("result")
