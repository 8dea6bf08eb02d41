"""The part of nats-py that is used, and how a connection of it is opened, kept and closed.

Everything here runs in an asyncio event loop.
"""

from __future__ import annotations

import random
import ssl
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

import anyio
from anyio.lowlevel import cancel_shielded_checkpoint

from peerix.core.errors import SignalingError
from peerix.drivers.nats.credentials import check_credentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from urllib.parse import ParseResult

RECONNECT_INTERVAL = 0.25
"""Seconds between two attempts to reach a server, at first."""

MAX_RECONNECT_INTERVAL = 1.0
"""Seconds between two attempts, later."""

MAX_SERVERS = 64
"""Servers of a cluster that are remembered."""

WATCH_INTERVAL = 0.1
"""Seconds between two looks at a client of somebody else, whose callbacks are not ours."""

CLOSE_TIMEOUT = 0.5
"""Seconds that closing may take."""

_TURNS_TO_END = 5

_ONE_ATTEMPT = {"allow_reconnect": False, "max_reconnect_attempts": 1, "reconnect_time_wait": RECONNECT_INTERVAL}


class Message(Protocol):
    """A message as nats-py gives it to a subscriber."""

    subject: str
    data: bytes


class Subscription(Protocol):
    """A subscription of nats-py."""

    async def unsubscribe(self, limit: int = 0) -> None:
        """Tell the server that nobody listens any more."""
        ...


class Client(Protocol):
    """`nats.aio.client.Client`, as far as it is used here."""

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether it gave up for good."""
        ...

    @property
    def max_payload(self) -> int:
        """Bytes of a message that the server takes at most."""
        ...

    @property
    def pending_data_size(self) -> int:
        """Bytes that wait to be written."""
        ...

    @property
    def discovered_servers(self) -> Sequence[ParseResult]:
        """Other servers of the cluster, as the server told."""
        ...

    @property
    def stats(self) -> Mapping[str, int]:
        """Counters, `reconnects` among them."""
        ...

    async def subscribe(
        self, subject: str, *, cb: Callable[[Message], Awaitable[None]], pending_bytes_limit: int
    ) -> Subscription:
        """Listen to a subject."""
        ...

    async def publish(self, subject: str, payload: bytes) -> None:
        """Send to a subject."""
        ...

    async def flush(self, timeout: int) -> None:  # noqa: ASYNC109 - nats-py says so
        """Wait until the server has all that was sent."""
        ...

    async def close(self) -> None:
        """Disconnect for good."""
        ...


class Connection(Protocol):
    """A way to have a client."""

    async def open(self) -> Client:
        """Get a client that is connected.

        :raises SignalingError: there is none
        """
        ...

    async def reopen(self, client: Client) -> Client:
        """Wait until this client is of no more use, then until there is another one."""
        ...

    async def close(self, client: Client) -> None:
        """Give the client back."""
        ...


class BorrowedConnection:
    """A client that belongs to the caller, who connects and closes it. See `Connection`.

    :param report: called with True and False as the connection comes and goes
    """

    def __init__(self, client: Client, report: Callable[[bool], None]) -> None:
        self._client = client
        self._report = report

    async def open(self) -> Client:
        """See `Connection.open`."""
        if self._client.is_closed or not self._client.is_connected:
            raise SignalingError("the NATS client is not connected: connect it before entering the driver")
        return self._client

    async def reopen(self, client: Client) -> Client:
        """See `Connection.reopen`; never returns.

        It looks again and again: callbacks can only be given to a client when it is made.
        """
        reconnects = client.stats["reconnects"]
        while True:
            await anyio.sleep(WATCH_INTERVAL)
            if client.stats["reconnects"] != reconnects:
                # It may have gone and come back between two looks.
                reconnects = client.stats["reconnects"]
                self._report(False)
            self._report(client.is_connected)

    async def close(self, client: Client) -> None:
        """See `Connection.close`: the client stays open."""


class OwnConnection:
    """One client of our own after the other, as often as the connection is lost. See `Connection`.

    nats-py's own reconnecting stays off: it gives up for good when a server that knew us turns us down, and
    leaves sockets open on the way. A fresh client for each attempt has neither problem.

    :param options: for `nats.connect`
    :param limit: seconds that the first connection may take; 0 waits for ever
    :param report: called with False as a connection goes
    """

    def __init__(
        self,
        servers: Sequence[str],
        options: Mapping[str, object],
        limit: float,
        report: Callable[[bool], None],
    ) -> None:
        self._servers = list(servers)
        self._options = options
        self._limit = limit
        self._report = report
        self._closed = anyio.Event()

    async def open(self) -> Client:
        """See `Connection.open`: within the limit, or at once when the server turns us down."""
        check_credentials(self._options)
        servers = ", ".join(without_credentials(url) for url in self._servers)
        last_error: Exception | None = None
        with anyio.move_on_after(self._limit or None):
            while True:
                try:
                    return await self._connect()
                except connection_errors() as error:
                    if _is_final(error):
                        raise SignalingError(f"{servers} turned us down: {error}") from error
                    last_error = error
                await anyio.sleep(RECONNECT_INTERVAL)
        reason = f": {last_error}" if last_error is not None else ""
        raise SignalingError(f"no answer from {servers} within {self._limit:g} s{reason}") from last_error

    async def reopen(self, client: Client) -> Client:
        """See `Connection.reopen`: for ever, even when the server turns us down for a while."""
        await self._closed.wait()
        for url in client.discovered_servers:
            self._add_server(url.netloc)
        await self.close(client)
        interval = RECONNECT_INTERVAL
        while True:
            # Spread out: everybody else has lost the server in this same moment.
            await anyio.sleep(interval * random.uniform(0.5, 1))  # noqa: S311 - no secret
            try:
                return await self._connect()
            except connection_errors():
                interval = min(2 * interval, MAX_RECONNECT_INTERVAL)

    async def close(self, client: Client) -> None:
        """See `Connection.close`."""
        with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
            await client.close()
            # It has cancelled its tasks, but not waited for them.
            for _ in range(_TURNS_TO_END):
                await cancel_shielded_checkpoint()

    async def _connect(self) -> Client:
        from nats.aio.client import Client as NatsClient

        client = NatsClient()
        self._closed = closed = anyio.Event()

        async def on_closed() -> None:
            self._report(False)
            closed.set()

        try:
            await client.connect(
                servers=self._servers,
                error_cb=_ignore,
                closed_cb=on_closed,
                **cast("Any", {**self._options, **_ONE_ATTEMPT}),
            )
        except BaseException:
            await self.close(cast("Client", client))
            raise
        return cast("Client", client)

    def _add_server(self, address: str) -> None:
        # Servers tell where the others of their cluster are, but neither the scheme nor what we log in with.
        first = urlsplit(self._servers[0])
        credentials, at, _ = first.netloc.rpartition("@")
        known = {urlsplit(url).netloc.rpartition("@")[2] for url in self._servers}
        if address not in known and len(known) < MAX_SERVERS:
            self._servers.append(f"{first.scheme}://{credentials}{at}{address}")


async def _ignore(error: Exception) -> None:
    """For nats-py, which would log: what matters is whether there is a connection, and that is reported."""


def connection_errors() -> tuple[type[Exception], ...]:
    """What nats-py raises when a connection is not there, or not any more."""
    from nats.errors import Error

    return (Error, OSError, TimeoutError)


def without_credentials(url: str) -> str:
    """A URL without its user and password, fit for a message."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _is_final(error: Exception) -> bool:
    # nats-py has no type for it: the words are the server's.
    return isinstance(error, ssl.SSLCertVerificationError) or "authorization violation" in str(error).lower()
