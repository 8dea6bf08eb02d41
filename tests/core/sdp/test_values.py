"""Typed values of attributes: what is read is written back, and what is wrong raises the one error."""

from __future__ import annotations

import contextlib
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.sdp import (
    Direction,
    Fingerprint,
    Fmtp,
    Group,
    HeaderExtension,
    Msid,
    Origin,
    Rid,
    RtcpFeedback,
    RtpMap,
    SctpMap,
    SdpError,
    Simulcast,
    SimulcastAlternative,
    Ssrc,
    SsrcGroup,
    direction_of,
)


class Value(Protocol):
    def to_sdp(self) -> str: ...


class ValueClass(Protocol):
    def parse(self, text: str) -> Value: ...


CLASSES: list[ValueClass] = [
    Fingerprint,
    Fmtp,
    Group,
    HeaderExtension,
    Msid,
    Origin,
    Rid,
    RtcpFeedback,
    RtpMap,
    SctpMap,
    Simulcast,
    Ssrc,
    SsrcGroup,
]

word = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/:,;~*="), min_size=1)
line = st.lists(word, min_size=1, max_size=3).map(" ".join)
number = st.integers(0, 127)
ssrc = st.integers(0, 2**32 - 1)
streams = st.lists(
    st.lists(st.builds(SimulcastAlternative, word, st.booleans()), min_size=1, max_size=3).map(tuple),
    min_size=1,
    max_size=3,
).map(tuple)

VALUES: st.SearchStrategy[Value] = st.one_of(
    st.builds(Origin, word, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), word, word, word),
    st.builds(Group, word, st.lists(word).map(tuple)),
    st.builds(
        Fingerprint,
        st.sampled_from(["sha-1", "sha-256", "sha-512"]),
        st.binary(min_size=2, max_size=64).map(lambda digest: digest.hex(":").upper()),
    ),
    st.builds(Msid, word, st.none() | word),
    st.builds(SctpMap, st.integers(0, 65535), word, st.none() | st.integers(0, 2**64 - 1)),
    st.builds(RtpMap, number, word, st.integers(0, 2**32 - 1), st.none() | st.integers(0, 255)),
    st.builds(Fmtp, number, line),
    st.builds(RtcpFeedback, st.none() | number, word, st.just("") | line),
    st.builds(HeaderExtension, st.integers(0, 4351), word, st.none() | st.sampled_from(Direction), st.just("") | line),
    st.builds(Ssrc, ssrc, word, st.none() | line),
    st.builds(SsrcGroup, word, st.lists(ssrc).map(tuple)),
    st.builds(Rid, word, st.sampled_from(["send", "recv"]), st.just("") | line),
    st.builds(Simulcast, streams, st.just(()) | streams),
    st.builds(Simulcast, st.just(()), streams),
)


@given(VALUES)
def test_what_is_written_is_read_as_the_same(value: Value) -> None:
    cls: ValueClass = type(value)  # type: ignore[assignment]
    assert cls.parse(value.to_sdp()) == value


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@given(text=st.text() | line)
def test_any_text_is_a_value_or_an_error_of_ours(cls: ValueClass, text: str) -> None:
    with contextlib.suppress(SdpError):
        cls.parse(text)


BAD: list[tuple[ValueClass, str]] = [
    (Origin, "- 1 2 IN IP4"),
    (Origin, "- one 2 IN IP4 127.0.0.1"),
    (Origin, "- 1 18446744073709551616 IN IP4 127.0.0.1"),
    (Fingerprint, "sha-256"),
    (Fingerprint, "sha-256 AA:BB:C"),
    (Fingerprint, "sha-256 AA:BB CC"),
    (Msid, "a b c"),
    (SctpMap, "70000 webrtc-datachannel"),
    (RtpMap, "96"),
    (RtpMap, "128 VP8/90000"),
    (RtpMap, "96 VP8"),
    (RtpMap, "96 VP8/90000/2/3"),
    (RtpMap, "96 VP8/²"),
    (Fmtp, "96"),
    (RtcpFeedback, "96"),
    (HeaderExtension, "1"),
    (HeaderExtension, "1/up urn:x"),
    (HeaderExtension, "4352 urn:x"),
    (Ssrc, "4294967296 cname:x"),
    (Ssrc, "1"),
    (SsrcGroup, "FID one"),
    (Rid, "a both"),
    (Simulcast, "send"),
    (Simulcast, "send a send b"),
    (Simulcast, "send a;;b"),
    (Simulcast, "both a"),
]


@pytest.mark.parametrize(("cls", "text"), BAD)
def test_a_malformed_value_is_refused(cls: ValueClass, text: str) -> None:
    with pytest.raises(SdpError):
        cls.parse(text)


def test_a_fingerprint_is_read_in_one_spelling() -> None:
    assert Fingerprint.parse("SHA-256 ab:cd") == Fingerprint("sha-256", "AB:CD")


def test_codec_parameters_are_read_as_names_and_values() -> None:
    fmtp = Fmtp.parse("102 Packetization-Mode=1; profile-level-id=42e01f;usedtx")
    assert fmtp.as_dict() == {"packetization-mode": "1", "profile-level-id": "42e01f", "usedtx": ""}


def test_parameters_without_names_stay_text() -> None:
    assert Fmtp.parse("101 0-15").parameters == "0-15"


@pytest.mark.parametrize("direction", Direction)
def test_a_direction_turned_round_twice_is_itself(direction: Direction) -> None:
    assert direction.reversed.reversed is direction


@pytest.mark.parametrize("direction", Direction)
def test_a_direction_is_made_of_its_two_halves(direction: Direction) -> None:
    assert direction_of(sends=direction.sends, receives=direction.receives) is direction
