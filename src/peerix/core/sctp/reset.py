"""Stream reset (RFC 6525), as data channels use it to close (RFC 8831 section 6.7).

::

    |     Parameter Type = 13       | Parameter Length = 16 + 2 * N |
    |           Re-configuration Request Sequence Number            |
    |           Re-configuration Response Sequence Number           |
    |                Sender's Last Assigned TSN                     |
    |  Stream Number 1 (optional)   |    Stream Number 2 (optional) |
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING

from peerix.core.sctp.chunks import RE_CONFIG, read_tlvs, write_chunk, write_tlv
from peerix.core.sctp.events import AssociationEvent, StreamsReset, StreamsResetDone
from peerix.core.sctp.intervals import TSN_MASK, unwrap
from peerix.core.sctp.timer import RetransmissionTimer

if TYPE_CHECKING:
    from peerix.core.sctp.control import ControlQueue
    from peerix.core.sctp.inbound import Inbound
    from peerix.core.sctp.init import Agreement
    from peerix.core.sctp.outbound import Outbound

OUTGOING_RESET = 13
INCOMING_RESET = 14
TSN_RESET = 15
RESPONSE = 16
ADD_OUTGOING = 17
ADD_INCOMING = 18

MAX_STREAMS_IN_REQUEST = 128
"""Streams that one request of ours names; more wait for the next one."""


class ResetResult(IntEnum):
    """RFC 6525 section 4.4."""

    NOTHING_TO_DO = 0
    PERFORMED = 1
    DENIED = 2
    WRONG_STREAM = 3
    IN_PROGRESS_ALREADY = 4
    BAD_SEQUENCE_NUMBER = 5
    IN_PROGRESS = 6


class _Request:
    """Our request on its way. It gets another number when the peer wants to be asked again."""

    __slots__ = ("last_tsn", "number", "stream_ids")

    def __init__(self, number: int, last_tsn: int, stream_ids: tuple[int, ...]) -> None:
        self.number = number
        self.last_tsn = last_tsn
        self.stream_ids = stream_ids


class _PeerRequest:
    """The last request of the peer, and what came of it."""

    __slots__ = ("last_tsn", "number", "result", "stream_ids")

    def __init__(self, number: int) -> None:
        self.number = number
        self.result = ResetResult.DENIED
        self.last_tsn = -1
        self.stream_ids: tuple[int, ...] = ()


class StreamReset:
    """Resets streams of ours, and follows the peer's resets.

    One request at a time is under way (RFC 6525 section 5.1.1), sent again until it is answered.
    """

    __slots__ = (
        "_control",
        "_events",
        "_inbound",
        "_last",
        "_next_number",
        "_outbound",
        "_peer_number",
        "_request",
        "_waiting",
        "supported",
        "timer",
    )

    def __init__(
        self,
        inbound: Inbound,
        outbound: Outbound,
        agreement: Agreement,
        initial_tsn: int,
        control: ControlQueue,
        events: list[AssociationEvent],
    ) -> None:
        self._control = control
        self._inbound = inbound
        self._outbound = outbound
        self._events = events
        self._next_number = initial_tsn
        self._peer_number = agreement.initial_tsn
        self._last: _PeerRequest | None = None
        self._request: _Request | None = None
        self._waiting: dict[int, None] = {}
        self.timer = RetransmissionTimer(outbound.recovery.timeout)
        self.supported = agreement.reconfig

    def reset(self, stream_ids: tuple[int, ...]) -> None:
        """Reset streams of ours as soon as all that is queued on them has left."""
        self._waiting.update(dict.fromkeys(stream_ids))

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to ask for now."""
        if not self._waiting or self._request is not None:
            return True
        return not any(map(self._is_flushed, self._waiting))

    def _is_flushed(self, stream_id: int) -> bool:
        stream = self._outbound.queue.streams.get(stream_id)
        return stream is None or not stream.queued

    def write_request(self, now: float) -> None:
        """Ask for the reset of the streams that have been flushed."""
        if self._request is not None or not self._waiting:
            return
        flushed = tuple(filter(self._is_flushed, self._waiting))[:MAX_STREAMS_IN_REQUEST]
        if not flushed:
            return
        if not self.supported:
            self._finish(flushed, accepted=False)
            return
        queue = self._outbound.queue
        for stream_id in flushed:
            del self._waiting[stream_id]
            queue.pause(queue.stream(stream_id))
        last_tsn = (self._outbound.outstanding.next_tsn - 1) & TSN_MASK
        self._request = _Request(self._take_number(), last_tsn, flushed)
        self._send_request(now)

    def _take_number(self) -> int:
        number = self._next_number
        self._next_number = (number + 1) & TSN_MASK
        return number

    def _send_request(self, now: float) -> None:
        request = self._request
        if request is not None:
            response_number = (self._peer_number - 1) & TSN_MASK
            value = struct.pack("!III", request.number, response_number, request.last_tsn)
            value += struct.pack(f"!{len(request.stream_ids)}H", *request.stream_ids)
            self._control.add(write_chunk(RE_CONFIG, 0, write_tlv(OUTGOING_RESET, value, last=True)))
            self.timer.start(now)

    def handle_timeout(self, now: float) -> bool:
        """Ask again; return whether the timer had expired."""
        if not self.timer.take_expired(now):
            return False
        self._send_request(now)
        return True

    def receive(self, value: bytes, now: float) -> bool:
        """Take a RE-CONFIG chunk; False when it is malformed (RFC 6525 section 5.2)."""
        parameters = read_tlvs(value)
        if not parameters or len(parameters) > 2:
            return False
        answers: list[bytes] = []
        for kind, content in parameters:
            if kind == RESPONSE:
                if len(content) < 8:
                    return False
                answered, result = struct.unpack_from("!II", content)
                self._receive_response(answered, result, now)
            elif OUTGOING_RESET <= kind <= ADD_INCOMING and len(content) >= 4:
                number = int.from_bytes(content[:4], "big")
                answers.append(write_tlv(RESPONSE, struct.pack("!II", number, self._answer(number, kind, content))))
            else:
                return False
        if answers:
            self._control.add(write_chunk(RE_CONFIG, 0, b"".join(answers)))
        return True

    def _answer(self, number: int, kind: int, content: bytes) -> int:
        """Do what the peer asks for, once (RFC 6525 section 5.2.1)."""
        last = self._last
        if last is not None and last.number == number:
            return last.result
        if number != self._peer_number:
            return ResetResult.BAD_SEQUENCE_NUMBER
        self._peer_number = (number + 1) & TSN_MASK
        self._last = request = _PeerRequest(number)
        if kind == OUTGOING_RESET:
            self._receive_outgoing_reset(request, last, content)
        elif kind == INCOMING_RESET:
            request.result = self._receive_incoming_reset(content)
        return request.result

    def _receive_outgoing_reset(self, request: _PeerRequest, last: _PeerRequest | None, content: bytes) -> None:
        """The peer resets streams of its own, once all it sent on them is here (RFC 6525 section 5.2.2)."""
        if len(content) < 12 or len(content) & 1:
            return
        cumulative = self._inbound.received.cumulative
        request.last_tsn = unwrap(int.from_bytes(content[8:12], "big"), cumulative)
        request.stream_ids = struct.unpack(f"!{(len(content) - 12) // 2}H", content[12:])
        request.result = ResetResult.IN_PROGRESS
        if last is not None and (last.last_tsn, last.stream_ids) == (request.last_tsn, request.stream_ids):
            # Asked again under another number, since we had it wait.
            request.result = last.result
        self._perform(request)

    def _perform(self, request: _PeerRequest) -> bool:
        """Perform the reset if it was not and all data is here; return whether it was done now."""
        due = request.last_tsn <= self._inbound.received.cumulative
        if request.result is not ResetResult.IN_PROGRESS or not due:
            return False
        request.result = ResetResult.PERFORMED
        self._inbound.reassembly.reset(request.stream_ids)
        self._events.append(StreamsReset(request.stream_ids))
        return True

    def finish_batch(self) -> None:
        """Perform the reset that waited for data, and say so without being asked again."""
        request = self._last
        if request is not None and self._perform(request):
            answer = write_tlv(RESPONSE, struct.pack("!II", request.number, request.result))
            self._control.add(write_chunk(RE_CONFIG, 0, answer))

    def _receive_incoming_reset(self, content: bytes) -> ResetResult:
        """The peer wants us to reset streams of ours (RFC 6525 section 5.2.3)."""
        if len(content) & 1:
            return ResetResult.DENIED
        named: tuple[int, ...] = struct.unpack(f"!{(len(content) - 4) // 2}H", content[4:])
        streams = self._outbound.queue.streams
        known = tuple(found for found in (named or tuple(streams)) if found in streams)
        if not known:
            return ResetResult.NOTHING_TO_DO
        self.reset(known)
        return ResetResult.PERFORMED

    def _receive_response(self, number: int, result: int, now: float) -> None:
        request = self._request
        if request is None or request.number != number:
            return
        if result == ResetResult.IN_PROGRESS:
            # Asked again under the old number dcSCTP would give the old answer for ever.
            request.number = self._take_number()
            self.timer.stop()
            self.timer.start(now)
            return
        self._request = None
        self.timer.stop()
        self._finish(request.stream_ids, accepted=result <= ResetResult.PERFORMED)

    def _finish(self, stream_ids: tuple[int, ...], *, accepted: bool) -> None:
        queue = self._outbound.queue
        for stream_id in stream_ids:
            self._waiting.pop(stream_id, None)
            stream = queue.streams.get(stream_id)
            if stream is None:
                continue
            if accepted:
                stream.next_ordered = stream.next_unordered = 0
            if stream.messages:
                queue.resume(stream)
            elif not stream.unacked:
                del queue.streams[stream_id]
            else:
                stream.paused = False
        self._events.append(StreamsResetDone(stream_ids, accepted))
