"""What happens in a room, as typed objects.

Each event has a `name` of the form ``group:detail``; subscribing to the group gives all of it.

===============  =============================================================  =======================
group            details                                                        class
===============  =============================================================  =======================
``connection``   new, connecting, connected, disconnected, failed, closed       `ConnectionEvent`
``channel``      new, open, close                                               `ChannelEvent`
``channel``      message                                                        `MessageEvent`
``channel``      error                                                          `ChannelErrorEvent`
``stream``       add, remove                                                    `StreamEvent`
``track``        add, remove                                                    `TrackEvent`
``error``                                                                       `ErrorEvent`
===============  =============================================================  =======================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, dataclass_transform

from peerix.rtc import ConnectionState

if TYPE_CHECKING:
    from peerix.channels import RemoteChannel
    from peerix.core.errors import ErrorCode, PeerixError
    from peerix.messages import MessageData
    from peerix.remote_peer import RemotePeer
    from peerix.rtc import MediaStream, ReceivedTrack

    _T = TypeVar("_T")

    @dataclass_transform(frozen_default=True, eq_default=False)
    def _event(cls: type[_T]) -> type[_T]: ...

else:
    # Frozen for the type checkers only: a really frozen one takes three times as long to make.
    _event = dataclass(slots=True, eq=False)


ConnectionEventName: TypeAlias = Literal[
    "connection",
    "connection:new",
    "connection:connecting",
    "connection:connected",
    "connection:disconnected",
    "connection:failed",
    "connection:closed",
]
ChannelEventName: TypeAlias = Literal["channel:new", "channel:open", "channel:close"]
MessageEventName: TypeAlias = Literal["channel:message"]
ChannelErrorEventName: TypeAlias = Literal["channel:error"]
ChannelGroupName: TypeAlias = Literal["channel"]
StreamEventName: TypeAlias = Literal["stream", "stream:add", "stream:remove"]
TrackEventName: TypeAlias = Literal["track", "track:add", "track:remove"]
ErrorEventName: TypeAlias = Literal["error"]

GROUPS: dict[str, tuple[str, ...]] = {
    "connection": tuple(f"connection:{state}" for state in ConnectionState),
    "channel": ("channel:new", "channel:open", "channel:close", "channel:message", "channel:error"),
    "stream": ("stream:add", "stream:remove"),
    "track": ("track:add", "track:remove"),
    "error": (),
}
"""The groups and their details."""

EVENT_NAMES = frozenset([*GROUPS, *(name for details in GROUPS.values() for name in details)])
"""Everything that can be subscribed to."""


@_event
class ConnectionEvent:
    """The connection to a remote peer is in another state.

    `remote.state` may have moved on when the event is read; `state` is the one it is about.
    """

    name: str
    remote: RemotePeer
    state: ConnectionState


@_event
class ChannelEvent:
    """A channel was made, is open, or is closed."""

    name: str
    remote: RemotePeer
    channel: RemoteChannel
    label: str


@_event
class MessageEvent:
    """A message begins to arrive: its first packet is here, `data` gives the rest.

    `info` is what the sender said about the message, as JSON gives it, or None. A `raw` message is one
    frame of an unordered channel or of one with a protocol, or a text frame; it has no `info`.
    """

    name: str
    remote: RemotePeer
    channel: RemoteChannel
    label: str
    data: MessageData
    info: object
    raw: bool


@_event
class ChannelErrorEvent:
    """A message failed, in either direction, or a channel did.

    `channel` is None when it never came to be open, or is gone.
    """

    name: str
    remote: RemotePeer
    channel: RemoteChannel | None
    label: str
    error: PeerixError


@_event
class StreamEvent:
    """A remote peer publishes a stream, or does so no longer.

    A stream comes before its first track, and goes after its last one. `label` is what the remote peer calls it, or the
    stream's id.
    """

    name: str
    remote: RemotePeer
    stream: MediaStream[ReceivedTrack]
    label: str


@_event
class TrackEvent:
    """A track of a remote peer's stream has come, or is gone: it has ended, or is no longer sent (`track.muted`).

    A handler that reads the track holds up the events after it. ``event.track.start_soon(read, event.track)`` reads it
    in a task that ends with the track.
    """

    name: str
    remote: RemotePeer
    stream: MediaStream[ReceivedTrack]
    track: ReceivedTrack
    label: str


@_event
class ErrorEvent:
    """Something went wrong outside a channel; `error.code` says in which area.

    `remote` is the peer that it is about, or None.
    """

    name: str
    error: PeerixError
    remote: RemotePeer | None = None

    @property
    def code(self) -> ErrorCode:
        """The area of the error."""
        return self.error.code


PeerEvent: TypeAlias = (
    ConnectionEvent | ChannelEvent | MessageEvent | ChannelErrorEvent | StreamEvent | TrackEvent | ErrorEvent
)
"""Any event."""


def group_of(name: str) -> str:
    """The group that an event name belongs to; a group's own name belongs to itself."""
    return name.partition(":")[0]
