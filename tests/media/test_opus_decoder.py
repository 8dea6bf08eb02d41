"""Opus decoded by libopus itself: in-band FEC, its concealment, and what becomes of packets that are none."""

from __future__ import annotations

import gc
import random
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.lost_sound import (
    choose_lost,
    compare,
    encode,
    ffmpeg_decoder,
    frames_of,
    frames_of_file,
    hear,
    receive,
    snr,
    speech,
)
from peerix import PeerixError
from peerix.core.rtp.payload import opus_duration, opus_repeated
from peerix.media.codecs import find_decoder, libopus, register_decoder, unregister_decoder
from peerix.media.codecs.libopus import LibOpus, OpusState, load_libopus
from peerix.media.codecs.opus_decoder import DTX_INTERVAL, MAX_CONCEALED, OpusDecoder, opus_decoder
from peerix.rtc.encoded_frame import EncodedFrame
from tests.support.clips import big_buck_bunny
from tests.support.pictures import samples_of
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FRAME = 960
RATE = 48_000
LOSSES = [0.1, 0.2]
DTX = b"\x08"
"""A packet of SILK, 20 ms, without content: nobody speaks."""


@pytest.fixture(scope="module")
def packets() -> list[EncodedFrame]:
    """Four seconds like speech."""
    return encode(frames_of(speech(4)))


def library() -> LibOpus:
    found = load_libopus()
    assert found is not None
    return found


def counted(**counts: int) -> tuple[Any, dict[str, int]]:
    """The library, and how often its functions are called."""
    called = dict.fromkeys(("create", "destroy", *counts), 0)

    class Counting:
        packet_samples = library().packet_samples
        decode = library().decode

        def create(self, *arguments: Any) -> Any:
            called["create"] += 1
            return library().create(*arguments)

        def destroy(self, pointer: int) -> None:
            called["destroy"] += 1
            library().destroy(pointer)

    return Counting(), called


# -- whole packets


def test_without_loss_it_gives_what_ffmpeg_gives(packets: list[EncodedFrame]) -> None:
    units = receive(packets, ())
    assert np.array_equal(hear(units, opus_decoder({}), fec=True), hear(units, ffmpeg_decoder(), fec=False))


def test_frames_have_the_time_and_form_that_ffmpeg_gives_them(packets: list[EncodedFrame]) -> None:
    packet = EncodedFrame(packets[0].data, 12.3456)
    (ours,), (theirs,) = opus_decoder({}).decode(packet), ffmpeg_decoder().decode(packet)
    for name in ("pts", "time_base", "samples", "sample_rate"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert (ours.format.name, ours.layout.name) == (theirs.format.name, theirs.layout.name)


@pytest.mark.parametrize("duration", ["2.5", "5", "10", "20", "40", "60"])
def test_packets_of_every_duration_are_decoded(duration: str) -> None:
    packets = encode_packets(speech(0.6), duration)
    decoder = opus_decoder({})
    frames = [frame for packet in packets for frame in decoder.decode(EncodedFrame(packet, 0.0))]
    assert {frame.samples for frame in frames} == {round(float(duration) * 48)}
    decoder.close()


def encode_packets(
    samples: np.ndarray[Any, Any], duration: str, *, channels: int = 1, application: str = "voip", bitrate: int = 32_000
) -> list[bytes]:
    """Packets of another length than those that our encoder makes."""
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout, context.format = RATE, "stereo" if channels == 2 else "mono", "s16"
    context.bit_rate = bitrate
    context.options = {"application": application, "frame_duration": duration, "fec": "1", "packet_loss": "20"}
    context.open()
    resampler = av.AudioResampler("s16", context.layout, RATE, int(float(duration) * 48))
    packets: list[bytes] = []
    for frame in frames_of(samples):
        for piece in resampler.resample(frame):
            piece.pts = None
            packets += [bytes(packet) for packet in context.encode(piece)]
    return packets


# -- lost ones


@pytest.mark.parametrize("share", LOSSES)
def test_speech_is_nearer_to_what_was_said_with_fec_than_without(packets: list[EncodedFrame], share: float) -> None:
    found = compare(packets, share, seeds=range(2))
    assert found["FEC"] > found["concealment"] + 4
    assert found["concealment"] > found["FFmpeg"] + 3


@pytest.mark.slow
@pytest.mark.parametrize("share", LOSSES)
def test_a_real_clip_is_nearer_to_what_was_played_with_fec_than_without(share: float) -> None:
    found = compare(encode(frames_of_file(big_buck_bunny())), share, seeds=range(3))
    assert found["FEC"] > found["concealment"] + 2
    assert found["concealment"] > found["FFmpeg"] + 1


def test_of_several_in_a_row_the_last_is_recovered_and_the_others_are_concealed(packets: list[EncodedFrame]) -> None:
    at = next(n for n in range(50, 200) if all(opus_repeated(packets[n + more].data) for more in range(4)))
    units = receive(packets, {at, at + 1, at + 2})
    reference = hear(receive(packets, ()), opus_decoder({}), fec=True)
    with_fec, without = hear(units, opus_decoder({}), fec=True), hear(units, opus_decoder({}), fec=False)
    first, last = slice(at * FRAME, (at + 2) * FRAME), slice((at + 2) * FRAME, (at + 3) * FRAME)
    assert np.array_equal(with_fec[first], without[first])
    assert snr(reference[last], with_fec[last]) > snr(reference[last], without[last]) + 3


@pytest.mark.parametrize(
    ("duration", "bitrate", "repeated"),
    # At 64 kbit/s 40 ms are two frames of 20 (hybrid), of which the next packet repeats the last.
    [("20", 24_000, 20), ("40", 24_000, 40), ("60", 24_000, 60), ("40", 64_000, 20)],
)
def test_of_a_lost_packet_of_any_length_its_last_frame_is_recovered(duration: str, bitrate: int, repeated: int) -> None:
    packets = [EncodedFrame(packet, 0.0) for packet in encode_packets(speech(3), duration, bitrate=bitrate)]
    lost = set(range(10, len(packets) - 1, 3))
    units = receive(packets, lost)
    recovered = [unit for unit in units if unit.recovery is not None]
    assert {unit.duration for unit in recovered} == {repeated * 48}
    assert sum(unit.duration for unit in units) == sum(opus_duration(packet.data) or 0 for packet in packets)
    reference = hear(receive(packets, ()), opus_decoder({}), fec=True)
    assert snr(reference, hear(units, opus_decoder({}), fec=True)) > 2 + snr(
        reference, hear(units, opus_decoder({}), fec=False)
    )


def test_both_channels_are_recovered() -> None:
    packets = [EncodedFrame(packet, 0.0) for packet in encode_packets(speech(3), "20", channels=2)]
    assert all(packet.data[0] & 4 for packet in packets)  # RFC 6716 section 3.1: the s bit
    lost = choose_lost(len(packets), 0.2, 1)
    units = receive(packets, lost)
    reference = hear(receive(packets, ()), opus_decoder({}), fec=True)
    assert snr(reference, hear(units, opus_decoder({}), fec=True)) > 2 + snr(
        reference, hear(units, opus_decoder({}), fec=False)
    )


def test_nothing_is_made_up_before_the_first_packet(packets: list[EncodedFrame]) -> None:
    decoder = opus_decoder({})
    assert decoder.conceal(0.0, 0.02, silence=False) == []
    decoder.decode(packets[50])
    assert len(decoder.conceal(0.02, 0.02, silence=False)) == 1
    decoder.close()


@pytest.mark.parametrize("samples", [1, 119, 120, 960, 1001, 5760, 5761, 20_000])
def test_as_much_is_made_up_as_is_missing(packets: list[EncodedFrame], samples: int) -> None:
    decoder = opus_decoder({})
    decoder.decode(packets[50])
    (frame,) = decoder.conceal(1.0, samples / RATE, silence=False)
    assert (frame.samples, frame.pts) == (samples, 1_000_000)
    decoder.close()


def test_what_is_lost_longer_than_a_second_is_silence_at_its_end() -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, RATE)
    decoder = opus_decoder({})
    for packet in encode(frames_of(noise)):
        decoder.decode(packet)
    made_up = samples_of(decoder.conceal(0.0, 3.0, silence=False))
    assert np.abs(made_up[MAX_CONCEALED - FRAME : MAX_CONCEALED]).max() > 0
    assert not made_up[MAX_CONCEALED:].any()
    decoder.close()


# -- pauses


def after_noise(*more: bytes) -> OpusDecoder:
    """A decoder that has heard the noise of a room, then some packets."""
    noise = np.random.default_rng(1).normal(0, 0.01, RATE)
    decoder = opus_decoder({})
    for packet in (*encode(frames_of(noise), 16_000), *(EncodedFrame(data, 0.0) for data in more)):
        assert decoder.decode(packet)
    return decoder


def level(frames: list[av.AudioFrame]) -> float:
    return float(np.sqrt((samples_of(frames) ** 2).mean()))


@pytest.mark.parametrize("duration", [0.38, 0.8])
def test_while_nobody_speaks_the_noise_of_the_room_goes_on(duration: float) -> None:
    """RFC 7587 section 3.1.3: what is not transmitted is made by the decoder's concealment."""
    decoder = after_noise(DTX, DTX)
    assert level(decoder.conceal(0.0, duration, silence=True)) > 0.001
    decoder.close()


def test_a_rest_that_no_packet_told_is_one_as_long_as_it_is_short_enough() -> None:
    decoder = after_noise()
    assert level(decoder.conceal(0.0, DTX_INTERVAL / RATE, silence=True)) > 0.001
    assert level(decoder.conceal(1.0, DTX_INTERVAL / RATE + 0.02, silence=True)) == 0
    decoder.close()


# -- malformed ones


@given(st.binary(max_size=80), st.booleans())
def test_no_bytes_make_it_raise(data: bytes, recover: bool) -> None:
    decoder = opus_decoder({})
    frames = decoder.recover(0.0, 0.02, data) if recover else decoder.decode(EncodedFrame(data, 0.0))
    assert len(frames) <= 1
    assert len(decoder.conceal(0.0, 0.02, silence=False)) == len(frames)
    decoder.close()


@given(st.integers(0, 1 << 30))
def test_packets_that_are_damaged_do_not_end_it(seed: int) -> None:
    chance = random.Random(seed)
    decoder = opus_decoder({})
    for packet in _SHORT:
        data = bytearray(packet.data)
        for _ in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        decoder.decode(EncodedFrame(bytes(data[: chance.randrange(len(data) + 1)]), 0.0))
        decoder.recover(0.0, chance.choice((0.0, 0.0025, 0.003, 0.02, 0.06, 0.2)), bytes(data))
    assert len(decoder.decode(_SHORT[0])) == 1
    decoder.close()


_SHORT = encode(frames_of(speech(0.4)))


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\xff", b"\xfb\x3f" + bytes(40)])
def test_what_is_no_packet_gives_nothing(data: bytes) -> None:
    decoder = opus_decoder({})
    assert decoder.decode(EncodedFrame(data, 0.0)) == []
    assert decoder.recover(0.0, 0.02, data) == []
    decoder.close()


# -- the memory of the library


def test_the_state_is_freed_once_when_the_decoder_is_closed() -> None:
    made, called = counted()
    decoder = OpusDecoder(made)
    decoder.close()
    decoder.close()
    assert called == {"create": 1, "destroy": 1}


def test_the_state_is_freed_with_a_decoder_that_nobody_closed() -> None:
    made, called = counted()
    decoder: OpusDecoder | None = OpusDecoder(made)
    assert decoder is not None
    del decoder
    gc.collect()
    assert called == {"create": 1, "destroy": 1}


def test_a_closed_decoder_decodes_nothing(packets: list[EncodedFrame]) -> None:
    decoder = opus_decoder({})
    decoder.close()
    assert decoder.decode(packets[0]) == []
    assert decoder.recover(0.0, 0.02, packets[0].data) == []


def test_a_library_that_makes_no_decoder_is_an_error() -> None:
    made, called = counted()
    made.create = lambda *_: None
    with pytest.raises(PeerixError, match="makes no decoder"):
        OpusState(made)
    assert called["destroy"] == 0


# -- which decoder it is


@contextmanager
def taken_out(mime_type: str, factory: Callable[[dict[str, str]], Any]) -> Iterator[None]:
    """Have a decoder out of the registry for a while."""
    unregister_decoder(mime_type, factory)
    try:
        yield
    finally:
        register_decoder(mime_type, factory)


def test_it_is_preferred_and_ffmpegs_is_what_is_left_without_it() -> None:
    preferred = find_decoder("audio/opus")
    assert preferred is opus_decoder
    with taken_out("audio/opus", preferred):
        decoder = find_decoder("audio/opus")({})
        assert not hasattr(decoder, "recover")
        assert decoder.decode(_SHORT[0])
        decoder.close()
    assert find_decoder("audio/opus") is preferred


@pytest.mark.parametrize("found", [[], ["/nowhere/libopus.so.0"]])
def test_where_there_is_no_library_there_is_no_such_decoder(monkeypatch: pytest.MonkeyPatch, found: list[str]) -> None:
    monkeypatch.setattr(libopus, "library_paths", lambda: iter(found))
    load_libopus.cache_clear()
    try:
        assert load_libopus() is None
        with pytest.raises(PeerixError, match="no libopus"):
            opus_decoder({})
    finally:
        load_libopus.cache_clear()


def test_without_a_library_ffmpegs_decoder_is_the_only_one() -> None:
    code = """if True:
        import ctypes

        class WithoutOpus(ctypes.CDLL):
            def __init__(self, name, *arguments, **options):
                if name and "opus" in str(name):
                    raise OSError(name)
                super().__init__(name, *arguments, **options)

        ctypes.CDLL = WithoutOpus
        from peerix.media.codecs import find_decoder
        print(type(find_decoder("audio/opus")({})).__name__)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout == "FfmpegAudioDecoder\n"


def test_a_library_without_its_functions_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    real = next(libopus.library_paths())
    other = next(str(path) for path in Path(real).parent.glob("libwebp-*"))
    monkeypatch.setattr(libopus, "library_paths", lambda: iter([other, real]))
    load_libopus.cache_clear()
    try:
        assert load_libopus() is not None
    finally:
        load_libopus.cache_clear()
