"""How long the payloads of audio formats last, in units of their RTP clock; a payload is an encoded frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.rtp.payload.opus import CLOCK_RATE, opus_duration

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_SAMPLES = 1600
"""200 ms of 8 kHz (RFC 3551 section 4.2: receivers take that much)."""


def _one_byte_a_sample(payload: bytes) -> int | None:
    """PCMU, PCMA, and G.722, whose clock runs at half its sampling rate (RFC 3551 section 4.5.2)."""
    return len(payload) if 0 < len(payload) <= _MAX_SAMPLES else None


AUDIO_DURATIONS: dict[str, Callable[[bytes], int | None]] = {
    "OPUS": opus_duration,
    "PCMU": _one_byte_a_sample,
    "PCMA": _one_byte_a_sample,
    "G722": _one_byte_a_sample,
}
"""By name in capitals; each function answers None for what is no payload of the format."""

AUDIO_CLOCK_RATES = {"OPUS": CLOCK_RATE, "PCMU": 8000, "PCMA": 8000, "G722": 8000}
