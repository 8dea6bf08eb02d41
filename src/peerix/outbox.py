"""The messages to one remote peer on one label: those that wait for the channel, and how many there are in all."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

import anyio
from anyio import WouldBlock

from peerix.core.errors import DataChannelError, PeerixError, TransferTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.options import Limits
    from peerix.transfers import Delivery


class Carrier(Protocol):
    """Takes messages over an open channel."""

    def start(self, delivery: Delivery) -> None:
        """Send it, after those that were given before."""
        ...


class Outbox:
    """Keeps the order of the messages on a label, from `send` on, and their bounds.

    :param timeout: seconds that a message waits for the channel; 0 is for ever.
    :param on_failed: told of every failure that nobody awaits.
    """

    __slots__ = ("_bytes", "_carrier", "_count", "_limits", "_on_failed", "_room", "_timeout", "_waiting", "label")

    def __init__(
        self, label: str, limits: Limits, timeout: float, on_failed: Callable[[str, PeerixError], None]
    ) -> None:
        self.label = label
        self._limits = limits
        self._timeout = timeout
        self._on_failed = on_failed
        self._waiting: deque[tuple[float, Delivery]] = deque()
        self._carrier: Carrier | None = None
        self._count = 0
        self._bytes = 0
        self._room: anyio.Event | None = None

    @property
    def open(self) -> bool:
        """Whether there is a channel that takes messages."""
        return self._carrier is not None

    @property
    def idle(self) -> bool:
        """Whether nothing depends on it."""
        return not self._count and self._carrier is None

    @property
    def has_room(self) -> bool:
        """Whether one more message may be added, of any size."""
        return self._count < self._limits.max_pending and self._bytes < self._limits.max_pending_bytes

    def check_room(self, size: int) -> None:
        """See to it that a message of `size` bytes fits; a single one may be larger than the bound.

        :raises WouldBlock: it does not
        """
        if self._count >= self._limits.max_pending:
            raise WouldBlock
        if self._count and self._bytes + size > self._limits.max_pending_bytes:
            raise WouldBlock

    def add(self, delivery: Delivery, now: float) -> None:
        """Send it when the channel is open, or else as soon as it is."""
        self._count += 1
        self._bytes += delivery.size
        delivery.owner = self
        if self._carrier is None:
            self._waiting.append((now, delivery))
        else:
            self._carrier.start(delivery)

    def abort(self, delivery: Delivery, error: PeerixError) -> None:
        """Forget a message that has not reached the channel."""
        self._waiting = deque(entry for entry in self._waiting if entry[1] is not delivery)
        delivery.settle(error)

    def attach(self, carrier: Carrier) -> None:
        """The channel is open: it takes the messages from now on."""
        self._carrier = carrier
        waiting, self._waiting = self._waiting, deque()
        for _, delivery in waiting:
            carrier.start(delivery)

    def detach(self, carrier: Carrier) -> None:
        """The channel is closed; another one may have taken its place already."""
        if self._carrier is carrier:
            self._carrier = None

    def settled(self, delivery: Delivery) -> None:
        """A message is acknowledged or has failed: there is room for another."""
        self._count -= 1
        self._bytes -= delivery.size
        if self._room is not None and self._is_half_empty:
            self._room.set()
            self._room = None
        error = delivery.error
        if error is not None and not delivery.transfer.watched:
            self._on_failed(self.label, error if isinstance(error, PeerixError) else _unreadable(error))

    @property
    def _is_half_empty(self) -> bool:
        # Waiters come back when much has gone, not at every message: else each would be sent by a wake-up of its own.
        limits = self._limits
        return self._count <= limits.max_pending // 2 and self._bytes <= limits.max_pending_bytes // 2

    async def wait_room(self) -> None:
        """Wait until there is room again."""
        while not self.has_room:
            if self._room is None:
                self._room = anyio.Event()
            await self._room.wait()

    def next_timeout(self) -> float | None:
        """When the message that has waited longest fails, because the channel does not open."""
        if not self._waiting or not self._timeout:
            return None
        return self._waiting[0][0] + self._timeout

    def handle_timeout(self, now: float) -> None:
        """Fail what has waited too long."""
        while (deadline := self.next_timeout()) is not None and deadline <= now:
            self._waiting.popleft()[1].settle(TransferTimeout(f"the channel {self.label!r} did not open in time"))

    def close(self, error: PeerixError) -> None:
        """The remote peer is gone: whatever waits fails."""
        while self._waiting:
            self._waiting.popleft()[1].settle(error)


def _unreadable(cause: Exception) -> DataChannelError:
    error = DataChannelError(f"the message could not be read: {cause!r}")
    error.__cause__ = cause
    return error
