"""A message on its way in, and what happens to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from peerix.core.errors import PeerixError

from .chunks import IncomingChunks

if TYPE_CHECKING:
    from peerix.core.rooms.json import JsonValue


class IncomingState(Enum):
    """Where an incoming message stands."""

    OPEN = "open"  # more chunks may come
    ENDED = "ended"  # the whole message has arrived and is acknowledged
    FAILED = "failed"


class Disposal(Enum):
    """What becomes of the bytes of an incoming message."""

    KEPT = "kept"  # for the reader
    DISCARDED = "discarded"  # nobody wants them; the sender gets its acknowledgement all the same
    CANCELLED = "cancelled"  # the sender was told to stop
    SETTLED = "settled"  # read to the end or failed: nothing is held any more


class IncomingTransfer:
    """One message on its way in. Shells look at it; they read it through `TransferReceiver.read`.

    `id` is None when the sender left it out. `info` is parsed JSON, None when absent, null or no JSON.
    `received` counts the bytes that arrived. `active_at`, `read_at` and `grace_until` are the clocks of
    `TransferReceiver`.
    """

    __slots__ = (
        "active_at",
        "chunks",
        "disposal",
        "error",
        "grace_until",
        "id",
        "info",
        "kind",
        "next_index",
        "read_at",
        "received",
        "state",
    )

    def __init__(self, transfer_id: int | None, kind: int, info: JsonValue, now: float) -> None:
        self.id = transfer_id
        self.kind = kind
        self.info = info
        self.chunks = IncomingChunks()
        self.received = 0
        self.next_index = 0
        self.active_at = now
        self.read_at = now
        self.grace_until: float | None = None
        self.disposal = Disposal.KEPT
        self.state = IncomingState.OPEN
        self.error: PeerixError | None = None

    @property
    def unread(self) -> int:
        """Bytes that arrived and were not read."""
        return self.chunks.size


@dataclass(slots=True)
class MessageStarted:
    """A first packet arrived. A short message is complete already: look at `transfer.state`."""

    transfer: IncomingTransfer


@dataclass(slots=True)
class MessageAdvanced:
    """More bytes, or the end, of a message that has started: at most once a poll, failures included."""

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
