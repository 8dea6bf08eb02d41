"""Endpoints on TCP over loopback, where there are no Unix sockets.

The folder holds a file for each endpoint, with its port and a secret. Anybody on the machine can connect to a
port, and the port of a dead process may belong to somebody else by now, so both sides prove that they have
read the file before any packet goes over.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import socket
from typing import TYPE_CHECKING

import anyio

from peerix.core.errors import SignalingError
from peerix.drivers.broadcast.endpoint import OPEN_TRIES, members, new_member

if TYPE_CHECKING:
    from peerix.drivers.broadcast.folder import Folder

GREETING_TIMEOUT = 3.0
"""Seconds that the two sides have to prove that they know the secret."""

_BACKLOG = 128
_SECRET = 32
_NONCE = 16
_DIGEST = 32
_FILE_LIMIT = 1024
_PRIVATE_FILE = 0o600
_PUBLIC_FILE = 0o644


class LoopbackEndpoint:
    """A port of 127.0.0.1 and a file that says how to use it. See `Endpoint`."""

    def __init__(self, folder: Folder, group: str, *, shared: bool) -> None:
        self._folder = folder
        self._group = group
        self._file_mode = _PUBLIC_FILE if shared else _PRIVATE_FILE
        self._secret = secrets.token_bytes(_SECRET)
        self._name = ""

    async def open(self) -> socket.socket:
        """Listen, then write the file: whoever can see it can connect."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setblocking(False)
            listener.bind(("127.0.0.1", 0))
            listener.listen(_BACKLOG)
            self._announce(listener.getsockname()[1])
        except OSError as error:
            listener.close()
            raise SignalingError(f"cannot listen on loopback: {error.strerror}") from error
        except BaseException:
            listener.close()
            raise
        return listener

    def others(self) -> list[str]:
        """See `Endpoint.others`."""
        return members(self._folder.path, self._group, self._name)

    async def connect(self, name: str) -> socket.socket:
        """See `Endpoint.connect`; takes `GREETING_TIMEOUT` at most."""
        port, secret = self._read_file(name)
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with anyio.fail_after(GREETING_TIMEOUT):
                await _connect(connection, port)
                nonce = secrets.token_bytes(_NONCE)
                await _send(connection, nonce)
                answer = await _receive(connection, _DIGEST + _NONCE)
                if not hmac.compare_digest(answer[:_DIGEST], _proof(secret, b"receiver", nonce)):
                    raise ConnectionRefusedError(f"whoever has the port of {name} now does not know its secret")
                await _send(connection, _proof(secret, b"sender", answer[_DIGEST:]))
        except BaseException:
            connection.close()
            raise
        return connection

    async def admit(self, connection: socket.socket) -> bool:
        """See `Endpoint.admit`: only who knows the secret of our file."""
        try:
            with anyio.fail_after(GREETING_TIMEOUT):
                nonce = await _receive(connection, _NONCE)
                challenge = secrets.token_bytes(_NONCE)
                await _send(connection, _proof(self._secret, b"receiver", nonce) + challenge)
                answer = await _receive(connection, _DIGEST)
        except (TimeoutError, OSError):
            return False
        return hmac.compare_digest(answer, _proof(self._secret, b"sender", challenge))

    async def forget(self, name: str) -> None:
        """See `Endpoint.forget`: a file without anybody who answers was left by a dead process."""
        try:
            (self._folder.path / name).unlink(missing_ok=True)
        except OSError:
            return

    def close(self) -> None:
        """See `Endpoint.close`."""
        if self._name:
            (self._folder.path / self._name).unlink(missing_ok=True)
            self._name = ""
            self._folder.tidy()

    def _announce(self, port: int) -> None:
        for _ in range(OPEN_TRIES):
            try:
                self._folder.prepare()
                self._name = self._write_file(port)
            except FileNotFoundError:
                continue
            return
        raise SignalingError(f"cannot write to {self._folder.path}: the folder is removed again and again")

    def _write_file(self, port: int) -> str:
        name = new_member(self._group)
        # Written under a name that nobody looks for, then renamed: no reader sees half of it.
        draft = self._folder.path / f"{name}.new"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self._file_mode)
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump({"port": port, "secret": self._secret.hex()}, file)
            draft.replace(self._folder.path / name)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        return name

    def _read_file(self, name: str) -> tuple[int, bytes]:
        with (self._folder.path / name).open("rb") as file:
            text = file.read(_FILE_LIMIT)
        try:
            content = json.loads(text)
            return int(content["port"]), bytes.fromhex(content["secret"])
        except (ValueError, TypeError, KeyError) as error:
            raise ConnectionRefusedError(f"{name} is not the file of an endpoint") from error


def _proof(secret: bytes, role: bytes, nonce: bytes) -> bytes:
    return hmac.digest(secret, role + nonce, "sha256")


async def _connect(connection: socket.socket, port: int) -> None:
    try:
        connection.connect(("127.0.0.1", port))
    except BlockingIOError:
        await anyio.wait_writable(connection)
        error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error)) from None


async def _send(connection: socket.socket, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[connection.send(view) :]
        except BlockingIOError:
            await anyio.wait_writable(connection)


async def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        try:
            piece = connection.recv(size - len(data))
        except BlockingIOError:
            await anyio.wait_readable(connection)
            continue
        if not piece:
            raise ConnectionResetError("closed during the greeting")
        data += piece
    return data
