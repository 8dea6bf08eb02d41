"""Two ends of a channel, and packets to give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.rooms.transfer.channel import ChannelTransfers
from peerix.core.rooms.transfer.incoming import (
    IncomingState,
    IncomingTransfer,
    MessageStarted,
)
from peerix.core.rooms.transfer.packets import (
    first_packet,
    id_prefix,
    next_packet,
    parse_packet,
)

if TYPE_CHECKING:
    from peerix.core.errors import (
        PeerixError,
    )

TEXT, BYTES = 1, 4
PLENTY = 1 << 30
ONE = 1  # room for one packet


class Pair:
    """Two ends of a channel that loses nothing."""

    def __init__(self) -> None:
        self.a = ChannelTransfers(polite=True)
        self.b = ChannelTransfers(polite=False)

    def exchange(self, room: int = PLENTY) -> None:
        for sender, receiver in ((self.a, self.b), (self.b, self.a), (self.a, self.b)):
            for packet in sender.packets_to_send(room):
                receiver.receive_packet(packet, 0.0)


def ids_of(packets: list[bytes]) -> list[int]:
    return [packet.id or 0 for packet in map(parse_packet, packets) if packet is not None]


def first(number: int, chunk: bytes = b"x", *, done: bool = False, kind: int = BYTES) -> bytes:
    return first_packet(id_prefix(number), kind, None, chunk, done=done)


def following(number: int, index: int, chunk: bytes = b"x", *, done: bool = False) -> bytes:
    return next_packet(id_prefix(number), index, chunk, done=done)


def started(channel: ChannelTransfers) -> list[IncomingTransfer]:
    return [event.transfer for event in channel.poll_events() if isinstance(event, MessageStarted)]


def state_of(message: IncomingTransfer) -> IncomingState:
    """Give the state; the type checkers do not know that it changes by itself."""
    return message.state


def error_of(message: IncomingTransfer) -> PeerixError | None:
    """Give the error, likewise."""
    return message.error


def receive(channel: ChannelTransfers, *packets: bytes, now: float = 0.0) -> IncomingTransfer:
    """Give packets of one message to a channel."""
    for packet in packets:
        channel.receive_packet(packet, now)
    (transfer,) = started(channel)
    return transfer
