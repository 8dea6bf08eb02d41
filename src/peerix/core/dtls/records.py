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
