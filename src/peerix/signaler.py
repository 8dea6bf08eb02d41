"""The packets of one join, between the room and the driver."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio
from anyio import CancelScope, create_task_group, move_on_after, sleep_forever
from anyio.lowlevel import checkpoint

from peerix.core.errors import LocalProtocolError, PeerixError, SignalingError
from peerix.core.rooms.namespaces import namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anyio.abc import TaskStatus

    from peerix.core.rooms.signaling import SignalingCodec, SignalPacket, SignalType
    from peerix.drivers.base import Driver

MAX_INBOX = 4096
"""Packets that wait to be read; the newest are dropped, as a broker would."""

MAX_INBOX_BYTES = 8 * 1024 * 1024
"""Bytes of these packets."""

MAX_OUTBOX = 4096
"""Packets that wait to be published; the newest are dropped."""

BATCH = 16
"""Packets read between two looks at the other tasks: each costs up to a key exchange."""

UNSUBSCRIBE_TIMEOUT = 0.5
"""Seconds that a driver has to end the subscriptions when the room is left."""


class SignalerSink:
    """Who hears of what the driver brings."""

    __slots__ = ("handle_active", "handle_packet", "report")

    def __init__(
        self,
        handle_packet: Callable[[SignalPacket], None],
        handle_active: Callable[[], None],
        report: Callable[[PeerixError], None],
    ) -> None:
        self.handle_packet = handle_packet
        self.handle_active = handle_active
        """The driver is connected again."""
        self.report = report


class Signaler:
    """Subscribes to the namespaces of the room and of the local peer; packs and unpacks what goes through them."""

    __slots__ = (
        "_codec",
        "_driver",
        "_hashing",
        "_inbox",
        "_inbox_bytes",
        "_outbox",
        "_readable",
        "_room",
        "_sink",
        "_writable",
    )

    def __init__(self, driver: Driver, codec: SignalingCodec, room: str, sink: SignalerSink, *, hashing: bool) -> None:
        self._driver = driver
        self._codec = codec
        self._room = room
        self._sink = sink
        self._hashing = hashing
        self._inbox: deque[bytes] = deque()
        self._inbox_bytes = 0
        self._readable = anyio.Event()
        self._outbox: deque[tuple[str, bytes]] = deque()
        self._writable = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Be subscribed until cancelled; started once both subscriptions are in effect."""
        own = self._codec.identity.id
        namespaces = [namespace(name, hashing=self._hashing) for name in (self._room, own)]
        async with self._driver.watch_active() as changes:
            try:
                for each in namespaces:
                    await self._driver.subscribe(each, self._receive)
                async with create_task_group() as tasks:
                    tasks.start_soon(self._read_inbox, name="incoming signalling")
                    tasks.start_soon(self._publish_outbox, name="outgoing signalling")
                    task_status.started()
                    async for active in changes:
                        if active:
                            self._sink.handle_active()
                    await sleep_forever()  # the driver was left; the connections live on
            finally:
                with CancelScope(shield=True), move_on_after(UNSUBSCRIBE_TIMEOUT):
                    for each in namespaces:
                        await self._driver.unsubscribe(each, self._receive)

    def publish(self, kind: SignalType, to: str | None, payload: Sequence[object] | None) -> None:
        """Send a packet to a member, or to the room."""
        try:
            packet = self._codec.pack(kind, payload, to)
        except SignalingError as error:
            self._sink.report(error)
            return
        if len(self._outbox) < MAX_OUTBOX:
            self._outbox.append((namespace(self._room if to is None else to, hashing=self._hashing), packet))
            self._writable.set()

    def _receive(self, packet: bytes) -> None:
        if len(self._inbox) < MAX_INBOX and self._inbox_bytes + len(packet) <= MAX_INBOX_BYTES:
            self._inbox.append(packet)
            self._inbox_bytes += len(packet)
            self._readable.set()

    async def _read_inbox(self) -> None:
        read = 0
        while True:
            if not self._inbox:
                self._readable = anyio.Event()
                await self._readable.wait()
            packet = self._inbox.popleft()
            self._inbox_bytes -= len(packet)
            self._read(packet)
            read += 1
            if read % BATCH == 0:
                await checkpoint()

    def _read(self, data: bytes) -> None:
        try:
            packet = self._codec.unpack(data)
        except SignalingError as error:
            self._sink.report(error)
            return
        if packet is not None:
            self._sink.handle_packet(packet)

    async def _publish_outbox(self) -> None:
        while True:
            if not self._outbox:
                self._writable = anyio.Event()
                await self._writable.wait()
            try:
                await self._driver.publish(*self._outbox.popleft())
            except LocalProtocolError:
                raise
            except (PeerixError, OSError) as error:
                self._sink.report(_as_signaling_error(error))


def _as_signaling_error(cause: PeerixError | OSError) -> PeerixError:
    if isinstance(cause, PeerixError):
        return cause
    error = SignalingError(f"the packet could not be published: {cause}")
    error.__cause__ = cause
    return error
