"""The part of nats-py that is used, and how a connection of it is opened, kept and closed.

Everything here runs in an asyncio event loop.
"""

from __future__ import annotations

import math
import ssl
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

import anyio
from anyio.lowlevel import cancel_shielded_checkpoint

from peerix.core.errors import SignalingError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

RECONNECT_INTERVAL = 0.25
"""Seconds between two attempts to reach a server."""

WATCH_INTERVAL = 0.1
"""Seconds between two looks at a client of somebody else, whose callbacks are not ours."""

CLOSE_TIMEOUT = 1.0
"""Seconds that closing may take."""

_TURNS_TO_END = 5


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

    async def flush(self, timeout: float) -> None:  # noqa: ASYNC109 - nats-py says so
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
    """A client of our own, which reconnects for ever. See `Connection`.

    :param options: for `nats.connect`
    :param limit: seconds that the first connection may take; 0 waits for ever
    :param report: called with True and False as the connection goes and comes back
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
        self._opening: anyio.CancelScope | None = None
        self._last_error: Exception | None = None

    async def open(self) -> Client:
        """See `Connection.open`: within the limit, or at once when the server turns us down."""
        with anyio.CancelScope(deadline=anyio.current_time() + (self._limit or math.inf)) as self._opening:
            return await self._connect()
        self._opening = None
        raise SignalingError(self._failure()) from self._last_error

    async def reopen(self, client: Client) -> Client:
        """See `Connection.reopen`: nats-py gives up for good when a server that knew us turns us down."""
        await self._closed.wait()
        await self.close(client)
        await anyio.sleep(RECONNECT_INTERVAL)
        return await self._connect()

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
        self._closed = anyio.Event()
        try:
            await client.connect(
                servers=self._servers,
                error_cb=self._on_error,
                disconnected_cb=self._on_disconnected,
                reconnected_cb=self._on_reconnected,
                closed_cb=self._on_closed,
                **cast("Any", self._options),
            )
        except BaseException:
            await self.close(cast("Client", client))
            raise
        self._opening = None
        return cast("Client", client)

    async def _on_error(self, error: Exception) -> None:
        self._last_error = error
        if self._opening is not None and _is_final(error):
            self._opening.cancel()

    async def _on_disconnected(self) -> None:
        self._report(False)

    async def _on_reconnected(self) -> None:
        self._report(True)

    async def _on_closed(self) -> None:
        self._report(False)
        self._closed.set()

    def _failure(self) -> str:
        servers = ", ".join(without_credentials(url) for url in self._servers)
        reason = f": {self._last_error}" if self._last_error is not None else ""
        if self._last_error is not None and _is_final(self._last_error):
            return f"{servers} turned us down{reason}"
        return f"no answer from {servers} within {self._limit:g} s{reason}"


def without_credentials(url: str) -> str:
    """A URL without its user and password, fit for a message."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _is_final(error: Exception) -> bool:
    # nats-py has no type for it: the words are the server's.
    return isinstance(error, ssl.SSLCertVerificationError) or "authorization violation" in str(error).lower()
