"""VP8 in RTP (RFC 7741).

|X|R|N|S|R| PID |  required; S: a partition begins, PID: which one
|I|L|T|K| RSV   |  if X
|M| PictureID   |  if I; 15 bits if M
|   TL0PICIDX   |  if L
|TID|Y| KEYIDX  |  if T or K
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.errors import LocalProtocolError
from peerix.core.rtp.payload.video import AssembledFrame, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

_DESCRIPTOR_SIZE = 4


class Vp8Packetizer:
    """Writes descriptors with a 15-bit picture id that counts from `picture_id`."""

    __slots__ = ("_picture_id",)

    def __init__(self, picture_id: int = 0) -> None:
        self._picture_id = picture_id & 0x7FFF

    def packetize(self, frame: bytes, limit: int) -> list[bytes]:
        """Cut one frame; see `VideoPacketizer`."""
        if not frame:
            raise LocalProtocolError("a VP8 frame has no bytes")
        tail = bytes((0x80, 0x80 | self._picture_id >> 8, self._picture_id & 0xFF))
        self._picture_id = self._picture_id + 1 & 0x7FFF
        first, *others = cut(frame, limit - _DESCRIPTOR_SIZE)
        return [b"\x90" + tail + first, *(b"\x80" + tail + part for part in others)]


class Vp8Depacketizer:
    """Takes the descriptors off."""

    __slots__ = ()

    def starts_key_frame(self, payload: bytes) -> bool:
        """See `VideoDepacketizer`."""
        if not payload or payload[0] & 0x17 != 0x10:
            return False
        size = _descriptor_size(payload)
        return size is not None and not payload[size] & 1

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame | None:
        """See `VideoDepacketizer`."""
        parts: list[bytes] = []
        for payload in payloads:
            size = _descriptor_size(payload)
            if size is None:
                return None
            parts.append(payload[size:])
        if not parts or payloads[0][0] & 0x17 != 0x10:
            return None
        return AssembledFrame(b"".join(parts), not parts[0][0] & 1)


def is_vp8_key_frame(frame: bytes) -> bool:
    """Tell a key frame by its first bit (RFC 6386 section 9.1)."""
    return bool(frame) and not frame[0] & 1


def vp8_size(frame: bytes) -> tuple[int, int] | None:
    """Read width and height from a key frame (RFC 6386 section 9.1)."""
    if len(frame) < 10 or frame[0] & 1 or frame[3:6] != b"\x9d\x01\x2a":
        return None
    return int.from_bytes(frame[6:8], "little") & 0x3FFF, int.from_bytes(frame[8:10], "little") & 0x3FFF


def _descriptor_size(payload: bytes) -> int | None:
    """Measure the descriptor; None when the payload ends before its data begin."""
    length = len(payload)
    if length < 2:
        return None
    if not payload[0] & 0x80:
        return 1
    flags, size = payload[1], 2
    if flags & 0x80:
        if length <= size:
            return None
        size += 2 if payload[size] & 0x80 else 1
    size += (flags & 0x40 > 0) + (flags & 0x30 > 0)
    return size if length > size else None
