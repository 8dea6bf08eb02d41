"""Encoders and decoders: what comes out looks and sounds like what went in, at once and at the wanted bitrate."""

from __future__ import annotations

import os
import struct
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from peerix import PeerixError
from peerix.core.rtp.header_extensions import ColorSpace
from peerix.media.codecs import (
    EncoderSettings,
    decodable,
    encodable,
    find_decoder,
    find_encoder,
    register_encoder,
    unregister_encoder,
)
from peerix.rtc.encoded_frame import EncodedFrame
from tests.support.pictures import picture, pitch_of, psnr, samples_of, tone

VIDEO = ["video/VP8", "video/VP9", "video/H264", "video/AV1"]
AUDIO = ["audio/opus", "audio/G722", "audio/PCMU", "audio/PCMA"]
SETTINGS = EncoderSettings(bitrate=1_000_000, max_bitrate=3_000_000)


def encode(
    mime: str, count: int, *, key_frames: tuple[int, ...] = (), bitrates: dict[int, int] | None = None
) -> list[list[EncodedFrame]]:
    """The encoded pictures of each put in."""
    encoder = find_encoder(mime)(SETTINGS)
    encoded: list[list[EncodedFrame]] = []
    for number in range(count):
        if bitrates and number in bitrates:
            encoder.set_bitrate(bitrates[number])
        encoded.append(list(encoder.encode(picture(number), key_frame=number in key_frames)))
    encoder.close()
    return encoded


def decode(mime: str, encoded: list[EncodedFrame]) -> list[av.VideoFrame]:
    decoder = find_decoder(mime)({})
    frames = [frame for one in encoded for frame in decoder.decode(one)]
    decoder.close()
    return frames


def bitrate(encoded: list[list[EncodedFrame]], rate: int = 30) -> float:
    return sum(len(frame.data) for frames in encoded for frame in frames) * 8 * rate / len(encoded)


@pytest.mark.parametrize("mime", VIDEO)
def test_every_picture_comes_out_at_once_with_its_time(mime: str) -> None:
    encoded = encode(mime, 20)
    assert [len(frames) for frames in encoded] == [1] * 20
    decoder = find_decoder(mime)({})
    for number, (frame,) in enumerate(encoded):
        (shown,) = decoder.decode(frame)
        assert shown.time == pytest.approx(number / 30, abs=0.001)
        assert psnr(shown, picture(number)) > 30
    decoder.close()


@pytest.mark.parametrize("mime", VIDEO)
def test_a_key_frame_comes_when_it_is_asked_for_and_only_then(mime: str) -> None:
    encoded = encode(mime, 30, key_frames=(17,))
    assert [number for number, (frame,) in enumerate(encoded) if frame.key_frame] == [0, 17]
    assert psnr(decode(mime, [encoded[17][0]])[0], picture(17)) > 30


@pytest.mark.slow
@pytest.mark.parametrize("mime", VIDEO)
def test_another_bitrate_is_followed(mime: str) -> None:
    encoded = encode(mime, 150, bitrates={0: 2_000_000, 60: 150_000})
    before, after = bitrate(encoded[20:60]), bitrate(encoded[80:])
    assert after < min(before, 400_000)


def test_h264_follows_a_bitrate_without_a_key_frame() -> None:
    encoded = encode("video/H264", 90, bitrates={30: 200_000, 60: 900_000})
    assert [number for number, (frame,) in enumerate(encoded) if frame.key_frame] == [0]


@pytest.mark.parametrize("mime", VIDEO)
def test_a_picture_of_another_size_begins_anew(mime: str) -> None:
    encoder, decoder = find_encoder(mime)(SETTINGS), find_decoder(mime)({})
    shown: list[av.VideoFrame] = []
    for number in range(10):
        size = (640, 360) if number < 5 else (321, 241)
        for frame in encoder.encode(picture(number, *size)):
            shown += decoder.decode(frame)
    assert [(frame.width, frame.height) for frame in shown] == [(640, 360)] * 5 + [(320, 240)] * 5
    encoder.close()
    decoder.close()


@pytest.mark.parametrize("mime", VIDEO)
def test_the_frame_that_was_encoded_is_left_as_it_was(mime: str) -> None:
    encoder = find_encoder(mime)(SETTINGS)
    frame = picture(3)
    before = frame.pts, frame.time_base, frame.pict_type
    encoder.encode(frame, key_frame=True)
    assert (frame.pts, frame.time_base, frame.pict_type) == before
    encoder.close()


@pytest.mark.parametrize("mime", VIDEO + AUDIO)
def test_what_cannot_be_decoded_gives_nothing(mime: str) -> None:
    decoder = find_decoder(mime)({})
    if mime in VIDEO:
        assert not decoder.decode(EncodedFrame(b"\xff" * 40, 1.0))
    decoder.decode(EncodedFrame(b"", 1.0))
    decoder.close()


@pytest.mark.parametrize("mime", AUDIO)
@pytest.mark.parametrize("samples", [441, 882, 4410])
def test_sound_of_any_length_and_rate_keeps_its_pitch_and_level(mime: str, samples: int) -> None:
    encoder, decoder = find_encoder(mime)(SETTINGS), find_decoder(mime)({})
    heard: list[av.AudioFrame] = []
    for start in range(0, 44_100, samples):
        for frame in encoder.encode(tone(start, samples, rate=44_100)):
            heard += decoder.decode(frame)
    assert pitch_of(heard[5:]) == pytest.approx(440, abs=4)
    assert abs(samples_of(heard[5:])).max() == pytest.approx(0.25, rel=0.15)
    encoder.close()
    decoder.close()


@pytest.mark.parametrize("mime", AUDIO)
def test_packets_of_sound_are_20_ms_apart(mime: str) -> None:
    encoder = find_encoder(mime)(SETTINGS)
    times = [frame.time for n in range(50) for frame in encoder.encode(tone(48_000 + n * 1000, 1000))]
    assert times[0] == pytest.approx(1.0, abs=0.001)
    assert {round(later - earlier, 6) for earlier, later in pairwise(times)} == {0.02}
    encoder.close()


def test_a_gap_in_the_times_of_sound_is_one_in_the_packets() -> None:
    encoder = find_encoder("audio/opus")(SETTINGS)
    starts = [*range(0, 9600, 960), *range(48_000, 57_600, 960)]
    times = [frame.time for start in starts for frame in encoder.encode(tone(start, 960))]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) == pytest.approx(0.82, abs=0.021)
    encoder.close()


@pytest.mark.parametrize(("channels", "expected"), [("1", 1.0), (None, 0.5)])
def test_opus_is_in_stereo_only_when_it_was_agreed_on(channels: str | None, expected: float) -> None:
    parameters = {"stereo": channels} if channels else {}
    encoder = find_encoder("audio/opus")(EncoderSettings(96_000, 96_000, parameters=parameters))
    (frame,) = encoder.encode(tone(0, 960))[:1]
    is_stereo = bool(frame.data[0] & 4)  # RFC 6716 section 3.1: the s bit
    assert is_stereo == (expected == 1.0)
    encoder.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("mime", VIDEO)
def test_no_encoder_makes_the_process_one_of_real_time(mime: str) -> None:
    usual = os.sched_getscheduler(0)
    encoder = find_encoder(mime)(SETTINGS)
    encoder.encode(picture(0))
    threads = [int(entry.name) for entry in Path("/proc/self/task").iterdir()]
    assert {os.sched_getscheduler(thread) for thread in threads} == {usual}
    encoder.close()
    assert os.sched_getscheduler(0) == usual


@pytest.mark.parametrize(("level", "expected"), [(1.0, 3), (0.1, 23), (0.0, 127)])
def test_packets_of_sound_say_how_loud_they_are(level: float, expected: int) -> None:
    """RFC 6464: in dB below a square wave of full scale, than which a tone is 3 dB weaker."""
    encoder = find_encoder("audio/opus")(SETTINGS)
    encoded = [frame for start in range(0, 9600, 960) for frame in encoder.encode(tone(start, 960, level=level))]
    encoder.close()
    assert {frame.level for frame in encoded} == {expected}


def test_a_picture_says_how_its_file_wants_it_turned(tmp_path: Path) -> None:
    """As a telephone that was held upright records: the picture lies, and the file says by how much."""
    path = tmp_path / "lying.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = 160, 120
        container.mux(stream.encode(picture(0, 160, 120)))
        container.mux(stream.encode(None))
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44  # the matrix of a track (ISO 14496-12 section 8.3.2)
    content[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    encoder = find_encoder("video/VP8")(SETTINGS)
    with av.open(path) as container:
        frame = next(container.decode(video=0))
    (encoded,) = encoder.encode(frame)
    encoder.close()
    assert encoded.rotation == 90


def test_an_encoder_of_the_program_may_be_preferred() -> None:
    class Mine:
        def __init__(self, settings: EncoderSettings) -> None:
            self.settings = settings

        def encode(self, frame: av.VideoFrame, *, key_frame: bool = False) -> list[EncodedFrame]:
            return [EncodedFrame(b"mine", frame.time, key_frame)]

        def set_bitrate(self, bitrate: int) -> None:
            pass

        def close(self) -> None:
            pass

    built_in = find_encoder("video/VP8")
    register_encoder("video/vp8", Mine, preference=10)
    try:
        assert find_encoder("video/VP8") is Mine
    finally:
        unregister_encoder("video/VP8", Mine)
    assert find_encoder("video/VP8") is built_in


def test_an_unknown_type_names_the_known_ones() -> None:
    with pytest.raises(PeerixError, match=r"no encoder for video/H266.*video/vp8"):
        find_encoder("video/H266")


def test_all_that_is_encoded_can_be_decoded() -> None:
    assert sorted(encodable()) == sorted(decodable())


def test_what_the_sender_says_of_colours_is_said_of_the_pictures() -> None:
    """VP8 itself cannot say it."""
    red = av.VideoFrame.from_ndarray(np.full((120, 160, 3), (200, 40, 40), np.uint8), format="rgb24")
    wide = red.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.JPEG)
    wide.colorspace, wide.color_range = Colorspace.DEFAULT, ColorRange.UNSPECIFIED  # the encoder takes it as it is
    wide.pts, wide.time_base = 0, Fraction(1, 30)
    encoder = find_encoder("video/VP8")(SETTINGS)
    (encoded,) = encoder.encode(wide, key_frame=True)
    encoder.close()
    encoded.color_space = ColorSpace(1, 1, 1, is_full_range=True)
    (decoded,) = decode("video/VP8", [encoded])
    assert decoded.to_ndarray(format="rgb24").mean((0, 1)) == pytest.approx((200, 40, 40), abs=4)


@pytest.mark.parametrize("mime", VIDEO)
def test_pictures_of_another_colour_space_keep_their_colours(mime: str) -> None:
    """BT.709 in the full range, as screens are taken; VP8 has no room to say so."""
    color = (190, 70, 40)
    plain = av.VideoFrame.from_ndarray(np.full((240, 320, 3), color, np.uint8), format="rgb24")
    frame = plain.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.JPEG)
    frame.colorspace, frame.color_range = Colorspace.ITU709, ColorRange.JPEG
    frame.pts, frame.time_base = 0, Fraction(1, 90_000)
    encoder = find_encoder(mime)(SETTINGS)
    (shown,) = decode(mime, list(encoder.encode(frame)))
    encoder.close()
    assert shown.colorspace in (Colorspace.ITU601, Colorspace.SMPTE170M)
    assert shown.to_ndarray(format="rgb24").mean((0, 1)) == pytest.approx(np.array(color), abs=4)
