"""Incoming messages of one channel (signatures; bodies follow)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from peerix.core.errors import PeerixError


class IncomingState(Enum):
    OPEN = "open"  # more chunks may come
    ENDED = "ended"  # the whole message has arrived (and is acknowledged)
    FAILED = "failed"


class IncomingTransfer:
    """One message on its way in. Read it through `TransferReceiver.read`."""

    id: int | None
    kind: int
    info: object  # parsed JSON; None when absent, null or not JSON
    received: int  # bytes of the message that arrived
    unread: int  # bytes that arrived and were not read
    state: IncomingState
    error: PeerixError | None


@dataclass(slots=True)
class MessageStarted:
    """A first packet arrived. Short messages are complete already: look at `transfer.state`."""

    transfer: IncomingTransfer


@dataclass(slots=True)
class MessageAdvanced:
    """More bytes, or the end, of a message that has started (at most one a poll for each transfer)."""

    transfer: IncomingTransfer


@dataclass(slots=True)
class MessageFailed:
    """Aborted by the sender, out of order, stalled, or not read in time."""

    transfer: IncomingTransfer
    error: PeerixError


@dataclass(slots=True)
class PacketsRejected:
    """So many frames could not be decoded since the last poll."""

    count: int


ReceiverEvent: TypeAlias = "MessageStarted | MessageAdvanced | MessageFailed | PacketsRejected"


class TransferReceiver:
    def read(self, transfer: IncomingTransfer, now: float) -> list[bytes]:
        """Take every unread chunk. Call it (or `discard`) until the state is not OPEN and nothing is unread."""
        ...

    def discard(self, transfer: IncomingTransfer) -> None:
        """Nobody wants it: keep receiving and acknowledging, drop the bytes."""
        ...

    def cancel(self, transfer: IncomingTransfer, now: float) -> None:
        """Tell the sender to stop ({id, ask, abort}), drop what comes. No event."""
        ...

    @property
    def unread_bytes(self) -> int: ...

    def set_window_open(self, is_open: bool, now: float) -> None:
        """The SCTP window of the connection closed (unread data at its bound) or opened again."""
        ...
