"""Whether a driver is connected, and streams of how that changes."""

from __future__ import annotations

import anyio
from anyio.abc import ObjectReceiveStream
from anyio.lowlevel import checkpoint, current_token

from peerix.core.errors import LocalProtocolError


class ActiveChanges(ObjectReceiveStream[bool]):
    """A stream of the changes of `Driver.active` since it was opened.

    It never holds more than two values: a reader that was away sees that the driver went and came back, not
    how often.
    """

    def __init__(self, activity: Activity) -> None:
        self._activity = activity
        self._pending: list[bool] = []
        self._changed = anyio.Event()
        self._ended = False
        self._closed = False
        self._reading = False

    def put(self, active: bool) -> None:
        """Add a change; it undoes one that nobody has read yet when two wait already."""
        if len(self._pending) == 2:
            self._pending.pop()
        else:
            self._pending.append(active)
        self._changed.set()

    def end(self) -> None:
        """Let the reader see the end of the stream after what still waits."""
        self._ended = True
        self._changed.set()

    async def receive(self) -> bool:
        """Wait for the next change.

        :raises anyio.EndOfStream: the driver was left
        :raises anyio.ClosedResourceError: this stream was closed
        :raises anyio.BusyResourceError: another task is reading it
        """
        if self._reading:
            raise anyio.BusyResourceError("reading from")
        await checkpoint()
        self._reading = True
        try:
            while not self._pending and not self._ended and not self._closed:
                self._changed = anyio.Event()
                await self._changed.wait()
        finally:
            self._reading = False
        if self._closed:
            raise anyio.ClosedResourceError
        if self._pending:
            return self._pending.pop(0)
        raise anyio.EndOfStream

    async def aclose(self) -> None:
        """Stop watching."""
        self.close()
        await checkpoint()

    def close(self) -> None:
        """Stop watching, at once."""
        self._closed = True
        self._changed.set()
        self._activity.forget(self)


class Activity:
    """The `active` flag of a driver and the streams that watch it."""

    def __init__(self) -> None:
        self.active = False
        self._watchers: list[ActiveChanges] = []

    def set(self, active: bool) -> None:
        """Change the flag; every stream gets the new value if it is one."""
        if active == self.active:
            return
        self.active = active
        for watcher in self._watchers:
            watcher.put(active)

    def watch(self) -> ActiveChanges:
        """Open a stream of the changes from now on."""
        changes = ActiveChanges(self)
        self._watchers.append(changes)
        return changes

    def forget(self, changes: ActiveChanges) -> None:
        """Drop a stream that was closed."""
        if changes in self._watchers:
            self._watchers.remove(changes)

    def close(self) -> None:
        """Turn inactive for good and end every stream."""
        self.set(active=False)
        for watcher in self._watchers:
            watcher.end()
        self._watchers.clear()


class LoopOwner:
    """The event loop that a driver belongs to while it is entered: its state has no locks."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._owner: object = None

    def claim(self) -> None:
        """Bind to the running event loop.

        :raises LocalProtocolError: another event loop has the driver
        """
        token = current_token().native_token
        if self._owner is not None and self._owner is not token:
            raise LocalProtocolError(
                f"this {self._name} belongs to another event loop (another thread, or another run); "
                "give each event loop a driver of its own"
            )
        self._owner = token

    def check(self) -> None:
        """Make sure that the running event loop is the owner.

        :raises LocalProtocolError: it is not
        """
        if current_token().native_token is not self._owner:
            raise LocalProtocolError(
                f"this {self._name} was entered in another event loop (another thread, or another run)"
            )

    def release(self) -> None:
        """Unbind, so that another event loop may enter the driver."""
        self._owner = None
