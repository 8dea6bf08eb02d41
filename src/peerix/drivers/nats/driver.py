"""The driver for a nats-server."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import anyio
from anyio import AsyncContextManagerMixin
from anyio.lowlevel import checkpoint, current_token

from peerix.core.errors import LocalProtocolError, SignalingError
from peerix.drivers.activity import LoopOwner
from peerix.drivers.asyncio_host import AsyncioHost, asyncio_host
from peerix.drivers.base import Driver, Handler, not_entered
from peerix.drivers.nats.client import BorrowedConnection, Client, Connection, OwnConnection
from peerix.drivers.nats.credentials import require_nkeys
from peerix.drivers.nats.session import NatsSession
from peerix.task_groups import owned_task_group

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

CONNECT_LIMIT = 10.0
"""Seconds that entering may take."""

PING_INTERVAL = 20
"""Seconds between two questions whether the server is still there; two without an answer end a connection."""

_OURS = frozenset(
    {
        "allow_reconnect",
        "closed_cb",
        "disconnected_cb",
        "error_cb",
        "max_reconnect_attempts",
        "no_echo",
        "reconnect_time_wait",
        "reconnected_cb",
        "servers",
    }
)


class NatsDriver(AsyncContextManagerMixin, Driver):
    """Carries packets over NATS: subject = prefix + namespace, payload = packet.

    Native on asyncio and uvloop; under trio the client library runs in a thread of its own. A lost connection
    is taken up again for ever; meanwhile `active` is False. A `SignalingError` says when there is no server
    at the start.

    :param server: a URL (`nats://host:4222`, `tls://host`, with `user:password@` where wanted), several of
        one cluster, or a connected `nats.aio.client.Client` that stays its owner's; this last on asyncio only
    :param prefix: put in front of each namespace, without a separator
    :param echo: let the server send packets back to this same connection, which is needed when several peers
        share it. For a client that is handed in its own `no_echo` counts
    :param connect_limit: seconds that entering may take; 0 waits for ever
    :param options: of `nats.connect`, such as `tls`, `user_credentials` (a file), `nkeys_seed` (a file), `token` or
        `name`
    """

    def __init__(
        self,
        server: str | Sequence[str] | Client = "nats://127.0.0.1:4222",
        *,
        prefix: str = "",
        echo: bool = False,
        connect_limit: float = CONNECT_LIMIT,
        **options: Any,
    ) -> None:
        super().__init__()
        if importlib.util.find_spec("nats") is None:
            raise ImportError('NatsDriver needs nats-py: pip install "peerix[nats]"')
        reserved = sorted(_OURS & options.keys())
        if reserved:
            raise TypeError(f"NatsDriver sets {', '.join(reserved)} itself: use `echo` and `watch_active`")
        require_nkeys(options)
        self._make_connection = _connection_for(server, echo, connect_limit, options)
        self._borrowed = not isinstance(server, str | Sequence)
        self._prefix = prefix
        self._loop = LoopOwner("NatsDriver")
        self._reach: _Reach | None = None

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        await checkpoint()
        if self._borrowed and not isinstance(current_token().native_token, asyncio.AbstractEventLoop):
            raise LocalProtocolError("a NATS client of your own works on asyncio only: give NatsDriver a URL")
        self._loop.claim()
        try:
            async with asyncio_host() as host, self._connected(host):
                yield self
        finally:
            self._loop.release()

    @asynccontextmanager
    async def _connected(self, host: AsyncioHost) -> AsyncGenerator[None]:
        def report(active: bool) -> None:
            host.tell(self._report, active)

        deliver = host.queue_outward(self._receive)
        session = await host.call(NatsSession.opened, self._make_connection, deliver, report)
        try:
            async with owned_task_group() as tasks:
                tasks.start_soon(host.call, session.serve)
                self._reach = _Reach(host, session, host.queue_inward(session.post))
                self.set_active(active=True)
                try:
                    yield
                finally:
                    self._reach = None
                    self.close_register()
                    tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await host.call(session.close)

    async def subscribe(self, namespace: str, handler: Handler) -> None:
        """See `Driver.subscribe`."""
        reach = self._entered()
        if reach is None:
            raise not_entered(self)
        subject = self._subject(namespace)
        self.add_handler(namespace, handler)
        try:
            await reach.host.call(reach.session.subscribe, subject)
        except BaseException:
            if self.remove_handler(namespace, handler):
                with anyio.CancelScope(shield=True):
                    await reach.host.call(reach.session.unsubscribe, subject)
            raise

    async def unsubscribe(self, namespace: str, handler: Handler) -> None:
        """See `Driver.unsubscribe`."""
        reach = self._entered()
        if self.remove_handler(namespace, handler) and reach is not None:
            # It only queues a line for the server; cut short, the server would go on sending for nobody.
            with anyio.CancelScope(shield=True):
                await reach.host.call(reach.session.unsubscribe, self._subject(namespace))
        await checkpoint()

    async def publish(self, namespace: str, data: bytes) -> None:
        """See `Driver.publish`; the largest packet is what the server takes, 1 MiB unless it was told otherwise."""
        reach = self._entered()
        if reach is not None and self.active:
            if len(data) > reach.session.max_payload:
                raise SignalingError(
                    f"a packet of {len(data)} bytes is too large for the server (at most {reach.session.max_payload})"
                )
            reach.post(self._subject(namespace), data)
        await checkpoint()

    def _entered(self) -> _Reach | None:
        if self._reach is not None:
            self._loop.check()
        return self._reach

    def _subject(self, namespace: str) -> str:
        subject = self._prefix + namespace
        tokens = subject.split(".")
        if "" in tokens or "*" in tokens or ">" in tokens or any(c.isspace() or c == "\0" for c in subject):
            raise SignalingError(
                f"{subject!r} is not a subject of NATS: leave namespace hashing on, or choose another room name"
            )
        return subject

    def _receive(self, subject: str, data: bytes) -> None:
        self.dispatch(subject.removeprefix(self._prefix), data)

    def _report(self, active: bool) -> None:
        if self._reach is not None:
            self.set_active(active)


@dataclass(frozen=True, slots=True)
class _Reach:
    """What there is while the driver is entered."""

    host: AsyncioHost
    session: NatsSession
    post: Callable[[str, bytes], None]


def _connection_for(
    server: str | Sequence[str] | Client, echo: bool, limit: float, options: dict[str, Any]
) -> Callable[[Callable[[bool], None]], Connection]:
    if not isinstance(server, str | Sequence):
        if options:
            raise TypeError(f"{', '.join(sorted(options))}: a client that is handed in has its options already")
        return partial(BorrowedConnection, server)
    servers = [server] if isinstance(server, str) else list(server)
    return partial(OwnConnection, servers, {"ping_interval": PING_INTERVAL, **options, "no_echo": not echo}, limit)
