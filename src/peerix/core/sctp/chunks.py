"""Chunks that are not DATA: their numbers, and codecs that never raise for bytes from the network.

Readers return None for what is malformed. A chunk (RFC 9260 section 3.2)::

    |   Chunk Type  |  Chunk Flags  |         Chunk Length          |
    |                       Chunk Value                 (padded)    |

The length counts the header and the value, not the padding.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

DATA = 0
INIT = 1
INIT_ACK = 2
SACK = 3
HEARTBEAT = 4
HEARTBEAT_ACK = 5
ABORT = 6
SHUTDOWN = 7
SHUTDOWN_ACK = 8
ERROR = 9
COOKIE_ECHO = 10
COOKIE_ACK = 11
SHUTDOWN_COMPLETE = 14
I_DATA = 64
RE_CONFIG = 130
PAD = 132
FORWARD_TSN = 192
I_FORWARD_TSN = 194

FLAG_END = 1
FLAG_BEGIN = 2
FLAG_UNORDERED = 4
FLAG_IMMEDIATE = 8
"""The I bit: acknowledge at once (RFC 7053)."""
FLAG_TAG_REFLECTED = 1
"""The T bit of ABORT and SHUTDOWN COMPLETE: the tag is the receiver's own."""

CAUSE_INVALID_STREAM = 1
CAUSE_OUT_OF_RESOURCE = 4
CAUSE_UNRECOGNIZED_CHUNK = 6
CAUSE_NO_USER_DATA = 9
CAUSE_USER_ABORT = 12
CAUSE_PROTOCOL_VIOLATION = 13

MAX_GAP_BLOCKS = 256
"""Gap blocks in a SACK that we write; later gaps are told when these have closed."""

MAX_DUPLICATES = 16
"""Duplicate TSNs told in one SACK."""

MAX_PARAMETERS = 64
"""Parameters or causes looked at in one chunk."""

_CHUNK = struct.Struct("!BBH")
_TLV = struct.Struct("!HH")
_SACK = struct.Struct("!IIHH")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


def write_chunk(kind: int, flags: int = 0, value: bytes = b"") -> bytes:
    """Write one chunk with its padding."""
    return _CHUNK.pack(kind, flags, 4 + len(value)) + value + _PADDING[len(value) & 3]


def read_chunk(packet: bytes, offset: int) -> tuple[int, int, bytes, int] | None:
    """Read the chunk at `offset`: type, flags, value and the offset of the next chunk."""
    if offset + 4 > len(packet):
        return None
    kind, flags, length = _CHUNK.unpack_from(packet, offset)
    if length < 4 or offset + length > len(packet):
        return None
    return kind, flags, packet[offset + 4 : offset + length], offset + ((length + 3) & ~3)


def write_tlv(kind: int, value: bytes, *, last: bool = False) -> bytes:
    """Write a parameter or an error cause (RFC 9260 section 3.2.1); the last one's padding is the chunk's."""
    padding = b"" if last else _PADDING[len(value) & 3]
    return _TLV.pack(kind, 4 + len(value)) + value + padding


def read_tlvs(data: bytes) -> list[tuple[int, bytes]] | None:
    """Read parameters or error causes, at most `MAX_PARAMETERS`; None when a length is wrong."""
    found: list[tuple[int, bytes]] = []
    offset = 0
    while offset + 4 <= len(data) and len(found) < MAX_PARAMETERS:
        kind, length = _TLV.unpack_from(data, offset)
        if length < 4 or offset + length > len(data):
            return None
        found.append((kind, data[offset + 4 : offset + length]))
        offset += (length + 3) & ~3
    return found


@dataclass(slots=True)
class Sack:
    """SACK (RFC 9260 section 3.3.4); TSNs as on the wire, gap blocks as offsets from the cumulative one."""

    cumulative_tsn: int
    advertised_rwnd: int
    gaps: Sequence[int]
    """Start and end offsets of the blocks, one after the other."""
    duplicates: Sequence[int] = ()


def write_sack(sack: Sack) -> bytes:
    """Write the chunk; `sack.gaps` and `sack.duplicates` are already within their bounds."""
    gaps, duplicates = sack.gaps, sack.duplicates
    value = _SACK.pack(sack.cumulative_tsn, sack.advertised_rwnd, len(gaps) // 2, len(duplicates))
    if gaps or duplicates:
        value += struct.pack(f"!{len(gaps)}H{len(duplicates)}I", *gaps, *duplicates)
    return write_chunk(SACK, 0, value)


def read_sack(value: bytes) -> Sack | None:
    """Read the value of a SACK chunk."""
    if len(value) < 12:
        return None
    cumulative, rwnd, gaps, duplicates = _SACK.unpack_from(value)
    if not gaps and not duplicates:
        return Sack(cumulative, rwnd, ())
    if len(value) < 12 + 4 * (gaps + duplicates):
        return None
    numbers: tuple[int, ...] = struct.unpack_from(f"!{2 * gaps}H{duplicates}I", value, 12)
    return Sack(cumulative, rwnd, numbers[: 2 * gaps], numbers[2 * gaps :])


@dataclass(slots=True)
class ForwardTsn:
    """FORWARD TSN (RFC 3758 section 3.2) and I-FORWARD-TSN (RFC 8260 section 2.3.1)."""

    new_cumulative_tsn: int
    streams: list[tuple[int, bool, int]]
    """Stream id, unordered, SSN or MID to skip to; FORWARD TSN knows no unordered ones."""


def write_forward_tsn(forward: ForwardTsn, *, interleaving: bool) -> bytes:
    """Write the chunk that goes with DATA or with I-DATA."""
    value = struct.pack("!I", forward.new_cumulative_tsn)
    if interleaving:
        entries = (struct.pack("!HHI", sid, unordered, mid) for sid, unordered, mid in forward.streams)
        return write_chunk(I_FORWARD_TSN, 0, value + b"".join(entries))
    entries = (struct.pack("!HH", sid, ssn) for sid, unordered, ssn in forward.streams if not unordered)
    return write_chunk(FORWARD_TSN, 0, value + b"".join(entries))


def read_forward_tsn(value: bytes, *, interleaving: bool) -> ForwardTsn | None:
    """Read the value of either chunk."""
    size = 8 if interleaving else 4
    if len(value) < 4 or (len(value) - 4) % size:
        return None
    forward = ForwardTsn(int.from_bytes(value[:4], "big"), [])
    if interleaving:
        for sid, flags, mid in struct.iter_unpack("!HHI", value[4:]):
            forward.streams.append((sid, bool(flags & 1), mid))
    else:
        for sid, ssn in struct.iter_unpack("!HH", value[4:]):
            forward.streams.append((sid, False, ssn))
    return forward


def write_abort(cause: int, text: str) -> bytes:
    """Write ABORT with one cause and words for people (RFC 9260 sections 3.3.7 and 3.3.10.12)."""
    words = text.encode(errors="replace")[:256]
    return write_chunk(ABORT, 0, write_tlv(cause, words, last=True))


CAUSE_NAMES = {
    1: "invalid stream identifier",
    2: "missing mandatory parameter",
    3: "stale cookie",
    4: "out of resource",
    5: "unresolvable address",
    6: "unrecognized chunk type",
    7: "invalid mandatory parameter",
    8: "unrecognized parameters",
    9: "no user data",
    10: "cookie received while shutting down",
    11: "restart with new addresses",
    12: "user-initiated abort",
    13: "protocol violation",
}


def describe_causes(value: bytes) -> str:
    """Put the causes of an ABORT or ERROR chunk into words."""
    described: list[str] = []
    for kind, detail in read_tlvs(value) or ():
        name = CAUSE_NAMES.get(kind, f"cause {kind}")
        words = detail.decode(errors="replace") if kind in (CAUSE_USER_ABORT, CAUSE_PROTOCOL_VIOLATION) else ""
        described.append(f"{name}: {words}" if words else name)
    return "; ".join(described)
