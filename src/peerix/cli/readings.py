"""The messages that somebody reads, whose failures the reader tells."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from peerix.core.errors import PeerixError
    from peerix.messages import MessageData


class Readings:
    """Knows the failures of messages that are read: the channel reports them as well, before the reader or after it."""

    def __init__(self) -> None:
        self._messages: set[MessageData] = set()
        # A failure lives as long as the event that reports it waits.
        self._failures: WeakSet[PeerixError] = WeakSet()

    def begin(self, message: MessageData) -> None:
        """Somebody reads it from now on, and will tell when it fails."""
        self._messages.add(message)

    def end(self, message: MessageData) -> None:
        """Whoever read it is done; a failure is told, or about to be."""
        self._messages.discard(message)
        if message.failure is not None:
            self._failures.add(message.failure)

    def tell(self, error: PeerixError) -> bool:
        """Whether an error is the failure of a message that is, or was, read."""
        return error in self._failures or any(message.failure is error for message in self._messages)
