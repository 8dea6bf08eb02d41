"""The data of messages that arrive: awaited as a whole, or iterated over while it comes."""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from peerix.core.errors import MessageTooLarge, PeerixError, TransferAborted
from peerix.core.rooms.transfer.incoming import IncomingState
from peerix.core.rooms.values import decode_message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator

    from peerix.core.rooms.transfer.incoming import IncomingTransfer


PIECE_SIZE = 112 * 1024
"""Bytes that an iterator puts together at least, when so many have come. Not many more: larger blocks are taken from
the system and given back, and each of their pages is then cleared anew, which costs more than to fill it."""


PIECES_SIZE = 1 << 20
"""Bytes of the pieces that an iterator gives at once."""

T = TypeVar("T")


class MessageData(ABC):
    """The data of one message.

    ``await data`` gives the whole message in the type it was sent as: `str`, a JSON value, or `bytes`.
    Several tasks may await it, now and later. ``async for chunk in data`` gives its bytes as they arrive,
    to one iterator only.

    Both raise `TransferAborted` when the sender aborts or goes away, and another `DataChannelError` when the
    message fails otherwise.
    """

    __slots__ = ()

    @abstractmethod
    async def read(self) -> Any:
        """Wait for the whole message; ``await data`` is short for it.

        :raises MessageTooLarge: it is larger than `max_message_size` of the peer; iterate over such messages
        :raises DataChannelError: the message failed, or is not the JSON text that its sender said
        :raises anyio.BusyResourceError: its bytes go to an iterator
        :raises anyio.ClosedResourceError: it was thrown away, because nobody asked for it in time
        """

    @abstractmethod
    def cancel(self) -> None:
        """Stop a message that is still arriving: its sender is told, and whoever reads it gets `TransferAborted`.

        A message that is whole already is acknowledged, and stays as it is.
        """

    @property
    @abstractmethod
    def failure(self) -> PeerixError | None:
        """Why the message failed on its way, if it did."""

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.read().__await__()

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[bytes]: ...

    @abstractmethod
    def pieces(self) -> AsyncIterator[list[bytes | memoryview]]:
        """Iterate as ``async for`` does, but over lists of what has come, not put together: for who copies it anyway.

        A list has at least one byte, and PIECES_SIZE or little more when so much waits.
        """


class FrameData(MessageData):
    """The data of a raw message: one frame, here already.

    :param release: takes the frame off the receive window, once.
    """

    __slots__ = ("_deliveries", "_frame", "_release")

    def __init__(self, frame: str | bytes, release: Callable[[], None]) -> None:
        self._frame = frame
        self._release: Callable[[], None] | None = release
        self._deliveries = 0

    async def read(self) -> str | bytes:
        """Give the frame."""
        self._claim()
        await checkpoint_if_cancelled()
        return self._frame

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._claim()
        return _Once(self._bytes())

    def pieces(self) -> AsyncIterator[list[bytes | memoryview]]:
        """See `MessageData.pieces`."""
        self._claim()
        return _Once([self._bytes()])

    def _bytes(self) -> bytes:
        return self._frame.encode() if isinstance(self._frame, str) else self._frame

    def cancel(self) -> None:
        """Do nothing: a frame is here already."""

    @property
    def failure(self) -> PeerixError | None:
        """None: a frame is here already."""
        return None

    @property
    def arriving(self) -> bool:
        """False: a frame arrives as a whole."""
        return False

    def taken(self) -> None:
        """One more subscriber has the event."""
        self._deliveries += 1

    def handled(self) -> None:
        """One of them is through with it."""
        self._deliveries -= 1
        if not self._deliveries:
            self._claim()

    def _claim(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()


class MessageSource(Protocol):
    """Where the bytes of messages wait: the receiving side of a channel."""

    def read(self, transfer: IncomingTransfer, now: float) -> list[bytes | memoryview]:
        """Take what has arrived."""
        ...

    def discard(self, transfer: IncomingTransfer) -> None:
        """Nobody wants it."""
        ...

    def cancel(self, transfer: IncomingTransfer) -> None:
        """Tell the sender to stop."""
        ...


class _Claim(Enum):
    NONE = "none"
    COLLECT = "collect"  # somebody awaits it: its bytes are kept until it is whole
    ITERATE = "iterate"  # an iterator takes its bytes away
    DROPPED = "dropped"


class IncomingMessage(MessageData):
    """The data of a message that comes in packets.

    :param max_size: bytes above which it cannot be awaited.
    """

    __slots__ = (
        "_changed",
        "_chunks",
        "_claim",
        "_deliveries",
        "_iterator",
        "_max_size",
        "_outcome",
        "_source",
        "_transfer",
    )

    def __init__(self, transfer: IncomingTransfer, source: MessageSource, max_size: int) -> None:
        self._transfer = transfer
        self._source = source
        self._max_size = max_size
        self._claim = _Claim.NONE
        self._chunks: list[bytes | memoryview] = []
        self._changed: anyio.Event | None = None
        self._outcome: _Outcome | None = None
        self._deliveries = 0
        self._iterator: weakref.ref[_Iterator[Any]] | None = None

    # -- for the reader

    async def read(self) -> Any:
        """See `MessageData.read`."""
        if self._outcome is None:
            if self._claim is _Claim.ITERATE:
                raise anyio.BusyResourceError("iterating over")
            self._refuse_dropped()
            self._claim = _Claim.COLLECT
        await checkpoint_if_cancelled()
        while self._outcome is None:
            self._collect()
            if self._outcome is None:
                await self.wait_changed()
        return self._outcome.get()

    def cancel(self) -> None:
        """See `MessageData.cancel`."""
        if self._transfer.state is IncomingState.OPEN:
            self._chunks.clear()
            self._source.cancel(self._transfer)
            self._outcome = self._outcome or _Outcome(error=self._transfer.error)
            self.advance()

    @property
    def failure(self) -> PeerixError | None:
        """See `MessageData.failure`."""
        return self._transfer.error

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._iterate(self.next_chunk)

    def pieces(self) -> AsyncIterator[list[bytes | memoryview]]:
        """See `MessageData.pieces`."""
        return self._iterate(self.next_pieces)

    def _iterate(self, take: Callable[[int], tuple[T, int]]) -> AsyncIterator[T]:
        if self._iterator is not None:
            raise anyio.BusyResourceError("iterating over")
        self._refuse_dropped()
        if self._claim is _Claim.NONE:
            self._claim = _Claim.ITERATE
        iterator = _Iterator(self, take)
        self._iterator = weakref.ref(iterator)
        return iterator

    def next_chunk(self, position: int) -> tuple[bytes, int]:
        """Give the iterator what there is from its `position` on, put together, and its new position.

        :returns: no bytes when there are none yet.
        :raises StopAsyncIteration: there will be none
        """
        pieces, end = self.next_pieces(position, PIECE_SIZE)
        return b"".join(pieces), end

    def next_pieces(self, position: int, most: int = PIECES_SIZE) -> tuple[list[bytes | memoryview], int]:
        """Do the same without putting it together; `most` bytes or little more."""
        chunks = self._chunks
        if position >= len(chunks):
            self._pull()
        end, size = position, 0
        while end < len(chunks) and size < most:
            size += len(chunks[end])
            end += 1
        pieces = chunks[position:end]
        if self._claim is _Claim.ITERATE:
            del chunks[:end]
            end = 0
        if not size:
            self._raise_error()
            if self._transfer.state is IncomingState.ENDED:
                raise StopAsyncIteration
            pieces.clear()
        return pieces, end

    async def wait_changed(self) -> None:
        """Wait for more bytes, the end, or a failure."""
        if self._changed is None:
            self._changed = anyio.Event()
        await self._changed.wait()

    # -- for the channel

    def advance(self) -> None:
        """There are more bytes, or the message has ended or failed."""
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    # -- for the hub

    @property
    def arriving(self) -> bool:
        """Whether more will come and nobody has asked for it yet."""
        return self._claim is _Claim.NONE and self._transfer.state is IncomingState.OPEN

    def taken(self) -> None:
        """One more subscriber has the event."""
        self._deliveries += 1

    def handled(self) -> None:
        """One of them is through with it. After the last one nobody will ask for the data any more."""
        self._deliveries -= 1
        if self._deliveries:
            return
        given_up = self._iterator is not None and self._iterator() is None
        if self._claim is not _Claim.NONE and not (self._claim is _Claim.ITERATE and given_up):
            return
        if self._transfer.state is IncomingState.OPEN:
            self._claim = _Claim.DROPPED
            self._chunks.clear()
            self._source.discard(self._transfer)
        elif not given_up:
            # It is whole, so it costs the network nothing to leave it to whoever has kept the event.
            self._pull()

    def _refuse_dropped(self) -> None:
        if self._claim is _Claim.DROPPED:
            raise anyio.ClosedResourceError

    def _pull(self) -> None:
        chunks = self._source.read(self._transfer, monotonic())
        if chunks:
            self._chunks.extend(chunks)

    def _raise_error(self) -> None:
        transfer = self._transfer
        if transfer.state is IncomingState.FAILED:
            raise (transfer.error or TransferAborted("the message failed")).with_traceback(None)

    def _collect(self) -> None:
        transfer = self._transfer
        if transfer.received > self._max_size:
            self._refuse(f"the message has more than {self._max_size} bytes: iterate over it")
            return
        self._pull()
        if transfer.state is IncomingState.FAILED:
            self._outcome = _Outcome(error=transfer.error)
            self._chunks.clear()
        elif transfer.state is IncomingState.ENDED:
            data = b"".join(self._chunks)
            if self._iterator is None:
                self._chunks = [data]
            try:
                self._outcome = _Outcome(decode_message(transfer.kind, data))
            except PeerixError as error:
                self._outcome = _Outcome(error=error)

    def _refuse(self, reason: str) -> None:
        self._outcome = _Outcome(error=MessageTooLarge(reason))
        if self._iterator is not None and self._iterator() is not None:
            self._claim = _Claim.ITERATE
            return
        self._claim = _Claim.DROPPED
        self._chunks.clear()
        self._source.cancel(self._transfer)
        self.advance()


class _Outcome:
    """What awaiting a message gives, to everybody who does."""

    __slots__ = ("_error", "_value")

    def __init__(self, value: object = None, error: PeerixError | None = None) -> None:
        self._value = value
        self._error = error

    def get(self) -> object:
        if self._error is not None:
            raise self._error.with_traceback(None)
        return self._value


class _Iterator(Generic[T]):
    """Gives what comes of a message, as it arrives."""

    __slots__ = ("__weakref__", "_busy", "_message", "_position", "_take")

    def __init__(self, message: IncomingMessage, take: Callable[[int], tuple[T, int]]) -> None:
        self._message = message
        self._take = take
        self._position = 0
        self._busy = False

    def __aiter__(self) -> _Iterator[T]:
        return self

    async def __anext__(self) -> T:
        if self._busy:
            raise anyio.BusyResourceError("iterating over")
        self._busy = True
        try:
            await checkpoint_if_cancelled()
            while True:
                data, self._position = self._take(self._position)
                if data:
                    return data
                await self._message.wait_changed()
        finally:
            self._busy = False


class _Once(Generic[T]):
    """Gives what there is, and ends."""

    __slots__ = ("_item",)

    def __init__(self, item: T) -> None:
        self._item: T | None = item

    def __aiter__(self) -> _Once[T]:
        return self

    async def __anext__(self) -> T:
        await checkpoint_if_cancelled()
        item, self._item = self._item, None
        if item is None:
            raise StopAsyncIteration
        return item
