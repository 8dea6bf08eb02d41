"""Endpoints on Unix stream sockets.

A stream and not a datagram socket: the queue of a datagram socket holds 10 packets on a plain kernel,
whatever their size, and macOS limits a datagram to 2 KiB, so that a burst of packets would be lost to a
reader that is only busy.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import TYPE_CHECKING

from peerix.core.errors import SignalingError
from peerix.drivers.broadcast.endpoint import OPEN_TRIES, members, new_member

if TYPE_CHECKING:
    from peerix.drivers.broadcast.folder import Folder

_BACKLOG = 128
_PUBLIC_SOCKET = 0o666

# The credentials of a Unix socket on macOS and the BSDs; Python names neither constant.
_SOL_LOCAL = 0
_LOCAL_PEERCRED = 1
_XUCRED_SIZE = 76


class UnixEndpoint:
    """A socket in the folder. See `Endpoint`."""

    def __init__(self, folder: Folder, group: str, *, shared: bool) -> None:
        self._folder = folder
        self._group = group
        self._shared = shared
        self._name = ""

    async def open(self) -> socket.socket:
        """Bind and listen, both under the lock: a socket that does not listen yet looks like a dead one."""
        where = self._folder.path
        for _ in range(OPEN_TRIES):
            try:
                self._folder.prepare()
                async with self._folder.locked():
                    self._sweep()
                    return self._bind()
            except FileNotFoundError:
                continue
            except TimeoutError as error:
                raise SignalingError(f"another process holds the lock of {where} and keeps it") from error
            except OSError as error:
                raise SignalingError(f"cannot listen in {where}: {error.strerror}") from error
        raise SignalingError(f"cannot listen in {where}: the folder is removed again and again")

    def others(self) -> list[str]:
        """See `Endpoint.others`."""
        return members(self._folder.path, self._group, self._name)

    async def connect(self, name: str) -> socket.socket:
        """See `Endpoint.connect`; never waits."""
        connection = self._connect(name)
        if not self._shared and not _is_ours(connection):
            connection.close()
            raise PermissionError(f"{name} belongs to another user")
        return connection

    async def admit(self, connection: socket.socket) -> bool:
        """See `Endpoint.admit`: only processes of our own user, except in a shared folder."""
        return self._shared or _is_ours(connection)

    async def forget(self, name: str) -> None:
        """See `Endpoint.forget`."""
        try:
            async with self._folder.locked():
                self._remove_if_dead(name)
        except (TimeoutError, OSError):
            # Another time: a dead socket only costs its senders a failed connect.
            return

    def close(self) -> None:
        """See `Endpoint.close`."""
        if self._name:
            (self._folder.path / self._name).unlink(missing_ok=True)
            self._name = ""
            self._folder.tidy()

    def _bind(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.setblocking(False)
            name = new_member(self._group)
            path = self._folder.path / name
            listener.bind(os.fspath(path))
            self._name = name
            if self._shared:
                path.chmod(_PUBLIC_SOCKET)
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            self.close()
            raise
        return listener

    def _connect(self, name: str) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            connection.connect(os.fspath(self._folder.path / name))
        except BaseException:
            connection.close()
            raise
        return connection

    def _sweep(self) -> None:
        # Every group, not only ours: nobody else comes to clean up after a name that is not used any more.
        for path in self._folder.path.iterdir():
            if path.is_socket():
                self._remove_if_dead(path.name)

    def _remove_if_dead(self, name: str) -> None:
        try:
            self._connect(name).close()
        except ConnectionRefusedError:
            try:
                (self._folder.path / name).unlink(missing_ok=True)
            except PermissionError:
                # A shared folder is sticky: only the owner can remove it.
                return
        except OSError:
            # Alive but busy, or gone already.
            return


def _is_ours(connection: socket.socket) -> bool:
    user = peer_user(connection)
    return user is None or user == os.geteuid()


def peer_user(connection: socket.socket) -> int | None:
    """The user at the other end of a Unix socket.

    :returns: None where this system does not tell, -1 when it cannot tell any more
    """
    try:
        if hasattr(socket, "SO_PEERCRED"):
            layout = struct.Struct("3i")  # struct ucred: pid, uid, gid
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size)
            return int(layout.unpack(credentials)[1])
        if sys.platform.startswith(("darwin", "freebsd")):
            # struct xucred: version, uid, groups
            credentials = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_SIZE)
            return int(struct.unpack_from("=II", credentials)[1])
    except OSError:
        return -1
    return None
