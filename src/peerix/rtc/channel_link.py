"""What the data channels of a connection share: the session below them, their scopes, and who waits for what."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from anyio import BrokenResourceError, ClosedResourceError, EndOfStream, Event
from anyio.lowlevel import checkpoint

from peerix.core.datachannel import (
    Channel,
    ChannelClosed,
    ChannelClosing,
    ChannelMessage,
    ChannelMessages,
    ChannelOpened,
    ReadyState,
)
from peerix.core.session import ConnectionState
from peerix.rtc.data_channel import DataChannel, Message
from peerix.rtc.object_scope import ObjectScope

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

    from anyio import CancelScope
    from anyio.abc import TaskGroup

    from peerix.core.datachannel import ChannelEvent
    from peerix.core.session import Session
    from peerix.rtc.pump import Pump


class ChannelLink:
    """The channels of one connection.

    `owner` is the task group of the connection, in which the scopes of channels live; None before and after.

    :ivar pump: sends what the channels put.
    :ivar put: queues a message of a channel with a `plain_limit` (`OutboundQueue.put`), while `pump.flush_due` is set.
    """

    __slots__ = ("_scopes", "_session", "_shells", "_touched", "_watchers", "owner", "pump", "put")

    def __init__(self, session: Session, pump: Pump) -> None:
        self.owner: TaskGroup | None = None
        self._session = session
        self.pump = pump
        self.put = session.association.put
        self._shells: dict[Channel, DataChannel] = {}
        self._scopes: dict[DataChannel, ObjectScope] = {}
        self._watchers: list[tuple[Callable[[], bool], Event]] = []
        self._touched: dict[DataChannel, None] = {}

    def shell(self, channel: Channel) -> DataChannel:
        """The object that users have for a channel of the session."""
        shell = self._shells.get(channel)
        if shell is None:
            shell = self._shells[channel] = DataChannel(channel, self)
        return shell

    @property
    def shells(self) -> list[DataChannel]:
        """The channels that are not closed."""
        return list(self._shells.values())

    def receive(self, channel: Channel) -> DataChannel:
        """The object for a channel that the other side has opened."""
        shell = self.shell(channel)
        shell.notice_open()
        return shell

    # -- sending

    @property
    def max_message_size(self) -> int:
        """The largest message in bytes that the other side takes; 0 is no limit."""
        return self._session.channels.max_message_size

    def send(self, channel: Channel, message: Message, now: float) -> None:
        """Queue a message, and see to it that it leaves."""
        session = self._session
        if self.pump.flush_due:
            session.channels.send(channel, message, now)
            return
        idle = session.idle
        session.channels.send(channel, message, now)
        self.pump.touch(idle=idle)

    def send_all(self, channel: Channel, messages: Sequence[bytes], now: float) -> None:
        """Queue binary messages, none of them empty, and see to it that they leave, together where they can."""
        session = self._session
        idle = session.idle
        session.channels.send_all(channel, messages, now)
        if not self.pump.flush_due:
            self.pump.touch(idle=idle)

    async def wait_buffered(self, channel: Channel, limit: int) -> None:
        """Wait until at most `limit` bytes of the channel have not left, or it is not open any more."""
        await self.watch(lambda: channel.buffered_amount <= limit or channel.state is not ReadyState.OPEN, Event())

    async def watch(self, condition: Callable[[], bool], event: Event) -> None:
        """Wait for an event, which is set when a condition holds at the end of a wake-up, or the connection ends."""
        watcher = (condition, event)
        self._watchers.append(watcher)
        try:
            await event.wait()
        finally:
            self._watchers.remove(watcher)

    async def drained(self, channel: Channel) -> None:
        """Wait until nothing that was sent on the channel is unacknowledged.

        :raises BrokenResourceError: the connection ended before.
        """
        await checkpoint()
        if self._is_drained(channel):
            return
        await self.watch(lambda: self._is_drained(channel), Event())
        if self._session.closed and not self._is_drained(channel):
            raise BrokenResourceError

    async def all_drained(self) -> None:
        """Wait until everything that was sent on the connection has been acknowledged."""
        for channel in list(self._shells):
            if channel.state is not ReadyState.CONNECTING:
                await self.drained(channel)

    def _is_drained(self, channel: Channel) -> bool:
        return channel.unacknowledged_amount == 0

    def after_flush(self) -> None:
        """Called at the end of every wake-up: those who wait for room or for an acknowledgement go on."""
        for condition, event in self._watchers:
            if condition():
                event.set()

    # -- receiving

    def release(self, size: int) -> None:
        """The user has read `size` bytes: they leave the receive window."""
        self._session.association.release(size)
        if self._session.association.has_pending:
            self.pump.touch(idle=False)

    def hold(self, size: int) -> None:
        """Put `size` bytes on the receive window, until they are released."""
        self._session.association.hold(size)

    # -- scopes

    def scope_of(self, shell: DataChannel) -> CancelScope:
        """The cancel scope of a channel; its task starts when somebody asks for the first time."""
        return self._owner_of(shell).scope

    def _owner_of(self, shell: DataChannel) -> ObjectScope:
        scope = self._scopes.get(shell)
        if scope is None:
            scope = self._scopes[shell] = ObjectScope(shell.close)
            if self.owner is not None and shell.ready_state is not ReadyState.CLOSED:
                self.owner.start_soon(scope.run, name=f"data channel {shell.label!r}")
        return scope

    def start_soon(
        self, shell: DataChannel, func: Callable[..., Coroutine[Any, Any, object]], *args: object, name: object = None
    ) -> None:
        """Start a task that ends with the channel."""
        if self.owner is None or shell.ready_state is ReadyState.CLOSED:
            raise ClosedResourceError
        self._owner_of(shell).start_soon(partial(func, *args), name)

    # -- ends

    def close(self, channel: Channel) -> None:
        """Close a channel from this side."""
        if channel.state in (ReadyState.CLOSING, ReadyState.CLOSED):
            return
        self._session.channels.close(channel, time.monotonic())
        self.pump.touch(idle=True)

    def end(self) -> Exception:
        """What a reader gets when the other side, or the connection, has ended a channel."""
        if self._session.closed and not self._session.closed_by_peer:
            return ClosedResourceError()
        broken = self._session.connection_state is ConnectionState.FAILED
        return BrokenResourceError() if broken else EndOfStream()

    def deliver(self, event: ChannelMessage | ChannelMessages) -> None:
        """Hand messages to their channel; `finish_batch` follows."""
        receiver = self._shells[event.channel]
        if isinstance(event, ChannelMessages):
            receiver.deliver_all(event.messages, event.size)
        else:
            receiver.deliver(event.data, event.size)
        self._touched[receiver] = None

    def dispatch(self, event: ChannelEvent) -> None:
        """React to what else happened to a channel."""
        if isinstance(event, ChannelOpened):
            self.shell(event.channel).notice_open()
        elif isinstance(event, ChannelClosing | ChannelClosed):
            shell = self._shells.get(event.channel)
            if shell is None:
                return
            shell.notice_closed()
            scope = self._scopes.pop(shell, None)
            if scope is not None:
                scope.end()
            if isinstance(event, ChannelClosed):
                del self._shells[event.channel]

    def finish_batch(self) -> None:
        """All events that came together are dispatched: those who got messages may work on them."""
        touched = self._touched
        if touched:
            self._touched = {}
            for shell in touched:
                shell.finish_batch()

    def end_all(self) -> None:
        """The connection has ended: nobody waits any longer."""
        for shell in self._shells.values():
            shell.notice_closed()
        for _, event in self._watchers:
            event.set()
        for scope in self._scopes.values():
            scope.end()
