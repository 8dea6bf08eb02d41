"""The streams of events that `events()` gives."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol, Self, TypeVar, cast

import anyio
from anyio.abc import ObjectReceiveStream
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

from peerix.core.errors import EventsLost

if TYPE_CHECKING:
    from types import TracebackType

    from peerix.events import PeerEvent

MAX_BUFFER = 65_536
"""Events that wait for one reader, unless `events` is told another number."""

CHECKPOINT_INTERVAL = 64
"""Events taken before other tasks get their turn: a checkpoint costs as much as the event itself."""

EventT_co = TypeVar("EventT_co", covariant=True)


class Receipt(Protocol):
    """What wants to know when everybody has handled an event: the data of a message."""

    @property
    def arriving(self) -> bool:
        """Whether there is more to come and nobody has asked for it: it is about to be thrown away."""
        ...

    def taken(self) -> None:
        """One more subscriber has the event."""
        ...

    def handled(self) -> None:
        """One of them is through with it."""
        ...


class Subscriber(Protocol):
    """Who gets events: a handler or a stream."""

    @property
    def names(self) -> frozenset[str]:
        """The names and groups it wants."""
        ...

    def deliver(self, event: PeerEvent, receipt: Receipt | None) -> None:
        """Take an event; must be quick and not raise."""
        ...

    def finish(self) -> None:
        """No more events come."""
        ...


class Subscriptions(Protocol):
    """Where a stream subscribes."""

    def add(self, subscriber: Subscriber) -> None:
        """Deliver to it from now on."""
        ...

    def remove(self, subscriber: Subscriber) -> None:
        """Deliver to it no more."""
        ...


class EventStream(ObjectReceiveStream[EventT_co]):
    """A stream of events, used as ``async with peer.events("channel") as events: async for event in events``.

    It has every event since the block was entered, in order, and ends when the peer's own block ends. The
    network never waits for its reader: a reader that falls further behind than the stream's bound gets
    `EventsLost` after the events that were kept, and can go on reading from there.

    A message whose data nobody has asked for is thrown away when its reader takes the event after it.
    """

    def __init__(self, hub: Subscriptions, names: frozenset[str], max_buffer: int) -> None:
        self._hub = hub
        self._names = names
        self._max_buffer = max_buffer
        self._waiting: deque[tuple[PeerEvent, Receipt | None]] = deque()
        self._arrived = anyio.Event()
        self._in_hand: Receipt | None = None
        self._lost = 0
        self._taken = 0
        self._reading = False
        self._ended = False
        self._closed = False

    @property
    def names(self) -> frozenset[str]:
        """The names and groups that this stream has."""
        return self._names

    def deliver(self, event: PeerEvent, receipt: Receipt | None) -> None:
        """Take an event from the hub."""
        if self._lost or len(self._waiting) >= self._max_buffer:
            self._lost += 1
            return
        if receipt is not None:
            receipt.taken()
        self._waiting.append((event, receipt))
        self._arrived.set()

    def finish(self) -> None:
        """Let the reader see the end of the stream after what still waits."""
        self._ended = True
        self._arrived.set()

    async def __aenter__(self) -> Self:
        """Begin to collect events."""
        self._hub.add(self)
        await checkpoint_if_cancelled()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop to collect; what nobody took is gone."""
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> EventT_co:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def receive(self) -> EventT_co:
        """Wait for the next event.

        :raises EventsLost: events are missing here, because this reader was too far behind
        :raises anyio.EndOfStream: the block of the peer was left, or the remote peer is gone
        :raises anyio.ClosedResourceError: this stream's own block was left
        :raises anyio.BusyResourceError: another task is reading it
        """
        if self._reading:
            raise anyio.BusyResourceError("reading from")
        self._reading = True
        try:
            await self._let_others_run()
            self._put_down()
            while not (self._waiting or self._lost or self._ended or self._closed):
                self._arrived = anyio.Event()
                await self._arrived.wait()
        finally:
            self._reading = False
        return self._take()

    def receive_nowait(self) -> EventT_co:
        """Take the next event if there is one.

        :raises anyio.WouldBlock: there is none
        :raises EventsLost: as `receive`
        """
        if self._reading:
            raise anyio.BusyResourceError("reading from")
        self._put_down()
        if not (self._waiting or self._lost or self._ended or self._closed):
            raise anyio.WouldBlock
        return self._take()

    async def aclose(self) -> None:
        """Stop to collect; what nobody took is gone."""
        self.close()
        await checkpoint()

    def close(self) -> None:
        """Stop to collect, at once."""
        self._hub.remove(self)
        self._closed = True
        self._put_down()
        while self._waiting:
            _, receipt = self._waiting.popleft()
            if receipt is not None:
                receipt.handled()
        self._arrived.set()

    async def _let_others_run(self) -> None:
        self._taken += 1
        if self._in_hand is not None and self._in_hand.arriving:
            # The reader may have handed the event to a task that it has just started: that task must run
            # before the data counts as unclaimed. On trio two tasks that are ready run in any order, hence
            # the second round.
            await checkpoint()
            await checkpoint()
        elif self._taken % CHECKPOINT_INTERVAL == 0:
            await checkpoint()
        else:
            await checkpoint_if_cancelled()

    def _put_down(self) -> None:
        receipt, self._in_hand = self._in_hand, None
        if receipt is not None:
            receipt.handled()

    def _take(self) -> EventT_co:
        if self._closed:
            raise anyio.ClosedResourceError
        if self._waiting:
            event, self._in_hand = self._waiting.popleft()
            return cast("EventT_co", event)
        if self._lost:
            lost, self._lost = self._lost, 0
            raise EventsLost(f"{lost} events are lost: the reader was {self._max_buffer} events behind")
        raise anyio.EndOfStream
