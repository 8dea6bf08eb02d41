"""A message on its way out, what happens to it, and its acknowledgement timer."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from peerix.core.errors import PeerixError

if TYPE_CHECKING:
    from .chunks import OutgoingChunks

ACKNOWLEDGEMENT_TIMEOUT = 10.0
"""Seconds that a receiver has to acknowledge a message after SCTP has acknowledged its last byte."""


class OutgoingState(Enum):
    """Where an outgoing message stands."""

    WAITING = "waiting"  # no packet made yet
    SENDING = "sending"
    SENT = "sent"  # every packet made, not acknowledged yet
    FINISHED = "finished"
    FAILED = "failed"


class OutgoingTransfer:
    """One message on its way out. Shells read it; `TransferSender` changes it.

    `id` is 0 until the first packet is made. `total` is the message's length, None while it is not known.
    `sent` is how many bytes of it are in packets. `index` is the next packet's. `end_offset` is where on the
    channel the last packet ended.
    """

    __slots__ = (
        "chunks",
        "end_offset",
        "error",
        "id",
        "index",
        "info",
        "kind",
        "prefix",
        "sent",
        "state",
        "total",
        "wants_data",
    )

    def __init__(self, kind: int, info: bytes | None, chunks: OutgoingChunks, total: int | None) -> None:
        self.id = 0
        self.kind = kind
        self.info = info
        self.total = total
        self.chunks = chunks
        self.prefix = b""
        self.index = 0
        self.sent = 0
        self.end_offset = 0
        self.wants_data = False
        self.state = OutgoingState.WAITING
        self.error: PeerixError | None = None

    @property
    def buffered(self) -> int:
        """Bytes that the caller gave and that are not in packets yet."""
        return self.chunks.size


@dataclass(slots=True)
class TransferAdvanced:
    """`transfer.sent` grew: at most once a batch, and never for a message of one packet."""

    transfer: OutgoingTransfer


@dataclass(slots=True)
class TransferWantsData:
    """A message fed by a source has less than FEED_SIZE left; said once until it is fed again."""

    transfer: OutgoingTransfer


@dataclass(slots=True)
class TransferFinished:
    """The receiver acknowledged the whole message."""

    transfer: OutgoingTransfer


@dataclass(slots=True)
class TransferFailed:
    """It failed: `TransferAborted`, `TransferTimeout`, or the error that the caller gave."""

    transfer: OutgoingTransfer
    error: PeerixError


SenderEvent: TypeAlias = "TransferAdvanced | TransferWantsData | TransferFinished | TransferFailed"


class AcknowledgementTimers:
    """The timers of messages that wait for their acknowledgement.

    A timer starts when SCTP has delivered the message's last packet, not when it was made, so that a slow
    path does not fail a message. All timers have the same length: two queues hold them in order.
    """

    def __init__(self) -> None:
        self._undelivered: deque[OutgoingTransfer] = deque()
        self._running: deque[tuple[float, OutgoingTransfer]] = deque()
        self._paused_at: float | None = None

    def add(self, transfer: OutgoingTransfer) -> None:
        """The last packet of `transfer` is made."""
        self._undelivered.append(transfer)

    @property
    def undelivered(self) -> int | None:
        """Where the first message ends of which nobody knows that SCTP has delivered it; None when there is none."""
        self._drop_settled()
        return self._undelivered[0].end_offset if self._undelivered else None

    def handle_delivered(self, offset: int, now: float) -> None:
        """The first `offset` bytes of the channel's packets are with the peer."""
        start = now if self._paused_at is None else self._paused_at
        undelivered = self._undelivered
        while undelivered and undelivered[0].end_offset <= offset:
            transfer = undelivered.popleft()
            if transfer.state is OutgoingState.SENT:
                self._running.append((start + ACKNOWLEDGEMENT_TIMEOUT, transfer))

    def pause(self, now: float) -> None:
        """Stop the clocks: acknowledgements cannot reach us."""
        if self._paused_at is None:
            self._paused_at = now

    def resume(self, now: float) -> None:
        """Let the clocks run on."""
        if self._paused_at is not None:
            pause = now - self._paused_at
            self._paused_at = None
            self._running = deque((at + pause, transfer) for at, transfer in self._running)

    def next_timeout(self) -> float | None:
        """When the first timer ends."""
        self._drop_settled()
        if self._paused_at is not None or not self._running:
            return None
        return self._running[0][0]

    def expired(self, now: float) -> list[OutgoingTransfer]:
        """Take the messages whose time is over."""
        expired: list[OutgoingTransfer] = []
        if self._paused_at is None:
            while self._running and self._running[0][0] <= now:
                transfer = self._running.popleft()[1]
                if transfer.state is OutgoingState.SENT:
                    expired.append(transfer)
        return expired

    def _drop_settled(self) -> None:
        # Receivers acknowledge in order, so that what is settled leaves from the front and nothing piles up.
        while self._running and self._running[0][1].state is not OutgoingState.SENT:
            self._running.popleft()
        while self._undelivered and self._undelivered[0].state is not OutgoingState.SENT:
            self._undelivered.popleft()
