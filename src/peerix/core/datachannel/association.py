"""What data channels need of the association below them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


class MessageAssociation(Protocol):
    """An SCTP association, as far as data channels use it."""

    def send_message(
        self,
        stream_id: int,
        ppid: int,
        data: bytes,
        *,
        ordered: bool = True,
        max_retransmits: int | None = None,
        max_packet_life_time: float | None = None,
        now: float,
    ) -> None:
        """Queue a message; `max_packet_life_time` in seconds."""
        ...

    def buffered_amount(self, stream_id: int) -> int:
        """Bytes queued on a stream that have not left."""
        ...

    def unacknowledged_amount(self, stream_id: int) -> int:
        """Bytes queued on a stream, or sent and not yet acknowledged."""
        ...

    def reset_streams(self, stream_ids: Iterable[int], now: float) -> None:
        """Reset our side of streams, after what is queued on them has been acknowledged."""
        ...

    def release(self, size: int) -> None:
        """Received bytes have been read."""
        ...
