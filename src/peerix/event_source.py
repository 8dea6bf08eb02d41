"""`on`, `once`, `off` and `events`, with the type of the event for each name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from peerix.event_stream import MAX_BUFFER
from peerix.events import (
    ChannelErrorEvent,
    ChannelErrorEventName,
    ChannelEvent,
    ChannelEventName,
    ChannelGroupName,
    ConnectionEvent,
    ConnectionEventName,
    ErrorEvent,
    ErrorEventName,
    MessageEvent,
    MessageEventName,
    PeerEvent,
    StreamEvent,
    StreamEventName,
    TrackEvent,
    TrackEventName,
)

if TYPE_CHECKING:
    from peerix.event_stream import EventStream
    from peerix.hub import EventHub

_E = TypeVar("_E")
Handler: TypeAlias = Callable[[_E], Awaitable[object] | object]
"""A function that takes an event, sync or async; what it returns is not looked at."""

Unsubscribe: TypeAlias = Callable[[], None]
"""Call it to end a subscription."""

_AnyChannelEvent: TypeAlias = ChannelEvent | MessageEvent | ChannelErrorEvent


class EventSource:
    """Something whose events can be subscribed to: a peer, or one of its remote peers."""

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub

    @overload
    def on(self, event: ConnectionEventName, handler: Handler[ConnectionEvent]) -> Unsubscribe: ...
    @overload
    def on(self, event: ChannelEventName, handler: Handler[ChannelEvent]) -> Unsubscribe: ...
    @overload
    def on(self, event: MessageEventName, handler: Handler[MessageEvent]) -> Unsubscribe: ...
    @overload
    def on(self, event: ChannelErrorEventName, handler: Handler[ChannelErrorEvent]) -> Unsubscribe: ...
    @overload
    def on(self, event: ChannelGroupName, handler: Handler[_AnyChannelEvent]) -> Unsubscribe: ...
    @overload
    def on(self, event: StreamEventName, handler: Handler[StreamEvent]) -> Unsubscribe: ...
    @overload
    def on(self, event: TrackEventName, handler: Handler[TrackEvent]) -> Unsubscribe: ...
    @overload
    def on(self, event: ErrorEventName, handler: Handler[ErrorEvent]) -> Unsubscribe: ...
    @overload
    def on(self, event: str, handler: Handler[Any]) -> Unsubscribe: ...

    def on(self, event: str, handler: Handler[Any]) -> Unsubscribe:
        """Call `handler` with every event of this name or group.

        It works before and after the peer is entered, and survives leaving and joining. Each handler has
        its own task in the peer's group, which calls it with one event at a time, in the order in which
        they happened; it may be async, and may call `leave`, `close`, or cancel a remote peer.

        What a handler raises ends the peer: it leaves through ``async with peer`` in an ExceptionGroup.
        Trouble of the network is the exception to this: a `PeerixError` such as `TransferAborted`, which
        ``await event.data`` raises when the other side goes away, becomes a `channel:error` event (or stays
        an exception in a handler of error events, which must have raised it on purpose).

        :returns: a function that ends the subscription
        :raises ValueError: there is no such event
        """
        return self._hub.on(event, handler).unsubscribe

    @overload
    def once(self, event: ConnectionEventName, handler: Handler[ConnectionEvent]) -> Unsubscribe: ...
    @overload
    def once(self, event: ChannelEventName, handler: Handler[ChannelEvent]) -> Unsubscribe: ...
    @overload
    def once(self, event: MessageEventName, handler: Handler[MessageEvent]) -> Unsubscribe: ...
    @overload
    def once(self, event: ChannelErrorEventName, handler: Handler[ChannelErrorEvent]) -> Unsubscribe: ...
    @overload
    def once(self, event: ChannelGroupName, handler: Handler[_AnyChannelEvent]) -> Unsubscribe: ...
    @overload
    def once(self, event: StreamEventName, handler: Handler[StreamEvent]) -> Unsubscribe: ...
    @overload
    def once(self, event: TrackEventName, handler: Handler[TrackEvent]) -> Unsubscribe: ...
    @overload
    def once(self, event: ErrorEventName, handler: Handler[ErrorEvent]) -> Unsubscribe: ...
    @overload
    def once(self, event: str, handler: Handler[Any]) -> Unsubscribe: ...

    def once(self, event: str, handler: Handler[Any]) -> Unsubscribe:
        """Call `handler` with the next event of this name or group, and with no other; else like `on`."""
        return self._hub.on(event, handler, once=True).unsubscribe

    def off(self, event: str, handler: Handler[Any]) -> None:
        """End the subscriptions of `handler` to this name.

        A call that is under way goes on; events that waited for the handler are not delivered any more.
        """
        self._hub.off(event, handler)

    @overload
    def events(self, *names: ConnectionEventName, max_buffer: int = ...) -> EventStream[ConnectionEvent]: ...
    @overload
    def events(self, *names: ChannelEventName, max_buffer: int = ...) -> EventStream[ChannelEvent]: ...
    @overload
    def events(self, *names: MessageEventName, max_buffer: int = ...) -> EventStream[MessageEvent]: ...
    @overload
    def events(self, *names: ChannelErrorEventName, max_buffer: int = ...) -> EventStream[ChannelErrorEvent]: ...
    @overload
    def events(self, *names: ChannelGroupName, max_buffer: int = ...) -> EventStream[_AnyChannelEvent]: ...
    @overload
    def events(self, *names: StreamEventName, max_buffer: int = ...) -> EventStream[StreamEvent]: ...
    @overload
    def events(self, *names: TrackEventName, max_buffer: int = ...) -> EventStream[TrackEvent]: ...
    @overload
    def events(self, *names: ErrorEventName, max_buffer: int = ...) -> EventStream[ErrorEvent]: ...
    @overload
    def events(self, *names: str, max_buffer: int = ...) -> EventStream[PeerEvent]: ...

    def events(self, *names: str, max_buffer: int = MAX_BUFFER) -> EventStream[Any]:
        """Open a stream of the events of these names or groups, of all events without a name.

        Use it as ``async with peer.events("channel:message") as messages``; it has the events from then on.
        Any number may be open at once, each with all events.

        :param max_buffer: so many events wait for the reader; beyond it, the reader gets `EventsLost`
        :raises ValueError: there is no such event
        """
        return self._hub.stream(names, max_buffer)
