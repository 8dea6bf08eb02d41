"""A peer: the main object of the library."""

from __future__ import annotations

from contextlib import asynccontextmanager, nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, Self, TypeAlias, cast

import anyio
from anyio import AsyncContextManagerMixin, CancelScope, ClosedResourceError, EndOfStream
from anyio.lowlevel import checkpoint

from peerix.core.errors import EventsLost, LocalProtocolError
from peerix.core.rooms.candidates import DEBOUNCE
from peerix.core.rooms.json import write_json
from peerix.core.rooms.membership import MAX_REMOTES
from peerix.core.rooms.transfer.receiver import READ_TIMEOUT
from peerix.drivers.memory import process_wide_driver
from peerix.event_source import EventSource
from peerix.events import ErrorEvent
from peerix.hub import EventHub
from peerix.labels import DEFAULT_LABEL, channel_options
from peerix.media_parameters import AudioParameters, VideoParameters, read_parameters
from peerix.options import (
    CONNECTION_TIMEOUT,
    MAX_MESSAGE_SIZE,
    MAX_PENDING,
    MAX_PENDING_BYTES,
    MAX_UNREAD,
    Limits,
    PeerOptions,
    SignalingOptions,
)
from peerix.published import Publication, Published
from peerix.remote_peer import RemotePeer
from peerix.room import Room, RoomBase
from peerix.rtc import Configuration, EncoderPool
from peerix.sending import send_message
from peerix.task_groups import owned_task_group

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from anyio.abc import TaskGroup

    from peerix.addons import Addon
    from peerix.core.errors import PeerixError
    from peerix.core.rooms.control import ChannelOptions
    from peerix.core.rooms.json import JsonValue
    from peerix.drivers.base import Driver
    from peerix.events import PeerEvent
    from peerix.link import Link
    from peerix.options import Verify
    from peerix.published import AnyStream
    from peerix.rtc import IceServer
    from peerix.rtc.configuration import IceTransportPolicy
    from peerix.transfers import Transfer

    Target: TypeAlias = str | RemotePeer

CLOSE_TIMEOUT = 1.0
"""Seconds that leaving the block may take: for add-ons, goodbyes, and handlers of what has happened before."""

ADDON_TIMEOUT = 0.5
"""Seconds of these for all add-ons together."""


class Peer(AsyncContextManagerMixin, EventSource):
    """A member of a room, connected to every other member.

    Everything that runs for it runs inside ``async with peer``. Leaving the block leaves the room, closes
    all connections at once, lets handlers finish what has happened so far, and takes one second at most. A
    block that fails or is cancelled does not wait for handlers.

    :param driver: carries the signalling; its user enters it. Peers without one share a `MemoryDriver`,
        which connects the peers of one event loop.
    :param ice_servers: STUN and TURN servers: `IceServer` objects or equal mappings.
    :param ice_transport_policy: "relay" lets only relayed candidates be used.
    :param addresses: the local addresses that connections use; those of all interfaces when absent. One that this host
        does not have is passed over.
    :param connection_timeout: seconds for a connection to come about, and to come back after it was lost;
        likewise for a message to wait until its channel is open. 0 is for ever.
    :param ice_candidate_debounce: seconds for which candidates are gathered before they go over the driver together.
    :param namespace_hashing: hide names of rooms and ids from the broker. All members of a room must agree.
    :param signaling_compression: compress signalling packets.
    :param signaling_encryption: encrypt them. All members of a room must agree.
    :param verify: called with id and metadata of a remote peer, sync or async; it is let in if the answer is true.
    :param max_message_size: bytes of the largest message that can be awaited as a whole; larger ones are iterated over.
    :param max_unread: bytes that a remote peer may have sent and nobody has read; then it cannot send any more.
    :param max_pending: messages to one remote peer on one label that may be under way; then `send` raises `WouldBlock`.
    :param max_pending_bytes: bytes of these messages, without those of files and iterables.
    :param max_remotes: remote peers at most; further ones are not let in.
    :param read_timeout: seconds that a reader may take nothing while its remote peer cannot send.
    :raises LocalProtocolError: an option is wrong
    """

    def __init__(
        self,
        *,
        driver: Driver | None = None,
        ice_servers: Sequence[IceServer | Mapping[str, object]] = (),
        ice_transport_policy: IceTransportPolicy = "all",
        addresses: Sequence[str] | None = None,
        connection_timeout: float = CONNECTION_TIMEOUT,
        ice_candidate_debounce: float = DEBOUNCE,
        namespace_hashing: bool = True,
        signaling_compression: bool = True,
        signaling_encryption: bool = True,
        verify: Verify | None = None,
        max_message_size: int = MAX_MESSAGE_SIZE,
        max_unread: int = MAX_UNREAD,
        max_pending: int = MAX_PENDING,
        max_pending_bytes: int = MAX_PENDING_BYTES,
        max_remotes: int = MAX_REMOTES,
        read_timeout: float = READ_TIMEOUT,
    ) -> None:
        super().__init__(EventHub(self._handle_trouble))
        self._options = PeerOptions(
            connection=Configuration(
                ice_servers=tuple(ice_servers),
                ice_transport_policy=ice_transport_policy,
                addresses=addresses,
                receive_limit=max_unread,
            ),
            connection_timeout=connection_timeout,
            verify=verify,
            signaling=SignalingOptions(
                encryption=signaling_encryption,
                compression=signaling_compression,
                namespace_hashing=namespace_hashing,
                candidate_debounce=ice_candidate_debounce,
            ),
            limits=Limits(
                max_message_size=max_message_size,
                max_unread=max_unread,
                max_pending=max_pending,
                max_pending_bytes=max_pending_bytes,
                max_remotes=max_remotes,
                read_timeout=read_timeout,
            ),
        )
        self._driver = driver
        self._labels: dict[str, ChannelOptions] = {}
        self._published = Published()
        self._addons: list[Addon] = []
        self._base: RoomBase | None = None
        self._room: Room | None = None
        self._scope = CancelScope()

    # -- life

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        driver: Driver = process_wide_driver() if self._driver is None else self._driver
        entered: AbstractAsyncContextManager[object] = driver if self._driver is None else nullcontext()
        async with entered:
            try:
                with self._scope:
                    async with owned_task_group() as tasks:
                        encoders = EncoderPool()
                        encoders.start(tasks)
                        self._base = RoomBase(
                            self._options, driver, self._hub, self._labels, self._published, encoders, tasks
                        )
                        self._hub.start(tasks)
                        self._published.start(tasks)
                        try:
                            yield self
                            await self._close(tasks)
                        finally:
                            await self._detach_addons()
            finally:
                self._base = self._room = None
                self._published.stop()
                self._hub.finish()
                self._scope = CancelScope()

    async def _close(self, tasks: TaskGroup) -> None:
        deadline = anyio.current_time() + CLOSE_TIMEOUT
        await self._detach_addons()
        await self.leave()
        self._published.stop()
        # Handlers end by themselves when they have handled what waits for them; those that do not are cancelled.
        self._hub.finish()
        tasks.cancel_scope.deadline = deadline

    async def _detach_addons(self) -> None:
        with CancelScope(shield=True), anyio.move_on_after(ADDON_TIMEOUT):
            while self._addons:
                await self._addons.pop().detach(self)

    @property
    def cancel_scope(self) -> CancelScope:
        """The scope of everything, the block of ``async with peer`` included."""
        return self._scope

    # -- the room

    async def join(self, room: str = "default", metadata: object = None) -> str:
        """Join a room; those who are in it, and those who come later, connect to this peer.

        :param metadata: shown to the others; anything that JSON can hold.
        :returns: the local peer's id: a new one for each join
        :raises LocalProtocolError: it is in a room already
        :raises TypeError, ValueError: JSON cannot hold the metadata
        :raises SignalingError: the driver cannot subscribe
        :raises ClosedResourceError: the block of the peer was not entered, or was left
        """
        base = self._check_entered()
        write_json(metadata)
        if self._room is not None:
            raise LocalProtocolError(f"this peer is in the room {self._room.name!r} already: leave it first")
        joined = self._room = Room(base, room, cast("JsonValue", metadata))
        try:
            await base.handlers.start(joined.run)
        except BaseException as error:
            if self._room is joined:
                self._room = None
            if isinstance(error, RuntimeError) and joined.left:
                raise ClosedResourceError from None  # `leave` was called meanwhile
            raise
        return joined.id

    async def leave(self) -> None:
        """Leave the room: all connections are closed when it returns. Harmless when there is none.

        Handlers, open labels, published streams and add-ons stay for the next `join`. A handler may call it.
        """
        room, self._room = self._room, None
        if room is None:
            await checkpoint()
        else:
            await room.leave()

    @property
    def id(self) -> str | None:
        """The local peer's id; None outside a room."""
        return None if self._room is None else self._room.id

    @property
    def room(self) -> str | None:
        """The name of the room; None outside one."""
        return None if self._room is None else self._room.name

    @property
    def metadata(self) -> object:
        """What the others are shown; None outside a room."""
        return None if self._room is None else self._room.metadata

    @property
    def active(self) -> bool:
        """Whether the peer is in a room."""
        return self._room is not None

    @property
    def remotes(self) -> Mapping[str, RemotePeer]:
        """The remote peers by id, those included to which the connection is still being made; read-only."""
        return MappingProxyType({}) if self._room is None else self._room.remotes

    # -- channels

    async def open(
        self,
        label: str = DEFAULT_LABEL,
        *,
        ordered: bool = True,
        max_packet_life_time: int | None = None,
        max_retransmits: int | None = None,
        protocol: str = "",
    ) -> None:
        """Open a channel with everybody, now and later, also after leaving and joining.

        Opening a label on one side or on both gives one channel; its options are those of the side that made it.
        Messages may be sent at once: they wait for the channel.

        :param ordered: False lets messages overtake each other.
        :param max_packet_life_time: milliseconds for which a message is sent again; None for ever.
        :param max_retransmits: how often a message is sent again; None for ever.
        :param protocol: a name for what is spoken on the channel. Messages on such a channel, and on an
            unordered one, are raw: single frames.
        :raises LocalProtocolError: no channel can be opened so
        """
        options = channel_options(label, ordered, max_packet_life_time, max_retransmits, protocol)
        await checkpoint()
        self._labels[label] = options
        for link in self._links():
            link.channels.open(label, options)

    async def wait_open(self, label: str = DEFAULT_LABEL, *, remotes: int = 1) -> None:
        """Wait until the channel is open with so many remote peers.

        :raises ClosedResourceError: the block of the peer was not entered, or was left
        """
        self._check_entered()
        async with self.events("channel:open") as opened:
            await checkpoint()
            while self._count_open(label) < remotes:
                try:
                    await opened.receive()
                except EventsLost:
                    continue
                except EndOfStream:
                    raise ClosedResourceError from None

    def _count_open(self, label: str) -> int:
        return sum(link.channels.is_open(label) for link in self._links())

    async def close(self, label: str = DEFAULT_LABEL) -> None:
        """Close a channel with everybody, and open it with nobody later.

        Frames that are in its buffer still go out; messages that are not acknowledged fail.
        """
        await checkpoint()
        self._labels.pop(label, None)
        for link in self._links():
            link.channels.close(label)

    # -- messages

    def send(
        self,
        message: object,
        label: str = DEFAULT_LABEL,
        *,
        info: object = None,
        to: Target | Iterable[Target] | None = None,
    ) -> Transfer:
        """Send a message to the remote peers that are present, or to some of them.

        It returns at once; the order of calls is the order of messages on the label. A message waits for
        its channel up to `connection_timeout`.

        :param message: `str`, bytes-like, anything that JSON can hold, an `os.PathLike` of a file, an open
            binary file, or an async iterable of bytes-like objects.
        :param info: goes with the message; anything that JSON can hold, less than 16 KB.
        :param to: an id or `RemotePeer`, or several. Unknown ones are left out; when nobody is left, there is an empty
            result at once.
        :returns: a transfer, which may be awaited, iterated over, or dropped
        :raises anyio.WouldBlock: too much is under way; `writable` waits for room
        :raises anyio.ClosedResourceError: the block of the peer was not entered, or was left
        :raises TypeError, ValueError: the message or the info cannot be sent
        :raises MessageTooLarge: the info is
        """
        base = self._check_entered()
        return send_message(self._targets(to), message, label, info=info, tasks=base.handlers)

    async def writable(self, label: str = DEFAULT_LABEL) -> None:
        """Wait until `send` to everybody has room: at once if it has, else until half of what is under way is gone."""
        await checkpoint()
        while True:
            full = [outbox for link in self._links() if not (outbox := link.channels.outbox(label)).has_room]
            if not full:
                return
            await full[0].wait_room()

    def _targets(self, to: Target | Iterable[Target] | None) -> list[Link]:
        if to is None:
            return self._links()
        targets: Iterable[Target] = [to] if isinstance(to, str | RemotePeer) else to
        wanted = {each.id if isinstance(each, RemotePeer) else each for each in targets}
        return [link for link in self._links() if link.remote.id in wanted]

    # -- streams

    async def publish(
        self,
        stream: AnyStream,
        label: str | None = None,
        *,
        audio: AudioParameters | Mapping[str, object] | None = None,
        video: VideoParameters | Mapping[str, object] | None = None,
        managed: bool = False,
    ) -> None:
        """Share a stream with everybody, now and later, also after leaving and joining.

        The same label again exchanges what is shared: its tracks are replaced by those of the same kind without a word
        to the other side, further ones are added, and what is left is taken away. A stream that has other tracks by
        now is published again in the same way.

        :param label: what the others call it; the id of the stream when it is not given.
        :param audio: how its sound is sent: `AudioParameters`, or a mapping with their names.
        :param video: how its pictures are sent: `VideoParameters`, or a mapping with their names.
        :param managed: the tracks stay the program's own affair. Otherwise a track that is no longer published to
            anybody is ended, and a stream is unpublished when all its tracks have ended.
        :raises LocalProtocolError: the label or a parameter cannot be used
        """
        parameters = read_parameters(AudioParameters, audio), read_parameters(VideoParameters, video)
        publication = Publication(stream, label, *parameters, managed=managed)
        await checkpoint()
        self._published.add(publication)
        for link in self._links():
            await link.streams.sent.publish(publication)

    async def unpublish(self, label_or_stream: str | AnyStream) -> None:
        """Stop to share a stream, under one label or under all that it has. Harmless when it is not shared."""
        await checkpoint()
        for publication in [each for each in self._published.by_label.values() if each.is_meant_by(label_or_stream)]:
            self._published.drop(publication)
        for link in self._links():
            link.streams.sent.unpublish(label_or_stream)

    @property
    def published(self) -> Mapping[str, AnyStream]:
        """What is shared with everybody, by label; read-only."""
        return MappingProxyType({label: each.stream for label, each in self._published.by_label.items()})

    # -- add-ons

    async def attach(self, addon: Addon) -> None:
        """Attach an add-on: calls its `attach`. It stays until `detach`, or until the peer's block ends.

        :raises LocalProtocolError: it is attached already
        :raises ClosedResourceError: the block of the peer was not entered, or was left
        """
        self._check_entered()
        if addon in self._addons:
            raise LocalProtocolError("this add-on is attached already")
        self._addons.append(addon)
        try:
            await addon.attach(self)
        except BaseException:
            self._addons.remove(addon)
            raise

    async def detach(self, addon: Addon) -> None:
        """Detach an add-on: calls its `detach`. Harmless when it is not attached."""
        await checkpoint()
        if addon in self._addons:
            self._addons.remove(addon)
            await addon.detach(self)

    @property
    def addons(self) -> tuple[Addon, ...]:
        """The add-ons that are attached, in order."""
        return tuple(self._addons)

    # -- inside

    def _check_entered(self) -> RoomBase:
        if self._base is None:
            raise ClosedResourceError
        return self._base

    def _links(self) -> list[Link]:
        return [] if self._room is None else list(self._room.links.values())

    def _handle_trouble(self, event: PeerEvent, error: PeerixError) -> None:
        if self._room is None:
            self._hub.emit(ErrorEvent("error", error, event.remote))
        else:
            self._room.handle_trouble(event, error)

    def __repr__(self) -> str:
        return f"<Peer {self.id!r} in {self.room!r}>" if self.active else "<Peer in no room>"
