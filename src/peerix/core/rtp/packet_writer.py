"""The fast way to write the many packets of one source: what does not change is prepared once.

A quarter of the time that `ExtensionMap.write` with `write_packet` takes (2.8 against 11.5 us on a loaded machine).
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from peerix.core.rtp.header_extensions import (
    ABS_SEND_TIME,
    ONE_BYTE_PROFILE,
    TRANSPORT_SEQUENCE,
    TWO_BYTE_PROFILE,
    AudioLevel,
    HeaderExtensions,
    PlayoutDelay,
    VideoOrientation,
    fits_one_byte,
    write_block,
)

if TYPE_CHECKING:
    from peerix.core.rtp.header_extensions import ExtensionMap

_FIRST = 0x80
_EXTENDED = 0x90
_PLAIN_HEADER = struct.Struct("!BBHII")
_EXTENDED_HEADER = struct.Struct("!BBHIIHH")


class PacketWriter:
    """Writes packets of `ssrc`: `fixed` are extensions that every packet carries (mid, rid, ...).

    The transport-wide sequence number and the time of sending are added to each packet where they were negotiated,
    the level of sound, the orientation and the playout delay to those packets that have them.
    """

    __slots__ = ("_extensions", "_fixed", "_one_byte", "_sequence_id", "_ssrc", "_time_id", "overhead")

    def __init__(self, ssrc: int, extensions: ExtensionMap, fixed: HeaderExtensions) -> None:
        self._ssrc = ssrc
        self._extensions = extensions
        self._sequence_id = extensions.id_of(TRANSPORT_SEQUENCE)
        self._time_id = extensions.id_of(ABS_SEND_TIME)
        largest = extensions.elements(
            replace(
                fixed,
                abs_send_time=0,
                transport_sequence=0,
                audio_level=AudioLevel(0),
                orientation=VideoOrientation(),
                playout_delay=PlayoutDelay(0, 0),
            )
        )
        self._one_byte = fits_one_byte(largest)
        self._fixed = write_block(extensions.elements(fixed), one_byte=self._one_byte)
        words = _words(write_block(largest, one_byte=self._one_byte))
        self.overhead = 12 + (4 + 4 * words if words else 0)
        """Bytes of header that a packet has at most."""

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
        marks: HeaderExtensions | None = None,
    ) -> bytes:
        """Write one packet; numbers are within their fields, `send_time` as `abs_send_time` gives it.

        `marks` are extensions of this packet alone.
        """
        second = payload_type | 0x80 if marker else payload_type
        flags = 0x20 if padding else 0
        tail = bytes(padding - 1) + bytes((padding,)) if padding else b""
        block = self._fixed
        if self._one_byte:
            if self._sequence_id:
                block += (self._sequence_id << 20 | 0x10000 | transport_sequence).to_bytes(3, "big")
            if self._time_id:
                block += (self._time_id << 28 | 0x2000000 | send_time).to_bytes(4, "big")
        else:
            block += self._two_byte(transport_sequence, send_time)
        if marks is not None:
            block += write_block(self._extensions.elements(marks), one_byte=self._one_byte)
        if not block:
            header = _PLAIN_HEADER.pack(_FIRST | flags, second, sequence_number, timestamp, self._ssrc)
            return header + payload + tail
        words = len(block) + 3 >> 2
        header = _EXTENDED_HEADER.pack(
            _EXTENDED | flags,
            second,
            sequence_number,
            timestamp,
            self._ssrc,
            ONE_BYTE_PROFILE if self._one_byte else TWO_BYTE_PROFILE,
            words,
        )
        return b"".join((header, block.ljust(4 * words, b"\0"), payload, tail))

    def _two_byte(self, transport_sequence: int, send_time: int) -> bytes:
        block = b""
        if self._sequence_id:
            block += bytes((self._sequence_id, 2)) + transport_sequence.to_bytes(2, "big")
        if self._time_id:
            block += bytes((self._time_id, 3)) + send_time.to_bytes(3, "big")
        return block


def _words(block: bytes) -> int:
    return (len(block) + 3) // 4
