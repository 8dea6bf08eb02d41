"""Who hears of which event: handlers, each with its own task, and streams."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

from peerix.core.errors import EventsLost, LocalProtocolError, PeerixError
from peerix.event_stream import CHECKPOINT_INTERVAL, MAX_BUFFER, EventStream
from peerix.events import EVENT_NAMES, group_of

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from peerix.event_stream import Receipt, Subscriber
    from peerix.events import PeerEvent

AnyHandler: TypeAlias = Callable[[Any], Awaitable[object] | object]
"""A handler of any event, sync or async."""

Trouble: TypeAlias = Callable[["PeerEvent", PeerixError], None]
"""Told of the network's trouble that a handler did not handle."""


class Handler:
    """A subscribed function, its queue, and the task that calls it with one event at a time.

    What waits is bounded by `MAX_BUFFER`; beyond that events are not kept for this handler, and one `error`
    event with `EventsLost` says so.
    """

    __slots__ = (
        "_function",
        "_hub",
        "_lost",
        "_names",
        "_once",
        "_unsubscribed",
        "_waiting",
        "_wake_up",
        "event_name",
    )

    def __init__(self, hub: EventHub, event_name: str, function: AnyHandler, *, once: bool) -> None:
        self._hub = hub
        self.event_name = event_name
        self._names = frozenset([event_name])
        self._function = function
        self._once = once
        self._waiting: deque[tuple[PeerEvent, Receipt | None]] = deque()
        self._wake_up = anyio.Event()
        self._unsubscribed = False
        self._lost = False

    @property
    def names(self) -> frozenset[str]:
        """The one name or group it is subscribed to."""
        return self._names

    def calls(self, function: AnyHandler) -> bool:
        """Whether this is a subscription of that function; bound methods are equal, not identical."""
        return self._function == function

    def deliver(self, event: PeerEvent, receipt: Receipt | None) -> None:
        """Queue an event for the task."""
        if len(self._waiting) >= MAX_BUFFER:
            if not self._lost:
                self._lost = True
                self._hub.report(event, EventsLost(f"a handler of {self.event_name!r} is {MAX_BUFFER} events behind"))
            return
        self._lost = False
        if receipt is not None:
            receipt.taken()
        self._waiting.append((event, receipt))
        self._wake_up.set()

    def forget(self) -> None:
        """Drop what waits."""
        while self._waiting:
            _, receipt = self._waiting.popleft()
            if receipt is not None:
                receipt.handled()

    def finish(self) -> None:
        """Nothing more comes: the task ends when it has handled what waits."""
        self._wake_up.set()

    def unsubscribe(self) -> None:
        """Call the function no more; a call that is under way goes on to its end."""
        self._hub.remove(self)
        self._unsubscribed = True
        self.forget()
        self._wake_up.set()

    async def run(self) -> None:
        """Call the function with each event, in order, until nothing more can come."""
        handled = 0
        while not self._unsubscribed:
            if not self._waiting:
                if self._hub.finished:
                    return
                self._wake_up = anyio.Event()
                await self._wake_up.wait()
                continue
            handled += 1
            await (checkpoint_if_cancelled() if handled % CHECKPOINT_INTERVAL else checkpoint())
            if self._waiting:
                await self._handle(*self._waiting.popleft())

    async def _handle(self, event: PeerEvent, receipt: Receipt | None) -> None:
        if self._once:
            self.unsubscribe()
        try:
            result = self._function(event)
            if isawaitable(result):
                await result
        except PeerixError as error:
            if not is_network_trouble(event, error):
                raise
            self._hub.report(event, error)
        finally:
            if receipt is not None:
                receipt.handled()


def is_network_trouble(event: PeerEvent, error: PeerixError) -> bool:
    """Whether an error that a handler let out is the network's and not the handler's.

    ``await event.data`` raises when the other side aborts or goes away: nobody's bug, so it must not end
    the peer. A handler of error events that raises wants just that.
    """
    if event.name in {"error", "channel:error"}:
        return False
    return not isinstance(error, LocalProtocolError | EventsLost)


class EventHub:
    """Delivers events to the handlers and streams of one peer, or of one remote peer.

    Subscribing works at any time. Handlers get their tasks in the group given to `start`, and keep their
    subscription when that group has ended and another one starts.

    :param trouble: told of trouble that a handler ran into on the network and did not handle.
    """

    __slots__ = ("_handlers", "_routes", "_streams", "_task_group", "_trouble", "finished")

    def __init__(self, trouble: Trouble) -> None:
        self.finished = False
        self._trouble = trouble
        self._handlers: list[Handler] = []
        self._streams: list[Subscriber] = []
        self._routes: dict[str, tuple[Subscriber, ...]] = {}
        self._task_group: TaskGroup | None = None

    def start(self, task_group: TaskGroup) -> None:
        """Run the handlers in `task_group`, those of now and those to come."""
        self.finished = False
        self._task_group = task_group
        for handler in self._handlers:
            handler.forget()  # of an earlier block that was cancelled
            task_group.start_soon(handler.run, name=f"handler of {handler.event_name}")

    def finish(self) -> None:
        """Nothing more happens: handlers end when they have handled what waits, streams end likewise."""
        self.finished = True
        self._task_group = None
        for subscriber in (*self._handlers, *self._streams):
            subscriber.finish()

    def emit(self, event: PeerEvent, receipt: Receipt | None = None) -> None:
        """Hand an event to everybody who subscribed to its name or its group."""
        targets = self._routes.get(event.name)
        if targets is None:
            targets = self._route(event.name)
        for subscriber in targets:
            subscriber.deliver(event, receipt)

    def report(self, event: PeerEvent, error: PeerixError) -> None:
        """Pass on trouble that came up while `event` was delivered or handled."""
        self._trouble(event, error)

    def on(self, name: str, function: AnyHandler, *, once: bool = False) -> Handler:
        """Subscribe a function.

        :raises ValueError: there is no such event
        """
        check_names(name)
        handler = Handler(self, name, function, once=once)
        self._handlers.append(handler)
        self._routes.clear()
        if self._task_group is not None:
            self._task_group.start_soon(handler.run, name=f"handler of {name}")
        return handler

    def off(self, name: str, function: AnyHandler) -> None:
        """End every subscription of a function to this name; does nothing when there is none."""
        for handler in [each for each in self._handlers if each.event_name == name and each.calls(function)]:
            handler.unsubscribe()

    def stream(self, names: tuple[str, ...], max_buffer: int) -> EventStream[Any]:
        """Make a stream of the events of these names; of all events when there are none.

        :raises ValueError: there is no such event, or the bound is not positive
        """
        check_names(*names)
        if max_buffer < 1:
            raise ValueError("max_buffer must be at least 1")
        return EventStream(self, frozenset(names) or EVENT_NAMES, max_buffer)

    def add(self, subscriber: Subscriber) -> None:
        """Deliver to a stream from now on."""
        self._streams.append(subscriber)
        self._routes.clear()
        if self.finished:
            subscriber.finish()

    def remove(self, subscriber: Subscriber) -> None:
        """Deliver to a subscriber no more."""
        self._streams = [each for each in self._streams if each is not subscriber]
        self._handlers = [each for each in self._handlers if each is not subscriber]
        self._routes.clear()

    def _route(self, name: str) -> tuple[Subscriber, ...]:
        wanted = {name, group_of(name)}
        everybody: tuple[Subscriber, ...] = (*self._handlers, *self._streams)
        targets = tuple(each for each in everybody if wanted & each.names)
        self._routes[name] = targets
        return targets


def check_names(*names: str) -> None:
    """Refuse names that no event has.

    :raises ValueError: with the names that there are
    """
    for name in names:
        if name not in EVENT_NAMES:
            raise ValueError(f"there is no event {name!r}; there are {', '.join(sorted(EVENT_NAMES))}")
