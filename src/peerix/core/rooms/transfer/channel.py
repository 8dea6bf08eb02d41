"""Both directions of one data channel: what the shell of a channel talks to (signatures; bodies follow)."""

from __future__ import annotations

from typing import TypeAlias

from peerix.core.errors import PeerixError

from .receiver import ReceiverEvent, TransferReceiver
from .sender import SenderEvent, TransferSender

TransferEvent: TypeAlias = "SenderEvent | ReceiverEvent"


class ChannelTransfers:
    """Joins a `TransferSender` and a `TransferReceiver` on one ordered channel without a protocol.

    The loop of a shell: binary frame -> `receive_packet`; then `poll_events`; then
    `packets_to_send(room)` -> `channel.send_nowait` each; then `take_credit` -> `connection.release/hold`.
    """

    sender: TransferSender
    receiver: TransferReceiver

    def __init__(self, *, polite: bool, read_timeout: float = 10.0) -> None: ...
    def receive_packet(self, data: bytes, now: float) -> None:
        """One binary frame. Never raises."""
        ...

    def packets_to_send(self, room: int) -> list[bytes]:
        """Acknowledgements and aborts (always), then data packets until `room` bytes are used up.

        Keep `room` at BUFFER_TARGET - channel.buffered_amount, so that a small message overtakes a large one.
        """
        ...

    def take_credit(self) -> int:
        """Bytes to put back on the SCTP window: `release(n)` when positive, `hold(-n)` when negative."""
        ...

    def next_timeout(self) -> float | None: ...
    def handle_timeout(self, now: float) -> None: ...
    def poll_events(self) -> list[TransferEvent]: ...
    def close(self, error: PeerixError) -> None: ...
