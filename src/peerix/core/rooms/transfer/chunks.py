"""The bytes of messages on their way: cut on the sending side, collected on the receiving side."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class OutgoingChunks:
    """Bytes to be sent, in blocks as they were given, cut without copying.

    `size` is how many are left, `ended` whether no more will come.
    """

    __slots__ = ("_head", "_position", "_rest", "ended", "size")

    def __init__(self, data: bytes = b"", *, ended: bool) -> None:
        self._head: bytes | bytearray | memoryview = data
        self._position = 0
        self._rest: deque[bytes | bytearray] | None = None
        self.size = len(data)
        self.ended = ended

    def append(self, data: bytes | bytearray) -> None:
        """Add a block; it is kept, and must not change."""
        if not data:
            return
        if not self.size:
            self._head = data
            self._position = 0
        elif self._rest is None:
            self._rest = deque((data,))
        else:
            self._rest.append(data)
        self.size += len(data)

    def take(self, limit: int) -> bytes | bytearray | memoryview:
        """Take the next `limit` bytes, or all when there are fewer."""
        head = self._head
        position = self._position
        left = len(head) - position
        if left > limit:
            if not position:
                # Slices of a view cost the same for every length; slices of bytes copy.
                head = self._head = memoryview(head)
            self._position = position + limit
            self.size -= limit
            return head[position : position + limit]
        piece = head[position:] if position else head
        self.size -= left
        if not self._rest:
            self._head = b""
            self._position = 0
            return piece
        self._head = self._rest.popleft()
        self._position = 0
        if left == limit:
            return piece
        return b"".join((piece, self.take(limit - left)))

    def take_run(self, size: int, most: int) -> list[memoryview]:
        """Take up to `most` pieces of `size` bytes that do not have to be put together; at least a byte is left."""
        head = self._head
        start = self._position
        count = min(most, (len(head) - start - 1) // size)
        if count < 1:
            return []
        if not isinstance(head, memoryview):
            head = self._head = memoryview(head)
        end = self._position = start + count * size
        self.size -= count * size
        return [head[position : position + size] for position in range(start, end, size)]

    def clear(self) -> None:
        """Drop what is left."""
        self._head = b""
        self._position = 0
        self._rest = None
        self.size = 0


class IncomingChunks:
    """Chunks that arrived and were not read; `size` is their bytes together."""

    __slots__ = ("_chunks", "size")

    def __init__(self) -> None:
        self._chunks: list[bytes | memoryview] = []
        self.size = 0

    def append(self, chunk: bytes) -> None:
        """Add a chunk."""
        self._chunks.append(chunk)
        self.size += len(chunk)

    def extend(self, chunks: Iterable[memoryview], size: int) -> None:
        """Add chunks of `size` bytes in all."""
        self._chunks += chunks
        self.size += size

    def take_all(self) -> list[bytes | memoryview]:
        """Take every chunk."""
        chunks = self._chunks
        self._chunks = []
        self.size = 0
        return chunks
