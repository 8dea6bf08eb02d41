"""A remote peer of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio.lowlevel import checkpoint

from peerix.event_source import EventSource
from peerix.labels import DEFAULT_LABEL, channel_options
from peerix.media_parameters import AudioParameters, VideoParameters, read_parameters
from peerix.published import Publication
from peerix.sending import send_message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyio import CancelScope

    from peerix.channels import RemoteChannel
    from peerix.core.rooms.json import JsonValue
    from peerix.hub import EventHub
    from peerix.link import Link
    from peerix.published import AnyStream
    from peerix.remote_streams import RemoteStream
    from peerix.rtc import ConnectionState, PeerConnection
    from peerix.transfers import Transfer


class RemotePeer(EventSource):
    """Another peer in the room; ``peer.remotes[id]``, and `remote` of every event.

    A remote peer that has left and comes back is another object, mostly with another id.
    """

    def __init__(self, link: Link, hub: EventHub, id: str, metadata: JsonValue) -> None:  # noqa: A002 - the field's name
        super().__init__(hub)
        self._link = link
        self._id = id
        self._metadata = metadata

    @property
    def id(self) -> str:
        """Its id: with encryption, its public key."""
        return self._id

    @property
    def metadata(self) -> JsonValue:
        """What it said about itself when it joined; None for nothing."""
        return self._metadata

    @property
    def state(self) -> ConnectionState:
        """How the connection to it stands."""
        return self._link.state

    @property
    def channels(self) -> Mapping[str, RemoteChannel]:
        """Its channels that exist at the moment, by label; read-only."""
        return self._link.channels.view

    @property
    def streams(self) -> Mapping[str, RemoteStream]:
        """What it publishes at the moment, by label; read-only."""
        return self._link.streams.received.view

    @property
    def connection(self) -> PeerConnection | None:
        """The WebRTC connection; None in the moment before it is made."""
        return self._link.connection

    @property
    def cancel_scope(self) -> CancelScope:
        """The scope of all that runs for it: cancelling it closes the connection, and touches no other."""
        return self._link.scope

    async def open(
        self,
        label: str = DEFAULT_LABEL,
        *,
        ordered: bool = True,
        max_packet_life_time: int | None = None,
        max_retransmits: int | None = None,
        protocol: str = "",
    ) -> None:
        """Open a channel with this remote peer only; see `Peer.open`."""
        options = channel_options(label, ordered, max_packet_life_time, max_retransmits, protocol)
        await checkpoint()
        self._link.channels.open(label, options)

    async def close(self, label: str = DEFAULT_LABEL) -> None:
        """Close a channel with this remote peer only; see `Peer.close`."""
        await checkpoint()
        self._link.channels.close(label)

    def send(self, message: object, label: str = DEFAULT_LABEL, *, info: object = None) -> Transfer:
        """Send a message to this remote peer only; see `Peer.send`.

        When it has left already, the transfer fails with `TransferAborted`.
        """
        return send_message([self._link], message, label, info=info, tasks=self._link.handlers)

    async def writable(self, label: str = DEFAULT_LABEL) -> None:
        """Wait until `send` has room again; see `Peer.writable`."""
        await checkpoint()
        await self._link.channels.outbox(label).wait_room()

    async def publish(
        self,
        stream: AnyStream,
        label: str | None = None,
        *,
        audio: AudioParameters | Mapping[str, object] | None = None,
        video: VideoParameters | Mapping[str, object] | None = None,
        managed: bool = False,
    ) -> None:
        """Share a stream with this remote peer only, until it leaves; see `Peer.publish`."""
        parameters = read_parameters(AudioParameters, audio), read_parameters(VideoParameters, video)
        publication = Publication(stream, label, *parameters, managed=managed)
        await checkpoint()
        if not self._link.ended:
            await self._link.streams.sent.publish(publication)

    async def unpublish(self, label_or_stream: str | AnyStream) -> None:
        """Stop to share a stream with this remote peer only, also one that everybody gets; see `Peer.unpublish`."""
        await checkpoint()
        self._link.streams.sent.unpublish(label_or_stream)

    def __repr__(self) -> str:
        return f"<RemotePeer {self._id!r} {self.state}>"
