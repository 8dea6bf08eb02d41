"""A data channel: AnyIO's object stream of text and bytes over one SCTP stream."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from anyio import ClosedResourceError, EndOfStream, Event, WouldBlock
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

from peerix.core.datachannel import PPID_BINARY, Channel, ReadyState
from peerix.core.errors import LocalProtocolError
from peerix.rtc.stats import MessageCounters

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any, TypeVarTuple

    from anyio import CancelScope

    from peerix.rtc.channel_link import ChannelLink

    PosArgsT = TypeVarTuple("PosArgsT")

Message: TypeAlias = str | bytes

HIGH_WATER = 1024 * 1024
"""Bytes queued on a channel above which `send` waits."""

LOW_WATER = HIGH_WATER // 2
"""Bytes queued on a channel at which those who wait go on: they fill half a buffer at a time, not one message."""

MESSAGE_OVERHEAD = 128
"""Bytes that an unread message counts on the receive window beyond its own: what it costs in memory. Without it a flood
of empty messages would fill the memory and not the window."""

SENDS_A_CHECKPOINT = 128
"""Sends between two full checkpoints. With one at each, a flush would carry a single message: 1 against 128 to 256
messages a flush. That many are queued in less than half a millisecond."""

RECEIVES_A_CHECKPOINT = 64
"""Receives between two full checkpoints: fewer, since whoever receives works on what came."""

CANCELLATION_EVERY = 32
"""Sends and receives between two looks for a cancellation. A look goes through every scope around the task; with one at
each call it was 27 % of what a small message costs at both ends together. Between two full checkpoints only the task
itself can have cancelled it."""

_MESSAGE = (str, bytes)

RELEASE_AT_ONCE = 32 * 1024
"""Bytes read that are put back on the receive window together, unless all has been read before."""


_Sized: TypeAlias = tuple[Message, int]
"""A message whose length is not what it holds of the receive window: text, and what is no longer a part of it."""


class _Receiver(NamedTuple):
    """Whom the messages of a channel are given to; see `DataChannel.set_receiver`."""

    receive: Callable[[Message, int], None]
    finish_batch: Callable[[], None]
    receive_all: Callable[[Sequence[bytes], int], None] | None


class DataChannel(ObjectSendStream[Message], ObjectReceiveStream[Message]):
    """A data channel of a `PeerConnection` (W3C RTCDataChannel); made by it, never by hand.

    Messages are `str` or `bytes`. `async for message in channel` ends when the other side closes. Any task may
    send; one task at a time may receive.
    """

    __slots__ = (
        "_calls",
        "_channel",
        "_closed_here",
        "_held",
        "_inbox",
        "_link",
        "_opened",
        "_readable",
        "_receiver",
        "_room",
        "counters",
    )

    def __init__(self, channel: Channel, link: ChannelLink) -> None:
        self._channel = channel
        self._link = link
        self._inbox: deque[bytes | _Sized] = deque()
        self._receiver: _Receiver | None = None
        self._held = 0  # bytes put on the window (below 0: taken off it) that the link does not know of yet
        self._room = -1  # at least so many bytes fit under HIGH_WATER
        self._opened = Event()
        self._readable: Event | None = None
        self._calls = 0
        self._closed_here = False
        self.counters = MessageCounters()

    # -- what it is

    @property
    def label(self) -> str:
        """The name that its opener gave it."""
        return self._channel.label

    @property
    def id(self) -> int | None:
        """The SCTP stream id; None until the DTLS role that decides it is known."""
        return self._channel.id

    @property
    def protocol(self) -> str:
        """The subprotocol that its opener named."""
        return self._channel.protocol

    @property
    def ordered(self) -> bool:
        """Whether messages arrive in the order of sending."""
        return self._channel.ordered

    @property
    def negotiated(self) -> bool:
        """Whether both sides created it with an agreed id, without DCEP."""
        return self._channel.negotiated

    @property
    def max_packet_life_time(self) -> int | None:
        """Milliseconds for which a message is sent again, None for ever."""
        return self._channel.max_packet_life_time

    @property
    def max_retransmits(self) -> int | None:
        """How often a message is sent again, None for ever."""
        return self._channel.max_retransmits

    @property
    def ready_state(self) -> ReadyState:
        """`connecting`, `open`, `closing` or `closed`."""
        return self._channel.state

    @property
    def buffered_amount(self) -> int:
        """Bytes handed to `send` that have not left yet."""
        return self._channel.buffered_amount

    @property
    def unacknowledged_amount(self) -> int:
        """Bytes handed to `send` that the other side's SCTP has not acknowledged."""
        return self._channel.unacknowledged_amount

    @property
    def max_message_size(self) -> int:
        """The largest message in bytes that the other side takes; 0 is no limit (RFC 8841 section 6.1)."""
        return self._link.max_message_size

    @property
    def cancel_scope(self) -> CancelScope:
        """The scope of the task that owns the channel: cancelling it closes the channel and touches no other."""
        return self._link.scope_of(self)

    def start_soon(
        self, func: Callable[[*PosArgsT], Coroutine[Any, Any, object]], *args: *PosArgsT, name: object = None
    ) -> None:
        """Start a task that lives no longer than the channel.

        :raises ClosedResourceError: the channel is closed.
        """
        self._link.start_soon(self, func, *args, name=name)

    # -- sending

    async def wait_open(self) -> None:
        """Wait until the channel is open.

        :raises ClosedResourceError: it closed before it opened.
        """
        await checkpoint()
        if self._channel.state is ReadyState.CONNECTING:
            await self._opened.wait()
        if self._channel.state is not ReadyState.OPEN:
            raise ClosedResourceError

    async def send(self, item: Message) -> None:
        """Send a message; waits until the channel is open and has room (HIGH_WATER).

        :raises MessageTooLarge: it is larger than `max_message_size`.
        :raises ClosedResourceError: the channel is closed or closing.
        """
        calls = self._calls
        self._calls = calls + 1
        if not calls % CANCELLATION_EVERY:
            await self._look_up(calls, SENDS_A_CHECKPOINT)
        if self._channel.state is ReadyState.CONNECTING:
            await self._opened.wait()
        if self._room < 0 and self._is_full():
            await self.wait_sendable()
        self._put(item)

    async def _look_up(self, calls: int, most: int) -> None:
        """Notice a cancellation, and after so many calls let others run."""
        if calls >= most:
            self._calls = 1
            await checkpoint()
        else:
            await checkpoint_if_cancelled()

    def _is_full(self) -> bool:
        # Only what is put here fills the buffer: it is asked again when so much has been put.
        self._room = HIGH_WATER - self._channel.buffered_amount
        return self._room < 0

    def send_nowait(self, item: Message) -> None:
        """Send a message without waiting.

        :raises WouldBlock: the channel is not open yet, or more than HIGH_WATER bytes are queued.
        :raises MessageTooLarge: it is larger than `max_message_size`.
        :raises ClosedResourceError: the channel is closed or closing.
        """
        if self._channel.state is ReadyState.CONNECTING:
            raise WouldBlock
        if self._room < 0 and self._is_full():
            raise WouldBlock
        self._put(item)

    def send_all_nowait(self, items: Sequence[bytes]) -> int:
        """Send binary messages that belong together, none of them empty; they count as one for HIGH_WATER.

        :returns: how many bytes they have.
        :raises WouldBlock, MessageTooLarge, ClosedResourceError: as `send_nowait`; none of them is sent then.
        """
        if self._channel.state is not ReadyState.OPEN:
            raise WouldBlock if self._channel.state is ReadyState.CONNECTING else ClosedResourceError
        if self._room < 0 and self._is_full():
            raise WouldBlock
        self._link.send_all(self._channel, items, time.monotonic())
        size = sum(map(len, items))
        self.counters.messages_sent += len(items)
        self.counters.bytes_sent += size
        self._room -= size
        return size

    def _put(self, item: object) -> None:
        channel, link = self._channel, self._link
        stream_id = channel.id
        if (
            isinstance(item, bytes)
            and 0 < (size := len(item)) <= channel.plain_limit
            and link.pump.flush_due
            and stream_id is not None
        ):
            # What `_put_any` comes to with most messages, in one call and not in five.
            link.put(stream_id, PPID_BINARY, item, size)
            self._room -= size
        else:
            size = self._put_any(item)
        counters = self.counters
        counters.messages_sent += 1
        counters.bytes_sent += size

    def _put_any(self, item: object) -> int:
        """Send a message of any kind; return how many bytes or characters it has."""
        if self._channel.state is not ReadyState.OPEN:
            raise ClosedResourceError
        if not isinstance(item, _MESSAGE):
            if not isinstance(item, bytearray | memoryview):
                message = f"a message is str or bytes, not {type(item).__name__}"
                raise LocalProtocolError(message)
            item = bytes(cast("bytes", item))
        # Only the time at which a message is given up depends on the clock.
        self._link.send(
            self._channel, item, time.monotonic() if self._channel.max_packet_life_time is not None else 0.0
        )
        size = len(item)
        # A character has four bytes at most, and an empty message has one.
        self._room -= size + 1 if isinstance(item, bytes) else 4 * size + 1
        return size

    async def wait_sendable(self) -> None:
        """Wait until `send_nowait` has room again.

        :raises ClosedResourceError: the channel closed meanwhile.
        """
        await checkpoint()
        while self._channel.state is ReadyState.CONNECTING:
            await self._opened.wait()
        if self.buffered_amount > HIGH_WATER:
            await self.wait_buffered(LOW_WATER)
        if self._channel.state is not ReadyState.OPEN:
            raise ClosedResourceError

    async def wait_buffered(self, limit: int) -> None:
        """Wait until `buffered_amount` is at most `limit` bytes (W3C bufferedamountlow).

        :raises ClosedResourceError: the channel closed meanwhile.
        """
        await checkpoint()
        if self.buffered_amount > limit:
            await self._link.wait_buffered(self._channel, limit)
        if self._channel.state is not ReadyState.OPEN:
            raise ClosedResourceError

    async def watch(self, condition: Callable[[], bool], event: Event) -> None:
        """Wait for an event of the caller's, which is also set when a condition holds after anything was sent or came.

        The condition must be quick. When the connection ends the event is set, too.
        """
        await checkpoint()
        if not condition():
            await self._link.watch(condition, event)

    async def drained(self) -> None:
        """Wait until the other side's SCTP has acknowledged all that was sent.

        :raises BrokenResourceError: the connection ended before.
        """
        await self._link.drained(self._channel)

    # -- receiving

    async def receive(self) -> Message:
        """Wait for the next message.

        :raises EndOfStream: the other side closed the channel, and all has been read.
        :raises ClosedResourceError: this side closed it.
        :raises BrokenResourceError: the connection ended.
        """
        if self._inbox:
            calls = self._calls
            self._calls = calls + 1
            if not calls % CANCELLATION_EVERY:
                await self._look_up(calls, RECEIVES_A_CHECKPOINT)
        while not self._inbox:
            self._check_readable()
            if self._readable is None:
                self._readable = Event()
            await self._readable.wait()
            self._calls = 1  # to wait is to look up
        return self._take()

    def receive_nowait(self) -> Message:
        """Take the next message if there is one.

        :raises WouldBlock: there is none now.
        """
        if not self._inbox:
            self._check_readable()
            raise WouldBlock
        return self._take()

    def _take(self) -> Message:
        inbox = self._inbox
        item = inbox.popleft()
        if isinstance(item, bytes):
            message: Message = item
            self._held -= len(item) + MESSAGE_OVERHEAD
        else:
            message, size = item
            self._held -= size
        if not inbox or self._held <= -RELEASE_AT_ONCE:
            self._settle()
        return message

    def _settle(self) -> None:
        """Put the receive window right."""
        held, self._held = self._held, 0
        if held > 0:
            self._link.hold(held)
        elif held:
            self._link.release(-held)

    def _check_readable(self) -> None:
        if self._channel.state is not ReadyState.CLOSED:
            return
        raise ClosedResourceError if self._closed_here else self._link.end()

    def set_receiver(
        self,
        receiver: Callable[[Message, int], None] | None,
        finish_batch: Callable[[], None] | None = None,
        receive_all: Callable[[Sequence[bytes], int], None] | None = None,
    ) -> None:
        """Give every message and its size in bytes to a function, in the connection's task, instead of to `receive`.

        The functions must be quick and must not raise. The bytes of the messages stay on the receive window until
        `PeerConnection.release` is called with their number. Messages that wait are given to it at once.

        :param finish_batch: called after the last message of those that came together.
        :param receive_all: gets binary messages that came one after the other, and how many bytes they have together;
            without it `receiver` gets each.
        """
        if receiver is None:
            self._receiver = None
            return
        self._receiver = _Receiver(receiver, finish_batch or _nothing, receive_all)
        if not self._inbox:
            return
        while self._inbox:
            item = self._inbox.popleft()
            message, size = (item, len(item) + MESSAGE_OVERHEAD) if isinstance(item, bytes) else item
            if size:
                self._held -= MESSAGE_OVERHEAD
            receiver(message, max(size - MESSAGE_OVERHEAD, 0))
        self.finish_batch()

    async def __anext__(self) -> Message:
        if self._inbox and self._calls % CANCELLATION_EVERY:
            self._calls += 1
            return self._take()
        try:
            return await self.receive()
        except EndOfStream:
            raise StopAsyncIteration from None

    # -- closing

    async def aclose(self) -> None:
        """Close the channel: what was sent before still arrives, then the other side reads the end."""
        self.close()
        await checkpoint()

    def close(self) -> None:
        """Close the channel without waiting."""
        if self._channel.state not in (ReadyState.CLOSING, ReadyState.CLOSED):
            self._closed_here = True
            self._link.close(self._channel)

    # -- for the connection

    def deliver(self, message: Message, size: int) -> None:
        """Called by the connection with each message that arrives."""
        counters = self.counters
        counters.messages_received += 1
        counters.bytes_received += size
        if self._receiver is not None:
            self._receiver.receive(message, size)
            return
        self._held += MESSAGE_OVERHEAD
        self._inbox.append(message if isinstance(message, bytes) else (message, size + MESSAGE_OVERHEAD))

    def deliver_all(self, messages: list[bytes], size: int) -> None:
        """Called by the connection with binary messages that came together, of `size` bytes in all."""
        counters = self.counters
        counters.messages_received += len(messages)
        counters.bytes_received += size
        receiver = self._receiver
        if receiver is None:
            self._held += MESSAGE_OVERHEAD * len(messages)
            self._inbox.extend(messages)
        elif receiver.receive_all is not None:
            receiver.receive_all(messages, size)
        else:
            for message in messages:
                receiver.receive(message, len(message))

    def finish_batch(self) -> None:
        """Called by the connection after the last message of those that came together."""
        if self._held:
            self._settle()
        if self._receiver is not None:
            self._receiver.finish_batch()
        if self._readable is not None and self._inbox:
            self._readable.set()
            self._readable = None

    def notice_open(self) -> None:
        """Called by the connection when the channel is open."""
        self._opened.set()

    def notice_closed(self) -> None:
        """Called by the connection when the channel is closing or closed: nobody waits on it any longer."""
        if self._channel.state is ReadyState.CLOSED:
            # Nothing more comes; what is unread is the user's, and no longer a part of the window.
            unread = [item if isinstance(item, tuple) else (item, len(item) + MESSAGE_OVERHEAD) for item in self._inbox]
            self._held -= sum(size for _, size in unread)
            self._settle()
            self._inbox = deque((message, 0) for message, _ in unread)
        self._opened.set()
        if self._readable is not None:
            self._readable.set()
            self._readable = None


def _nothing() -> None:
    pass
