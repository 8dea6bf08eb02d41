"""All channels of one remote peer: which are wanted, which exist, and what waits for them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from anyio import ClosedResourceError

from peerix.channels import ChannelRun, RemoteChannel
from peerix.core.deadlines import earliest
from peerix.core.errors import LocalProtocolError, PeerixError, TransferAborted
from peerix.core.rooms.channels import ChannelPlan, CreateChannel
from peerix.events import ChannelErrorEvent
from peerix.outbox import Outbox
from peerix.raw_carrier import ChannelStatistics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anyio.abc import TaskGroup

    from peerix.core.rooms.channels import ChannelAction
    from peerix.core.rooms.control import ChannelOptions
    from peerix.event_stream import Receipt
    from peerix.events import PeerEvent
    from peerix.options import PeerOptions
    from peerix.receive_window import ReceiveWindow
    from peerix.remote_peer import RemotePeer
    from peerix.rtc import DataChannel, PeerConnection


class ChannelHost:
    """What the channels of a connected remote peer live on."""

    __slots__ = ("connection", "request", "tasks", "window")

    def __init__(
        self,
        connection: PeerConnection,
        window: ReceiveWindow,
        tasks: TaskGroup,
        request: Callable[[bytes], None],
    ) -> None:
        self.connection = connection
        self.window = window
        self.tasks = tasks
        self.request = request
        """Sends a frame on the control channel."""


class RemoteChannels:
    """The labels of one remote peer.

    Labels may be wanted, and messages handed in, before there is a connection.
    """

    __slots__ = ("_emit", "_host", "_options", "_outboxes", "_plan", "_polite", "_remote", "_runs", "_views", "view")

    def __init__(
        self,
        remote: RemotePeer,
        options: PeerOptions,
        emit: Callable[[PeerEvent, Receipt | None], None],
        *,
        polite: bool,
    ) -> None:
        self._remote = remote
        self._options = options
        self._emit = emit
        self._polite = polite
        self._plan = ChannelPlan(polite=polite)
        self._host: ChannelHost | None = None
        self._outboxes: dict[str, Outbox] = {}
        self._runs: dict[RemoteChannel, ChannelRun] = {}
        self._views: dict[str, RemoteChannel] = {}
        self.view: Mapping[str, RemoteChannel] = MappingProxyType(self._views)
        """The channels that exist, by label."""

    def start(self, host: ChannelHost) -> None:
        """There is a connection."""
        self._host = host

    # -- wishes

    def open(self, label: str, options: ChannelOptions) -> None:
        """Want a channel, now or when the control channel is open."""
        self._act(self._plan.open(label, options))

    def close(self, label: str) -> None:
        """Want it no more: close it, and fail what waits for it."""
        self._plan.close(label)
        outbox = self._outboxes.get(label)
        if outbox is not None:
            outbox.close(TransferAborted(f"the channel {label!r} is closed"))
        view = self._views.get(label)
        if view is not None:
            self._runs[view].close()

    def outbox(self, label: str) -> Outbox:
        """Where messages for a label are handed in."""
        outbox = self._outboxes.get(label)
        if outbox is None:
            outbox = self._outboxes[label] = Outbox(
                label, self._options.limits, self._options.connection_timeout, self._handle_failure
            )
        return outbox

    def is_open(self, label: str) -> bool:
        """Whether the channel of a label is open, and its event told."""
        outbox = self._outboxes.get(label)
        return outbox is not None and outbox.open

    def send_control(self, frame: bytes) -> None:
        """Send a frame on the control channel."""
        if self._host is not None:
            self._host.request(frame)

    # -- what the other side does

    def handle_control_open(self) -> None:
        """Labels can be asked for."""
        self._act(self._plan.handle_control_open())

    def handle_request(self, label: str, options: ChannelOptions) -> None:
        """The other side asks for a channel."""
        self._act(self._plan.handle_request(label, options))

    def handle_channel(self, channel: DataChannel) -> None:
        """A channel exists: ours, or one that the other side has made."""
        host = self._host
        if host is None:
            return
        label = channel.label
        if not self._plan.handle_channel(label, channel):
            channel.close()
            return
        view = RemoteChannel(self._remote, channel, ChannelStatistics())
        self._views[label] = view
        run = ChannelRun(
            channel,
            view,
            self.outbox(label),
            host.window,
            self._options,
            self._emit,
            lambda ended: self._handle_end(ended, channel),
            polite=self._polite,
        )
        self._runs[view] = run
        host.tasks.start_soon(run.run, name=f"channel {label!r}")

    def _act(self, actions: list[ChannelAction]) -> None:
        host = self._host
        if host is None:
            return
        for action in actions:
            if isinstance(action, CreateChannel):
                self._create(host, action)
            else:
                host.request(action.frame)

    def _create(self, host: ChannelHost, action: CreateChannel) -> None:
        options = action.options
        try:
            channel = host.connection.create_data_channel(
                action.label,
                ordered=options.ordered,
                max_packet_life_time=options.max_packet_life_time,
                max_retransmits=options.max_retransmits,
                protocol=options.protocol,
                negotiated=options.negotiated,
                id=options.id,
            )
        except ClosedResourceError:
            return  # the connection has just ended, and nobody here has heard of it yet
        except LocalProtocolError as error:  # the other side may have asked for an id that is taken
            self._handle_failure(action.label, error)
        else:
            self.handle_channel(channel)

    def _handle_end(self, run: ChannelRun, channel: DataChannel) -> None:
        label = run.view.label
        self._plan.handle_channel_closed(label, channel)
        del self._runs[run.view]
        if self._views.get(label) is run.view:
            del self._views[label]
            if self._outboxes[label].idle:
                # The other side may open and close ever new labels.
                del self._outboxes[label]

    def _handle_failure(self, label: str, error: PeerixError) -> None:
        event = ChannelErrorEvent("channel:error", self._remote, self._views.get(label), label, error)
        self._emit(event, None)

    # -- time and end

    def next_timeout(self) -> float | None:
        """When a message that waits for its channel fails."""
        deadlines = [each.next_timeout() for each in self._outboxes.values()]
        return earliest(deadlines)

    def handle_timeout(self, now: float) -> None:
        """Fail what has waited too long."""
        for outbox in self._outboxes.values():
            outbox.handle_timeout(now)

    def stop(self) -> None:
        """Begin no further channel."""
        self._host = None

    def end(self, error: PeerixError) -> None:
        """The remote peer is gone."""
        self.stop()
        for outbox in self._outboxes.values():
            outbox.close(error)
