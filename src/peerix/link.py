"""The connection to one remote peer: everything that runs for it."""

from __future__ import annotations

import re
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Protocol

import anyio
from anyio import BrokenResourceError, ClosedResourceError, EndOfStream, WouldBlock, create_task_group

from peerix.connection_watch import ConnectionWatch
from peerix.core.deadlines import earliest
from peerix.core.errors import SignalingError, TransferAborted
from peerix.core.rooms.control import (
    CONTROL_LABEL,
    CONTROL_STREAM_ID,
    ControlCandidate,
    ControlDescription,
    parse_control,
)
from peerix.core.rooms.negotiation import RemoteNegotiation
from peerix.events import ConnectionEvent, ErrorEvent
from peerix.hub import EventHub
from peerix.link_streams import LinkStreams, StreamsHost
from peerix.negotiator import NegotiationSink, Negotiator
from peerix.receive_window import ReceiveWindow
from peerix.remote_channels import ChannelHost, RemoteChannels
from peerix.remote_peer import RemotePeer
from peerix.rtc import (
    ConnectionState,
    ConnectionStateChanged,
    DataChannelReceived,
    LocalCandidate,
    NegotiationNeeded,
    PeerConnection,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from peerix.core.errors import PeerixError
    from peerix.core.rooms.control import ControlMessage
    from peerix.core.rooms.descriptions import SignalDescription
    from peerix.core.rooms.membership import CreateConnection
    from peerix.core.rooms.signaling import SignalType
    from peerix.event_stream import Receipt
    from peerix.events import PeerEvent
    from peerix.options import PeerOptions
    from peerix.published import Published
    from peerix.rtc import ConnectionEvent as RtcEvent
    from peerix.rtc import DataChannel, EncoderPool
    from peerix.transfers import Delivery

_FINGERPRINT = re.compile(r"^a=fingerprint:(\S+ \S+)", re.MULTILINE)


class LinkHost(Protocol):
    """The room that a link belongs to."""

    @property
    def options(self) -> PeerOptions:
        """The options of the peer."""
        ...

    @property
    def metadata(self) -> object:
        """The metadata of the local peer."""
        ...

    @property
    def published(self) -> Published:
        """What the local peer publishes."""
        ...

    @property
    def encoders(self) -> EncoderPool:
        """The encoders that all connections share."""
        ...

    @property
    def handlers(self) -> TaskGroup:
        """Where handlers of events run."""
        ...

    def emit(self, event: PeerEvent, receipt: Receipt | None = None) -> None:
        """Tell the subscribers of the peer."""
        ...

    def handle_trouble(self, event: PeerEvent, error: PeerixError) -> None:
        """A handler met trouble on the network and did not handle it."""
        ...

    def publish(self, to: str, kind: SignalType, payload: Sequence[object]) -> None:
        """Send a packet over the driver."""
        ...

    def handle_described(self, link: Link, sdp: str) -> None:
        """A remote description was set."""
        ...

    def handle_connected(self, link: Link) -> None:
        """The connection works."""
        ...

    def handle_ended(self, link: Link) -> None:
        """The connection is closed; `link.failed` tells whether it had failed."""
        ...


class Link:
    """Connects to one remote peer, and carries its channels until it leaves.

    `scope` is the scope of all of it. Cancelling it, from inside or outside, says goodbye and closes the connection.
    """

    __slots__ = (
        "_host",
        "_hub",
        "_rearm",
        "_watch",
        "channels",
        "connection",
        "ended",
        "negotiator",
        "number",
        "remote",
        "scope",
        "streams",
    )

    def __init__(self, host: LinkHost, creation: CreateConnection) -> None:
        self._host = host
        self._hub = EventHub(host.handle_trouble)
        self._hub.start(host.handlers)
        self.number = creation.connection
        self.scope = anyio.CancelScope()
        self.connection: PeerConnection | None = None
        self.ended = False
        self._rearm = anyio.Event()
        self._watch = ConnectionWatch(host.options.connection_timeout, monotonic(), polite=creation.polite)
        self.remote = RemotePeer(self, self._hub, creation.id, creation.metadata)
        self.channels = RemoteChannels(self.remote, host.options, self.emit, polite=creation.polite)
        rules = RemoteNegotiation(
            polite=creation.polite, metadata=host.metadata, debounce=host.options.signaling.candidate_debounce
        )
        sink = NegotiationSink(
            partial(host.publish, creation.id),
            self.channels.send_control,
            self._handle_described,
            self.report,
            lambda: self.streams.sent.labels,
        )
        self.negotiator = Negotiator(rules, sink, self.rearm)
        self.streams = LinkStreams(
            self.remote,
            StreamsHost(
                host.published, self._tell_labels, lambda: self.negotiator.remote_labels, self.emit, self.report
            ),
        )

    @property
    def state(self) -> ConnectionState:
        """How the connection stands."""
        return self._watch.state

    @property
    def failed(self) -> bool:
        """Whether the connection has failed."""
        return self._watch.failed

    @property
    def handlers(self) -> TaskGroup:
        """The group of the peer, in which sources of messages are read."""
        return self._host.handlers

    def emit(self, event: PeerEvent, receipt: Receipt | None = None) -> None:
        """Tell the subscribers of the remote peer, then those of the peer."""
        self._hub.emit(event, receipt)
        self._host.emit(event, receipt)

    def report(self, error: PeerixError) -> None:
        """Emit an `error` event."""
        self.emit(ErrorEvent("error", error, self.remote))

    def rearm(self) -> None:
        """A timer may be due earlier than before."""
        self._rearm.set()

    def send(self, delivery: Delivery, label: str) -> None:
        """Take a message for this remote peer."""
        if self.ended:
            delivery.settle(TransferAborted("the remote peer is gone"))
            return
        self.channels.outbox(label).add(delivery, monotonic())
        if delivery.outgoing is None:
            self.rearm()

    # -- life

    async def run(self) -> None:
        """Live until the remote peer leaves, the connection fails, or the scope is cancelled."""
        self._tell_state()
        try:
            with self.scope:
                async with (
                    PeerConnection(self._host.options.connection, encoders=self._host.encoders) as connection,
                    connection.events() as events,
                ):
                    try:
                        async with create_task_group() as tasks:
                            try:
                                self._begin(connection, tasks)
                                async for event in events:
                                    self._handle_event(event)
                            finally:
                                # Packets come in until the goodbye; from here on the group takes no tasks.
                                self.channels.stop()
                                tasks.cancel_scope.cancel("the connection is closed")
                    finally:
                        # Before the goodbye, which may take a moment when nobody answers.
                        self._end()
        finally:
            self._end()

    def _begin(self, connection: PeerConnection, tasks: TaskGroup) -> None:
        self.connection = connection
        window = ReceiveWindow(connection, self._host.options.limits.max_unread)
        control = connection.create_data_channel(CONTROL_LABEL, negotiated=True, id=CONTROL_STREAM_ID)
        self.channels.start(ChannelHost(connection, window, tasks, partial(self._send_frame, control)))
        self.streams.sent.start(connection)
        tasks.start_soon(self.negotiator.run, connection, name="negotiation")
        tasks.start_soon(self._control, control, connection, name="control channel")
        tasks.start_soon(self._clock, name="timers of a remote peer")

    def _end(self) -> None:
        if self.ended:
            return
        self.ended = True
        self.channels.end(TransferAborted("the remote peer is gone"))
        self.streams.end()
        self._watch.handle_state(ConnectionState.CLOSED, monotonic())
        self._host.handle_ended(self)
        self._tell_state()
        self._hub.finish()

    def fail(self) -> None:
        """Give the connection up."""
        if not self.ended and self._watch.handle_state(ConnectionState.FAILED, monotonic()):
            self._tell_state()
        self.scope.cancel("the connection failed")

    # -- what the connection says

    def _handle_event(self, event: RtcEvent) -> None:
        if isinstance(event, NegotiationNeeded):
            self.negotiator.handle_negotiation_needed()
        elif isinstance(event, LocalCandidate):
            self.negotiator.handle_local_candidate(event.candidate)
        elif isinstance(event, DataChannelReceived):
            self.channels.handle_channel(event.channel)
        elif isinstance(event, ConnectionStateChanged):
            self._handle_state(event.state)
        else:
            self.streams.handle_event(event)

    def _handle_state(self, state: ConnectionState) -> None:
        if state is ConnectionState.FAILED:
            self.fail()
            return
        if state in (ConnectionState.NEW, ConnectionState.CLOSED):
            return
        if not self._watch.handle_state(state, monotonic()):
            return
        if state is ConnectionState.CONNECTED:
            self._host.handle_connected(self)
            self.streams.sent.add_missing()
        elif state is ConnectionState.DISCONNECTED and self.negotiator.remote_is_peerix:
            # The control channel still says that it is open, but nothing gets through.
            self.negotiator.use_driver()
        self._tell_state()
        self.rearm()

    def _tell_state(self) -> None:
        state = self.state
        self.emit(ConnectionEvent(f"connection:{state}", self.remote, state))

    def _handle_described(self, sdp: str) -> None:
        self._host.handle_described(self, sdp)

    # -- what comes over the driver

    def handle_description(self, description: SignalDescription) -> None:
        """An offer or answer came over the driver."""
        if self.negotiator.uses_control and self.negotiator.remote_is_peerix:
            # The other side has noticed before us that the path is dead, and looks for another.
            self.negotiator.use_driver()
        self.negotiator.handle_description(description)

    def handle_driver_active(self) -> None:
        """The driver has come back: what was sent while it was away is lost."""
        if self.connection is not None and not self.ended and not self.negotiator.uses_control:
            self.negotiator.repeat_offer(self.connection)

    def is_successor(self, description: SignalDescription) -> bool:
        """Whether an offer belongs to another connection than this one: the other side has begun anew."""
        connection = self.connection
        present = None if connection is None else connection.remote_description
        if present is None or description.type != "offer":
            return False
        return set(_FINGERPRINT.findall(present.sdp)).isdisjoint(_FINGERPRINT.findall(description.sdp))

    # -- the control channel

    async def _control(self, control: DataChannel, connection: PeerConnection) -> None:
        """Use the control channel while it is open. Closing it is how the other side says goodbye."""
        try:
            await control.wait_open()
            control.set_receiver(partial(self._handle_frame, connection))
            self._watch.handle_control_open()
            self.negotiator.use_control()
            self.channels.handle_control_open()
            self.streams.sent.add_missing()
            await control.receive()  # frames go to the receiver: this only ever ends with the channel
        except (EndOfStream, ClosedResourceError, BrokenResourceError):
            self.scope.cancel("the other side has closed the control channel")

    def _tell_labels(self) -> bool:
        """Have the next offer go over the control channel if that works: offers over the driver carry no labels."""
        if self.state is not ConnectionState.CONNECTED or not self._watch.control_open:
            return False
        self.negotiator.use_control()
        return True

    def _handle_frame(self, connection: PeerConnection, frame: str | bytes, size: int) -> None:
        connection.release(size)
        try:
            message = parse_control(frame)
        except SignalingError as error:
            self.report(error)
            return
        if message is not None:
            self._handle_control(message)

    def _handle_control(self, message: ControlMessage) -> None:
        if self.state is ConnectionState.CONNECTED:
            self.negotiator.use_control()
        if isinstance(message, ControlDescription):
            self.negotiator.handle_description(message.description, message.labels)
        elif isinstance(message, ControlCandidate):
            self.negotiator.handle_candidate(message.candidate)
        else:
            self.channels.handle_request(message.label, message.options)

    def _send_frame(self, control: DataChannel, frame: bytes) -> None:
        try:
            control.send_nowait(frame)
        except ClosedResourceError:
            return
        except WouldBlock:
            self.report(SignalingError("the other side does not take control messages"))

    # -- time

    async def _clock(self) -> None:
        while True:
            deadlines = (self._watch.next_timeout(), self.negotiator.next_timeout(), self.channels.next_timeout())
            deadline = earliest(deadlines)
            self._rearm = anyio.Event()
            delay = None if deadline is None else max(deadline - monotonic(), 0.0)
            with anyio.move_on_after(delay):
                await self._rearm.wait()
            self._handle_timeout(monotonic())

    def _handle_timeout(self, now: float) -> None:
        self.negotiator.handle_timeout(now)
        self.channels.handle_timeout(now)
        if self._watch.overdue(now):
            self.fail()
        elif self._watch.take_restart(now) and self.negotiator.remote_is_peerix and self.connection is not None:
            self.negotiator.find_path(self.connection)
