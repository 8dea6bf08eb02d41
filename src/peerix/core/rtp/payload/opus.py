"""Opus in RTP (RFC 7587): a packet is a payload; what its first bytes tell (RFC 6716 section 3).

| config  |s| c |  TOC: mode, bandwidth and frame size; stereo; how many frames
"""

from __future__ import annotations

CLOCK_RATE = 48_000

_SILK_SIZES = (480, 960, 1920, 2880)
_HYBRID_SIZES = (480, 960)
_CELT_SIZES = (120, 240, 480, 960)
_MAX_SAMPLES = 5760
"""120 ms (RFC 6716 section 3.2.5)."""


def opus_duration(payload: bytes) -> int | None:
    """Give the samples at 48 kHz in a packet; None when it is none."""
    if not payload:
        return None
    size = _frame_size(payload[0] >> 3)
    match payload[0] & 3:
        case 0:
            count = 1
        case 1 | 2:
            count = 2
        case _:
            if len(payload) < 2:
                return None
            count = payload[1] & 0x3F
    samples = count * size
    return samples if 0 < samples <= _MAX_SAMPLES else None


def opus_repeated(payload: bytes) -> int:
    """Give the samples at 48 kHz before a packet that it repeats at a low bitrate (RFC 6716 section 2.1.7).

    The first frame repeats the frame before it, which is only the last of the packet before where that has several.
    """
    return _frame_size(payload[0] >> 3) if opus_has_fec(payload) else 0


def opus_has_fec(payload: bytes) -> bool:
    """Tell whether a packet repeats the one before at a low bitrate (in-band FEC, RFC 6716 section 4.2.4).

    Only SILK and hybrid packets can; looked at is the flag of the first frame, for mono and stereo alike.
    """
    if len(payload) < 2 or payload[0] >> 3 >= 16:
        return False
    first = _first_frame(payload)
    if first is None or len(first) < 2:
        return False
    config = payload[0] >> 3
    # Before the LBRR flag stand as many voice activity flags as there are 20 ms in a SILK frame.
    frames = max(_frame_size(config) // 960, 1) if config < 12 else 1
    if first[0] >> 7 - frames & 1:
        return True
    return bool(payload[0] & 4) and 2 * frames + 1 < 8 and bool(first[0] >> 7 - (2 * frames + 1) & 1)


def opus_is_dtx(payload: bytes) -> bool:
    """Tell a packet that says only that nobody speaks (RFC 6716 section 2.1.9)."""
    return 0 < len(payload) <= 2


def _frame_size(config: int) -> int:
    if config < 12:
        return _SILK_SIZES[config & 3]
    if config < 16:
        return _HYBRID_SIZES[config & 1]
    return _CELT_SIZES[config & 3]


def _first_frame(payload: bytes) -> bytes | None:
    """Give the data of the first frame, as far as its first byte is concerned (RFC 6716 section 3.2)."""
    offset = 1
    code = payload[0] & 3
    if code == 2:
        offset += 2 if payload[1] >= 252 else 1
    elif code == 3:
        offset = _skip_frame_counts(payload)
    return payload[offset:] if offset < len(payload) else None


def _skip_frame_counts(payload: bytes) -> int:
    flags, offset = payload[1], 2
    if flags & 0x40:  # lengths of padding
        while offset < len(payload) and payload[offset] == 255:
            offset += 1
        offset += 1
    if flags & 0x80:  # the length of each frame but the last
        for _ in range((flags & 0x3F) - 1):
            if offset >= len(payload):
                break
            offset += 2 if payload[offset] >= 252 else 1
    return offset
