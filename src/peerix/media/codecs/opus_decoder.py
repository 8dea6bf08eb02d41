"""A decoder of Opus that makes use of in-band FEC and of the decoder's own concealment (RFC 6716 sections 2.1.7, 4.4).

FFmpeg's, which PyAV offers, takes whole packets only: it cannot be told that one is missing.
"""

from __future__ import annotations

import ctypes
from fractions import Fraction
from typing import TYPE_CHECKING

from av import AudioFrame

from peerix.core.errors import PeerixError
from peerix.core.rtp.payload import opus_is_dtx, opus_repeated
from peerix.media.codecs.libopus import (
    BYTES_A_SAMPLE,
    GRAIN,
    MAX_SAMPLES,
    SAMPLE_RATE,
    LibOpus,
    OpusState,
    load_libopus,
)

if TYPE_CHECKING:
    from peerix.rtc.encoded_frame import EncodedFrame

TIME_BASE = Fraction(1, 1_000_000)

DTX_INTERVAL = SAMPLE_RATE * 4 // 10
"""While nobody speaks, one packet comes each 0.4 s (RFC 6716 section 2.1.9)."""

MAX_CONCEALED = SAMPLE_RATE
"""Samples that are made up without a packet in between; silence follows. By then all that was lost has faded, and a
hole of many seconds, which costs the sender one packet, costs us little."""


class OpusDecoder:
    """Opus in, 16-bit stereo at 48 kHz out.

    :param library: by default the one that is found.
    :raises PeerixError: there is none.
    """

    __slots__ = ("_concealed", "_has_begun", "_rests", "_state")

    def __init__(self, library: LibOpus | None = None) -> None:
        library = library or load_libopus()
        if library is None:
            raise PeerixError("there is no libopus")
        self._state = OpusState(library)
        self._has_begun = False
        self._rests = False
        """The last packet said that nobody speaks."""
        self._concealed = 0
        """Samples since the last packet."""

    def decode(self, frame: EncodedFrame) -> list[AudioFrame]:
        """Decode one packet; empty when it is none."""
        data = bytes(frame.data)
        samples = self._state.samples_of(data)
        if not 0 < samples <= MAX_SAMPLES:
            return []
        decoded, address = _new_frame(frame.time, samples)
        if not self._state.decode(data, address, samples):
            return []
        self._has_begun, self._concealed, self._rests = True, 0, opus_is_dtx(data)
        return [decoded]

    def recover(self, time: float, duration: float, following: bytes) -> list[AudioFrame]:
        """Decode a lost piece from the packet behind it, which repeats it; empty when that cannot be."""
        samples = round(duration * SAMPLE_RATE)
        if not 0 < samples <= MAX_SAMPLES or samples % GRAIN or not opus_repeated(following):
            return []
        decoded, address = _new_frame(time, samples)
        if not self._state.recover(bytes(following), address, samples):
            return []
        self._has_begun, self._concealed, self._rests = True, 0, False
        return [decoded]

    def conceal(self, time: float, duration: float, *, silence: bool) -> list[AudioFrame]:
        """Make up a piece that was lost, or the noise of the room where nobody spoke; none before the first packet.

        A gap is such a rest when a packet said so, or when it is short enough (RFC 7587 section 3.1.3: the decoder's
        concealment fills it); else the sender has paused, and there is silence.
        """
        samples = round(duration * SAMPLE_RATE)
        if samples <= 0 or not self._has_begun:
            return []
        made_up, address = _new_frame(time, samples)
        is_pause = silence and not self._rests and samples > DTX_INTERVAL
        wanted = 0 if is_pause else min(samples, max(MAX_CONCEALED - self._concealed, 0))
        done = 0
        while done < wanted:
            count = min(wanted - done, MAX_SAMPLES)
            if not self._make_up(address + done * BYTES_A_SAMPLE, count):
                break
            done += count
        self._concealed += done
        ctypes.memset(address + done * BYTES_A_SAMPLE, 0, (samples - done) * BYTES_A_SAMPLE)
        return [made_up]

    def _make_up(self, address: int, count: int) -> bool:
        whole = -(-count // GRAIN) * GRAIN
        if whole == count:
            return self._state.conceal(address, count)
        room = ctypes.create_string_buffer(whole * BYTES_A_SAMPLE)
        if not self._state.conceal(ctypes.addressof(room), whole):
            return False
        ctypes.memmove(address, room, count * BYTES_A_SAMPLE)
        return True

    def close(self) -> None:
        """Free the decoder; it decodes nothing from now on."""
        self._state.free()


def _new_frame(time: float, samples: int) -> tuple[AudioFrame, int]:
    """Make a frame without content, and tell where that goes."""
    frame = AudioFrame("s16", "stereo", samples)
    frame.sample_rate = SAMPLE_RATE
    frame.pts, frame.time_base = round(time / TIME_BASE), TIME_BASE
    return frame, frame.planes[0].buffer_ptr


def opus_decoder(parameters: dict[str, str]) -> OpusDecoder:
    """Make a decoder; it takes all that senders may send, whatever was agreed on (RFC 7587 section 6.1)."""
    return OpusDecoder()
