"""Where a driver of this machine is reached: one name in the folder, one listening socket."""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import socket
    from pathlib import Path

_GROUP_LENGTH = 10
_MEMBER_LENGTH = 8
NAME_LENGTH = _GROUP_LENGTH + 1 + _MEMBER_LENGTH
"""Bytes of an endpoint's file name."""

OPEN_TRIES = 5
"""How often to create the folder anew when somebody who left it removed it just now."""


class Endpoint(Protocol):
    """A way for drivers to reach one another; sockets are non-blocking and belong to whoever gets them."""

    async def open(self) -> socket.socket:
        """Start to listen, and become visible to the others.

        :raises SignalingError: that is impossible here
        """
        ...

    def others(self) -> list[str]:
        """The names of the other endpoints of this group, dead ones included."""
        ...

    async def connect(self, name: str) -> socket.socket:
        """Connect to another endpoint.

        :raises OSError: nobody answers there, or not the one who should
        """
        ...

    async def admit(self, connection: socket.socket) -> bool:
        """Whether a connection that was accepted comes from somebody who may send."""
        ...

    async def forget(self, name: str) -> None:
        """Remove what an endpoint left behind, if it is dead."""
        ...

    def close(self) -> None:
        """Become invisible; the listening socket is closed by its owner."""
        ...


def group_of(name: str) -> str:
    """The common part of the file names of a group: short, whatever the name is."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_GROUP_LENGTH]


def new_member(group: str) -> str:
    """A file name that nobody else of the group has."""
    return f"{group}.{secrets.token_hex(_MEMBER_LENGTH // 2)}"


def members(folder: Path, group: str, own: str) -> list[str]:
    """The file names of the group's other endpoints."""
    prefix = f"{group}."
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are wanted, not paths
    except FileNotFoundError:
        return []
    return [name for name in names if name.startswith(prefix) and len(name) == NAME_LENGTH and name != own]
