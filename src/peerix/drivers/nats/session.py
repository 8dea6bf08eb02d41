"""Subscriptions and packets over one NATS connection after the other. Everything here runs in asyncio."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import anyio

from peerix.drivers.asyncio_host import MAX_WAITING_BYTES
from peerix.drivers.nats.client import connection_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.drivers.nats.client import Client, Connection, Message, Subscription

FLUSH_TIMEOUT = 2
"""Seconds to wait for the server's word that a subscription is in effect."""

_WRITE_INTERVAL = 0.001
"""Seconds between two looks at what nats-py has not written yet: it has no event for that."""


class NatsSession:
    """What a driver has at the server, kept up across connections; made in the asyncio event loop.

    :param deliver: called with the subject and the data of each message
    :param report: called with True when everything is in place on another connection
    :ivar max_payload: bytes of a packet that the server takes at most
    """

    def __init__(
        self,
        connection: Connection,
        deliver: Callable[[str, bytes], None],
        report: Callable[[bool], None],
    ) -> None:
        self._connection = connection
        self._deliver = deliver
        self._report = report
        self._client: Client | None = None
        self._subscriptions: dict[str, Subscription | None] = {}
        self._changing = anyio.Lock()
        self._outbox: deque[tuple[str, bytes]] = deque()
        self._outbox_bytes = 0
        self._posted = anyio.Event()
        self.max_payload = 0
        self.dropped = 0

    @classmethod
    async def opened(
        cls,
        make_connection: Callable[[Callable[[bool], None]], Connection],
        deliver: Callable[[str, bytes], None],
        report: Callable[[bool], None],
    ) -> Self:
        """Open the first connection.

        :raises SignalingError: the server cannot be reached, or turns us down
        """
        session = cls(make_connection(report), deliver, report)
        session._client = client = await session._connection.open()
        session.max_payload = client.max_payload
        return session

    async def serve(self) -> None:
        """Carry what is posted, and stay connected, for ever."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._send_posted)
            while self._client is not None:
                self._client = client = await self._connection.reopen(self._client)
                await self._listen_again(client)
                await self._flush(client)
                if client.is_connected:
                    self._report(True)

    async def subscribe(self, subject: str) -> None:
        """Listen to a subject; returns when the server knows, or at once while there is no connection."""
        async with self._changing:
            subscription = self._subscriptions.setdefault(subject, None)
            client = self._client
            if client is None or not client.is_connected:
                return
            if subscription is None:
                await self._listen(client, subject)
        await self._flush(client)

    async def unsubscribe(self, subject: str) -> None:
        """Stop to listen to a subject."""
        async with self._changing:
            subscription = self._subscriptions.pop(subject, None)
            if subscription is not None:
                with suppress(*connection_errors()):
                    await subscription.unsubscribe()

    def post(self, subject: str, data: bytes) -> None:
        """Send a packet; it is dropped when too much waits for the connection."""
        if self._outbox_bytes + len(data) > MAX_WAITING_BYTES:
            self.dropped += 1
            return
        self._outbox.append((subject, data))
        self._outbox_bytes += len(data)
        self._posted.set()

    async def close(self) -> None:
        """Hand over what was posted, end every subscription, close the connection."""
        client, self._client = self._client, None
        if client is None:
            return
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(FLUSH_TIMEOUT):
                await self._send_waiting(client)
                for subject in tuple(self._subscriptions):
                    await self.unsubscribe(subject)
            await self._connection.close(client)

    async def _listen_again(self, client: Client) -> None:
        async with self._changing:
            for subject in self._subscriptions:
                await self._listen(client, subject)

    async def _listen(self, client: Client, subject: str) -> None:
        async def receive(message: Message) -> None:
            self._deliver(message.subject, message.data)

        # If the connection goes this moment, the next one gets all subscriptions.
        with suppress(*connection_errors()):
            self._subscriptions[subject] = await client.subscribe(
                subject, cb=receive, pending_bytes_limit=MAX_WAITING_BYTES
            )

    async def _flush(self, client: Client) -> None:
        with anyio.move_on_after(FLUSH_TIMEOUT), suppress(*connection_errors()):
            # The question of `flush` overtakes what nats-py has not written yet: its answer would come too
            # early.
            while client.is_connected and client.pending_data_size:  # noqa: ASYNC110 - there is no event for it
                await anyio.sleep(_WRITE_INTERVAL)
            if client.is_connected:
                await client.flush(FLUSH_TIMEOUT)

    async def _send_posted(self) -> None:
        while True:
            self._posted = anyio.Event()
            if self._client is not None:
                await self._send_waiting(self._client)
            await self._posted.wait()

    async def _send_waiting(self, client: Client) -> None:
        while self._outbox:
            subject, data = self._outbox.popleft()
            self._outbox_bytes -= len(data)
            if client.is_connected:
                # What fails is lost, like all that is published while there is no connection.
                with suppress(*connection_errors()):
                    await client.publish(subject, data)
