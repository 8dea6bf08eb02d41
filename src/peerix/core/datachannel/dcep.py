"""The Data Channel Establishment Protocol (RFC 8832) and the payload protocol identifiers of RFC 8831 section 8.

DATA_CHANNEL_OPEN::

    |  Message Type |  Channel Type |            Priority           |
    |                    Reliability Parameter                      |
    |         Label Length          |       Protocol Length         |
    |                    Label, then Protocol (UTF-8)               |

DATA_CHANNEL_ACK is one byte.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

PPID_DCEP = 50
PPID_STRING = 51
PPID_BINARY_PARTIAL = 52
PPID_BINARY = 53
PPID_STRING_PARTIAL = 54
PPID_STRING_EMPTY = 56
PPID_BINARY_EMPTY = 57

DATA_CHANNEL_ACK = 0x02
DATA_CHANNEL_OPEN = 0x03

CHANNEL_RELIABLE = 0x00
CHANNEL_PARTIAL_RELIABLE_REXMIT = 0x01
CHANNEL_PARTIAL_RELIABLE_TIMED = 0x02
CHANNEL_UNORDERED = 0x80

MAX_LABEL_SIZE = 65_535
"""Bytes of a label or a protocol in UTF-8 (RFC 8832 section 5.1)."""

ACK = bytes((DATA_CHANNEL_ACK,))

_OPEN = struct.Struct("!BBHIHH")


@dataclass(slots=True)
class ChannelOpen:
    """DATA_CHANNEL_OPEN.

    :ivar max_retransmits: None unless the channel is limited so.
    :ivar max_packet_life_time: milliseconds, None unless the channel is limited so.
    """

    label: str = ""
    protocol: str = ""
    ordered: bool = True
    max_retransmits: int | None = None
    max_packet_life_time: int | None = None
    priority: int = 256


def encode_text(text: str) -> bytes:
    """Encode as UTF-8; half a surrogate pair becomes U+FFFD, as in W3C's USVString."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def write_open(message: ChannelOpen) -> bytes:
    """Write the message; lengths are those of the UTF-8 forms."""
    kind, parameter = CHANNEL_RELIABLE, 0
    if message.max_retransmits is not None:
        kind, parameter = CHANNEL_PARTIAL_RELIABLE_REXMIT, message.max_retransmits
    elif message.max_packet_life_time is not None:
        kind, parameter = CHANNEL_PARTIAL_RELIABLE_TIMED, message.max_packet_life_time
    if not message.ordered:
        kind |= CHANNEL_UNORDERED
    label, protocol = encode_text(message.label), encode_text(message.protocol)
    header = _OPEN.pack(DATA_CHANNEL_OPEN, kind, message.priority, parameter, len(label), len(protocol))
    return header + label + protocol


def read_open(data: bytes) -> ChannelOpen | None:
    """Read the message; None when it is malformed. Unknown channel types count as reliable ones."""
    if len(data) < _OPEN.size:
        return None
    message_type, kind, priority, parameter, label_size, protocol_size = _OPEN.unpack_from(data)
    label_end = _OPEN.size + label_size
    if message_type != DATA_CHANNEL_OPEN or len(data) < label_end + protocol_size:
        return None
    try:
        label = data[_OPEN.size : label_end].decode()
        protocol = data[label_end : label_end + protocol_size].decode()
    except UnicodeDecodeError:
        return None
    limit = kind & ~CHANNEL_UNORDERED
    return ChannelOpen(
        label=label,
        protocol=protocol,
        ordered=not kind & CHANNEL_UNORDERED,
        max_retransmits=parameter if limit == CHANNEL_PARTIAL_RELIABLE_REXMIT else None,
        max_packet_life_time=parameter if limit == CHANNEL_PARTIAL_RELIABLE_TIMED else None,
        priority=priority,
    )
