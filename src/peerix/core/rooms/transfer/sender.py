"""The sending side of one channel: many messages in flight, their packets interleaved.

Messages start in the order in which they were registered. Those that have begun take turns, a packet each, so
a short message never waits behind a long one. An id stays taken until the receiver has acknowledged or the
message has failed; ids that the other side uses at the moment are left out, because a browser's abort does
not say whose transfer it means.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from peerix.core.errors import LocalProtocolError, MessageTooLarge, TransferAborted, TransferTimeout

from .chunks import OutgoingChunks
from .outgoing import (
    AcknowledgementTimers,
    OutgoingState,
    OutgoingTransfer,
    SenderEvent,
    TransferAdvanced,
    TransferFailed,
    TransferFinished,
    TransferWantsData,
)
from .packets import CHUNK_SIZE, MAX_ID, abortion, first_packet, full_heads, id_prefix, next_packet

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.errors import PeerixError

MAX_UNFINISHED = 256
"""Messages of one channel that have begun and are not in packets whole: as many as receivers keep open."""

MAX_IN_FLIGHT = 1024
"""Messages of one channel that have begun and are not acknowledged: 20,000 a second at a round trip of 50 ms. So many
may come at once to a reader that has stopped, each at the cost of a message (`receiver.MESSAGE_COST`)."""

FEED_SIZE = 64 * CHUNK_SIZE
"""Bytes to feed at once: a source with less than this left wants more."""


class TransferSender:
    """Makes the packets of a channel's outgoing messages.

    :param first_id: the id of the first transfer, 1 to 65,535.
    :param is_incoming: whether the other side has an unfinished transfer of an id.
    """

    def __init__(self, *, first_id: int, is_incoming: Callable[[int], bool]) -> None:
        self.offset = 0
        """Bytes of all data packets made so far: what `handle_delivered` counts on."""
        self.pending_bytes = 0
        """Bytes handed in that are not in packets yet."""
        self._is_incoming = is_incoming
        self._next_id = first_id
        self._waiting: deque[OutgoingTransfer] = deque()
        self._active: dict[int, OutgoingTransfer] = {}
        self._unfinished = 0
        self._ring: deque[OutgoingTransfer] = deque()
        self._control: list[bytes] = []
        self._events: list[SenderEvent] = []
        self._timers = AcknowledgementTimers()

    @property
    def pending_transfers(self) -> int:
        """Messages that are neither finished nor failed."""
        return len(self._waiting) + len(self._active)

    @property
    def has_packets(self) -> bool:
        """Whether there is something to send now."""
        return bool(self._control or self._ring or (self._waiting and self._may_begin))

    @property
    def _may_begin(self) -> bool:
        return self._unfinished < MAX_UNFINISHED and len(self._active) < MAX_IN_FLIGHT

    def start(self, data: bytes, *, kind: int, info: bytes | None = None) -> OutgoingTransfer:
        """Register a whole message.

        :raises MessageTooLarge: `info` has CHUNK_SIZE bytes or more.
        """
        return self._register(OutgoingTransfer(kind, info, OutgoingChunks(data, ended=True), len(data)))

    def start_source(self, *, kind: int, total: int | None = None, info: bytes | None = None) -> OutgoingTransfer:
        """Register a message whose bytes come by `feed`; it asks for them by TransferWantsData.

        :raises MessageTooLarge: `info` has CHUNK_SIZE bytes or more.
        """
        transfer = self._register(OutgoingTransfer(kind, info, OutgoingChunks(ended=False), total))
        self._ask_for_data(transfer)
        return transfer

    def _register(self, transfer: OutgoingTransfer) -> OutgoingTransfer:
        if transfer.info is not None and len(transfer.info) >= CHUNK_SIZE:
            raise MessageTooLarge(f"info must have less than {CHUNK_SIZE} bytes")
        self.pending_bytes += transfer.chunks.size
        self._waiting.append(transfer)
        return transfer

    def feed(self, transfer: OutgoingTransfer, data: bytes | bytearray, *, last: bool = False) -> None:
        """Add bytes to a message that was started by `start_source`; `last` ends it. Ignored once it is over.

        :param data: kept, not copied: it must not change any more.
        :raises LocalProtocolError: the message had ended already.
        """
        if transfer.state in (OutgoingState.FAILED, OutgoingState.FINISHED):
            return
        chunks = transfer.chunks
        if chunks.ended:
            raise LocalProtocolError("the message has ended already")
        starved = transfer.index > 0 and not chunks.size
        chunks.append(data)
        chunks.ended = last
        transfer.wants_data = False
        self.pending_bytes += len(data)
        if starved and (last or data):
            self._ring.append(transfer)
        if not last and chunks.size < FEED_SIZE:
            self._ask_for_data(transfer)

    def _ask_for_data(self, transfer: OutgoingTransfer) -> None:
        transfer.wants_data = True
        self._events.append(TransferWantsData(transfer))

    def abort(self, transfer: OutgoingTransfer, error: PeerixError | None = None) -> None:
        """Stop a message and tell the receiver. Nothing when it is over already."""
        if transfer.state not in (OutgoingState.FAILED, OutgoingState.FINISHED):
            self._fail(transfer, error or TransferAborted("aborted by the sender"))

    def packets_to_send(self, room: int) -> list[bytes]:
        """Make packets: those that abort a transfer always, of data until `room` bytes are used up."""
        packets = self._control
        self._control = []
        ring = self._ring
        advanced: dict[OutgoingTransfer, None] = {}
        waiting = self._waiting
        while room > 0:
            while waiting and self._may_begin:
                self._activate(waiting.popleft())
            if not ring:
                break
            transfer = ring.popleft()
            if transfer.state is not OutgoingState.SENDING:
                continue
            made = self._make_run(transfer, room) if transfer.index and not ring else []
            if not made:
                made.append(self._make_packet(transfer))
            packets.extend(made)
            room -= sum(map(len, made))
            if transfer.index > 1:
                advanced[transfer] = None
        self._events.extend(map(TransferAdvanced, advanced))
        return packets

    def _activate(self, transfer: OutgoingTransfer) -> None:
        number = self._next_id
        while number in self._active or self._is_incoming(number):
            number = number % MAX_ID + 1
        self._next_id = number % MAX_ID + 1
        transfer.id = number
        transfer.prefix = id_prefix(number)
        transfer.state = OutgoingState.SENDING
        self._active[number] = transfer
        self._unfinished += 1
        self._ring.append(transfer)

    def _make_run(self, transfer: OutgoingTransfer, room: int) -> list[bytes]:
        """Make full packets of a message that goes on after them; nobody else wants a turn.

        Nearly all packets of long messages are made here, in half the time.
        """
        chunks = transfer.chunks
        pieces = chunks.take_run(CHUNK_SIZE, max(room // CHUNK_SIZE, 1))
        heads = full_heads(transfer.prefix, transfer.index)
        packets = list(map(b"".join, zip(heads, pieces, strict=False)))
        taken = len(packets) * CHUNK_SIZE
        transfer.index += len(packets)
        transfer.sent += taken
        self.pending_bytes -= taken
        self.offset += sum(map(len, packets))
        if packets:
            self._go_on(transfer)
        return packets

    def _go_on(self, transfer: OutgoingTransfer) -> None:
        chunks = transfer.chunks
        if chunks.size:
            self._ring.append(transfer)
        if chunks.size < FEED_SIZE and not (chunks.ended or transfer.wants_data):
            self._ask_for_data(transfer)

    def _make_packet(self, transfer: OutgoingTransfer) -> bytes:
        chunks = transfer.chunks
        if not transfer.index:
            # A source that has given nothing yet still opens its message, so that messages begin in order.
            info = transfer.info
            chunk = chunks.take(CHUNK_SIZE - len(info) if info else CHUNK_SIZE)
            done = chunks.ended and not chunks.size
            packet = first_packet(transfer.prefix, transfer.kind, info, chunk, done=done)
        else:
            chunk = chunks.take(CHUNK_SIZE)
            done = chunks.ended and not chunks.size
            packet = next_packet(transfer.prefix, transfer.index, chunk, done=done)
        taken = len(chunk)
        transfer.index += 1
        transfer.sent += taken
        self.pending_bytes -= taken
        self.offset += len(packet)
        if done:
            transfer.state = OutgoingState.SENT
            self._unfinished -= 1
            transfer.end_offset = self.offset
            self._timers.add(transfer)
        else:
            self._go_on(transfer)
        return packet

    def handle_acknowledgement(self, transfer_id: int) -> None:
        """The receiver has the whole message. One that is not sent whole cannot have arrived: ignored."""
        transfer = self._active.get(transfer_id)
        if transfer is not None and transfer.state is OutgoingState.SENT:
            del self._active[transfer_id]
            transfer.state = OutgoingState.FINISHED
            self._events.append(TransferFinished(transfer))

    def handle_cancellation(self, transfer_id: int) -> bool:
        """The receiver does not want the rest of the message; False when there is no such message."""
        transfer = self._active.get(transfer_id)
        if transfer is None:
            return False
        self._fail(transfer, TransferAborted("aborted by the receiver"))
        return True

    def _fail(self, transfer: OutgoingTransfer, error: PeerixError) -> None:
        if transfer.state is OutgoingState.WAITING:
            self._waiting.remove(transfer)
        else:
            del self._active[transfer.id]
            self._unfinished -= transfer.state is OutgoingState.SENDING
            self._control.append(abortion(transfer.id))
        self._settle(transfer, error)

    def _settle(self, transfer: OutgoingTransfer, error: PeerixError) -> None:
        self.pending_bytes -= transfer.chunks.size
        transfer.chunks.clear()
        transfer.state = OutgoingState.FAILED
        transfer.error = error
        self._events.append(TransferFailed(transfer, error))

    def is_outgoing(self, transfer_id: int) -> bool:
        """Whether `transfer_id` is taken by a message of ours."""
        return transfer_id in self._active

    @property
    def undelivered(self) -> int | None:
        """Up to which offset SCTP has to deliver before `handle_delivered` has anything to tell; None for nothing."""
        return self._timers.undelivered

    def handle_delivered(self, offset: int, now: float) -> None:
        """SCTP has acknowledged the first `offset` bytes of our packets: timers of whole messages start."""
        self._timers.handle_delivered(offset, now)

    def pause_timers(self, now: float) -> None:
        """Stop the acknowledgement timers: our window is closed, so acknowledgements cannot arrive."""
        self._timers.pause(now)

    def resume_timers(self, now: float) -> None:
        """Let the acknowledgement timers run on."""
        self._timers.resume(now)

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is due."""
        return self._timers.next_timeout()

    def handle_timeout(self, now: float) -> None:
        """Fail the messages whose acknowledgement is overdue."""
        for transfer in self._timers.expired(now):
            self._fail(transfer, TransferTimeout("the message was not acknowledged in time"))

    def poll_events(self) -> list[SenderEvent]:
        """Take the events since the last call."""
        events = self._events
        self._events = []
        return events

    def close(self, error: PeerixError) -> None:
        """The channel is gone: whatever is pending fails with `error`."""
        pending = [*self._active.values(), *self._waiting]
        self._active.clear()
        self._unfinished = 0
        self._waiting.clear()
        self._ring.clear()
        self._control.clear()
        for transfer in pending:
            self._settle(transfer, error)
