"""The fast way to write the many packets of one source: what does not change is prepared once.

A quarter of the time that `ExtensionMap.write` with `write_packet` takes (2.8 against 11.5 us on a loaded machine).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from peerix.core.rtp.header_extensions import (
    ABS_SEND_TIME,
    ONE_BYTE_PROFILE,
    TRANSPORT_SEQUENCE,
    TWO_BYTE_PROFILE,
    HeaderExtensions,
)

if TYPE_CHECKING:
    from peerix.core.rtp.header_extensions import ExtensionMap

_FIRST = 0x80
_EXTENDED = 0x90


class PacketWriter:
    """Writes packets of `ssrc`: `fixed` are extensions that every packet carries (mid, rid, ...).

    The transport-wide sequence number and the time of sending are added to each packet where they were negotiated.
    """

    __slots__ = ("_fixed", "_one_byte", "_sequence_id", "_ssrc", "_struct", "_time_id", "_words")

    def __init__(self, ssrc: int, extensions: ExtensionMap, fixed: HeaderExtensions) -> None:
        self._ssrc = ssrc
        self._sequence_id = extensions.id_of(TRANSPORT_SEQUENCE)
        self._time_id = extensions.id_of(ABS_SEND_TIME)
        # Both stand at the end of the sample; their own ids tell the form of the whole.
        changing = HeaderExtensions(abs_send_time=0, transport_sequence=0)
        profile, self._fixed = extensions.write(fixed)
        profiles = {profile, extensions.write(changing)[0]}
        self._one_byte = TWO_BYTE_PROFILE not in profiles
        if not self._one_byte and profile == ONE_BYTE_PROFILE:
            self._fixed = _to_two_byte(self._fixed)
        head = 1 if self._one_byte else 2
        used = len(self._fixed) + (self._sequence_id > 0) * (head + 2) + (self._time_id > 0) * (head + 3)
        self._words = (used + 3) // 4
        self._struct = struct.Struct("!BBHIIHH" if self._words else "!BBHII")

    @property
    def overhead(self) -> int:
        """Bytes of header that each packet has."""
        return 12 + (4 + 4 * self._words if self._words else 0)

    def write(
        self,
        payload_type: int,
        marker: bool,
        sequence_number: int,
        timestamp: int,
        payload: bytes,
        transport_sequence: int = 0,
        send_time: int = 0,
        padding: int = 0,
    ) -> bytes:
        """Write one packet; numbers are within their fields, `send_time` as `abs_send_time` gives it."""
        second = payload_type | 0x80 if marker else payload_type
        flags = 0x20 if padding else 0
        tail = bytes(padding - 1) + bytes((padding,)) if padding else b""
        if not self._words:
            return self._struct.pack(_FIRST | flags, second, sequence_number, timestamp, self._ssrc) + payload + tail
        block = self._fixed
        if self._one_byte:
            if self._sequence_id:
                block += (self._sequence_id << 20 | 0x10000 | transport_sequence).to_bytes(3, "big")
            if self._time_id:
                block += (self._time_id << 28 | 0x2000000 | send_time).to_bytes(4, "big")
        else:
            block += self._two_byte(transport_sequence, send_time)
        header = self._struct.pack(
            _EXTENDED | flags,
            second,
            sequence_number,
            timestamp,
            self._ssrc,
            ONE_BYTE_PROFILE if self._one_byte else TWO_BYTE_PROFILE,
            self._words,
        )
        return header + block.ljust(4 * self._words, b"\0") + payload + tail

    def _two_byte(self, transport_sequence: int, send_time: int) -> bytes:
        block = b""
        if self._sequence_id:
            block += bytes((self._sequence_id, 2)) + transport_sequence.to_bytes(2, "big")
        if self._time_id:
            block += bytes((self._time_id, 3)) + send_time.to_bytes(3, "big")
        return block


def _to_two_byte(block: bytes) -> bytes:
    """Write a one-byte block that we wrote ourselves in the two-byte form."""
    parts: list[bytes] = []
    offset = 0
    while offset < len(block) and block[offset]:
        end = offset + 2 + (block[offset] & 15)
        parts += (bytes((block[offset] >> 4, end - offset - 1)), block[offset + 1 : end])
        offset = end
    return b"".join(parts)
