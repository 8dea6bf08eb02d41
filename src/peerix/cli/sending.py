"""Files to send: what is told about them, with their checksums."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyio import from_thread, to_thread

from peerix.cli.exits import CommandError, Exit
from peerix.core.errors import PeerixError
from peerix.core.rooms.files import FileInfo, safe_name

if TYPE_CHECKING:
    from os import stat_result
    from pathlib import Path

_READ_SIZE = 1 << 20


@dataclass(frozen=True, slots=True)
class FileToSend:
    """A file of this machine, with what we tell about it; only a regular one has a size and a checksum."""

    path: Path
    info: FileInfo
    status: stat_result

    def changed(self) -> bool:
        """Whether it is another file by now than the one whose checksum was taken."""
        now = self.path.stat()
        then = self.status
        return (now.st_ino, now.st_size, now.st_mtime_ns) != (then.st_ino, then.st_size, then.st_mtime_ns)


def check_file(path: Path) -> None:
    """Make sure that a file can be sent.

    :raises CommandError: it is missing, a folder, or has a name that receivers refuse
    """
    if path.is_dir():
        raise CommandError(f"{path} is a folder: send files, or an archive of it", Exit.USAGE)
    # Not by opening it: a pipe would then have lost its reader before the first byte.
    if not os.access(path, os.R_OK):
        raise CommandError(f"cannot read {path}", Exit.USAGE)
    try:
        safe_name(path.name)
    except PeerixError as error:
        raise CommandError(f"receivers would refuse {path.name!r}: {error}", Exit.USAGE) from error


async def describe(path: Path) -> FileToSend:
    """Read a file once, in a worker thread, for its checksum.

    :raises OSError: it cannot be read
    """
    return await to_thread.run_sync(_describe, path)


def _describe(path: Path) -> FileToSend:
    kind = mimetypes.guess_type(path.name)[0]
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return FileToSend(path, FileInfo(path.name, type=kind), status)
    digest = hashlib.sha256()
    size = 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(_READ_SIZE):
            digest.update(block)
            size += len(block)
            from_thread.check_cancelled()
    return FileToSend(path, FileInfo(path.name, size, kind, digest.hexdigest()), status)
