"""What is sent: values that are whole at once, and files and iterables that are read while they are sent."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from inspect import isasyncgen
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, cast

import anyio
from anyio.to_thread import run_sync

from peerix.core.errors import LocalProtocolError
from peerix.core.rooms.transfer.sender import FEED_SIZE
from peerix.core.rooms.values import BLOB, BYTES, encode_message
from peerix.file_reader import FileReader

if TYPE_CHECKING:
    from types import TracebackType

    from anyio.abc import TaskGroup

SHARED_BUFFER = 4 * 1024 * 1024
"""Bytes of an iterable that are kept for the slowest of its receivers; the others wait for it then."""


class SourceFailed(Exception):  # noqa: N818 - says what happened, to the carrier only
    """The caller's own file or iterable raised `cause`, which belongs to the caller."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(repr(cause))
        self.cause = cause


class Blocks(Protocol):
    """The bytes of one message for one receiver: entered by who reads them, and closed in any case."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None: ...

    async def next(self) -> tuple[bytes | bytearray, bool]:
        """Wait for the next block, and whether it is the last one.

        :raises SourceFailed: it cannot be read; entering raises it, too
        """
        ...

    def close(self) -> None:
        """The receiver needs no more."""
        ...


class Content(Protocol):
    """What one `send` sends, to any number of receivers.

    `kind` is the type on the wire. `data` is all of it, or None when it comes in blocks. `total` is its
    size in bytes, None while that is not known.
    """

    kind: int
    data: bytes | None
    total: int | None

    def start(self, task_group: TaskGroup) -> None:
        """Begin to read; called once, when every receiver has its `open`."""
        ...

    def open(self) -> Blocks:
        """Get the blocks for one more receiver."""
        ...


def content_of(message: object) -> Content:
    """Find out what a message is.

    :raises TypeError, ValueError: it is nothing that can be sent, or JSON cannot hold it
    """
    if isinstance(message, os.PathLike):
        return FileContent(Path(cast("os.PathLike[str]", message)))
    if isinstance(message, AsyncIterable):
        return StreamContent(cast("AsyncIterable[bytes]", message), BYTES)
    if callable(read := getattr(message, "read", None)):
        return StreamContent(_blocks_of_file(cast("Callable[[int], object]", read)), BLOB)
    return WholeContent(*encode_message(message))


class WholeContent:
    """A value, encoded when it was handed in: later changes of a list or dict do not count."""

    def __init__(self, kind: int, data: bytes) -> None:
        self.kind = kind
        self.data: bytes | None = data
        self.total: int | None = len(data)

    def start(self, task_group: TaskGroup) -> None:
        """Nothing is to be read."""

    def open(self) -> Blocks:
        """Not called: `data` is all."""
        raise LocalProtocolError("a whole message has no blocks")


class FileContent:
    """A file of this machine; each receiver reads it for itself, at its own pace."""

    def __init__(self, path: Path) -> None:
        self.kind = BLOB
        self.data: bytes | None = None
        self.total: int | None = None
        self.path = path

    def start(self, task_group: TaskGroup) -> None:
        """Nothing: receivers read for themselves."""

    def open(self) -> Blocks:
        """Read the file for one more receiver; entering it raises OSError when that is impossible."""
        return _FileBlocks(self)


class _FileBlocks:
    """Reads one block ahead: so it knows the last one without an empty packet after it."""

    def __init__(self, content: FileContent) -> None:
        self._content = content
        self._reader = FileReader(content.path)
        self._ahead: bytes | bytearray = b""

    async def __aenter__(self) -> Self:
        try:
            size = await self._reader.open()
            if size is not None:
                self._content.total = size
            self._ahead = await self._reader.read(FEED_SIZE)
        except OSError as error:
            self.close()
            raise SourceFailed(error) from None
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def next(self) -> tuple[bytes | bytearray, bool]:
        block = self._ahead
        try:
            self._ahead = await self._reader.read(FEED_SIZE) if block else b""
        except OSError as error:
            raise SourceFailed(error) from None
        return block, not self._ahead

    def close(self) -> None:
        self._reader.close()


async def _blocks_of_file(read: Callable[[int], object]) -> AsyncGenerator[bytes]:
    while block := await run_sync(read, FEED_SIZE):
        if not isinstance(block, bytes):
            raise TypeError(f"a file to be sent must be binary; its read() gave {type(block).__name__}")
        yield block


class StreamContent:
    """An iterable of bytes, read once and given to every receiver."""

    def __init__(self, blocks: AsyncIterable[bytes], kind: int) -> None:
        self.kind = kind
        self.data: bytes | None = None
        self.total: int | None = None
        self._source = blocks
        self._kept: deque[bytes] = deque()
        self._kept_from = 0  # number of the first block in _kept
        self._size = 0
        self._readers: list[_StreamBlocks] = []
        self._changed = anyio.Event()
        self._result: _StreamEnd | None = None
        self._scope = anyio.CancelScope()

    def start(self, task_group: TaskGroup) -> None:
        """Read in a task of its own: a receiver that goes away must not cancel it for the others."""
        task_group.start_soon(self._produce, name="source of a message")

    def open(self) -> Blocks:
        """Add a receiver; it gets the blocks that come from now on."""
        reader = _StreamBlocks(self)
        self._readers.append(reader)
        return reader

    def close(self, reader: _StreamBlocks) -> None:
        """A receiver needs no more."""
        if reader not in self._readers:
            return
        self._readers.remove(reader)
        self._trim()
        if not self._readers:
            self._scope.cancel()

    async def block(self, number: int) -> tuple[bytes, bool]:
        """Wait for block `number`; the end is an empty block, also for a receiver that was closed."""
        if number < self._kept_from:
            return b"", True
        while number == self._kept_from + len(self._kept):
            if self._result is not None:
                self._result.check()
                return b"", True
            await self._changed.wait()
            if number < self._kept_from:
                return b"", True
        return self._kept[number - self._kept_from], False

    def taken(self) -> None:
        """A receiver has moved on."""
        self._trim()

    async def _produce(self) -> None:
        with self._scope:
            try:
                async for block in self._source:
                    await self._keep(bytes(block))
            except Exception as error:  # noqa: BLE001 - the caller's own iterable: awaiting the transfer raises it
                self._result = _StreamEnd(error)
            else:
                self._result = _StreamEnd(None)
            finally:
                source: object = self._source
                if isasyncgen(source):
                    # Otherwise the event loop would close it, in a task that nobody owns.
                    await source.aclose()
            self._notify()

    async def _keep(self, block: bytes) -> None:
        if not block:
            return
        self._kept.append(block)
        self._size += len(block)
        self._notify()
        while self._size > SHARED_BUFFER:
            await self._changed.wait()

    def _trim(self) -> None:
        needed = min((reader.number for reader in self._readers), default=self._kept_from + len(self._kept))
        while self._kept_from < needed:
            self._size -= len(self._kept.popleft())
            self._kept_from += 1
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class _StreamEnd:
    """How an iterable ended."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    def check(self) -> None:
        """Tell a receiver what it raised.

        :raises SourceFailed: it did
        """
        if self._error is not None:
            raise SourceFailed(self._error)


class _StreamBlocks:
    """One receiver's place in an iterable; `number` is the next block it wants."""

    def __init__(self, content: StreamContent) -> None:
        self._content = content
        self.number = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def next(self) -> tuple[bytes, bool]:
        block, last = await self._content.block(self.number)
        if not last:
            self.number += 1
            self._content.taken()
        return block, last

    def close(self) -> None:
        self._content.close(self)
