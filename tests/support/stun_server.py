"""A small STUN server on loopback that says what the test wants to be seen."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyio import create_task_group, create_udp_socket
from anyio.abc import SocketAttribute

from peerix.core.stun import MessageClass, parse, response_to
from peerix.core.stun.attributes import XOR_MAPPED_ADDRESS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio.abc import UDPSocket


@dataclass
class StunServer:
    """Where it is, and how it answers: `mapped_host` None is silence."""

    port: int
    mapped_host: str | None
    questions: int = 0

    async def run(self, sock: UDPSocket) -> None:
        async for data, source in sock:
            message = parse(data)
            if message.message_class is MessageClass.REQUEST:
                self.questions += 1
                if self.mapped_host is not None:
                    answer = response_to(message).add(XOR_MAPPED_ADDRESS, (self.mapped_host, source[1]))
                    await sock.sendto(answer.to_bytes(), *source[:2])


@asynccontextmanager
async def stun_server(mapped_host: str | None, host: str = "127.0.0.1") -> AsyncGenerator[StunServer]:
    """Run a server that tells every client that it has `mapped_host`."""
    async with await create_udp_socket(local_host=host) as sock, create_task_group() as tasks:
        server = StunServer(sock.extra(SocketAttribute.local_port), mapped_host)
        tasks.start_soon(server.run, sock)
        yield server
        tasks.cancel_scope.cancel()
