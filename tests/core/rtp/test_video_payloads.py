"""Video frames into payloads and back, whole and damaged."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.errors import LocalProtocolError
from peerix.core.rtp.payload import (
    KEY_FRAME_TESTS,
    VIDEO_DEPACKETIZERS,
    VIDEO_PACKETIZERS,
    Av1Depacketizer,
    Av1Packetizer,
    H264Depacketizer,
    H264Packetizer,
    Vp8Depacketizer,
    Vp8Packetizer,
    Vp9Depacketizer,
    Vp9Packetizer,
    is_h264_key_frame,
    is_vp9_key_frame,
    vp8_size,
)

EACH_CODEC = pytest.mark.parametrize("codec", VIDEO_PACKETIZERS)


def leb128(value: int) -> bytes:
    return bytes((value,)) if value < 128 else bytes((value & 0x7F | 0x80, value >> 7))


def frame_of(codec: str, size: int, *, key: bool, seed: int = 1) -> bytes:
    """Make bytes that look like a frame of the codec from the outside."""
    body = random.Random(seed).randbytes(size).replace(b"\0", b"\1")
    match codec:
        case "VP8":
            return bytes((0x10 | (not key),)) + b"\0\0\x9d\x01\x2a\x00\x05\xd0\x02" + body
        case "VP9":
            return bytes((0x82 if key else 0x86,)) + body
        case "H264":
            slices = b"\0\0\0\1" + bytes((0x65 if key else 0x41, 0x9A)) + body
            return b"\0\0\0\1\x67\x42\xc0\x1f\0\0\0\1\x68\xce\x3c\x80" * key + slices
        case _:
            obus = [b"\x0a\x03\x01\x02\x03"] if key else []
            return b"".join((*obus, b"\x32", leb128(size) if size < 1 << 14 else b"\x80\x80\x01", body[:size]))


@EACH_CODEC
@given(st.integers(1, 16_000), st.integers(60, 1200), st.booleans(), st.integers(0, 1000))
def test_a_frame_comes_back(codec: str, size: int, limit: int, key: bool, seed: int) -> None:
    frame = frame_of(codec, size, key=key, seed=seed)
    assert KEY_FRAME_TESTS[codec](frame) is key
    payloads = VIDEO_PACKETIZERS[codec]().packetize(frame, limit)
    assert max(map(len, payloads)) <= limit
    depacketizer = VIDEO_DEPACKETIZERS[codec]()
    assembled = depacketizer.assemble(payloads)
    assert assembled is not None
    assert (assembled.data, assembled.key_frame) == (frame, key)
    assert depacketizer.starts_key_frame(payloads[0]) is key


@EACH_CODEC
@given(st.lists(st.binary(max_size=30), max_size=4))
def test_no_bytes_make_a_depacketizer_raise(codec: str, payloads: list[bytes]) -> None:
    depacketizer = VIDEO_DEPACKETIZERS[codec]()
    depacketizer.assemble(payloads)
    for payload in payloads:
        depacketizer.starts_key_frame(payload)


@EACH_CODEC
@given(st.integers(0, 1 << 30))
def test_cut_lost_and_reordered_payloads_never_raise(codec: str, seed: int) -> None:
    chance = random.Random(seed)
    payloads = VIDEO_PACKETIZERS[codec]().packetize(frame_of(codec, 3000, key=chance.random() < 0.5), 400)
    depacketizer = VIDEO_DEPACKETIZERS[codec]()
    chance.shuffle(payloads)
    depacketizer.assemble(payloads)
    del payloads[chance.randrange(len(payloads))]
    depacketizer.assemble(payloads)
    cut = [payload[: chance.randrange(len(payload) + 1)] for payload in payloads]
    depacketizer.assemble(cut)
    for payload in cut:
        depacketizer.starts_key_frame(payload)


@EACH_CODEC
def test_a_frame_without_its_first_payload_is_refused(codec: str) -> None:
    payloads = VIDEO_PACKETIZERS[codec]().packetize(frame_of(codec, 3000, key=False), 400)
    assert len(payloads) > 2
    assert VIDEO_DEPACKETIZERS[codec]().assemble(payloads[1:]) is None


@pytest.mark.parametrize("codec", ["H264", "AV1"])
def test_a_frame_without_its_last_payload_is_refused(codec: str) -> None:
    payloads = VIDEO_PACKETIZERS[codec]().packetize(frame_of(codec, 3000, key=False), 400)
    assert VIDEO_DEPACKETIZERS[codec]().assemble(payloads[:-1]) is None


@EACH_CODEC
def test_only_the_first_payload_starts_a_key_frame(codec: str) -> None:
    payloads = VIDEO_PACKETIZERS[codec]().packetize(frame_of(codec, 3000, key=True), 400)
    starts = [VIDEO_DEPACKETIZERS[codec]().starts_key_frame(payload) for payload in payloads]
    # The first slice of an H.264 key frame might stand alone, without parameter sets before it.
    assert starts[0]
    assert not any(starts[2 if codec == "H264" else 1 :])


@EACH_CODEC
def test_what_is_no_frame_is_the_callers_fault(codec: str) -> None:
    with pytest.raises(LocalProtocolError):
        VIDEO_PACKETIZERS[codec]().packetize(b"", 1200)


@EACH_CODEC
@pytest.mark.parametrize("size", [10_000, 10_003, 9_997])
def test_payloads_of_a_large_frame_have_one_size_but_the_last(codec: str, size: int) -> None:
    sizes = [len(each) for each in VIDEO_PACKETIZERS[codec]().packetize(frame_of(codec, size, key=False), 1200)]
    if codec != "AV1":
        assert len(set(sizes[:-1])) == 1
        assert 0 <= sizes[0] - sizes[-1] < len(sizes)
    assert len(sizes) == 9


def test_the_size_of_a_vp8_key_frame_is_read() -> None:
    assert vp8_size(frame_of("VP8", 5, key=True)) == (1280, 720)
    assert vp8_size(frame_of("VP8", 5, key=False)) is None
    assert vp8_size(b"") is None


def test_vp8_picture_ids_count_and_wrap() -> None:
    packetizer = Vp8Packetizer(0x7FFF)
    ids = [int.from_bytes(packetizer.packetize(b"\1x", 100)[0][2:4], "big") for _ in range(2)]
    assert ids == [0xFFFF, 0x8000]


@pytest.mark.parametrize(
    ("descriptor", "starts"),
    [
        ("10", True),
        ("00", False),
        ("11", False),  # the second partition
        ("90 80 05", True),  # a short picture id
        ("90 80 8005", True),
        ("90 f0 8005 07 21", True),  # everything
        ("90 40 07", True),
        ("90 30 21", True),
    ],
)
def test_vp8_descriptors_of_every_shape_are_read(descriptor: str, starts: bool) -> None:
    payload = bytes.fromhex(descriptor) + b"\x10data"
    assert Vp8Depacketizer().starts_key_frame(payload) is starts
    assembled = Vp8Depacketizer().assemble([payload])
    assert (assembled.data if assembled else None) == (b"\x10data" if starts else None)
    for end in range(len(bytes.fromhex(descriptor)) + 1):
        assert not Vp8Depacketizer().starts_key_frame(payload[:end])


@pytest.mark.parametrize(
    ("descriptor", "key"),
    [
        ("0c", True),
        ("8c 05", True),
        ("8c 8005", True),
        ("ac 8005 00 07", True),  # layer indices with TL0PICIDX
        ("bc 8005 00", True),  # layer indices in flexible mode
        ("ac 8005 02 07", False),  # the second spatial layer
        ("dc 8005 02", False),
        ("dc 8005 03 05 06", False),  # three references
        ("0e 18 0500 02d0 01 04 01", True),  # one layer, its size, a pattern of one picture
        ("0e 38 01400 0b4 0280 0168 02 04 01 08 01 01".replace(" ", ""), True),  # two layers, a pattern of two
    ],
)
def test_vp9_descriptors_of_every_shape_are_read(descriptor: str, key: bool) -> None:
    data = bytes.fromhex(descriptor)
    assembled = Vp9Depacketizer().assemble([data + b"\x82data"])
    assert assembled is not None
    assert assembled.data.endswith(b"\x82data")
    assert assembled.key_frame is key
    assert Vp9Depacketizer().starts_key_frame(data + b"\x82data") is key
    for end in range(len(data)):
        Vp9Depacketizer().starts_key_frame(data[:end])


def test_vp9_marks_begin_end_and_prediction() -> None:
    packetizer = Vp9Packetizer(0x7FFF)
    payloads = packetizer.packetize(frame_of("VP9", 900, key=True), 400)
    assert [payload[0] for payload in payloads] == [0x98, 0x90, 0x94]
    (payload,) = packetizer.packetize(frame_of("VP9", 9, key=False), 400)
    assert payload[:4] == bytes.fromhex("dc800002")


@pytest.mark.parametrize(("first", "key"), [(0x82, True), (0x86, False), (0x8A, False), (0xB0, True), (0xB2, False)])
def test_vp9_key_frames_are_told_by_their_header(first: int, key: bool) -> None:
    assert is_vp9_key_frame(bytes((first,))) is key


def test_h264_small_units_travel_together_and_large_ones_in_parts() -> None:
    payloads = H264Packetizer().packetize(frame_of("H264", 900, key=True), 500)
    assert [payload[0] & 0x1F for payload in payloads] == [24, 28, 28]
    assert payloads[1][:2] == bytes((0x7C, 0x85))
    assert payloads[2][:2] == bytes((0x7C, 0x45))


def test_h264_mode_0_sends_single_units_and_cuts_none() -> None:
    frame = frame_of("H264", 400, key=True)
    payloads = H264Packetizer(mode=0).packetize(frame, 500)
    assert [payload[0] & 0x1F for payload in payloads] == [7, 8, 5]
    assembled = H264Depacketizer().assemble(payloads)
    assert assembled is not None
    assert assembled.data == frame
    with pytest.raises(LocalProtocolError):
        H264Packetizer(mode=0).packetize(frame, 300)


def test_h264_delimiters_and_start_codes_of_three_bytes_are_understood() -> None:
    frame = b"\0\0\1\x09\xf0\0\0\1\x41\x9a\1\0\0\1\x41\x1a\2"
    assembled = H264Depacketizer().assemble(H264Packetizer().packetize(frame, 100))
    assert assembled is not None
    assert assembled.data == b"\0\0\0\1\x41\x9a\1\0\0\0\1\x41\x1a\2"
    assert not is_h264_key_frame(frame)


def test_h264_parameter_sets_of_the_description_come_before_key_frames() -> None:
    depacketizer = H264Depacketizer((b"\x67sps", b"\x68pps"))
    assembled = depacketizer.assemble([b"\x65\x88idr"])
    assert assembled is not None
    assert assembled.data == b"\0\0\0\1\x67sps\0\0\0\1\x68pps\0\0\0\1\x65\x88idr"
    assembled = depacketizer.assemble([b"\x41\x9aslice"])
    assert assembled is not None
    assert assembled.data == b"\0\0\0\1\x41\x9aslice"


@pytest.mark.parametrize("payload", ["780000", "78000567", "7800", "5c81", "1f00", "00"])
def test_h264_payloads_that_make_no_sense_are_refused(payload: str) -> None:
    assert H264Depacketizer().assemble([bytes.fromhex(payload)]) is None


def test_av1_leaves_delimiters_out_and_sizes_away() -> None:
    unit = b"\x12\x00" + b"\x0a\x03abc" + b"\x32\x04defg" + b"\x7a\x01p"
    (payload,) = Av1Packetizer().packetize(unit, 100)
    assert payload == b"\x28" + b"\x04\x08abc" + b"\x30defg"
    assembled = Av1Depacketizer().assemble([payload])
    assert assembled is not None
    assert assembled.data == b"\x0a\x03abc" + b"\x32\x04defg"
    assert assembled.key_frame


def test_av1_more_than_three_elements_all_have_sizes() -> None:
    unit = b"".join(b"\x32\x01" + bytes((number,)) for number in range(5))
    (payload,) = Av1Packetizer().packetize(unit, 100)
    assert payload == b"\x00" + b"".join(b"\x02\x30" + bytes((number,)) for number in range(5))


def test_av1_an_obu_goes_over_several_payloads() -> None:
    payloads = Av1Packetizer().packetize(frame_of("AV1", 250, key=False), 100)
    assert [payload[0] for payload in payloads] == [0x50, 0xD0, 0x90]


def test_av1_obus_that_came_with_sizes_keep_theirs() -> None:
    assembled = Av1Depacketizer().assemble([b"\x10" + b"\x32\x04defg"])
    assert assembled is not None
    assert assembled.data == b"\x32\x04defg"


def test_av1_extension_headers_survive() -> None:
    unit = b"\x36\x08\x04defg"
    assembled = Av1Depacketizer().assemble(Av1Packetizer().packetize(unit, 100))
    assert assembled is not None
    assert assembled.data == unit
