"""Transport-wide congestion feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01).

    |      base sequence number     |      packet status count      |
    |                 reference time                | fb pkt. count |
    |          packet chunks, then receive deltas, then zeros       |

A chunk is a run of one status, or a list of 14 one-bit or 7 two-bit statuses. A delta is one unsigned byte or two
signed ones, in units of 250 us; the reference time is in units of 64 ms.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from peerix.core.rtp.rtcp.header import TRANSPORT_FEEDBACK, write_block

FMT_TRANSPORT_WIDE = 15

TICK = 0.000_25
"""Seconds in the unit of arrival times."""

TICKS_IN_REFERENCE = 256
"""Ticks in the unit of the reference time, 64 ms."""

MAX_STATUSES = 8192
"""Packets that one feedback may tell of when it is read: a few bytes of it could claim 65,535, again and again."""

_HEAD = struct.Struct("!IIHHI")
_CHUNK = struct.Struct("!H")
_LOST, _SMALL, _LARGE = 0, 1, 2
_MAX_RUN = 0x1FFF


@dataclass(slots=True)
class TransportFeedback:
    """When packets of all sources of a transport arrived."""

    sender_ssrc: int
    media_ssrc: int
    base_sequence: int
    reference_time: int
    """Signed 24 bits; only differences mean something."""
    feedback_count: int
    """Wraps at 256; a gap tells of lost feedback."""
    arrivals: tuple[int | None, ...]
    """For each sequence number from the base on: ticks after the reference time, None for a packet that did not come.

    Neighbours among those that came are less than 32,768 ticks (8 s) apart.
    """


def write_transport_feedback(feedback: TransportFeedback) -> bytes:
    """Write a feedback packet."""
    symbols: list[int] = []
    deltas: list[bytes] = []
    previous = 0
    for arrival in feedback.arrivals:
        if arrival is None:
            symbols.append(_LOST)
            continue
        delta, previous = arrival - previous, arrival
        if 0 <= delta <= 255:
            symbols.append(_SMALL)
            deltas.append(bytes((delta,)))
        else:
            symbols.append(_LARGE)
            deltas.append(delta.to_bytes(2, "big", signed=True))
    head = _HEAD.pack(
        feedback.sender_ssrc,
        feedback.media_ssrc,
        feedback.base_sequence,
        len(symbols),
        (feedback.reference_time & 0xFFFFFF) << 8 | feedback.feedback_count,
    )
    body = head + _write_chunks(symbols) + b"".join(deltas)
    return write_block(FMT_TRANSPORT_WIDE, TRANSPORT_FEEDBACK, body + bytes(-len(body) % 4))


def _write_chunks(symbols: list[int]) -> bytes:
    """Write statuses, as runs where these are longer than the lists would be."""
    chunks: list[bytes] = []
    offset = 0
    while offset < len(symbols):
        first = symbols[offset]
        run = offset + 1
        while run < len(symbols) and symbols[run] == first and run - offset < _MAX_RUN:
            run += 1
        if run - offset >= 7:
            chunks.append(_CHUNK.pack(first << 13 | run - offset))
            offset = run
            continue
        size, width, flag = (7, 2, 0xC000) if _LARGE in symbols[offset : offset + 14] else (14, 1, 0x8000)
        value = 0
        for symbol in symbols[offset : offset + size]:
            value = value << width | symbol
            size -= 1
        offset += (14 // width) - size
        chunks.append(_CHUNK.pack(flag | value << width * size))
    return b"".join(chunks)


def read_transport_feedback(body: bytes) -> TransportFeedback | None:
    """Read the body of a feedback packet; None when it ends before its statuses or deltas do, or claims too many."""
    if len(body) < 16:
        return None
    sender_ssrc, media_ssrc, base_sequence, count, tail = _HEAD.unpack_from(body)
    read = _read_chunks(body, count) if count <= MAX_STATUSES else None
    if read is None:
        return None
    symbols, offset = read
    arrivals: list[int | None] = []
    arrival = 0
    for symbol in symbols:
        if symbol == _LOST:
            arrivals.append(None)
            continue
        size = 1 if symbol == _SMALL else 2
        delta = body[offset : offset + size]
        if len(delta) < size:
            return None
        offset += size
        arrival += int.from_bytes(delta, "big", signed=size == 2)
        arrivals.append(arrival)
    reference = (tail >> 8 ^ 0x800000) - 0x800000
    return TransportFeedback(sender_ssrc, media_ssrc, base_sequence, reference, tail & 0xFF, tuple(arrivals))


def _read_chunks(body: bytes, count: int) -> tuple[list[int], int] | None:
    """Read `count` statuses; the offset behind their chunks is the second of the answer."""
    symbols: list[int] = []
    offset = 16
    while len(symbols) < count:
        if offset + 2 > len(body):
            return None
        (chunk,) = _CHUNK.unpack_from(body, offset)
        offset += 2
        if chunk < 0x8000:
            symbols += [chunk >> 13 & 3] * (chunk & _MAX_RUN)
        elif chunk < 0xC000:
            symbols += [chunk >> 13 - bit & 1 for bit in range(14)]
        else:
            symbols += [chunk >> 12 - 2 * pair & 3 for pair in range(7)]
        if not chunk & _MAX_RUN and chunk < 0x8000:
            return None  # a run of nothing
    del symbols[count:]
    return None if 3 in symbols else (symbols, offset)
