"""Encoders of sound: Opus, G.722 and G.711."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from peerix.media.frames import copy_sound
from peerix.rtc.encoded_frame import EncodedFrame

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from av import AudioCodecContext, AudioFrame

    from peerix.rtc.codec_registry import AudioEncoder, EncoderSettings

FRAME_DURATION = Fraction(20, 1000)
"""Seconds of sound a packet: what all of WebRTC sends."""

DURATION = float(FRAME_DURATION)

SILENCE = 127
"""The level of silence."""


class FfmpegAudioEncoder:
    """An encoder of PyAV. It takes sound in any form and length and gives packets of 20 ms.

    The times of the packets follow the times of the frames that are put in, gaps included.

    :param open_context: opens the codec at a bitrate.
    """

    __slots__ = ("_bitrate", "_context", "_held", "_next_time", "_open", "_resampler", "_settings")

    def __init__(
        self, settings: EncoderSettings, open_context: Callable[[EncoderSettings, int], AudioCodecContext]
    ) -> None:
        self._settings = settings
        self._open = open_context
        self._bitrate = settings.bitrate
        self._context = context = open_context(settings, settings.bitrate)
        samples = int(context.sample_rate * FRAME_DURATION)
        self._resampler = av.AudioResampler(context.format, context.layout, context.sample_rate, samples)
        self._held = 0.0
        """Seconds of sound that wait for their packet to be full."""
        self._next_time = 0.0
        """When the first sound of the next packet is."""

    def encode(self, frame: AudioFrame, *, key_frame: bool = False) -> list[EncodedFrame]:
        """Encode the packets that are full with this frame."""
        if frame.time is not None:
            began = frame.time - self._held
            if abs(began - self._next_time) > DURATION / 2:
                self._next_time = began
        self._held += frame.samples / frame.sample_rate
        encoded: list[EncodedFrame] = []
        for piece in self._resample(frame):
            encoded += self._encode_piece(piece)
            self._next_time += DURATION
            self._held -= DURATION
        return encoded

    def set_bitrate(self, bitrate: int) -> None:
        """Aim at another bitrate. Opus begins anew, which costs less than a packet and is not heard."""
        bitrate = min(bitrate, self._settings.max_bitrate)
        if bitrate != self._bitrate and self._context.name == "libopus":
            self._context = self._open(self._settings, bitrate)
        self._bitrate = bitrate

    def close(self) -> None:
        """Free the encoder."""
        self._context.encode(None)

    def _resample(self, frame: AudioFrame) -> list[AudioFrame]:
        # The resampler would fill gaps of its own accord, if it knew times.
        return self._resampler.resample(copy_sound(frame))

    def _encode_piece(self, piece: AudioFrame) -> list[EncodedFrame]:
        piece.pts = None
        packets = self._context.encode(piece)
        level = level_of(piece.to_ndarray())
        return [EncodedFrame(bytes(packet), self._next_time, duration=DURATION, level=level) for packet in packets]


def level_of(samples: npt.NDArray[Any]) -> int:
    """How loud 16-bit samples are: their power in dB below that of the loudest there can be (RFC 6464)."""
    values = samples.astype(np.float32).ravel()
    power = float(values @ values) / max(len(values), 1) / 32_768**2
    return SILENCE if power <= 0 else min(max(round(-10 * math.log10(power)), 0), SILENCE)


def _open(name: str, sample_rate: int, channels: int, bitrate: int, options: dict[str, str]) -> AudioCodecContext:
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate = sample_rate
    context.layout = "stereo" if channels == 2 else "mono"
    context.format = "s16"
    context.bit_rate = bitrate
    context.options = options
    context.open()
    return context


def _open_opus(settings: EncoderSettings, bitrate: int) -> AudioCodecContext:
    parameters = settings.parameters
    options = {
        "application": "voip" if parameters.get("stereo") != "1" else "audio",
        "frame_duration": "20",
        # In-band FEC (RFC 6716 section 2.1.7) only repeats what the expected loss makes it repeat.
        "fec": parameters.get("useinbandfec", "0"),
        "packet_loss": "10" if parameters.get("useinbandfec") == "1" else "0",
        "vbr": "off" if parameters.get("cbr") == "1" else "on",
    }
    channels = 2 if parameters.get("stereo") == "1" else 1
    return _open("libopus", 48_000, channels, max(6_000, min(bitrate, 255_000 * channels)), options)


def opus_encoder(settings: EncoderSettings) -> AudioEncoder:
    """Opus (RFC 7587): in stereo, with FEC and at a constant bitrate as the format parameters say."""
    return FfmpegAudioEncoder(settings, _open_opus)


def fixed_encoder(name: str, sample_rate: int) -> Callable[[EncoderSettings], AudioEncoder]:
    """A factory for a codec of one bitrate and one channel."""

    def open_context(settings: EncoderSettings, bitrate: int) -> AudioCodecContext:
        return _open(name, sample_rate, 1, 64_000, {})

    def create(settings: EncoderSettings) -> AudioEncoder:
        return FfmpegAudioEncoder(settings, open_context)

    return create
