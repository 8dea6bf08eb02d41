"""A TURN server on loopback that answers as the test wants it to. It relays nothing."""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anyio import create_task_group, create_udp_socket
from anyio.abc import SocketAttribute

from peerix.core.stun import Message, Method, parse, response_to
from peerix.core.stun.attributes import ALTERNATE_SERVER, ERROR_CODE, USERNAME, ErrorCode
from tests.core.turn.server import KEY, Address, Server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio.abc import UDPSocket


@dataclass
class TurnScript:
    """Where the server is, and what it says.

    :ivar refusals: answers to the next allocations of who knows the password: a code, and perhaps another server.
    :ivar refuses_all: the first refusal is said to everybody.
    :ivar is_silent: it says nothing.
    :ivar relayed: the address that it says it relays from; None is another port for each client.
    """

    host: str
    port: int
    refusals: deque[tuple[int, Address | None]] = field(default_factory=deque[tuple[int, Address | None]])
    refuses_all: bool = False
    is_silent: bool = False
    relayed: Address | None = None
    clients: dict[Address, Server] = field(default_factory=dict[Address, Server])
    allocations: int = 0

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"turn:{self.host}:{self.port}"

    async def run(self, sock: UDPSocket) -> None:
        async for data, source in sock:
            client = source[0], source[1]
            if client not in self.clients:
                self.clients[client] = Server(self.relayed or (self.host, 50_000 + len(self.clients)), client)
            if self.is_silent:
                continue
            message = parse(data)
            refusal = self._refusal(message)
            answers = self.clients[client].receive(data, 0.0) if refusal is None else [refusal]
            for answer in answers:
                await sock.sendto(answer, *client)

    def _refusal(self, message: Message) -> bytes | None:
        if message.method != Method.ALLOCATE or message.get(USERNAME) is None:
            return None
        self.allocations += 1
        if not self.refusals:
            return None
        code, alternate = self.refusals[0] if self.refuses_all else self.refusals.popleft()
        answer = response_to(message, error=True).add(ERROR_CODE, ErrorCode(code, "as the test wants it"))
        if alternate is not None:
            answer.add(ALTERNATE_SERVER, alternate)
        return answer.to_bytes(key=KEY)


@asynccontextmanager
async def turn_script(host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[TurnScript]:
    """Run a server whose user is "user" with the password "pass"."""
    async with await create_udp_socket(local_host=host, local_port=port) as sock, create_task_group() as tasks:
        script = TurnScript(host, sock.extra(SocketAttribute.local_port))
        tasks.start_soon(script.run, sock)
        yield script
        tasks.cancel_scope.cancel()
