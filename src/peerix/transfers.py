"""Messages on their way out: what `send` returns."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from anyio import get_cancelled_exc_class
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

from peerix.core.errors import TransferAborted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from peerix.core.errors import PeerixError
    from peerix.core.rooms.transfer.outgoing import OutgoingTransfer
    from peerix.sources import Blocks, Content


NEWS_INTERVAL = 0.02
"""Seconds from one piece of news of a delivery to the next. On a fast path packets are made hundreds of times a second,
and to wake whoever follows each time is a part of the work of sending."""


@dataclass(slots=True)
class Progress:
    """How far a message has come on its way to one remote peer.

    `current` bytes of `total` (None when that is not known) have been sent. `done` is True once the whole
    message has been acknowledged.
    """

    id: str
    label: str
    current: int
    total: int | None
    done: bool


class DeliveryOwner(Protocol):
    """Who carries a delivery: the outbox of its label at first, then the channel."""

    def abort(self, delivery: Delivery, error: PeerixError) -> None:
        """Stop it, tell the receiver, and settle it with `error`."""
        ...


class Feed:
    """The blocks of a message that is read while it is sent, and the task that feeds them to the channel."""

    __slots__ = ("blocks", "scope", "wanted")

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self.wanted = anyio.Event()
        """Set when the channel wants another block."""
        self.scope = anyio.CancelScope()

    def end(self) -> None:
        """The message is over."""
        self.blocks.close()
        self.scope.cancel()


class Delivery:
    """One remote peer's share of a transfer.

    :param on_settled: called once, when it is acknowledged or has failed.
    """

    __slots__ = (
        "_news_at",
        "_on_settled",
        "content",
        "current",
        "error",
        "feed",
        "info",
        "outgoing",
        "owner",
        "remote_id",
        "settled",
        "transfer",
    )

    def __init__(
        self,
        transfer: Transfer,
        remote_id: str,
        content: Content,
        info: bytes | None,
        on_settled: Callable[[Delivery], None],
    ) -> None:
        self.transfer = transfer
        self.remote_id = remote_id
        self.content = content
        self.info = info
        self.feed = None if content.data is not None else Feed(content.open())
        self.owner: DeliveryOwner | None = None
        self.outgoing: OutgoingTransfer | None = None
        """What the channel made of it; None while it waits for the channel."""
        self.current = 0
        self.settled = False
        self.error: Exception | None = None
        """Why it failed: a `PeerixError`, or what the caller's own file or iterable raised."""
        self._on_settled = on_settled
        self._news_at = 0.0

    @property
    def size(self) -> int:
        """Bytes that it keeps in memory for certain: those of a whole message."""
        return 0 if self.content.data is None else len(self.content.data)

    @property
    def progress(self) -> Progress:
        """How far it is."""
        done = self.settled and self.error is None
        return Progress(self.remote_id, self.transfer.label, self.current, self.content.total, done)

    def advance(self, current: int) -> None:
        """So many bytes are sent."""
        self.current = current
        now = monotonic()
        if now >= self._news_at:
            self._news_at = now + NEWS_INTERVAL
            self.transfer.notice(self)

    def abort(self, error: PeerixError) -> None:
        """Stop it, wherever it is."""
        if self.owner is not None:
            self.owner.abort(self, error)

    def settle(self, error: Exception | None = None) -> None:
        """It is acknowledged, or has failed. An error that is known already is the better one."""
        if self.settled:
            return
        self.settled = True
        if error is None:
            self.error = None
            self.current = self.current if self.content.total is None else self.content.total
        elif self.error is None:
            self.error = error
        self.owner = None
        if self.feed is not None:
            self.feed.end()
        self._on_settled(self)
        self.transfer.settle(self)


class Transfer:
    """A message on its way to one or more remote peers.

    It runs whether or not anybody looks at it. ``await transfer`` waits until all of them have acknowledged
    it, and gives their ids in the order in which they did. ``async for progress in transfer`` gives
    `Progress` objects as it goes, at most 50 a second of each remote peer, and only the latest when the loop is slow.

    Cancelling the scope that awaits it aborts it, for all of them. A failure while nobody awaits or iterates
    becomes a `channel:error` event.
    """

    __slots__ = (
        "_aborted",
        "_acknowledged",
        "_changed",
        "_deliveries",
        "_ended",
        "_open",
        "_progress",
        "_watchers",
        "label",
    )

    def __init__(self, label: str) -> None:
        self.label = label
        self._deliveries: list[Delivery] = []
        self._acknowledged: list[str] = []
        self._open = 0
        self._watchers = 0
        self._aborted = False
        self._changed: anyio.Event | None = None  # for those who iterate
        self._ended: anyio.Event | None = None  # for those who await
        # Weak: a loop that was left counts no more. Made when the first loop begins: most messages never have one.
        self._progress: weakref.WeakSet[_ProgressReader] | None = None

    # -- for the caller

    def __await__(self) -> Generator[Any, Any, tuple[str, ...]]:
        return self.wait().__await__()

    async def wait(self) -> tuple[str, ...]:
        """Wait until every remote peer has acknowledged the message; ``await transfer`` is short for it.

        :returns: the ids of those who have
        :raises TransferAborted: it was aborted by either side, or a remote peer or its channel went away
        :raises TransferTimeout: a remote peer's channel did not open in time, or it did not acknowledge in
            time
        :raises OSError: a file could not be read; likewise whatever an iterable raised

        When it fails for some, it is raised after the others have acknowledged, or failed as well;
        `acknowledged` tells who has it.
        """
        self._watchers += 1
        try:
            await checkpoint_if_cancelled()
            if self._open:
                if self._ended is None:
                    self._ended = anyio.Event()
                await self._ended.wait()
        except get_cancelled_exc_class():
            self.abort()
            raise
        finally:
            self._watchers -= 1
        self._raise_failure()
        return self.acknowledged

    def __aiter__(self) -> _ProgressReader:
        reader = _ProgressReader(self, self._deliveries)
        if self._progress is None:
            self._progress = weakref.WeakSet()
        self._progress.add(reader)
        return reader

    def abort(self) -> None:
        """Stop it for every remote peer that has not acknowledged it yet, and tell them. Harmless when it is over."""
        self._aborted = True
        for delivery in self._deliveries:
            delivery.abort(TransferAborted("aborted by the sender"))

    @property
    def done(self) -> bool:
        """Whether it is over for every remote peer."""
        return not self._open

    @property
    def acknowledged(self) -> tuple[str, ...]:
        """The ids of the remote peers that have the whole message."""
        return tuple(self._acknowledged)

    @property
    def failed(self) -> dict[str, Exception]:
        """The ids of the remote peers for which it failed, and why."""
        return {each.remote_id: each.error for each in self._deliveries if each.settled and each.error is not None}

    # -- for those who carry it

    def add(self, delivery: Delivery) -> None:
        """It goes to one more remote peer."""
        self._deliveries.append(delivery)
        self._open += 1

    @property
    def watched(self) -> bool:
        """Whether somebody hears of a failure: who awaits or iterates, or who aborted it."""
        return self._aborted or self._watchers > 0 or bool(self._progress)

    def notice(self, delivery: Delivery) -> None:
        """A delivery has moved on."""
        if self._progress is not None:
            for reader in self._progress:
                reader.add(delivery)
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def settle(self, delivery: Delivery) -> None:
        """A delivery is over."""
        self._open -= 1
        if delivery.error is None:
            self._acknowledged.append(delivery.remote_id)
        self.notice(delivery)
        if not self._open and self._ended is not None:
            self._ended.set()

    async def next_progress(self, reader: _ProgressReader) -> Progress:
        """Wait for news for a reader."""
        while not reader.news:
            if not self._open:
                self._raise_failure()
                raise StopAsyncIteration
            if self._changed is None:
                self._changed = anyio.Event()
            await self._changed.wait()
        return reader.take()

    def _raise_failure(self) -> None:
        for error in self.failed.values():
            raise error.with_traceback(None)


class _ProgressReader:
    """Gives the progress of a transfer since it was last asked."""

    __slots__ = ("__weakref__", "_transfer", "news")

    def __init__(self, transfer: Transfer, deliveries: list[Delivery]) -> None:
        self._transfer = transfer
        self.news: dict[Delivery, None] = {each: None for each in deliveries if each.current or each.settled}

    def add(self, delivery: Delivery) -> None:
        """A delivery has moved on."""
        self.news[delivery] = None

    def take(self) -> Progress:
        """Take what is new of one delivery."""
        delivery = next(iter(self.news))
        del self.news[delivery]
        return delivery.progress

    def __aiter__(self) -> _ProgressReader:
        return self

    async def __anext__(self) -> Progress:
        await checkpoint()
        return await self._transfer.next_progress(self)
