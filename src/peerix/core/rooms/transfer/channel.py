"""Both directions of one data channel: what the shell of a channel talks to."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from .incoming import PacketsRejected
from .packets import CHUNK_SIZE, full_heads, id_prefix, parse_packet
from .receiver import READ_TIMEOUT, TransferReceiver
from .sender import TransferSender

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.core.errors import PeerixError

    from .incoming import IncomingTransfer, ReceiverEvent
    from .outgoing import SenderEvent
    from .packets import Packet

TransferEvent: TypeAlias = "SenderEvent | ReceiverEvent"

BUFFER_TARGET = 256 * 1024
"""Bytes to keep in a channel's buffer: little enough to overtake a long message."""

MAX_BUFFER_TARGET = 512 * 1024
"""Bytes to keep there on a fast path: what leaves in some milliseconds does not delay anybody. As much again is left
for answers, before the channel is full."""

FIRST_ID_POLITE = 21_845
FIRST_ID_IMPOLITE = 43_690
"""Where the two sides begin to count: far from each other, and from 1, where browsers begin."""


def carries_transfers(*, ordered: bool, protocol: str) -> bool:
    """Whether binary frames of such a channel are transfer packets; otherwise frames are raw messages."""
    return ordered and not protocol


class _Expected:
    """The message of which a full packet came last: most likely the next ones are its next full packets.

    Nearly all packets of long messages are what is expected, and so neither parsed nor copied: 2 us in place of 4.
    """

    __slots__ = ("prefix", "transfer")

    def __init__(self, transfer: IncomingTransfer, transfer_id: int) -> None:
        self.transfer = transfer
        self.prefix = id_prefix(transfer_id)

    def chunks_of(self, packets: Sequence[bytes], start: int) -> list[memoryview]:
        """Give the chunks of the packets from `start` on, as far as they are what is expected."""
        chunks: list[memoryview] = []
        if len(packets[start]) <= CHUNK_SIZE:
            return chunks
        # An index is in the head, so that the order is right.
        heads = full_heads(self.prefix, self.transfer.next_index)
        for packet, head in zip(islice(packets, start, None), heads, strict=False):
            begin = len(head)
            if len(packet) != begin + CHUNK_SIZE or not packet.startswith(head):
                break
            chunks.append(memoryview(packet)[begin:])
        return chunks


class ChannelTransfers:
    """Joins the sender and the receiver of one channel.

    A shell gives it every binary frame by `receive_packet`, then polls the events, sends the packets of
    `packets_to_send`, and puts `take_credit` on the window.

    :param polite: whether this side is the polite one of the connection.
    :param read_timeout: seconds that a reader may take nothing while the window is closed.
    :param first_id: the id of the first transfer, for tests; otherwise it follows from `polite`.
    """

    def __init__(self, *, polite: bool, read_timeout: float = READ_TIMEOUT, first_id: int | None = None) -> None:
        if first_id is None:
            first_id = FIRST_ID_POLITE if polite else FIRST_ID_IMPOLITE
        self.sender = TransferSender(first_id=first_id, is_incoming=self._is_incoming)
        self.receiver = TransferReceiver(is_outgoing=self.sender.is_outgoing, read_timeout=read_timeout)
        self._arrived = 0
        self._credit = 0
        self._rejected = 0
        self._expected: _Expected | None = None

    def _is_incoming(self, transfer_id: int) -> bool:
        return self.receiver.is_incoming(transfer_id)

    def receive_packet(self, data: bytes, now: float) -> None:
        """Take one binary frame. It never raises; frames that are no packets are counted."""
        self.receive_packets((data,), now)

    def receive_packets(self, packets: Sequence[bytes], now: float) -> None:
        """Take binary frames that came one after the other."""
        size = sum(map(len, packets))
        self._arrived += size
        self._credit += size
        place = 0
        while place < len(packets):
            taken = 0 if self._expected is None else self._take_expected(self._expected, packets, place, now)
            if not taken:
                self._receive_packet(packets[place], now)
                taken = 1
            place += taken

    def _receive_packet(self, data: bytes, now: float) -> None:
        packet = parse_packet(data)
        if packet is None:
            self._rejected += 1
        elif packet.ask:
            self._handle_answer(packet, now)
        elif packet.abort:
            self.receiver.handle_abort(packet.id)
        else:
            transfer = self.receiver.handle_data(packet, now)
            if transfer is not None and transfer.id is not None and len(data) > CHUNK_SIZE:
                self._expected = _Expected(transfer, transfer.id)

    def _take_expected(self, expected: _Expected, packets: Sequence[bytes], start: int, now: float) -> int:
        """Take the packets from `start` on that are expected; return how many."""
        chunks = expected.chunks_of(packets, start)
        if chunks and not self.receiver.handle_chunks(expected.transfer, chunks, now):
            self._expected = None
            return 0
        return len(chunks)

    def _handle_answer(self, packet: Packet, now: float) -> None:
        transfer_id = packet.id
        if packet.abort:
            # A browser says the same when it cancels our message and when it aborts its own.
            if transfer_id is not None and self.sender.handle_cancellation(transfer_id):
                self.receiver.handle_ambiguous_abort(transfer_id, now)
            else:
                self.receiver.handle_abort(transfer_id)
        elif packet.done and transfer_id is not None:
            self.sender.handle_acknowledgement(transfer_id)

    def packets_to_send(self, room: int) -> list[bytes]:
        """Make packets: answers and aborts always, of our messages until `room` bytes are used up.

        With `room` as BUFFER_TARGET or some more, less what the channel has buffered, a short message overtakes long
        ones.
        """
        answers = self.receiver.packets_to_send()
        if not answers:
            return self.sender.packets_to_send(room)
        answers.extend(self.sender.packets_to_send(room))
        return answers

    def take_arrived(self) -> int:
        """Take the bytes of the packets that came since the last call."""
        arrived = self._arrived
        self._arrived = 0
        return arrived

    def take_credit(self) -> int:
        """Take the bytes to put back on the window: release them when positive, hold them when negative."""
        credit = self._credit + self.receiver.take_credit()
        self._credit = 0
        return credit

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is due."""
        sender_at = self.sender.next_timeout()
        receiver_at = self.receiver.next_timeout()
        if sender_at is None or receiver_at is None:
            return receiver_at if sender_at is None else sender_at
        return min(sender_at, receiver_at)

    def handle_timeout(self, now: float) -> None:
        """Let the timers run."""
        self.sender.handle_timeout(now)
        self.receiver.handle_timeout(now)

    def set_window_open(self, is_open: bool, now: float) -> None:
        """The connection's window closed because of unread bytes, or opened again."""
        self.receiver.set_window_open(is_open, now)
        if is_open:
            self.sender.resume_timers(now)
        else:
            self.sender.pause_timers(now)

    def poll_events(self) -> list[TransferEvent]:
        """Take the events since the last call, those of incoming messages first."""
        events: list[TransferEvent] = [*self.receiver.poll_events(), *self.sender.poll_events()]
        if self._rejected:
            events.append(PacketsRejected(self._rejected))
            self._rejected = 0
        return events

    def close(self, error: PeerixError) -> None:
        """The channel is gone: whatever is pending in either direction fails with `error`."""
        self.sender.close(error)
        self.receiver.close(error)
