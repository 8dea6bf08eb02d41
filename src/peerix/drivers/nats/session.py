"""Subscriptions and packets over one NATS connection after the other. Everything here runs in asyncio."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio

from peerix.core.errors import SignalingError
from peerix.drivers.asyncio_host import MAX_WAITING_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.drivers.nats.client import Client, Connection, Message, Subscription

FLUSH_TIMEOUT = 2.0
"""Seconds to wait for the server's word that a subscription is in effect."""


class NatsSession:
    """What a driver has at the server, kept up across connections.

    :param deliver: called with the subject and the data of each message
    :param report: called with True when everything is in place on a connection
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
        self._subscriptions: dict[str, Subscription] = {}
        self._outbox: deque[tuple[str, bytes]] = deque()
        self._outbox_bytes = 0
        self._posted = anyio.Event()
        self.dropped = 0

    async def connect(self) -> int:
        """Open the first connection; returns how many bytes of a packet the server takes.

        :raises SignalingError: the server cannot be reached, or turns us down
        """
        self._client = await self._connection.open()
        return self._client.max_payload

    async def serve(self) -> None:
        """Carry what is posted, and stay connected, for ever."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._send_posted)
            while self._client is not None:
                self._client = await self._connection.reopen(self._client)
                for subject in tuple(self._subscriptions):
                    self._subscriptions[subject] = await self._listen(self._client, subject)
                self._report(True)

    async def subscribe(self, subject: str) -> None:
        """Listen to a subject; returns when the server knows, or at once while there is no connection."""
        from nats.errors import Error

        client = self._client
        if client is None:
            return
        try:
            if subject not in self._subscriptions:
                self._subscriptions[subject] = await self._listen(client, subject)
            if client.is_connected:
                await client.flush(FLUSH_TIMEOUT)
        except (Error, OSError, TimeoutError) as error:
            # Without an answer to the flush it is in effect later, with the next connection at the latest.
            if subject not in self._subscriptions:
                raise SignalingError(f"cannot subscribe: {error}") from error

    async def unsubscribe(self, subject: str) -> None:
        """Stop to listen to a subject."""
        from nats.errors import Error

        subscription = self._subscriptions.pop(subject, None)
        if subscription is not None:
            try:
                await subscription.unsubscribe()
            except (Error, OSError, TimeoutError):
                # The connection is gone, and the subscription with it.
                return

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

    async def _listen(self, client: Client, subject: str) -> Subscription:
        async def receive(message: Message) -> None:
            self._deliver(message.subject, message.data)

        return await client.subscribe(subject, cb=receive, pending_bytes_limit=MAX_WAITING_BYTES)

    async def _send_posted(self) -> None:
        while True:
            self._posted = anyio.Event()
            if self._client is not None:
                await self._send_waiting(self._client)
            await self._posted.wait()

    async def _send_waiting(self, client: Client) -> None:
        from nats.errors import Error

        while self._outbox:
            subject, data = self._outbox.popleft()
            self._outbox_bytes -= len(data)
            if client.is_connected:
                try:
                    await client.publish(subject, data)
                except (Error, OSError, TimeoutError):
                    # Lost, like all that is published while there is no connection.
                    self.dropped += 1
