"""Transfers over an open data channel: the shell of the transfer protocol."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import anyio
from anyio import BrokenResourceError, ClosedResourceError, WouldBlock

from peerix.core.errors import DataChannelError
from peerix.core.rooms.transfer.channel import BUFFER_TARGET, MAX_BUFFER_TARGET, ChannelTransfers
from peerix.core.rooms.transfer.incoming import (
    IncomingState,
    IncomingTransfer,
    MessageAdvanced,
    MessageFailed,
    MessageStarted,
)
from peerix.core.rooms.transfer.outgoing import (
    TransferAdvanced,
    TransferFailed,
    TransferFinished,
    TransferWantsData,
)
from peerix.messages import IncomingMessage
from peerix.raw_carrier import RawCarrier
from peerix.sources import SourceFailed
from peerix.transfer_timers import TransferTimers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from peerix.core.errors import PeerixError
    from peerix.core.rooms.transfer.channel import TransferEvent
    from peerix.core.rooms.transfer.outgoing import OutgoingTransfer
    from peerix.raw_carrier import ChannelStatistics, Inbound
    from peerix.receive_window import ReceiveWindow
    from peerix.rtc import DataChannel
    from peerix.transfers import Delivery

FAST = 0.01
"""Seconds: when half a buffer leaves in less, the next one may be twice as large."""

SLOW = 0.04
"""Seconds: when half a buffer takes longer, the next one is half as large."""


class Writing:
    """How many bytes to keep in a channel's buffer, half of which is made at a wake-up.

    :ivar active: whether a task is writing.
    """

    __slots__ = ("active", "target")

    def __init__(self) -> None:
        self.active = False
        self.target = BUFFER_TARGET

    def adapt(self, seconds: float) -> None:
        """Half a buffer has left in so many seconds."""
        if seconds < FAST:
            self.target = min(2 * self.target, MAX_BUFFER_TARGET)
        elif seconds > SLOW:
            self.target = max(self.target // 2, BUFFER_TARGET)


class TransferCarrier:
    """Moves messages over an ordered channel as acknowledged transfers: the shell of `ChannelTransfers`.

    Messages that are handed in are worked on at once, in the caller, and frames that come together in one go; tasks
    are started only for what has to wait: for room in the channel's buffer, for a file, for a timer.
    """

    __slots__ = (
        "_channel",
        "_deliveries",
        "_inbound",
        "_max_message_size",
        "_messages",
        "_raw",
        "_statistics",
        "_tasks",
        "_timers",
        "_transfers",
        "_window",
        "_writing",
    )

    def __init__(
        self,
        channel: DataChannel,
        transfers: ChannelTransfers,
        inbound: Inbound,
        window: ReceiveWindow,
        tasks: TaskGroup,
        statistics: ChannelStatistics,
        max_message_size: int,
    ) -> None:
        self._channel = channel
        self._transfers = transfers
        self._inbound = inbound
        self._window = window
        self._tasks = tasks
        self._max_message_size = max_message_size
        self._raw = RawCarrier(channel, inbound, window, tasks, statistics)
        self._statistics = statistics
        self._deliveries: dict[OutgoingTransfer, Delivery] = {}
        self._messages: dict[IncomingTransfer, IncomingMessage] = {}
        self._writing = Writing()
        self._timers = TransferTimers(channel, transfers, self._work)

    # -- out

    def start(self, delivery: Delivery) -> None:
        """Send it, with as many others in flight as the protocol allows."""
        content = delivery.content
        sender = self._transfers.sender
        delivery.owner = self
        if content.data is not None:
            outgoing = sender.start(content.data, kind=content.kind, info=delivery.info)
        else:
            outgoing = sender.start_source(kind=content.kind, info=delivery.info)
            self._tasks.start_soon(self._feed, delivery, outgoing, name=f"feeder of {self._channel.label!r}")
        delivery.outgoing = outgoing
        self._deliveries[outgoing] = delivery
        self._statistics.messages_sent += 1
        self._work()

    def abort(self, delivery: Delivery, error: PeerixError) -> None:
        """Stop it and tell the receiver."""
        if delivery.outgoing is not None:
            self._transfers.sender.abort(delivery.outgoing, error)
            self._work()

    async def _feed(self, delivery: Delivery, outgoing: OutgoingTransfer) -> None:
        feed = delivery.feed
        if feed is None or delivery.settled:
            return
        with feed.scope:
            try:
                async with feed.blocks as blocks:
                    last = False
                    while not last:
                        block, last = await blocks.next()
                        await feed.wanted.wait()
                        feed.wanted = anyio.Event()
                        self._transfers.sender.feed(outgoing, block, last=last)
                        self._work()
            except SourceFailed as failed:
                delivery.error = failed.cause
                self.abort(delivery, DataChannelError(f"the message could not be read: {failed}"))

    # -- in

    def receive(self, frame: str | bytes, size: int) -> None:
        """A frame of `size` bytes has arrived."""
        if isinstance(frame, str):
            self._work()  # what came before it is told before it
            self._raw.receive(frame, size)
            return
        self._statistics.bytes_received += size
        self._transfers.receive_packet(frame, monotonic())

    def receive_all(self, frames: Sequence[bytes], size: int) -> None:
        """Binary frames have arrived one after the other, of `size` bytes in all."""
        self._statistics.bytes_received += size
        self._transfers.receive_packets(frames, monotonic())

    def finish_batch(self) -> None:
        """No more frames came with the last one."""
        self._work()

    def read(self, transfer: IncomingTransfer, now: float) -> list[bytes | memoryview]:
        """Take what has arrived of a message."""
        chunks = self._transfers.receiver.read(transfer, now)
        # Reading sends nothing and changes nothing but the window.
        if released := self._transfers.take_credit():
            self._window.account(0, released)
        return chunks

    def discard(self, transfer: IncomingTransfer) -> None:
        """Nobody wants the rest of a message, which is acknowledged all the same."""
        self._messages.pop(transfer, None)
        self._transfers.receiver.discard(transfer)
        self._work()

    def cancel(self, transfer: IncomingTransfer) -> None:
        """Tell the sender of a message to stop."""
        self._messages.pop(transfer, None)
        self._transfers.receiver.cancel(transfer)
        self._work()

    def set_window_open(self, is_open: bool, now: float) -> None:
        """The connection's receive window has closed because of unread bytes, or opened again."""
        self._transfers.set_window_open(is_open, now)
        self._timers.arm(self._tasks)

    # -- the loop

    def _work(self) -> None:
        """After every change: send what can be sent, tell who has to know, put the window right."""
        # What is sent makes events as well: a source that is used up is asked for more.
        self._write()
        for event in self._transfers.poll_events():
            self._dispatch(event)
        arrived = self._transfers.take_arrived()
        released = self._transfers.take_credit()
        if arrived or released:
            self._window.account(arrived, released)
        self._timers.arm(self._tasks)

    def _dispatch(self, event: TransferEvent) -> None:  # noqa: C901 - one branch an event
        if isinstance(event, MessageStarted):
            self._begin(event.transfer)
        elif isinstance(event, MessageAdvanced | MessageFailed):
            transfer = event.transfer
            message = self._messages.get(transfer)
            if message is not None:
                message.advance()
            if transfer.state is not IncomingState.OPEN:
                self._messages.pop(transfer, None)
            if isinstance(event, MessageFailed):
                self._inbound.handle_error(event.error)
        elif isinstance(event, TransferFinished):
            self._deliveries.pop(event.transfer).settle()
        elif isinstance(event, TransferFailed):
            self._deliveries.pop(event.transfer).settle(event.error)
        elif isinstance(event, TransferAdvanced):
            if (delivery := self._deliveries.get(event.transfer)) is not None:
                delivery.advance(event.transfer.sent)
        elif isinstance(event, TransferWantsData):
            delivery = self._deliveries.get(event.transfer)
            if delivery is not None and delivery.feed is not None:
                delivery.feed.wanted.set()
        else:
            self._inbound.handle_error(DataChannelError(f"{event.count} frames could not be decoded"))

    def _begin(self, transfer: IncomingTransfer) -> None:
        message = IncomingMessage(transfer, self, self._max_message_size)
        if transfer.state is IncomingState.OPEN:
            self._messages[transfer] = message
        self._statistics.messages_received += 1
        self._inbound.handle_message(message, transfer.info, raw=False)

    def _write(self) -> None:
        channel = self._channel
        packets = self._transfers.packets_to_send(self._writing.target - channel.buffered_amount)
        try:
            if packets:
                self._statistics.bytes_sent += channel.send_all_nowait(packets)
        except ClosedResourceError:
            return  # the end of the channel settles what is pending
        except WouldBlock:
            # Only answers can exceed the buffer: the other side sends, and takes nothing.
            self._inbound.handle_error(DataChannelError("the other side does not take acknowledgements"))
            self._inbound.close()
            return
        if self._transfers.sender.has_packets and not self._writing.active:
            self._writing.active = True
            self._tasks.start_soon(self._keep_writing, name=f"writer of {channel.label!r}")

    async def _keep_writing(self) -> None:
        try:
            while self._transfers.sender.has_packets:
                began = monotonic()
                await self._channel.wait_buffered(self._writing.target // 2)
                self._writing.adapt(monotonic() - began)
                self._work()
        except (ClosedResourceError, BrokenResourceError):
            return
        finally:
            self._writing.active = False

    def end(self, error: PeerixError) -> None:
        """The channel is closed: what is pending fails, in both directions."""
        self._transfers.close(error)
        for event in self._transfers.poll_events():
            self._dispatch(event)
        released = self._transfers.take_credit()
        if released:
            self._window.account(0, released)
        self._raw.end(error)
        # Messages that are whole can still be read; nothing may start a task any more.
        self._writing.active = True
        self._timers.end()
