"""Outgoing messages of one channel (signatures; bodies follow)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from peerix.core.errors import PeerixError


class OutgoingState(Enum):
    WAITING = "waiting"  # registered, no packet made yet
    SENDING = "sending"
    SENT = "sent"  # every packet made, not acknowledged yet
    FINISHED = "finished"
    FAILED = "failed"


class OutgoingTransfer:
    """One message on its way out. Read-only for the shell; change it through `TransferSender`."""

    id: int  # 0 until the first packet is made
    kind: int
    info: bytes | None
    total: int | None  # None: not known
    sent: int  # bytes of the message that are in packets
    buffered: int  # bytes given by the caller that are not in packets yet
    state: OutgoingState
    error: PeerixError | None


@dataclass(slots=True)
class TransferAdvanced:
    """`transfer.sent` grew (at most one a poll for each transfer, none for messages of one packet)."""

    transfer: OutgoingTransfer


@dataclass(slots=True)
class TransferWantsData:
    """A transfer fed by a source has less than FEED_SIZE left: `feed` it (once until fed again)."""

    transfer: OutgoingTransfer


@dataclass(slots=True)
class TransferFinished:
    """The receiver acknowledged it."""

    transfer: OutgoingTransfer


@dataclass(slots=True)
class TransferFailed:
    """It failed: `TransferAborted`, `TransferTimeout` or the error given to `close`."""

    transfer: OutgoingTransfer
    error: PeerixError


SenderEvent: TypeAlias = "TransferAdvanced | TransferWantsData | TransferFinished | TransferFailed"


class TransferSender:
    def __init__(self, *, first_id: int, is_incoming: Callable[[int], bool]) -> None: ...

    @property
    def pending_transfers(self) -> int:
        """Transfers that are not finished and not failed."""
        ...

    @property
    def pending_bytes(self) -> int:
        """Bytes handed in that are not in packets yet."""
        ...

    @property
    def has_packets(self) -> bool:
        """Whether `packets_to_send` would return something, given room."""
        ...

    @property
    def offset(self) -> int:
        """Bytes of all data packets returned so far: what `handle_delivered` counts on."""
        ...

    def start(self, data: bytes, *, kind: int, info: bytes | None = None) -> OutgoingTransfer:
        """Register a whole message. :raises MessageTooLarge: `info` has CHUNK_SIZE bytes or more."""
        ...

    def start_source(
        self, *, kind: int, total: int | None = None, info: bytes | None = None
    ) -> OutgoingTransfer:
        """Register a message whose bytes come by `feed` and end by `finish`."""
        ...

    def feed(self, transfer: OutgoingTransfer, data: bytes, *, last: bool = False) -> None: ...

    def abort(self, transfer: OutgoingTransfer, error: PeerixError | None = None) -> None:
        """Stop it; the receiver gets `{id, abort}`. Gives TransferFailed."""
        ...

    def handle_delivered(self, offset: int, now: float) -> None:
        """SCTP has acknowledged the first `offset` bytes of our packets: acknowledgement timers start."""
        ...

    def pause_timers(self, now: float) -> None: ...
    def resume_timers(self, now: float) -> None: ...
    def next_timeout(self) -> float | None: ...
    def handle_timeout(self, now: float) -> None: ...
    def poll_events(self) -> list[SenderEvent]: ...
    def close(self, error: PeerixError) -> None:
        """The channel is gone: everything pending fails with `error`."""
        ...
