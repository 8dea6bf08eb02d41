"""Frames of real encoders through the payload formats, and decoded behind them."""

from __future__ import annotations

from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest

from peerix.core.rtp.payload import (
    AUDIO_DURATIONS,
    KEY_FRAME_TESTS,
    VIDEO_DEPACKETIZERS,
    VIDEO_PACKETIZERS,
    opus_has_fec,
    vp8_size,
)
from peerix.media.codecs.scheduling import usual_scheduling

av = import_module("av")  # whose types know no codec's own methods

ENCODERS = {
    "VP8": ("libvpx", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "VP9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "H264": ("libx264", {"preset": "ultrafast", "tune": "zerolatency"}),
    "AV1": ("libsvtav1", {"preset": "12", "svtav1-params": "pred-struct=1:rc=2:rtc=1"}),
}


def encode(codec: str, count: int) -> list[bytes]:
    name, options = ENCODERS[codec]
    encoder = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = 320, 192, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 30), 30
    encoder.bit_rate = 2_000_000
    encoder.options = options
    with usual_scheduling():
        encoder.open()
    noise = np.random.default_rng(1)
    frames: list[bytes] = []
    for number in range(count):
        picture = noise.integers(0, 255, (192, 320, 3), dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts = number
        frames += [bytes(packet) for packet in encoder.encode(frame)]
    return [*frames, *(bytes(packet) for packet in encoder.encode(None))]


@pytest.mark.parametrize("codec", ENCODERS)
def test_encoded_pictures_come_through_and_can_be_decoded(codec: str) -> None:
    frames = encode(codec, 4)
    assert [KEY_FRAME_TESTS[codec](frame) for frame in frames] == [True, False, False, False]
    packetizer, depacketizer = VIDEO_PACKETIZERS[codec](), VIDEO_DEPACKETIZERS[codec]()
    decoder = av.CodecContext.create({"AV1": "libdav1d"}.get(codec, codec.lower()), "r")
    decoder.thread_type = "SLICE"
    decoder.thread_count = 1
    sizes: list[tuple[int, int]] = []
    packets = 0
    for number, frame in enumerate(frames):
        payloads = packetizer.packetize(frame, 300)
        packets += len(payloads)
        assembled = depacketizer.assemble(payloads)
        assert assembled is not None
        assert assembled.key_frame is (number == 0)
        assert depacketizer.starts_key_frame(payloads[0]) is (number == 0)
        if codec in ("VP8", "VP9"):
            assert assembled.data == frame
        sizes += [(picture.width, picture.height) for picture in decoder.decode(av.Packet(assembled.data))]
    sizes += [(picture.width, picture.height) for picture in decoder.decode(None)]
    assert sizes == [(320, 192)] * 4
    assert packets > 20
    if codec == "VP8":
        assert vp8_size(frames[0]) == (320, 192)


@pytest.mark.parametrize(("loss", "fec"), [("0", False), ("20", True)])
def test_opus_packets_tell_their_duration_and_whether_they_repeat(loss: str, fec: bool) -> None:
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "s16"
    encoder.bit_rate = 24_000
    encoder.options = {"fec": "1" if fec else "0", "packet_loss": loss, "application": "voip", "frame_duration": "20"}
    noise = np.random.default_rng(1)
    found: list[bool] = []
    for number in range(25):
        # A tone that comes and goes: speech enough for the encoder to use SILK.
        ticks = np.arange(number * 960, number * 960 + 960)
        tone = np.sin(ticks * 0.03) * (np.sin(ticks * 0.0005) > 0) * 9000
        samples = (tone + noise.normal(0, 100, 960)).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, number * 960
        for packet in encoder.encode(frame):
            assert AUDIO_DURATIONS["OPUS"](bytes(packet)) == 960
            found.append(opus_has_fec(bytes(packet)))
    assert any(found) is fec
