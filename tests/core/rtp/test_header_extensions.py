"""Header extensions: their two forms and the values in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.header_extensions import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    COLOR_SPACE,
    MID,
    PLAYOUT_DELAY,
    REPAIRED_RID,
    RID,
    TRANSPORT_SEQUENCE,
    VIDEO_ORIENTATION,
    AudioLevel,
    ColorSpace,
    ExtensionMap,
    HeaderExtensions,
    PlayoutDelay,
    VideoOrientation,
    abs_send_time,
    read_elements,
    write_elements,
)
from peerix.core.rtp.packet import RtpPacket, read_packet
from peerix.core.rtp.packet_writer import PacketWriter

ALL = (
    MID,
    RID,
    REPAIRED_RID,
    ABS_SEND_TIME,
    TRANSPORT_SEQUENCE,
    AUDIO_LEVEL,
    VIDEO_ORIENTATION,
    PLAYOUT_DELAY,
    COLOR_SPACE,
)
NAMES = st.text("abcdefgh0123456789", min_size=1, max_size=16)

VALUES = st.builds(
    HeaderExtensions,
    st.none() | NAMES,
    st.none() | NAMES,
    st.none() | NAMES,
    st.none() | st.integers(0, 0xFFFFFF),
    st.none() | st.integers(0, 0xFFFF),
    st.none() | st.builds(AudioLevel, st.integers(0, 127), st.booleans()),
    st.none() | st.builds(VideoOrientation, st.sampled_from((0, 90, 180, 270)), st.booleans(), st.booleans()),
    st.none() | st.just(PlayoutDelay(0.05, 0.4)),
    st.none() | st.builds(ColorSpace, *[st.integers(0, 255)] * 3, st.booleans()),
)


def packet_with(profile: int | None, data: bytes) -> RtpPacket:
    return RtpPacket(96, False, 1, 2, 3, b"", (), profile, data)


@given(st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=255)), max_size=6, unique_by=lambda e: e[0]))
def test_elements_are_read_back(elements: list[tuple[int, bytes]]) -> None:
    profile, data = write_elements(elements)
    assert len(data) % 4 == 0
    assert read_elements(profile, data) == dict(elements)


@given(st.sampled_from((None, 0xBEDE, 0x1000, 0x100F, 7)), st.binary(max_size=64))
def test_no_bytes_make_the_reader_raise(profile: int | None, data: bytes) -> None:
    extensions = ExtensionMap(enumerate(ALL, 1))
    extensions.read(packet_with(profile, data))


def test_small_elements_take_the_one_byte_form() -> None:
    assert write_elements([(1, b"0"), (3, b"\0\x07")]) == (0xBEDE, bytes.fromhex("1030310007000000"))


def test_an_id_above_14_takes_the_two_byte_form() -> None:
    assert write_elements([(15, b"0")]) == (0x1000, bytes.fromhex("0f013000"))


def test_id_15_ends_the_one_byte_form() -> None:
    assert read_elements(0xBEDE, bytes.fromhex("1030 f031 2032 0000")) == {1: b"0"}


def test_an_element_cut_short_loses_only_itself() -> None:
    assert read_elements(0xBEDE, bytes.fromhex("10302f31")) == {1: b"0"}


def test_a_name_that_is_no_text_is_as_if_absent() -> None:
    extensions = ExtensionMap([(1, MID), (2, RID)])
    read = extensions.read(packet_with(0xBEDE, bytes.fromhex("10ff2031")))
    assert read == HeaderExtensions(rid="1")


@pytest.mark.parametrize("first", [1, 40])
@given(values=VALUES)
def test_values_are_read_back(first: int, values: HeaderExtensions) -> None:
    extensions = ExtensionMap(enumerate(ALL, first))
    assert extensions.read(packet_with(*extensions.write(values))) == values


@pytest.mark.parametrize("rest", ["", "00" * 24])
def test_colours_are_read_with_and_without_the_brightness_of_hdr(rest: str) -> None:
    extensions = ExtensionMap([(20, COLOR_SPACE)])
    data = bytes.fromhex("01010120" + rest)
    read = extensions.read(packet_with(0x1000, bytes((20, len(data))) + data))
    assert read.color_space == ColorSpace(1, 1, 1, is_full_range=True)


def test_what_was_not_negotiated_is_not_written() -> None:
    extensions = ExtensionMap([(5, MID), (300, RID), (0, AUDIO_LEVEL), (7, "urn:unknown")])
    assert extensions.write(HeaderExtensions(mid="0", rid="h", audio_level=AudioLevel(3))) == (0xBEDE, b"\x500\0\0")


def test_abs_send_time_wraps_after_64_seconds() -> None:
    assert abs_send_time(1.5) == 0x060000
    assert abs_send_time(65.5) == abs_send_time(1.5)


@given(
    st.sampled_from(((), (ABS_SEND_TIME,), (TRANSPORT_SEQUENCE,), (ABS_SEND_TIME, TRANSPORT_SEQUENCE))),
    st.sampled_from((1, 8, 20)),
    st.none() | NAMES,
    st.binary(max_size=30),
    st.integers(0, 255),
    st.booleans(),
)
def test_the_fast_writer_writes_the_same_values(
    changing: tuple[str, ...], first: int, mid: str | None, payload: bytes, padding: int, marked: bool
) -> None:
    extensions = ExtensionMap(enumerate((MID, *changing, VIDEO_ORIENTATION), first))
    writer = PacketWriter(0xFEED, extensions, HeaderExtensions(mid=mid))
    marks = HeaderExtensions(orientation=VideoOrientation(90)) if marked else None
    data = writer.write(111, True, 65535, 1 << 31, payload, 513, 0xABCDEF, padding, marks)
    assert len(data) <= writer.overhead + len(payload) + padding
    assert len(data) == writer.overhead + len(payload) + padding or not marked
    packet = read_packet(data)
    assert packet is not None
    assert (packet.payload_type, packet.marker, packet.sequence_number, packet.timestamp, packet.ssrc) == (
        111,
        True,
        65535,
        1 << 31,
        0xFEED,
    )
    assert (packet.payload, packet.padding) == (payload, padding)
    assert extensions.read(packet) == HeaderExtensions(
        mid=mid,
        abs_send_time=0xABCDEF if ABS_SEND_TIME in changing else None,
        transport_sequence=513 if TRANSPORT_SEQUENCE in changing else None,
        orientation=VideoOrientation(90) if marked else None,
    )
