"""How much of what a remote peer sent is unread, over all its channels."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from peerix.rtc import PeerConnection


class WindowUser(Protocol):
    """A channel whose timers depend on whether the other side can send."""

    def set_window_open(self, is_open: bool, now: float) -> None:
        """The window has closed, or opened again."""
        ...


class ReceiveWindow:
    """Keeps the account of one connection's unread bytes, and closes its SCTP window by them.

    The connection counts every frame that it delivers until it is released here. Near the bound (`limit`)
    the other side cannot send: acknowledgements of our messages cannot come either, and readers are
    expected to read.
    """

    __slots__ = ("_closed", "_connection", "_limit", "_unread", "_users")

    def __init__(self, connection: PeerConnection, limit: int) -> None:
        self._connection = connection
        # SCTP stops a little before the last byte: with a message half arrived, or one that no longer fits.
        self._limit = limit - limit // 8
        self._unread = 0
        self._closed = False
        self._users: list[WindowUser] = []

    @property
    def unread(self) -> int:
        """Bytes that count at the moment."""
        return self._unread

    def add(self, user: WindowUser) -> None:
        """A channel begins."""
        self._users.append(user)
        if self._closed:
            user.set_window_open(False, monotonic())

    def remove(self, user: WindowUser) -> None:
        """A channel has ended."""
        self._users.remove(user)

    def account(self, delivered: int, released: int) -> None:
        """A frame of `delivered` bytes came; `released` bytes, fewer than none perhaps, count no more."""
        self._unread += delivered - released
        if released > 0:
            self._connection.release(released)
        elif released:
            self._connection.hold(-released)
        closed = self._unread >= self._limit
        if closed is not self._closed:
            self._closed = closed
            now = monotonic()
            for user in tuple(self._users):
                user.set_window_open(not closed, now)
