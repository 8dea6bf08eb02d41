"""How much of sound is left when packets are lost: ``python -m benchmarks.lost_sound [FILE] [--json FILE] [--save]``.

Packets of Opus go through the jitter buffer with a share of them lost at random, and are decoded in three ways: with
in-band FEC and the decoder's concealment, with the concealment alone, and by FFmpeg's decoder, which knows neither.
What comes out is compared with what the same decoder makes of all packets: the signal-to-noise ratio is that of the
loss alone. Nothing depends on the machine or its clock. The sound is like speech, and that of a file when one is named.
"""

from __future__ import annotations

import argparse
import random
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from benchmarks.report import add_output_options, publish
from peerix.core.rtp.audio_buffer import AudioBuffer
from peerix.core.rtp.payload import opus_duration, opus_repeated
from peerix.media.codecs import EncoderSettings, find_encoder
from peerix.media.codecs.decoders import audio_decoder
from peerix.media.codecs.opus_decoder import opus_decoder
from peerix.rtc.encoded_frame import EncodedFrame

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import numpy.typing as npt

    from peerix.core.rtp.audio_buffer import AudioUnit
    from peerix.rtc.codec_registry import AudioDecoder

    Samples = npt.NDArray[np.float64]

RATE = 48_000
FRAME = 960
SECONDS = 10
BITRATE = 32_000
LOSSES = (0.05, 0.1, 0.2)
SEEDS = range(5)
UNHARMED = 10
"""Packets at the beginning, and one at the end, that are never lost."""


def speech(seconds: float) -> Samples:
    """Syllables of a voice that rises and falls: harmonics below some formants, with pauses; from -1 to 1."""
    at = np.arange(round(seconds * RATE)) / RATE
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.7 * at)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    voice: Samples = np.zeros_like(at)
    for number in range(1, 30):
        voice += np.sin(number * phase) / number * np.exp(-(((number * 120 - 600) / 900) ** 2))
    voice *= np.clip(np.sin(2 * np.pi * 2.5 * at) + 0.6, 0, 1)
    louder: Samples = voice / np.abs(voice).max() * 0.4
    return louder


def frames_of(samples: Samples) -> Iterable[av.AudioFrame]:
    """Cut sound into frames of 20 ms, the same in both channels."""
    values = (samples * 32_767).astype(np.int16)
    for start in range(0, len(values) - FRAME + 1, FRAME):
        both = np.repeat(values[start : start + FRAME], 2).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(both, format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        yield frame


def frames_of_file(path: Path) -> Iterable[av.AudioFrame]:
    """The sound of a file, in frames of 20 ms."""
    resampler = av.AudioResampler("s16", "stereo", RATE, FRAME)
    with av.open(path) as container:
        for frame in container.decode(audio=0):
            yield from resampler.resample(frame)


def encode(frames: Iterable[av.AudioFrame], bitrate: int = BITRATE, **parameters: str) -> list[EncodedFrame]:
    """Make packets that repeat one another."""
    settings = EncoderSettings(bitrate, bitrate, parameters={"useinbandfec": "1", **parameters})
    encoder = find_encoder("audio/opus")(settings)
    packets = [packet for frame in frames for packet in encoder.encode(frame)]
    encoder.close()
    return packets


def choose_lost(count: int, share: float, seed: int) -> set[int]:
    """Choose which packets are lost."""
    chance = random.Random(seed)
    return {number for number in range(UNHARMED, count - 1) if chance.random() < share}


def receive(packets: Sequence[EncodedFrame], lost: Collection[int]) -> list[AudioUnit]:
    """Send packets, of 20 ms each or more, through a jitter buffer."""
    buffer = AudioBuffer(RATE, opus_duration, opus_repeated)
    units: list[AudioUnit] = []
    timestamp = 0
    for number, packet in enumerate(packets):
        now = timestamp / RATE
        if (at := buffer.next_timeout()) is not None and at <= now:
            units += buffer.handle_timeout(at)
        if number not in lost:
            units += buffer.insert(number, timestamp, packet.data, now)
        timestamp += opus_duration(packet.data) or 0
    return units + buffer.handle_timeout(float("inf"))


def hear(units: Iterable[AudioUnit], decoder: AudioDecoder, *, fec: bool) -> Samples:
    """Decode the first channel of what came out of the buffer, as a track does."""
    parts: list[Samples] = []
    time = 0.0
    for unit in units:
        duration = unit.duration / RATE
        frames: Sequence[Any] = ()
        if unit.payload is not None:
            frames = decoder.decode(EncodedFrame(unit.payload, time))
        elif fec and unit.recovery is not None and (recover := getattr(decoder, "recover", None)) is not None:
            frames = recover(time, duration, unit.recovery)
        frames = frames or decoder.conceal(time, duration, silence=unit.silence)
        parts += [frame.to_ndarray().reshape(-1, 2)[:, 0] / 32_768 for frame in frames]
        time += duration
    decoder.close()
    return np.concatenate(parts)


def ffmpeg_decoder() -> AudioDecoder:
    """The decoder that only takes whole packets."""
    return audio_decoder("libopus", RATE, 2)({})


def snr(reference: Samples, heard: Samples) -> float:
    """The signal-to-noise ratio in dB."""
    return float(10 * np.log10((reference**2).sum() / max(((reference - heard) ** 2).sum(), 1e-12)))


def compare(packets: Sequence[EncodedFrame], share: float, seeds: Iterable[int] = SEEDS) -> dict[str, float]:
    """The ratio of each way to decode, the mean over some losses."""
    reference = hear(receive(packets, ()), opus_decoder({}), fec=True)
    found: dict[str, list[float]] = {"FEC": [], "concealment": [], "FFmpeg": []}
    for seed in seeds:
        units = receive(packets, choose_lost(len(packets), share, seed))
        found["FEC"].append(snr(reference, hear(units, opus_decoder({}), fec=True)))
        found["concealment"].append(snr(reference, hear(units, opus_decoder({}), fec=False)))
        found["FFmpeg"].append(snr(reference, hear(units, ffmpeg_decoder(), fec=False)))
    return {way: float(np.mean(ratios)) for way, ratios in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="whose sound is used as well")
    add_output_options(parser)
    options = parser.parse_args()
    sounds = {"like speech": encode(frames_of(speech(SECONDS)))}
    if options.file is not None:
        sounds[options.file.name] = encode(frames_of_file(options.file))
    results = {name: {f"{share:.0%}": compare(packets, share) for share in LOSSES} for name, packets in sounds.items()}
    lines = ["| SNR, dB | lost | with FEC | concealment alone | FFmpeg's decoder |", "|---|---|---|---|---|"]
    for name, shares in results.items():
        for share, ratios in shares.items():
            lines.append(f"| {name} | {share} | " + " | ".join(f"{ratio:.1f}" for ratio in ratios.values()) + " |")
    publish(options, "lost_sound", "\n".join(lines) + "\n", results)


if __name__ == "__main__":
    main()
