"""The folder in which the drivers of one machine find each other, and what makes it safe to use."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from peerix.core.errors import SignalingError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

MAX_SOCKET_PATH = 103
"""Bytes of a socket's path: 104 with its NUL on macOS and the BSDs, 108 on Linux."""

LOCK_TIMEOUT = 5.0
"""Seconds to wait for the folder's lock, which is held for well under a millisecond."""

_LOCK_RETRY = 0.002
"""Seconds between two attempts: to wait in flock itself takes a thread that no cancellation reaches."""

_PRIVATE = 0o700
_PUBLIC = 0o1777


class Folder:
    """A folder of endpoints: private to this user, or shared by several.

    :param chosen: where the caller wants it; None for the user's runtime folder, else a temporary one
    :param shared: whether other users take part
    :param name_length: bytes of the names of the sockets in it; None when it holds plain files
    """

    def __init__(self, chosen: Path | None, *, shared: bool, name_length: int | None) -> None:
        self._chosen = chosen is not None
        self._shared = shared
        if chosen is not None:
            self.path = chosen
        elif shared:
            self.path = Path(tempfile.gettempdir()) / "peerix-shared"
        else:
            candidates = _private_candidates()
            self.path = next((path for path in candidates if _fits(path, name_length)), candidates[-1])
        if not _fits(self.path, name_length):
            raise SignalingError(f"the path of {self.path} is too long for sockets: choose a shorter folder")

    def prepare(self) -> None:
        """Create it when it is missing, and make sure that only those who should can use it.

        :raises SignalingError: it cannot be created, or cannot be trusted
        """
        path = self.path
        _make(path, _PUBLIC if self._shared else _PRIVATE)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise SignalingError(f"{path} is not a folder: refusing to use it for signalling")
        if sys.platform == "win32":
            # The modes mean nothing there; the user's temporary folder has an access list of its own.
            return
        if self._shared:
            if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
                raise SignalingError(f"everybody may write to {path}, without the sticky bit: refusing to use it")
        elif status.st_uid != os.geteuid():
            raise SignalingError(f"{path} belongs to user {status.st_uid}, not to us: refusing to use it")
        elif status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise SignalingError(f"{path} is open to other users (mode {mode:o}, wanted 700): refusing to use it")

    def tidy(self) -> None:
        """Remove the folder when it is ours and nobody is in it; whoever comes next creates it again."""
        if not self._shared and not self._chosen:
            try:
                self.path.rmdir()
            except OSError:
                return

    @asynccontextmanager
    async def locked(self) -> AsyncGenerator[None]:
        """Hold the lock of the folder: the kernel drops it when its holder dies, and it is no extra file.

        :raises TimeoutError: somebody held it for `LOCK_TIMEOUT`
        :raises FileNotFoundError: the folder is gone
        """
        import fcntl

        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with anyio.fail_after(LOCK_TIMEOUT):
                while True:
                    try:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        await anyio.sleep(_LOCK_RETRY)
                    else:
                        break
            yield
        finally:
            os.close(descriptor)


def _private_candidates() -> list[Path]:
    if sys.platform == "win32":
        return [Path(tempfile.gettempdir()) / "peerix"]
    user = os.geteuid()
    # A session of cron or ssh may lack the variable although the folder is there: both must meet.
    runtime = [Path(text) for text in (os.environ.get("XDG_RUNTIME_DIR"), f"/run/user/{user}") if text]
    temporary = [Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108 - the owner and mode are checked
    return [
        *(path / "peerix" for path in runtime if _is_ours(path)),
        *(path / f"peerix-{user}" for path in temporary),
    ]


def _is_ours(folder: Path) -> bool:
    try:
        status = folder.stat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and os.access(folder, os.W_OK)


def _make(folder: Path, mode: int) -> None:
    try:
        folder.mkdir(mode)
        # The umask may have taken bits away.
        folder.chmod(mode)
    except FileExistsError:
        return
    except FileNotFoundError:
        # Unless the folder above is missing, somebody removed this one just now: the caller tries again.
        if not folder.parent.exists():
            raise SignalingError(f"cannot create {folder}: there is no {folder.parent}") from None
    except OSError as error:
        raise SignalingError(f"cannot create {folder}: {error.strerror}") from error


def _fits(folder: Path, name_length: int | None) -> bool:
    return name_length is None or len(os.fsencode(folder)) + 1 + name_length <= MAX_SOCKET_PATH
