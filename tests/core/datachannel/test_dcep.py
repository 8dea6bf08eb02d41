"""DATA_CHANNEL_OPEN as RFC 8832 has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.datachannel.dcep import ChannelOpen, encode_text, read_open, write_open

texts = st.text(max_size=40)
limits = st.none() | st.integers(0, 0xFFFFFFFF)


@given(texts, texts, st.booleans(), limits, limits, st.integers(0, 0xFFFF))
def test_messages_come_back(
    label: str, protocol: str, ordered: bool, retransmits: int | None, life_time: int | None, priority: int
) -> None:
    message = ChannelOpen(label, protocol, ordered, retransmits, life_time if retransmits is None else None, priority)
    assert read_open(write_open(message)) == message


@given(st.binary(max_size=60))
def test_reading_never_raises(data: bytes) -> None:
    read_open(data)
    read_open(b"\x03" + data)


def test_lengths_count_bytes_and_not_characters() -> None:
    data = write_open(ChannelOpen("schön", "🎉"))
    assert data.hex() == "0300010000000000" + "0006" + "0004" + "schön🎉".encode().hex()


@pytest.mark.parametrize(
    ("properties", "head"),
    [
        (ChannelOpen(), "0300010000000000"),
        (ChannelOpen(ordered=False), "0380010000000000"),
        (ChannelOpen(max_retransmits=3), "0301010000000003"),
        (ChannelOpen(max_retransmits=3, ordered=False), "0381010000000003"),
        (ChannelOpen(max_packet_life_time=500), "03020100000001f4"),
        (ChannelOpen(max_packet_life_time=500, ordered=False, priority=512), "03820200000001f4"),
    ],
)
def test_channel_types_have_the_values_of_the_rfc(properties: ChannelOpen, head: str) -> None:
    assert write_open(properties)[:8].hex() == head


@pytest.mark.parametrize("length", range(12))
def test_a_message_that_ends_early_is_malformed(length: int) -> None:
    assert read_open(write_open(ChannelOpen("label"))[:length]) is None


def test_lengths_beyond_the_end_are_malformed() -> None:
    assert read_open(write_open(ChannelOpen("label", "protocol"))[:-1]) is None


def test_a_label_that_is_not_utf_8_is_malformed() -> None:
    assert read_open(write_open(ChannelOpen("a"))[:-1] + b"\xff") is None


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    assert encode_text("a\ud800b") == "a\ufffdb".encode()
