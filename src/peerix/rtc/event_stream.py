"""The events of a connection as a stream; any number of independent readers."""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from anyio import EndOfStream, Event
from anyio.abc import ObjectReceiveStream
from anyio.lowlevel import checkpoint

from peerix.rtc.events import ConnectionEvent, DataChannelReceived, LocalCandidate, TrackReceived, TrackRemoved

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

MAX_STATE_EVENTS = 256
"""State changes that wait in a stream. When there are more the oldest goes: the object has the present state, and
candidates, channels and tracks, which are bounded by their own limits, are kept."""

_KEPT = (LocalCandidate, DataChannelReceived, TrackReceived, TrackRemoved)


class EventStream(ObjectReceiveStream[ConnectionEvent]):
    """One reader's events. Ends (EndOfStream) when the connection has closed and all has been read."""

    def __init__(self) -> None:
        self._events: deque[ConnectionEvent] = deque()
        self._waiter: Event | None = None
        self._ended = False

    def put(self, event: ConnectionEvent) -> None:
        """Add an event."""
        self._events.append(event)
        if len(self._events) > MAX_STATE_EVENTS and not isinstance(event, _KEPT):
            self._drop_oldest_state()
        self._wake()

    def end(self) -> None:
        """No more events will come."""
        self._ended = True
        self._wake()

    async def receive(self) -> ConnectionEvent:
        """Wait for the next event.

        :raises EndOfStream: the connection has closed.
        """
        if self._events or self._ended:
            await checkpoint()
        while not self._events:
            if self._ended:
                raise EndOfStream
            if self._waiter is None:
                self._waiter = Event()
            await self._waiter.wait()
        return self._events.popleft()

    async def aclose(self) -> None:
        """Stop to listen."""
        self.end()
        self._events.clear()
        await checkpoint()

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.set()
            self._waiter = None

    def _drop_oldest_state(self) -> None:
        for index, event in enumerate(self._events):
            if not isinstance(event, _KEPT):
                del self._events[index]
                return


class EventHub:
    """Gives every event to every stream that is open."""

    __slots__ = ("_ended", "_streams")

    def __init__(self) -> None:
        self._streams: list[EventStream] = []
        self._ended = False

    def emit(self, event: ConnectionEvent) -> None:
        """Hand an event to all readers."""
        for stream in self._streams:
            stream.put(event)

    def end(self) -> None:
        """End all streams; later ones end at once."""
        self._ended = True
        for stream in self._streams:
            stream.end()

    @asynccontextmanager
    async def subscribe(self) -> AsyncGenerator[EventStream]:
        """Open a stream that gets what is emitted from now on."""
        stream = EventStream()
        if self._ended:
            stream.end()
        self._streams.append(stream)
        try:
            yield stream
        finally:
            self._streams.remove(stream)
