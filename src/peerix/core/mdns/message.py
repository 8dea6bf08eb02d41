"""The messages of multicast DNS: queries written, address records read (RFC 1035 section 4.1, RFC 6762 section 18)."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

TYPE_A = 1
TYPE_AAAA = 28
CLASS_IN = 1
CLASS_MASK = 0x7FFF
"""The highest bit of a record's class says "flush your cache" (RFC 6762 section 10.2)."""

RESPONSE = 0x8000
MAX_RECORDS = 64
"""Records that are read of one message."""

MAX_NAME = 255
MAX_LABEL = 63
_POINTER = 0xC0
_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_QUESTION = struct.Struct("!HH")


@dataclass(slots=True, frozen=True)
class AddressRecord:
    """An A or AAAA record: `name` in lower case without the last dot, `ttl` in seconds (0: it is gone)."""

    name: str
    address: str
    ttl: int


class _Malformed(Exception):  # noqa: N818 - never leaves this module
    pass


def build_query(name: str) -> bytes:
    """Ask for both kinds of address of a name, to be answered by multicast.

    A question for a unicast answer (QU) is not answered by Chromium, so none is asked. A name that cannot be written
    gives no question.
    """
    labels = [label.encode("utf-8", "replace") for label in name.rstrip(".").split(".")]
    encoded = b"".join(bytes((len(label),)) + label for label in labels if len(label) <= MAX_LABEL) + b"\0"
    if len(encoded) > MAX_NAME or not all(0 < len(label) <= MAX_LABEL for label in labels):
        return b""
    first = encoded + _QUESTION.pack(TYPE_A, CLASS_IN)
    second = encoded + _QUESTION.pack(TYPE_AAAA, CLASS_IN)
    return _HEADER.pack(0, 0, 2, 0, 0, 0) + first + second


def read_records(data: bytes) -> list[AddressRecord]:
    """Read the address records of a response. It never raises: what comes before a malformed record is kept.

    All three sections are read: responders put the other family's address into the additional one. Other records,
    Chromium's compressed NSEC among them, are stepped over.
    """
    found: list[AddressRecord] = []
    if len(data) < _HEADER.size:
        return found
    _, flags, questions, *sections = _HEADER.unpack_from(data)
    if not flags & RESPONSE:
        return found
    at = _HEADER.size
    try:
        for _ in range(min(questions, MAX_RECORDS)):
            at = _read_name(data, at)[1] + _QUESTION.size
        for _ in range(min(sum(sections), MAX_RECORDS)):
            record, at = _read_record(data, at)
            if record is not None:
                found.append(record)
    except _Malformed:
        pass
    return found


def _read_record(data: bytes, at: int) -> tuple[AddressRecord | None, int]:
    name, at = _read_name(data, at)
    start = at + _RECORD.size
    if start > len(data):
        raise _Malformed
    kind, class_, ttl, length = _RECORD.unpack_from(data, at)
    end = start + length
    if end > len(data):
        raise _Malformed
    is_address = (kind, length) in ((TYPE_A, 4), (TYPE_AAAA, 16)) and class_ & CLASS_MASK == CLASS_IN
    if not is_address:
        return None, end
    return AddressRecord(name, str(ipaddress.ip_address(data[start:end])), ttl), end


def _read_name(data: bytes, at: int) -> tuple[str, int]:
    """Read a name, compressed or not; return it and where the message goes on."""
    labels: list[str] = []
    length, after, earliest = 0, -1, at
    while True:
        if at >= len(data):
            raise _Malformed
        size = data[at]
        if size >= _POINTER:
            if at + 1 >= len(data):
                raise _Malformed
            after = at + 2 if after < 0 else after
            at = (size & ~_POINTER) << 8 | data[at + 1]
            # Pointers only go back (RFC 1035 4.1.4); so they cannot go round.
            if at >= earliest:
                raise _Malformed
            earliest = at
            continue
        length += size + 1
        if size > MAX_LABEL or length > MAX_NAME or at + 1 + size > len(data):
            raise _Malformed
        if not size:
            return ".".join(labels).lower(), at + 1 if after < 0 else after
        labels.append(data[at + 1 : at + 1 + size].decode("utf-8", "replace"))
        at += 1 + size
