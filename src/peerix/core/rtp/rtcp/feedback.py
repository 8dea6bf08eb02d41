"""Feedback that asks for something: NACK, PLI (RFC 4585), FIR (RFC 5104), REMB (draft-alvestrand-rmcat-remb-03).

|                  SSRC of packet sender                        |
|                  SSRC of media source                         |
:            Feedback Control Information (FCI)                 :
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.rtp.rtcp.header import PAYLOAD_FEEDBACK, TRANSPORT_FEEDBACK, write_block

if TYPE_CHECKING:
    from collections.abc import Sequence

FMT_NACK = 1
FMT_PLI = 1
FMT_FIR = 4
FMT_APPLICATION = 15
"""Application layer feedback, of which REMB is the one that is known here."""

MAX_NACK_WORDS = 253
"""Words of one NACK that are written: 1,024 bytes with everything, which fits every path."""

MAX_REMB_SSRCS = 255

_TWO = struct.Struct("!II")
_NACK = struct.Struct("!HH")
_FIR = struct.Struct("!IBxxx")
_REMB = b"REMB"


@dataclass(slots=True)
class Nack:
    """Sequence numbers that did not arrive (RFC 4585 section 6.2.1)."""

    sender_ssrc: int
    media_ssrc: int
    lost: tuple[int, ...]


@dataclass(slots=True)
class PictureLoss:
    """PLI: the decoder lost its way and needs a key frame (RFC 4585 section 6.3.1)."""

    sender_ssrc: int
    media_ssrc: int


@dataclass(slots=True)
class FullIntraRequest:
    """FIR: each source is to begin anew; a command is new when its number is (RFC 5104 section 4.3.1)."""

    sender_ssrc: int
    entries: tuple[tuple[int, int], ...]
    """SSRC and command number, 0 to 255."""


@dataclass(slots=True)
class MaximumBitrate:
    """REMB: what the receiver thinks the path carries for these sources together, bit/s."""

    sender_ssrc: int
    bitrate: int
    ssrcs: tuple[int, ...]


def write_nack(nack: Nack) -> bytes:
    """Write a NACK; what exceeds `MAX_NACK_WORDS` is left out. `lost` is in sending order."""
    words: list[bytes] = []
    lost = nack.lost
    index = 0
    while index < len(lost) and len(words) < MAX_NACK_WORDS:
        first, mask = lost[index], 0
        index += 1
        while index < len(lost) and 0 < (distance := lost[index] - first & 0xFFFF) <= 16:
            mask |= 1 << distance - 1
            index += 1
        words.append(_NACK.pack(first, mask))
    return write_block(FMT_NACK, TRANSPORT_FEEDBACK, _TWO.pack(nack.sender_ssrc, nack.media_ssrc) + b"".join(words))


def read_nack(body: bytes) -> Nack | None:
    """Read the body of a NACK."""
    if len(body) < 8:
        return None
    lost: list[int] = []
    for first, mask in _NACK.iter_unpack(body[8:]):
        lost.append(first)
        if mask:
            lost += [first + bit + 1 & 0xFFFF for bit in range(16) if mask >> bit & 1]
    sender_ssrc, media_ssrc = _TWO.unpack_from(body)
    return Nack(sender_ssrc, media_ssrc, tuple(lost))


def write_picture_loss(loss: PictureLoss) -> bytes:
    """Write a PLI."""
    return write_block(FMT_PLI, PAYLOAD_FEEDBACK, _TWO.pack(loss.sender_ssrc, loss.media_ssrc))


def read_picture_loss(body: bytes) -> PictureLoss | None:
    """Read the body of a PLI."""
    return PictureLoss(*_TWO.unpack_from(body)) if len(body) >= 8 else None


def write_full_intra_request(request: FullIntraRequest) -> bytes:
    """Write a FIR; its media source is unused and 0."""
    entries = b"".join(_FIR.pack(ssrc, number & 0xFF) for ssrc, number in request.entries)
    return write_block(FMT_FIR, PAYLOAD_FEEDBACK, _TWO.pack(request.sender_ssrc, 0) + entries)


def read_full_intra_request(body: bytes) -> FullIntraRequest | None:
    """Read the body of a FIR."""
    if len(body) < 8 or len(body) % 8:
        return None
    return FullIntraRequest(_TWO.unpack_from(body)[0], tuple(_FIR.iter_unpack(body[8:])))


def write_maximum_bitrate(remb: MaximumBitrate) -> bytes:
    """Write a REMB of at most 255 sources; the 18-bit mantissa rounds the bitrate down."""
    exponent = max(remb.bitrate.bit_length() - 18, 0)
    head = len(remb.ssrcs) << 24 | exponent << 18 | remb.bitrate >> exponent
    body = _TWO.pack(remb.sender_ssrc, 0) + _REMB + head.to_bytes(4, "big") + _pack_ssrcs(remb.ssrcs)
    return write_block(FMT_APPLICATION, PAYLOAD_FEEDBACK, body)


def read_maximum_bitrate(body: bytes) -> MaximumBitrate | None:
    """Read the body of a REMB; None for other application feedback."""
    if len(body) < 16 or body[8:12] != _REMB:
        return None
    head = int.from_bytes(body[12:16], "big")
    count = head >> 24
    if len(body) < 16 + 4 * count:
        return None
    bitrate = (head & 0x3FFFF) << (head >> 18 & 0x3F)
    return MaximumBitrate(_TWO.unpack_from(body)[0], bitrate, struct.unpack_from(f"!{count}I", body, 16))


def _pack_ssrcs(ssrcs: Sequence[int]) -> bytes:
    return struct.pack(f"!{len(ssrcs)}I", *ssrcs)
