"""The receiving side of one channel: messages from interleaved packets, bounded in number, bytes and time.

What is held for the application counts on the SCTP window of the connection, through `take_credit`: unread
bytes, and a fixed amount for every message that was not read to its end, so that a flood of empty messages is
bounded as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.errors import DataChannelError, TransferAborted, TransferTimeout
from peerix.core.rooms.json import read_json

from .incoming import (
    Disposal,
    IncomingState,
    IncomingTransfer,
    MessageAdvanced,
    MessageFailed,
    MessageStarted,
)
from .packets import CHUNK_SIZE, acknowledgement, cancellation

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.errors import PeerixError
    from peerix.core.rooms.json import JsonValue

    from .incoming import ReceiverEvent
    from .packets import Packet

MAX_OPEN = 256
"""Unfinished incoming messages of one channel; further ones are cancelled at once."""

MESSAGE_COST = 1024
"""Bytes that a message counts for on the window, besides its unread bytes, until it is read to its end."""

STALL_TIMEOUT = 120.0
"""Seconds without a packet after which an unfinished message fails."""

ABORT_GRACE = 2.0
"""Seconds without a packet after which an abort that might have meant another transfer is believed."""

READ_TIMEOUT = 10.0
"""Seconds for which a reader may take nothing while unread bytes keep the window closed."""


class TransferReceiver:
    """Collects a channel's incoming messages.

    :param is_outgoing: whether an id is taken by an outgoing transfer.
    :param read_timeout: seconds, see READ_TIMEOUT.
    """

    def __init__(self, *, is_outgoing: Callable[[int], bool], read_timeout: float = READ_TIMEOUT) -> None:
        self.unread_bytes = 0
        self._is_outgoing = is_outgoing
        self._read_timeout = read_timeout
        self._open: dict[int | None, IncomingTransfer] = {}
        self._held: dict[IncomingTransfer, None] = {}
        self._mentioned: set[IncomingTransfer] = set()
        self._events: list[ReceiverEvent] = []
        self._control: list[bytes] = []
        self._credit = 0
        self._check_at: float | None = None
        self._window_closed = False
        self._read_at = 0.0

    def is_incoming(self, transfer_id: int) -> bool:
        """Whether `transfer_id` names an unfinished message of the other side."""
        return transfer_id in self._open

    def handle_data(self, packet: Packet, now: float) -> IncomingTransfer | None:
        """A packet of a message. What fits no message is ignored, as the protocol says.

        :returns: the message whose next chunks `handle_chunks` may take.
        """
        if packet.kind and packet.index == 0:
            transfer = self._start(packet, packet.kind, now)
        else:
            transfer = self._open.get(packet.id)
        if transfer is None:
            return None
        transfer.active_at = now
        transfer.grace_until = None
        chunk = packet.chunk
        if chunk is not None:
            if packet.index != transfer.next_index:
                self._fail(transfer, DataChannelError("the packets of the message came out of order"))
                return None
            transfer.next_index += 1
            transfer.received += len(chunk)
            if transfer.disposal is Disposal.KEPT:
                self._keep(transfer, chunk)
        if packet.done:
            self._end(transfer)
            return None
        return transfer

    def handle_chunks(self, transfer: IncomingTransfer, chunks: list[memoryview], now: float) -> bool:
        """The next chunks of a message, none of them its last; False when it is not collected any more."""
        if transfer.state is not IncomingState.OPEN or transfer.disposal is not Disposal.KEPT:
            return False
        size = sum(map(len, chunks))
        transfer.active_at = now
        transfer.grace_until = None
        transfer.next_index += len(chunks)
        transfer.received += size
        transfer.chunks.extend(chunks, size)
        self._count_kept(transfer, size)
        return True

    def _start(self, packet: Packet, kind: int, now: float) -> IncomingTransfer | None:
        replaced = self._open.pop(packet.id, None)
        if replaced is not None:
            # The sender uses the id anew: what came so far is all there will be.
            self._complete(replaced)
        if len(self._open) >= MAX_OPEN:
            self._control.append(cancellation(packet.id))
            return None
        transfer = IncomingTransfer(packet.id, kind, read_info(packet.info), now)
        self._open[packet.id] = transfer
        self._held[transfer] = None
        self._credit -= MESSAGE_COST
        self._events.append(MessageStarted(transfer))
        self._mentioned.add(transfer)
        self._check_by(now + min(self._read_timeout, STALL_TIMEOUT))
        return transfer

    def _keep(self, transfer: IncomingTransfer, chunk: bytes) -> None:
        transfer.chunks.append(chunk)
        self._count_kept(transfer, len(chunk))

    def _count_kept(self, transfer: IncomingTransfer, size: int) -> None:
        self.unread_bytes += size
        self._credit -= size
        if transfer not in self._mentioned:
            self._mention(transfer)

    def _end(self, transfer: IncomingTransfer) -> None:
        del self._open[transfer.id]
        if transfer.disposal is not Disposal.CANCELLED:
            self._control.append(acknowledgement(transfer.id))
        elif transfer.id is not None and not self._is_outgoing(transfer.id):
            # Browsers send everything even so, and then wait 10 s for an answer: this one they hear.
            self._control.append(cancellation(transfer.id))
        self._complete(transfer)

    def _complete(self, transfer: IncomingTransfer) -> None:
        if transfer.state is IncomingState.OPEN:
            transfer.state = IncomingState.ENDED
            if transfer.disposal is Disposal.KEPT and transfer not in self._mentioned:
                self._mention(transfer)

    def _mention(self, transfer: IncomingTransfer) -> None:
        self._mentioned.add(transfer)
        self._events.append(MessageAdvanced(transfer))

    def handle_abort(self, transfer_id: int | None) -> None:
        """The sender gives up the message."""
        transfer = self._open.get(transfer_id)
        if transfer is not None:
            self._fail(transfer, TransferAborted("aborted by the sender"))

    def handle_ambiguous_abort(self, transfer_id: int | None, now: float) -> None:
        """The other side gives up a transfer, perhaps this message, perhaps one of ours.

        If this one was meant nothing more of it comes: it fails when that has lasted ABORT_GRACE.
        """
        transfer = self._open.get(transfer_id)
        if transfer is not None:
            transfer.grace_until = now + ABORT_GRACE
            self._check_by(transfer.grace_until)

    def read(self, transfer: IncomingTransfer, now: float) -> list[bytes | memoryview]:
        """Take every unread chunk.

        Call it, or `discard`, until the message is not OPEN any more and once after that, also for an empty
        message.
        """
        if transfer.disposal is not Disposal.KEPT:
            return []
        self._read_at = now
        chunks = self._take(transfer)
        if transfer.state is not IncomingState.OPEN:
            self._release(transfer, Disposal.SETTLED)
        return chunks

    def discard(self, transfer: IncomingTransfer) -> None:
        """Nobody wants the message: drop its bytes; the sender gets its acknowledgement all the same."""
        if transfer.disposal is Disposal.KEPT:
            self._take(transfer)
            self._release(transfer, Disposal.DISCARDED)

    def cancel(self, transfer: IncomingTransfer) -> None:
        """Tell the sender to stop, and drop what comes. No event follows; a finished message is discarded."""
        if transfer.state is IncomingState.OPEN:
            self._control.append(cancellation(transfer.id))
            self._abandon(transfer, TransferAborted("aborted by the receiver"))
        else:
            self.discard(transfer)

    def _abandon(self, transfer: IncomingTransfer, error: PeerixError) -> None:
        # It stays among the open ones: the sender may go on for a while, or to the end.
        transfer.state = IncomingState.FAILED
        transfer.error = error
        self.discard(transfer)
        transfer.disposal = Disposal.CANCELLED

    def _fail(self, transfer: IncomingTransfer, error: PeerixError) -> None:
        if self._open.get(transfer.id) is transfer:
            del self._open[transfer.id]
        self._report(transfer, error)
        if transfer.disposal is not Disposal.CANCELLED:
            transfer.state = IncomingState.FAILED
            transfer.error = error
            self.discard(transfer)

    def _report(self, transfer: IncomingTransfer, error: PeerixError) -> None:
        if transfer.disposal is Disposal.KEPT:
            self._events.append(MessageFailed(transfer, error))

    def _take(self, transfer: IncomingTransfer) -> list[bytes | memoryview]:
        size = transfer.chunks.size
        self.unread_bytes -= size
        self._credit += size
        return transfer.chunks.take_all()

    def _release(self, transfer: IncomingTransfer, disposal: Disposal) -> None:
        transfer.disposal = disposal
        del self._held[transfer]
        self._credit += MESSAGE_COST

    def set_window_open(self, is_open: bool, now: float) -> None:
        """The connection's window closed because of unread bytes, or opened again."""
        if is_open is not self._window_closed:
            return
        self._window_closed = not is_open
        if is_open:
            for transfer in self._open.values():
                transfer.active_at = now
                if transfer.grace_until is not None:
                    transfer.grace_until = now + ABORT_GRACE
        else:
            for transfer in self._held:
                transfer.read_at = now
        self._check_by(now + min(self._read_timeout, ABORT_GRACE))

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is due."""
        return self._check_at

    def _check_by(self, at: float) -> None:
        if self._check_at is None or at < self._check_at:
            self._check_at = at

    def handle_timeout(self, now: float) -> None:
        """Fail what was not read, or did not grow, for too long."""
        if self._check_at is None or now < self._check_at:
            return
        self._check_at = None
        if self._window_closed:
            self._check_readers(now)
        else:
            self._check_senders(now)

    def _check_readers(self, now: float) -> None:
        if self._held:
            # A message without unread bytes now may get some while the window is still closed.
            self._check_by(now + self._read_timeout)
        for transfer in [transfer for transfer in self._held if transfer.unread]:
            # Readers take one message after the other: only when nothing at all is taken are they given up.
            deadline = max(transfer.read_at, self._read_at) + self._read_timeout
            if deadline > now:
                self._check_by(deadline)
                continue
            error = TransferTimeout("the message was not read in time")
            if transfer.state is IncomingState.OPEN:
                self._report(transfer, error)
                self._control.append(cancellation(transfer.id))
                self._abandon(transfer, error)
            else:
                self._fail(transfer, error)

    def _check_senders(self, now: float) -> None:
        for transfer in list(self._open.values()):
            deadline = transfer.active_at + STALL_TIMEOUT
            if transfer.grace_until is not None:
                deadline = min(deadline, transfer.grace_until)
            if deadline > now:
                self._check_by(deadline)
            elif deadline == transfer.grace_until:
                self._fail(transfer, TransferAborted("aborted by the sender"))
            else:
                self._control.append(cancellation(transfer.id))
                self._fail(transfer, TransferTimeout("the sender stopped in the middle of the message"))

    def packets_to_send(self) -> list[bytes]:
        """Take the acknowledgements and cancellations made since the last call."""
        packets = self._control
        self._control = []
        return packets

    def take_credit(self) -> int:
        """Take what changed in the amount held: positive when less is held than at the last call."""
        credit = self._credit
        self._credit = 0
        return credit

    def poll_events(self) -> list[ReceiverEvent]:
        """Take the events since the last call."""
        events = self._events
        self._events = []
        self._mentioned.clear()
        return events

    def close(self, error: PeerixError) -> None:
        """The channel is gone: unfinished messages fail with `error`; finished ones can still be read."""
        for transfer in list(self._open.values()):
            self._fail(transfer, error)
        self._control.clear()
        self._check_at = None


def read_info(info: bytes | None) -> JsonValue:
    """Give the value of an `info` field: None when it is absent, too long or not JSON."""
    if not info or len(info) >= CHUNK_SIZE:
        return None
    try:
        return read_json(info)
    except ValueError:
        return None
