"""One join of one room: who is in it, and the links to them."""

from __future__ import annotations

import secrets
from inspect import isawaitable
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING

import anyio

from peerix.core.errors import DataChannelError
from peerix.core.rooms.identity import Identity
from peerix.core.rooms.membership import (
    CandidatesReceived,
    CreateConnection,
    DescriptionReceived,
    Membership,
    PublishSignal,
    VerifyPeer,
)
from peerix.core.rooms.signaling import SignalingCodec, SignalPacket, SignalType
from peerix.events import ChannelErrorEvent, ChannelEvent, ErrorEvent, MessageEvent
from peerix.link import Link
from peerix.signaler import Signaler, SignalerSink
from peerix.task_groups import owned_task_group

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anyio.abc import TaskGroup, TaskStatus

    from peerix.core.errors import PeerixError
    from peerix.core.rooms.control import ChannelOptions
    from peerix.core.rooms.json import JsonValue
    from peerix.core.rooms.membership import Action
    from peerix.drivers.base import Driver
    from peerix.event_stream import Receipt
    from peerix.events import PeerEvent
    from peerix.hub import EventHub
    from peerix.options import PeerOptions
    from peerix.published import Published
    from peerix.remote_peer import RemotePeer
    from peerix.rtc import EncoderPool


class RoomBase:
    """What outlives a join: the peer's options, subscribers, labels, streams, and the group that handlers run in."""

    __slots__ = ("driver", "encoders", "handlers", "hub", "labels", "options", "published")

    def __init__(
        self,
        options: PeerOptions,
        driver: Driver,
        hub: EventHub,
        labels: dict[str, ChannelOptions],
        published: Published,
        encoders: EncoderPool,
        handlers: TaskGroup,
    ) -> None:
        self.options = options
        self.driver = driver
        self.hub = hub
        self.labels = labels
        self.published = published
        self.encoders = encoders
        self.handlers = handlers


class Room:
    """One join.

    :param base: what it has from its peer.
    """

    __slots__ = (
        "_base",
        "_finished",
        "_membership",
        "_rearm",
        "_scope",
        "_signaler",
        "_tasks",
        "_views",
        "id",
        "links",
        "metadata",
        "name",
    )

    def __init__(self, base: RoomBase, name: str, metadata: JsonValue) -> None:
        options = base.options
        identity = Identity.generate(secrets.token_bytes, encryption=options.signaling.encryption)
        self.id = identity.id
        self.name = name
        self.metadata = metadata
        self.links: dict[str, Link] = {}
        self._views: dict[str, RemotePeer] = {}
        self._base = base
        self._scope = anyio.CancelScope()
        self._finished = anyio.Event()
        self._rearm = anyio.Event()
        self._tasks: TaskGroup | None = None
        self._membership = Membership(
            own_id=identity.id,
            metadata=metadata,
            verify=options.verify is not None,
            random_bytes=secrets.token_bytes,
            max_remotes=options.limits.max_remotes,
        )
        codec = SignalingCodec(
            identity,
            encryption=options.signaling.encryption,
            compression=options.signaling.compression,
            random_bytes=secrets.token_bytes,
        )
        sink = SignalerSink(self._handle_packet, self._handle_active, self._report)
        self._signaler = Signaler(base.driver, codec, name, sink, hashing=options.signaling.namespace_hashing)

    @property
    def remotes(self) -> Mapping[str, RemotePeer]:
        """The remote peers by id, read-only."""
        return MappingProxyType(self._views)

    # -- life

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Be in the room until `leave`; started once the others have been told."""
        try:
            with self._scope:
                async with owned_task_group() as tasks:
                    self._tasks = tasks
                    await tasks.start(self._signaler.run)
                    self._announce()
                    task_status.started()
                    await self._clock()
        finally:
            self._membership.leave()
            self._finished.set()

    async def leave(self) -> None:
        """Leave: every link says goodbye, all at once, and this returns when they have ended."""
        self._membership.leave()
        self._scope.cancel("the room was left")
        await self._finished.wait()

    @property
    def left(self) -> bool:
        """Whether `leave` was called, or the room has ended."""
        return self._scope.cancel_called or self._finished.is_set()

    # -- what the driver brings

    def _announce(self) -> None:
        self._membership.announce()
        self._act()

    def _handle_active(self) -> None:
        self._announce()
        for link in self.links.values():
            link.handle_driver_active()

    def _handle_packet(self, packet: SignalPacket) -> None:
        self._membership.receive_packet(packet, monotonic())
        self._act()

    def _act(self) -> None:
        self._do_all()
        self._rearm.set()

    def _do_all(self) -> None:
        while actions := self._membership.poll_actions():
            for action in actions:
                self._do(action)

    def _do(self, action: Action) -> None:
        if isinstance(action, PublishSignal):
            self._signaler.publish(action.type, action.to, action.payload)
        elif isinstance(action, VerifyPeer):
            if self._tasks is not None:
                self._tasks.start_soon(self._verify, action.id, action.metadata, name="verify")
        elif isinstance(action, CreateConnection):
            self._create(action)
        elif isinstance(action, DescriptionReceived):
            self._handle_description(action)
        elif isinstance(action, CandidatesReceived):
            link = self._link(action.id, action.connection)
            if link is not None:
                for candidate in action.candidates:
                    link.negotiator.handle_candidate(candidate)
        else:
            self._report(action.error)

    async def _verify(self, id: str, metadata: JsonValue) -> None:  # noqa: A002 - the field's name
        verify = self._base.options.verify
        answer = verify is None or verify(id, metadata)
        accepted = bool(await answer if isawaitable(answer) else answer)
        self._membership.handle_verified(id, accepted)
        self._act()

    def _create(self, action: CreateConnection) -> None:
        if self._tasks is None:
            return
        link = Link(self, action)
        self.links[action.id] = link
        self._views[action.id] = link.remote
        for label, options in self._base.labels.items():
            link.channels.open(label, options)
        self._tasks.start_soon(link.run, name=f"remote peer {action.id}")

    def _handle_description(self, action: DescriptionReceived) -> None:
        link = self._link(action.id, action.connection)
        if link is None:
            return
        if link.is_successor(action.description):
            # The other side's connection failed before ours did. Ours cannot come back; the new one may.
            metadata = link.remote.metadata
            link.fail()
            self._forget(link)
            self._membership.handle_closed(action.id, action.connection)
            offer: list[JsonValue] = [dict(action.description.to_json()), metadata]
            self._membership.receive_packet(SignalPacket(SignalType.OFFER, action.id, offer), monotonic())
            return
        link.handle_description(action.description)

    def _link(self, id: str, number: int) -> Link | None:  # noqa: A002 - the field's name
        link = self.links.get(id)
        return link if link is not None and link.number == number else None

    # -- what the links say

    @property
    def options(self) -> PeerOptions:
        """The options of the peer."""
        return self._base.options

    @property
    def published(self) -> Published:
        """What the peer publishes."""
        return self._base.published

    @property
    def encoders(self) -> EncoderPool:
        """The encoders that all connections share."""
        return self._base.encoders

    @property
    def handlers(self) -> TaskGroup:
        """Where handlers of events run."""
        return self._base.handlers

    def emit(self, event: PeerEvent, receipt: Receipt | None = None) -> None:
        """Tell the subscribers of the peer."""
        self._base.hub.emit(event, receipt)

    def publish(self, to: str, kind: SignalType, payload: Sequence[object]) -> None:
        """Send a packet over the driver."""
        self._signaler.publish(kind, to, payload)

    def handle_described(self, link: Link, sdp: str) -> None:
        """A remote description was set: candidates may fit it."""
        self._membership.handle_remote_description(link.remote.id, link.number, sdp)
        self._act()

    def handle_connected(self, link: Link) -> None:
        """The connection works."""
        self._membership.handle_connected(link.remote.id, link.number)

    def handle_ended(self, link: Link) -> None:
        """The connection is closed; after a failure the remote peer is invited again."""
        self._forget(link)
        if link.failed:
            self._membership.handle_failed(link.remote.id, link.number, monotonic())
        else:
            self._membership.handle_closed(link.remote.id, link.number)
        self._act()

    def _forget(self, link: Link) -> None:
        if self.links.get(link.remote.id) is link:
            del self.links[link.remote.id]
            del self._views[link.remote.id]

    def handle_trouble(self, event: PeerEvent, error: PeerixError) -> None:
        """A handler met trouble on the network, or fell behind: an event says so."""
        if isinstance(event, MessageEvent) and event.data.failure is error:
            return  # the channel has said so already
        remote = event.remote
        link = None if remote is None else self.links.get(remote.id)
        emit = self.emit if link is None else link.emit
        if isinstance(error, DataChannelError) and isinstance(event, ChannelEvent | MessageEvent | ChannelErrorEvent):
            emit(ChannelErrorEvent("channel:error", event.remote, event.channel, event.label, error))
        else:
            emit(ErrorEvent("error", error, remote))

    def _report(self, error: PeerixError) -> None:
        self.emit(ErrorEvent("error", error))

    # -- time

    async def _clock(self) -> None:
        while True:
            deadline = self._membership.next_timeout()
            self._rearm = anyio.Event()
            with anyio.move_on_after(None if deadline is None else max(deadline - monotonic(), 0.0)):
                await self._rearm.wait()
            self._membership.handle_timeout(monotonic())
            self._do_all()
