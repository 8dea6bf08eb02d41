"""What a signalling driver is: names to subscribe to, packets to publish, and whether it is connected.

A driver carries small opaque packets between members of a namespace, at most once, to whoever listens at that
moment. `Driver` is the whole contract; a driver of your own subclasses it and calls `dispatch` for what
arrives and `set_active` when its connection comes and goes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, TypeAlias

from peerix.core.errors import LocalProtocolError
from peerix.drivers.activity import ActiveChanges, Activity

if TYPE_CHECKING:
    from types import TracebackType

Handler: TypeAlias = Callable[[bytes], None]
"""Called with each packet of a namespace, in the event loop's thread. It must be quick and must not raise."""


class Driver(ABC):
    """An abstract signalling driver, used as an async context manager.

    It works between entering and leaving, in one event loop at a time. One driver may serve several
    namespaces and several peers. Whoever creates a driver enters it.
    """

    def __init__(self) -> None:
        self._activity = Activity()
        self._handlers: dict[str, dict[Handler, None]] = {}

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Connect; returns when packets can be published, or raises `SignalingError`."""

    @abstractmethod
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """Hand over what was published, disconnect, and leave no task, thread, socket or file behind."""

    @property
    def active(self) -> bool:
        """Whether packets get through now, as far as this side can tell."""
        return self._activity.active

    def watch_active(self) -> ActiveChanges:
        """Watch `active` change from this moment on.

        :returns: a stream of the new values, to be closed (it is an async context manager); it ends when the
          driver is left
        """
        return self._activity.watch()

    @abstractmethod
    async def subscribe(self, namespace: str, handler: Handler) -> None:
        """Give every packet of `namespace` to `handler` from now on; returns when that is in effect.

        Several handlers may listen to one namespace, and are called in the order in which they subscribed.
        Subscribing the same handler again changes nothing. A subscription outlives a lost connection.

        :raises LocalProtocolError: the driver is not entered, or in another event loop
        :raises SignalingError: the driver cannot carry a namespace of this name
        """

    @abstractmethod
    async def unsubscribe(self, namespace: str, handler: Handler) -> None:
        """End a subscription: `handler` is not called again, not even for packets that arrived before.

        Does nothing when there is no such subscription, or when the driver was left already.
        """

    @abstractmethod
    async def publish(self, namespace: str, data: bytes) -> None:
        """Send a packet to everyone who listens to `namespace` now; nobody confirms it.

        While `active` is False the packet is dropped silently. A slow or dead receiver never holds up the
        caller.

        :raises LocalProtocolError: the driver is used in another event loop than the one that entered it
        :raises SignalingError: the packet is larger than the driver carries
        """

    def set_active(self, active: bool) -> None:
        """Say that the connection came or went. For subclasses, in the event loop's thread."""
        self._activity.set(active)

    def add_handler(self, namespace: str, handler: Handler) -> bool:
        """Register a subscription; True when it is the first of its namespace. For subclasses."""
        handlers = self._handlers.setdefault(namespace, {})
        first = not handlers
        handlers[handler] = None
        return first

    def remove_handler(self, namespace: str, handler: Handler) -> bool:
        """Drop a subscription; True when it was the last of its namespace. For subclasses."""
        handlers = self._handlers.get(namespace)
        if handlers is None or handler not in handlers:
            return False
        del handlers[handler]
        if handlers:
            return False
        del self._handlers[namespace]
        return True

    def dispatch(self, namespace: str, data: bytes) -> None:
        """Hand a packet that arrived to its handlers. For subclasses, in the event loop's thread."""
        handlers = self._handlers.get(namespace)
        if handlers is None:
            return
        for handler in tuple(handlers):
            # An earlier handler of this packet may have unsubscribed a later one.
            if handler in handlers:
                handler(data)

    def close_register(self) -> None:
        """Drop all subscriptions, turn inactive, end the streams of changes. For subclasses, when left."""
        self._handlers.clear()
        self._activity.close()


def not_entered(driver: Driver) -> LocalProtocolError:
    """The error for using a driver outside its `async with` block."""
    name = type(driver).__name__
    return LocalProtocolError(f"this {name} is not entered: use it inside `async with {name}(...) as driver`")
