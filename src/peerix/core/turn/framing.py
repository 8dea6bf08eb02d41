"""How payloads and messages travel between client and server (RFC 8656 12.4, 12.5).

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|         Channel Number        |            Length             |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                       Application Data                        |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
"""

from __future__ import annotations

import struct

from peerix.core.errors import RemoteProtocolError

FIRST_CHANNEL = 0x4000
LAST_CHANNEL = 0x4FFF
"""RFC 8656 12."""

CHANNEL_HEADER = struct.Struct("!HH")
_STUN_HEADER_LENGTH = 20


def is_channel_data(data: bytes) -> bool:
    """Tell a ChannelData message by its first byte."""
    return bool(data) and FIRST_CHANNEL >> 8 <= data[0] <= LAST_CHANNEL >> 8


def channel_data(number: int, payload: bytes, *, padded: bool) -> bytes:
    """Return a ChannelData message. Over a stream it is padded to a multiple of four."""
    padding = bytes(-len(payload) % 4) if padded else b""
    return b"".join((CHANNEL_HEADER.pack(number, len(payload)), payload, padding))


def read_channel_data(data: bytes) -> tuple[int, bytes] | None:
    """Return the number and the payload of a ChannelData message, None when it is cut off."""
    if len(data) < CHANNEL_HEADER.size:
        return None
    number, length = CHANNEL_HEADER.unpack_from(data)
    end = CHANNEL_HEADER.size + length
    return None if end > len(data) else (number, data[CHANNEL_HEADER.size : end])


class StreamFramer:
    """Cuts a TCP or TLS stream into messages. It holds at most one message that is not complete, 65,556 bytes."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes of the stream and return the messages that are complete.

        :raises RemoteProtocolError: when the stream has something else in it: it cannot be read any more.
        """
        self._buffer += data
        messages: list[bytes] = []
        start = 0
        while (length := self._next_length(start)) is not None and start + length <= len(self._buffer):
            messages.append(bytes(self._buffer[start : start + length]))
            start += length
        del self._buffer[:start]
        return messages

    def _next_length(self, start: int) -> int | None:
        if len(self._buffer) - start < CHANNEL_HEADER.size:
            return None
        kind, length = CHANNEL_HEADER.unpack_from(self._buffer, start)
        if kind < FIRST_CHANNEL:
            return _STUN_HEADER_LENGTH + int(length)
        if kind > LAST_CHANNEL:
            raise RemoteProtocolError("a TURN stream has lost its framing", section="RFC 8656 12.5")
        return CHANNEL_HEADER.size + int(length) + -int(length) % 4
