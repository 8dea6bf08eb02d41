"""The data channel establishment protocol (RFC 8832).

DATA_CHANNEL_OPEN (section 5.1); label and protocol are UTF-8, their lengths count bytes:

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+---------------+-------------------------------+
    |     0x03      |  channel type |            priority           |
    +---------------+---------------+-------------------------------+
    |                     reliability parameter                     |
    +-------------------------------+-------------------------------+
    |         label length          |        protocol length        |
    +-------------------------------+-------------------------------+
    |  label ...                                      protocol ...  |
    +---------------------------------------------------------------+
"""

from __future__ import annotations

import struct

from peerix.core.datachannel.channel import ChannelOptions
from peerix.core.errors import LocalProtocolError, RemoteProtocolError

DATA_CHANNEL_ACK = b"\x02"
DATA_CHANNEL_OPEN = 0x03

_OPEN = struct.Struct("!BBHIHH")
_RELIABLE = 0x00
_PARTIAL_RELIABLE_REXMIT = 0x01
_PARTIAL_RELIABLE_TIMED = 0x02
_UNORDERED = 0x80
_MAX_RELIABILITY = 65_535


def write_open(label: str, options: ChannelOptions) -> bytes:
    """Write the message that opens a channel."""
    kind, reliability = _RELIABLE, 0
    if options.max_retransmits is not None:
        kind, reliability = _PARTIAL_RELIABLE_REXMIT, options.max_retransmits
    elif options.max_packet_life_time is not None:
        kind, reliability = _PARTIAL_RELIABLE_TIMED, options.max_packet_life_time
    if not options.ordered:
        kind |= _UNORDERED
    name, protocol = label.encode(), options.protocol.encode()
    header = _OPEN.pack(DATA_CHANNEL_OPEN, kind, options.priority, reliability, len(name), len(protocol))
    return header + name + protocol


def parse_open(data: bytes) -> tuple[str, ChannelOptions]:
    """Read the message that opens a channel: its label and how it is to be.

    :raises RemoteProtocolError: it is malformed.
    """
    try:
        _, kind, priority, reliability, name_length, protocol_length = _OPEN.unpack_from(data)
        end = _OPEN.size + name_length + protocol_length
        if len(data) < end:
            message = "a DATA_CHANNEL_OPEN is shorter than its lengths say"
            raise RemoteProtocolError(message, section="RFC 8832 5.1")
        label = data[_OPEN.size : _OPEN.size + name_length].decode()
        protocol = data[_OPEN.size + name_length : end].decode()
        limit = min(reliability, _MAX_RELIABILITY)
        mode = kind & ~_UNORDERED
        options = ChannelOptions(
            protocol=protocol,
            ordered=not kind & _UNORDERED,
            max_retransmits=limit if mode == _PARTIAL_RELIABLE_REXMIT else None,
            max_packet_life_time=limit if mode == _PARTIAL_RELIABLE_TIMED else None,
            priority=priority,
        )
    except (struct.error, UnicodeDecodeError, LocalProtocolError) as error:
        message = f"a DATA_CHANNEL_OPEN cannot be read: {error}"
        raise RemoteProtocolError(message, section="RFC 8832 5.1") from error
    if mode > _PARTIAL_RELIABLE_TIMED:
        message = f"a DATA_CHANNEL_OPEN has the unknown channel type {kind:#x}"
        raise RemoteProtocolError(message, section="RFC 8832 5.1")
    return label, options
