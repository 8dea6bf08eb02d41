"""The parser: total, bounded, and the inverse of the writer."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.sdp import (
    MAX_MEDIA_SECTIONS,
    MAX_SDP_LENGTH,
    Attribute,
    Attributes,
    Description,
    Line,
    MediaSection,
    Origin,
    SdpError,
    parse,
    write,
)

HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"

printable = st.text(st.characters(exclude_characters="\r\n\x00", exclude_categories=["Cs"]))
token = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":/"), min_size=1)
unknown = st.builds(Attribute, token.map(lambda name: "x-" + name), st.none() | printable)
known = st.builds(
    Attribute,
    st.sampled_from(["candidate", "end-of-candidates", "sendrecv", "rtcp-mux", "ice-options", "tls-id"]),
    st.none() | printable,
)
attributes = st.lists(unknown | known, max_size=5).map(Attributes)
sections = st.builds(
    MediaSection,
    kind=token,
    port=st.integers(0, 65535),
    protocol=token,
    formats=st.lists(token, min_size=1, max_size=4).map(tuple),
    port_count=st.none() | st.integers(0, 65535),
    lines=st.lists(st.builds(Line, st.sampled_from("icbk"), printable), max_size=2).map(tuple),
    attributes=attributes,
)
descriptions = st.builds(
    Description,
    origin=st.builds(Origin, token, st.integers(0, 2**63), st.integers(0, 2**63), token, token, token),
    name=printable,
    lines=st.lists(st.builds(Line, st.sampled_from("iuepcbtrzk"), printable), max_size=3).map(tuple),
    attributes=attributes,
    media=st.lists(sections, max_size=3).map(tuple),
)


@given(descriptions)
def test_what_is_written_is_read_as_the_same(description: Description) -> None:
    assert parse(write(description)) == description


@given(st.text() | st.text().map(lambda text: HEAD + text))
def test_any_text_is_a_description_or_an_error_of_ours(text: str) -> None:
    with contextlib.suppress(SdpError):
        parse(text)


lines = st.sampled_from(
    ["a=mid:", "a=group:BUNDLE", "m=audio 9 RTP/AVP 0", "m=audio -1 RTP/AVP 0", "a=ssrc:1", "a=fmtp:96 x", "c=", "x=1"]
)


@given(st.lists(lines))
def test_any_lines_are_a_description_or_an_error_with_its_line(chosen: list[str]) -> None:
    try:
        parse(HEAD + "\r\n".join(chosen))
    except SdpError as error:
        assert error.line is not None  # noqa: PT017 - the description may also be a good one


def test_bare_line_feeds_are_taken_for_line_ends() -> None:
    assert parse(HEAD.replace("\r\n", "\n")) == parse(HEAD)


def test_the_last_line_may_lack_its_end() -> None:
    assert parse(HEAD.removesuffix("\r\n")) == parse(HEAD)


def test_an_error_names_its_line() -> None:
    with pytest.raises(SdpError, match="line 6: bad fingerprint") as caught:
        parse(HEAD + "a=x\r\na=fingerprint:sha-256\r\n")
    assert caught.value.line == 6


def test_a_password_is_not_repeated_in_the_error() -> None:
    with pytest.raises(SdpError) as caught:
        parse(HEAD + "a=ice-pwd:secret\r\n")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=1\r\n",
        "o=- 1 2 IN IP4 127.0.0.1\r\n",
        "v=0\r\ns=-\r\n",
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n",
        "v=0\r\nv=0\r\n",
        HEAD + "\r\n",
        HEAD + "a=\r\n",
        HEAD + "a=:x\r\n",
        HEAD + "a =x\r\n",
        HEAD + "v=0\r\n",
        HEAD + "q=0\r\n",
        HEAD + "m=audio 9 RTP/AVP\r\n",
        HEAD + "m=audio 65536 RTP/AVP 0\r\n",
        HEAD + "m=audio 9 RTP/AVP 0\r\nt=0 0\r\n",
        HEAD + "a=mid:a b\r\n",
        HEAD + "a=mid\r\n",
        HEAD + "a=x:a\rb\r\n",
        HEAD + "a=x:\x00\r\n",
        HEAD + "a=ice-ufrag:abc\r\n",
        HEAD + "a=ice-pwd:tooshort\r\n",
        HEAD + "a=setup:both\r\n",
        HEAD + "a=sctp-port:65536\r\n",
        HEAD + "a=max-message-size:-1\r\n",
    ],
)
def test_a_malformed_description_is_refused(text: str) -> None:
    with pytest.raises(SdpError):
        parse(text)


def test_a_description_beyond_the_limit_is_refused() -> None:
    with pytest.raises(SdpError, match="characters"):
        parse(HEAD + "a=" + "x" * MAX_SDP_LENGTH)


def test_more_sections_than_the_limit_are_refused() -> None:
    section = "m=audio 0 RTP/AVP 0\r\n"
    assert len(parse(HEAD + section * MAX_MEDIA_SECTIONS).media) == MAX_MEDIA_SECTIONS
    with pytest.raises(SdpError, match="sections"):
        parse(HEAD + section * (MAX_MEDIA_SECTIONS + 1))


def test_lines_between_attributes_are_kept() -> None:
    description = parse(HEAD + "m=audio 9 RTP/AVP 0\r\na=x\r\nb=AS:64\r\na=y\r\n")
    assert description.media[0].lines == (Line("b", "AS:64"),)
    assert [attribute.name for attribute in description.media[0].attributes] == ["x", "y"]


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\rb", "a\x00b"])
def test_a_value_that_would_be_two_lines_is_not_written(value: str) -> None:
    description = parse(HEAD)
    with pytest.raises(SdpError):
        write(Description(description.origin, attributes=Attributes((Attribute("x", value),))))
