"""Files that arrive: never half, never over another file, never outside the folder.

The functions here block; they run in worker threads.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sys
from typing import TYPE_CHECKING, BinaryIO

from peerix.core.errors import PeerixError
from peerix.core.rooms.files import MAX_NUMBER, FileInfo, numbered_name, safe_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


BUFFER_SIZE = 1 << 19
"""Bytes that are put together at most, to be hashed and written at once: for each of the two a thread lets go of the
interpreter and has to wait for it again. The buffer is used anew each time, or else its pages would be cleared anew."""


class FileRefusedError(PeerixError):
    """A file that is not taken, or not kept: its name, its size or its checksum is wrong."""


class IncomingFile:
    """A file on its way into a folder: a temporary file of its own until it is whole and checked.

    :param folder: where it goes; exists
    :param info: what the sender says about it
    :param max_size: bytes that are taken at most
    """

    def __init__(self, folder: Path, info: FileInfo, max_size: int) -> None:
        self._folder = folder
        self._info = info
        self._max_size = max_size
        self._draft = folder / f".peerix-{secrets.token_hex(8)}.part"
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._buffer = memoryview(b"")
        self.size = 0

    def open(self) -> None:
        """Check what can be checked before the first byte, and make the temporary file.

        :raises FileRefusedError: the name is not safe, or the file is too large
        :raises OSError: the folder cannot be written to
        """
        try:
            safe_name(self._info.name, windows=sys.platform == "win32")
        except PeerixError as error:
            raise FileRefusedError(str(error)) from error
        size = self._info.size or 0
        self._check_size(size)
        free = shutil.disk_usage(self._folder).free
        if size > free:
            raise FileRefusedError(f"its {size} bytes are more than the {free} that are free")
        self._file = self._draft.open("xb", buffering=0)

    def write(self, blocks: Sequence[bytes | memoryview]) -> None:
        """Add the next blocks.

        :raises FileRefusedError: it is larger than it should be
        :raises OSError: the disk is full, for example
        """
        if self._file is None:
            raise FileRefusedError("it is not open")
        size = self.size + sum(map(len, blocks))
        self._check_size(size)
        if self._info.size is not None and size > self._info.size:
            raise FileRefusedError(f"it is larger than the {self._info.size} bytes that were announced")
        for data in self._joined(blocks):
            self._hash.update(data)
            rest = data
            while rest:
                rest = rest[self._file.write(rest) :]
        self.size = size

    def _joined(self, blocks: Sequence[bytes | memoryview]) -> Iterator[memoryview]:
        """Put blocks together in the buffer; what is given is good until the next is asked for."""
        if not self._buffer:
            self._buffer = memoryview(bytearray(min(BUFFER_SIZE, self._info.size or BUFFER_SIZE)))
        buffer, filled = self._buffer, 0
        for block in blocks:
            size = len(block)
            if filled + size > len(buffer):
                yield buffer[:filled]
                filled = 0
            if size > len(buffer):
                yield memoryview(block)
            else:
                buffer[filled : filled + size] = block
                filled += size
        yield buffer[:filled]

    def finish(self) -> Path:
        """Check size and checksum, and give it its name.

        :returns: where it is: under its own name, or one with a number
        :raises FileRefusedError: size or checksum disagree; `discard` it
        """
        if self._file is None:
            raise FileRefusedError("it is not open")
        if self._info.size is not None and self.size != self._info.size:
            raise FileRefusedError(f"{self.size} of {self._info.size} bytes arrived")
        if self._info.sha256 is not None and self._info.sha256 != self.sha256:
            raise FileRefusedError("its checksum is wrong")
        self._file.close()
        return move_to_free_name(self._draft, self._info.name)

    def discard(self) -> None:
        """Leave nothing behind; harmless after `finish`."""
        if self._file is not None:
            self._file.close()
            self._draft.unlink(missing_ok=True)

    @property
    def sha256(self) -> str:
        """The checksum of what has arrived."""
        return self._hash.hexdigest()

    def _check_size(self, size: int) -> None:
        if size > self._max_size:
            raise FileRefusedError(f"it is larger than the limit of {self._max_size} bytes")


def move_to_free_name(draft: Path, name: str) -> Path:
    """Give a finished file its name in the folder where it is, or the name with a number.

    :raises FileRefusedError: all of these names are taken
    :raises OSError: it cannot be renamed
    """
    for number in range(MAX_NUMBER + 1):
        path = draft.with_name(numbered_name(name, number))
        if _move_unless_taken(draft, path):
            return path
    raise FileRefusedError(f"there are {MAX_NUMBER} files of this name already")


def _move_unless_taken(draft: Path, path: Path) -> bool:
    """Rename a file unless the name is taken; a plain rename would overwrite."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError:
        # A file system without hard links: take the name first, then put the file in its place.
        try:
            path.open("xb").close()
        except FileExistsError:
            return False
        draft.replace(path)
        return True
    draft.unlink()
    return True
