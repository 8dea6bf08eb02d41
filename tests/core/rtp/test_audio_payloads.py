"""Audio payloads: durations, redundancy, tones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.payload import (
    AUDIO_DURATIONS,
    RedBlock,
    RedEncoder,
    TelephoneEvent,
    opus_duration,
    opus_has_fec,
    opus_is_dtx,
    opus_repeated,
    read_red,
    read_telephone_event,
    write_red,
    write_telephone_event,
    write_tone,
)

BLOCKS = st.builds(RedBlock, st.integers(0, 127), st.integers(0, (1 << 14) - 1), st.binary(max_size=40))
PRIMARY = st.builds(RedBlock, st.integers(0, 127), st.just(0), st.binary(max_size=40))


@pytest.mark.parametrize(
    ("first", "milliseconds"),
    [("00", 10), ("08", 20), ("10", 40), ("18", 60), ("60", 10), ("68", 20), ("80", 2.5), ("f8", 20), ("f9", 40)],
)
def test_the_duration_of_an_opus_packet_is_read_from_its_first_byte(first: str, milliseconds: float) -> None:
    assert opus_duration(bytes.fromhex(first) + b"data") == milliseconds * 48


@pytest.mark.parametrize(
    ("payload", "samples"), [("fb03", 2880), ("fb00", None), ("fb", None), ("", None), ("1b07", None)]
)
def test_an_opus_packet_of_many_frames_says_how_many(payload: str, samples: int | None) -> None:
    assert opus_duration(bytes.fromhex(payload)) == samples


@pytest.mark.parametrize(
    ("payload", "fec"),
    [
        ("0840 01", True),  # 20 ms SILK: one activity flag, then the LBRR flag
        ("0880 01", False),
        ("1020 01", True),  # 40 ms: two activity flags
        ("1810 01", True),
        ("0c10 01", True),  # stereo: the flag of the side channel
        ("0810 01", False),  # the same bit in mono means nothing
        ("6840 01", True),  # hybrid
        ("f840 01", False),  # CELT has none
        ("0b81 40 01 02", True),  # one frame in a packet of many
        ("0840", False),
        ("0ac8", False),
    ],
)
def test_in_band_repetition_is_found(payload: str, fec: bool) -> None:
    assert opus_has_fec(bytes.fromhex(payload)) is fec


@pytest.mark.parametrize(
    ("payload", "milliseconds"),
    [
        ("0840 01", 20),
        ("1020 01", 40),  # SILK of 40 ms is one frame, which is repeated as a whole
        ("0b02 40 01 02", 20),  # two frames of 20 ms: the last one before them
        ("6940 01", 20),  # hybrid of 40 ms is two frames
        ("0880 01", 0),
        ("f840 01", 0),
    ],
)
def test_in_band_repetition_is_of_one_frame(payload: str, milliseconds: int) -> None:
    assert opus_repeated(bytes.fromhex(payload)) == milliseconds * 48


@given(st.binary(max_size=12))
def test_no_bytes_make_the_opus_readers_raise(payload: bytes) -> None:
    opus_duration(payload)
    opus_has_fec(payload)
    opus_repeated(payload)


def test_silence_is_told_by_its_size() -> None:
    assert opus_is_dtx(b"\xf8")
    assert not opus_is_dtx(b"")
    assert not opus_is_dtx(b"\xf8ab")


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "G722"])
def test_telephone_codecs_have_a_byte_for_each_tick(codec: str) -> None:
    assert AUDIO_DURATIONS[codec](bytes(160)) == 160
    assert AUDIO_DURATIONS[codec](b"") is None
    assert AUDIO_DURATIONS[codec](bytes(8000)) is None


@given(st.lists(BLOCKS, max_size=7), PRIMARY)
def test_redundant_blocks_are_read_back(repeated: list[RedBlock], primary: RedBlock) -> None:
    blocks = [*repeated, primary]
    assert read_red(write_red(blocks)) == blocks


@given(st.binary(max_size=60))
def test_no_bytes_make_the_red_reader_raise(payload: bytes) -> None:
    read_red(payload)


def test_a_red_payload_cut_short_is_refused() -> None:
    payload = write_red([RedBlock(111, 960, b"before"), RedBlock(111, 0, b"now")])
    assert read_red(payload[:8]) is None
    assert read_red(payload[:4]) is None


def test_a_red_payload_of_known_bytes_is_written() -> None:
    assert write_red([RedBlock(111, 960, b"ab"), RedBlock(111, 0, b"c")]).hex() == "ef0f0002" + "6f" + "616263"


def test_each_packet_repeats_the_ones_before_it() -> None:
    encoder = RedEncoder(111, distance=2)
    packets = [encoder.encode(bytes((number,)), number * 960, 100) for number in range(4)]
    assert read_red(packets[0]) == [RedBlock(111, 0, b"\0")]
    assert read_red(packets[3]) == [RedBlock(111, 1920, b"\1"), RedBlock(111, 960, b"\2"), RedBlock(111, 0, b"\3")]


def test_what_does_not_fit_is_not_repeated() -> None:
    encoder = RedEncoder(111, distance=2)
    for number in range(2):
        encoder.encode(bytes(50), number * 960, 1200)
    assert len(read_red(encoder.encode(bytes(50), 1920, 110)) or ()) == 2
    assert len(read_red(encoder.encode(bytes(50), 30_000, 1200)) or ()) == 1
    encoder.encode(bytes(1024), 30_960, 1200)
    assert len(read_red(encoder.encode(b"", 31_920, 5000)) or ()) == 1


@given(st.builds(TelephoneEvent, st.integers(0, 255), st.booleans(), st.integers(0, 63), st.integers(0, 65_535)))
def test_an_event_is_read_back(event: TelephoneEvent) -> None:
    assert read_telephone_event(write_telephone_event(event)) == event


def test_an_event_cut_short_is_refused() -> None:
    assert read_telephone_event(b"\1\2\3") is None


def test_a_tone_grows_and_ends_three_times() -> None:
    events = write_tone("#", 480, 160)
    assert [(event.digit, event.end, event.duration) for event in events] == [
        ("#", False, 160),
        ("#", False, 320),
        *[("#", True, 480)] * 3,
    ]


def test_an_event_that_is_no_digit_has_none() -> None:
    assert TelephoneEvent(32, end=False, volume=0, duration=1).digit is None
