"""VP9 in RTP (RFC 9628).

|I|P|L|F|B|E|V|Z|  required; P: inter-predicted, B and E: begin and end of a layer's frame
|M| PICTURE ID  |  if I; 15 bits if M
| TID |U| SID |D|  if L; and TL0PICIDX when not F
| P_DIFF      |N|  if F and P, up to three times
| SS            |  if V: sizes of layers and the pattern of pictures
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.errors import LocalProtocolError
from peerix.core.rtp.payload.video import AssembledFrame, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

_I, _P, _L, _F, _B, _E, _V = 0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02
_MAX_DESCRIPTOR_SIZE = 4
_MAX_REFERENCES = 3


class Vp9Packetizer:
    """One layer in flexible mode: each picture but a key picture refers to the one before."""

    __slots__ = ("_picture_id",)

    def __init__(self, picture_id: int = 0) -> None:
        self._picture_id = picture_id & 0x7FFF

    def packetize(self, frame: bytes, limit: int) -> list[bytes]:
        """Cut one frame; see `VideoPacketizer`."""
        if not frame:
            raise LocalProtocolError("a VP9 frame has no bytes")
        tail = bytes((0x80 | self._picture_id >> 8, self._picture_id & 0xFF))
        self._picture_id = self._picture_id + 1 & 0x7FFF
        flags = _I | _F
        if not is_vp9_key_frame(frame):
            flags |= _P
            tail += b"\x02"  # P_DIFF 1, no more
        parts = cut(frame, limit - _MAX_DESCRIPTOR_SIZE)
        last = len(parts) - 1
        return [
            bytes((flags | (_B if index == 0 else 0) | (_E if index == last else 0),)) + tail + part
            for index, part in enumerate(parts)
        ]


class Vp9Depacketizer:
    """Takes the descriptors off; the layers of a picture follow each other."""

    __slots__ = ()

    def starts_key_frame(self, payload: bytes) -> bool:
        """See `VideoDepacketizer`."""
        read = _read_descriptor(payload)
        return read is not None and _starts_key_picture(payload[0], read[1])

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame | None:
        """See `VideoDepacketizer`."""
        parts: list[bytes] = []
        key_frame = False
        for index, payload in enumerate(payloads):
            read = _read_descriptor(payload)
            if read is None:
                return None
            if not index:
                if not payload[0] & _B:
                    return None
                key_frame = _starts_key_picture(payload[0], read[1])
            parts.append(payload[read[0] :])
        return AssembledFrame(b"".join(parts), key_frame) if parts else None


def is_vp9_key_frame(frame: bytes) -> bool:
    """Tell a key frame by the uncompressed header (VP9 bitstream section 6.2)."""
    if not frame or frame[0] >> 6 != 2:
        return False
    bits = frame[0]
    # Profile 3 has one reserved bit before show_existing_frame and frame_type.
    show_existing, frame_type = (
        (bits >> 2 & 1, bits >> 1 & 1) if bits & 0x30 == 0x30 else (bits >> 3 & 1, bits >> 2 & 1)
    )
    return not show_existing and not frame_type


def _starts_key_picture(flags: int, spatial_id: int) -> bool:
    return bool(flags & _B) and not flags & _P and not spatial_id


def _read_descriptor(payload: bytes) -> tuple[int, int] | None:
    """Give the size of the descriptor and the spatial layer; None when the payload ends before its data begin."""
    if len(payload) < 2:
        return None
    flags, size, spatial_id = payload[0], 1, 0
    # Zeros behind the end let the fields be read without a check each; the size tells in the end.
    data = payload[:64] + bytes(16)
    if flags & _I:
        size += 2 if data[size] & 0x80 else 1
    if flags & _L:
        spatial_id = data[size] >> 1 & 7
        size += 1 if flags & _F else 2
    if flags & _F and flags & _P:
        references = 1
        while data[size] & 1 and references < _MAX_REFERENCES:
            size += 1
            references += 1
        size += 1
    if flags & _V:
        size = _skip_structure(payload, size)
    return (size, spatial_id) if size < len(payload) else None


def _skip_structure(payload: bytes, offset: int) -> int:
    """Give the offset behind the scalability structure, at or behind the end when it is cut short."""
    end = len(payload)
    if offset >= end:
        return end
    head = payload[offset]
    offset += 1
    if head & 0x10:
        offset += 4 * ((head >> 5) + 1)
    if head & 0x08 and offset < end:
        count = payload[offset]
        offset += 1
        for _ in range(count):
            if offset >= end:
                return end
            offset += 1 + (payload[offset] >> 2 & 3)
    return offset
