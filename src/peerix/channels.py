"""The channels that a remote peer has open, as users see them and as they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import BrokenResourceError, ClosedResourceError, EndOfStream, create_task_group

from peerix.core.errors import TransferAborted
from peerix.core.rooms.transfer.channel import ChannelTransfers, carries_transfers
from peerix.events import ChannelErrorEvent, ChannelEvent, MessageEvent
from peerix.raw_carrier import ChannelStatistics, RawCarrier
from peerix.transfer_carrier import TransferCarrier

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio import CancelScope
    from anyio.abc import TaskGroup

    from peerix.core.errors import PeerixError
    from peerix.event_stream import Receipt
    from peerix.events import PeerEvent
    from peerix.messages import FrameData, IncomingMessage
    from peerix.options import PeerOptions
    from peerix.outbox import Outbox
    from peerix.receive_window import ReceiveWindow
    from peerix.remote_peer import RemotePeer
    from peerix.rtc import DataChannel, ReadyState
    from peerix.transfers import Transfer


class RemoteChannel:
    """A channel to one remote peer; ``remote.channels[label]``. What arrives on it comes as events only."""

    __slots__ = ("_channel", "_remote", "statistics")

    def __init__(self, remote: RemotePeer, channel: DataChannel, statistics: ChannelStatistics) -> None:
        self._remote = remote
        self._channel = channel
        self.statistics = statistics
        """Counters since the channel was opened."""

    @property
    def remote(self) -> RemotePeer:
        """The remote peer at its other end."""
        return self._remote

    @property
    def label(self) -> str:
        """Its label."""
        return self._channel.label

    @property
    def protocol(self) -> str:
        """The subprotocol that it was opened with."""
        return self._channel.protocol

    @property
    def ordered(self) -> bool:
        """Whether it keeps the order of messages."""
        return self._channel.ordered

    @property
    def raw(self) -> bool:
        """Whether messages on it are single frames, because it is unordered or has a protocol."""
        return not carries_transfers(ordered=self.ordered, protocol=self.protocol)

    @property
    def state(self) -> ReadyState:
        """`connecting`, `open`, `closing` or `closed`."""
        return self._channel.ready_state

    @property
    def buffered_amount(self) -> int:
        """Bytes that have not left yet, of those that were made into packets."""
        return self._channel.buffered_amount

    @property
    def cancel_scope(self) -> CancelScope:
        """The scope of the channel: cancelling it closes the channel, and touches no other."""
        return self._channel.cancel_scope

    def send(self, message: object, *, info: object = None) -> Transfer:
        """Send a message on this channel: `RemotePeer.send` with its label."""
        return self._remote.send(message, self.label, info=info)

    def __repr__(self) -> str:
        return f"<RemoteChannel {self.label!r} {self.state} remote={self._remote.id!r}>"


class ChannelRun:
    """The life of one channel, from its making to its end, in a task of the remote peer.

    :param on_end: called when the channel is closed, before its event.
    """

    __slots__ = ("_channel", "_emit", "_on_end", "_options", "_outbox", "_polite", "_window", "view")

    def __init__(
        self,
        channel: DataChannel,
        view: RemoteChannel,
        outbox: Outbox,
        window: ReceiveWindow,
        options: PeerOptions,
        emit: Callable[[PeerEvent, Receipt | None], None],
        on_end: Callable[[ChannelRun], None],
        *,
        polite: bool,
    ) -> None:
        self._channel = channel
        self.view = view
        self._outbox = outbox
        self._window = window
        self._options = options
        self._emit = emit
        self._on_end = on_end
        self._polite = polite

    async def run(self) -> None:
        """Wait until the channel is open, carry messages, wait until it is closed."""
        self._tell("channel:new")
        try:
            await self._channel.wait_open()
            async with create_task_group() as tasks:
                await self._carry(tasks)
                tasks.cancel_scope.cancel("the channel is closed")
        except (ClosedResourceError, BrokenResourceError):
            pass  # it closed before it opened
        finally:
            self._on_end(self)
            self._tell("channel:close")

    async def _carry(self, tasks: TaskGroup) -> None:
        carrier = self._carrier(tasks)
        self._window.add(carrier)
        try:
            self._tell("channel:open")
            self._outbox.attach(carrier)
            self._channel.set_receiver(carrier.receive, carrier.finish_batch, carrier.receive_all)
            await self._wait_closed()
        finally:
            self._outbox.detach(carrier)
            self._channel.set_receiver(None)
            carrier.end(TransferAborted(f"the channel {self.view.label!r} is closed"))
            self._window.remove(carrier)

    def _carrier(self, tasks: TaskGroup) -> RawCarrier | TransferCarrier:
        channel = self._channel
        statistics = self.view.statistics
        if self.view.raw:
            return RawCarrier(channel, self, self._window, tasks, statistics)
        transfers = ChannelTransfers(polite=self._polite, read_timeout=self._options.limits.read_timeout)
        return TransferCarrier(
            channel, transfers, self, self._window, tasks, statistics, self._options.limits.max_message_size
        )

    async def _wait_closed(self) -> None:
        # Frames go to the receiver, so that this only ever ends with the channel.
        try:
            await self._channel.receive()
        except (EndOfStream, ClosedResourceError, BrokenResourceError):
            return

    def close(self) -> None:
        """Close the channel: what is in its buffer still goes out."""
        self._channel.close()

    def handle_message(self, data: IncomingMessage | FrameData, info: object, *, raw: bool) -> None:
        """A message begins."""
        view = self.view
        data.taken()
        self._emit(MessageEvent("channel:message", view.remote, view, view.label, data, info, raw), data)
        data.handled()

    def handle_error(self, error: PeerixError) -> None:
        """An incoming message failed, or the channel did."""
        view = self.view
        self._emit(ChannelErrorEvent("channel:error", view.remote, view, view.label, error), None)

    def _tell(self, name: str) -> None:
        view = self.view
        self._emit(ChannelEvent(name, view.remote, view, view.label), None)
