"""A file that worker threads read, and that may be closed at any time."""

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING

from anyio.to_thread import run_sync

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path


class FileReader:
    """Reads a file block by block. `close` never waits: when a thread is reading, that thread closes the file.

    A read that hangs (a pipe, a lost network disk) is abandoned when its task is cancelled; its thread ends with it.
    """

    __slots__ = ("_closed", "_file", "_lock", "_path", "_reading")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: FileIO | None = None
        self._reading = False
        self._closed = False

    async def open(self) -> int | None:
        """Open the file; returns its size when it is a regular one.

        :raises OSError: it cannot be opened.
        """
        return await run_sync(self._open, abandon_on_cancel=True)

    async def read(self, size: int) -> bytes:
        """Read at most `size` bytes; nothing at the end, and after `close`.

        :raises OSError: it cannot be read.
        """
        return await run_sync(self._read, size, abandon_on_cancel=True)

    def close(self) -> None:
        """Close the file now, or when the read that is under way has ended."""
        with self._lock:
            self._closed = True
            if self._file is not None and not self._reading:
                self._file.close()

    def _open(self) -> int | None:
        # Unbuffered: blocks are large, and a buffer has a lock of its own that `close` would wait for.
        file = self._path.open("rb", buffering=0)
        with self._lock:
            if self._closed:
                file.close()
                return None
            self._file = file
        status = os.fstat(file.fileno())
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def _read(self, size: int) -> bytes:
        with self._lock:
            if self._closed or self._file is None:
                return b""
            self._reading = True
        try:
            return self._file.read(size) or b""
        finally:
            self._end_read(self._file)

    def _end_read(self, file: FileIO) -> None:
        with self._lock:
            self._reading = False
            if self._closed:
                file.close()
