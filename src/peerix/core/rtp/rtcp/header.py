"""The common header of RTCP packets (RFC 3550 section 6.4.1), and the numbers of their types.

|V=2|P| count/FMT |      PT       |   length in words, less 1     |
"""

from __future__ import annotations

import struct

SENDER_REPORT = 200
RECEIVER_REPORT = 201
SOURCE_DESCRIPTION = 202
GOODBYE = 203
TRANSPORT_FEEDBACK = 205
"""RFC 4585 section 6.2: NACK and transport-wide congestion feedback."""
PAYLOAD_FEEDBACK = 206
"""RFC 4585 section 6.3: PLI, FIR, REMB."""
EXTENDED_REPORT = 207
"""RFC 3611."""

MAX_COUNT = 31
"""What the count of a header holds: report blocks, chunks, sources."""

HEADER = struct.Struct("!BBH")


def write_block(count: int, packet_type: int, body: bytes) -> bytes:
    """Put the header before a body, whose length is a multiple of 4."""
    return HEADER.pack(0x80 | count, packet_type, len(body) >> 2) + body
