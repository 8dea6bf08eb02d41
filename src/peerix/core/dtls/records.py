"""DTLS record borders (RFC 6347 section 4.1).

A record header:

     0                   1                   2                   3
    +---------------+-------------------------------+---------------
    | content type  |    protocol version           |  epoch ...
    +---------------+-------------------------------+---------------
       ... epoch    |        sequence number (48 bits) ...
    +-----------------------------------------------+---------------
       ... sequence number          |            length            |
    +-------------------------------+------------------------------+
"""

from __future__ import annotations

HEADER_LENGTH = 13

_PROTECTED_TYPES = (21, 23)
"""Alerts and application data."""


def record_length(data: bytes, offset: int = 0) -> int:
    """The length of the record at `offset`, header included; 0 when there is no whole header."""
    end = offset + HEADER_LENGTH
    return HEADER_LENGTH + int.from_bytes(data[end - 2 : end], "big") if len(data) >= end else 0


def split_flight(flight: bytes, mtu: int) -> list[bytes]:
    """Cut a flight, which OpenSSL hands out in one piece, into datagrams of whole records of at most `mtu` bytes.

    A single record that is larger than `mtu` keeps a datagram of its own.
    """
    datagrams: list[bytes] = []
    start = end = 0
    while end < len(flight):
        length = record_length(flight, end)
        if length == 0:
            break
        if end > start and end + length - start > mtu:
            datagrams.append(flight[start:end])
            start = end
        end += length
    if end > start:
        datagrams.append(flight[start:end])
    return datagrams


def split_protected(datagram: bytes) -> tuple[bytes, list[bytes]]:
    """Part the records of a handshake from data and alerts under its keys, which may arrive before its end.

    What is no record stays with the handshake.
    """
    handshake: list[bytes] = []
    protected: list[bytes] = []
    start = 0
    while (length := record_length(datagram, start)) and start + length <= len(datagram):
        record = datagram[start : start + length]
        is_protected = record[0] in _PROTECTED_TYPES and record[3:5] != b"\0\0"
        (protected if is_protected else handshake).append(record)
        start += length
    if start < len(datagram):
        handshake.append(datagram[start:])
    return b"".join(handshake), protected


def newest_protected(datagrams: list[bytes], newest: bytes) -> bytes:
    """The record of the highest number among those of datagrams that are under keys, and `newest`."""
    for datagram in datagrams:
        start = 0
        while length := record_length(datagram, start):
            record = datagram[start : start + length]
            if record[3:5] != b"\0\0" and record[3:11] > newest[3:11]:
                newest = record
            start += length
    return newest
