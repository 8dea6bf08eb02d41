"""Descriptions and candidates as JSON."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.errors import IceCandidateError, NegotiationError
from peerix.core.sdp import IceCandidate, SessionDescription

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)
members = st.sampled_from(["type", "sdp", "candidate", "sdpMid", "sdpMLineIndex", "usernameFragment"])
almost = st.dictionaries(members, json_values | st.sampled_from(["offer", "answer"]))


@given(json_values | almost)
def test_any_json_is_a_description_or_an_error_of_ours(value: object) -> None:
    with contextlib.suppress(NegotiationError):
        SessionDescription.from_json(value)


@given(json_values | almost)
def test_any_json_is_a_candidate_or_an_error_of_ours(value: object) -> None:
    with contextlib.suppress(IceCandidateError):
        IceCandidate.from_json(value)


def test_a_description_comes_back_from_json() -> None:
    description = SessionDescription("offer", "v=0\r\n")
    assert description.to_json() == {"type": "offer", "sdp": "v=0\r\n"}
    assert SessionDescription.from_json(description.to_json()) == description


def test_a_rollback_needs_no_sdp() -> None:
    assert SessionDescription.from_json({"type": "rollback"}) == SessionDescription("rollback")


@pytest.mark.parametrize(
    "value", [None, [], "offer", {}, {"type": "hello", "sdp": ""}, {"type": "offer", "sdp": None}, {"type": ["offer"]}]
)
def test_what_is_no_description_is_refused(value: object) -> None:
    with pytest.raises(NegotiationError):
        SessionDescription.from_json(value)


def test_a_candidate_comes_back_from_json() -> None:
    candidate = IceCandidate("candidate:1 1 udp 1 192.0.2.1 9 typ host", "0", 0, "abcd")
    assert candidate.to_json() == {
        "candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host",
        "sdpMid": "0",
        "sdpMLineIndex": 0,
        "usernameFragment": "abcd",
    }
    assert IceCandidate.from_json(candidate.to_json()) == candidate


def test_an_empty_candidate_needs_no_section() -> None:
    assert IceCandidate.from_json({"candidate": ""}) == IceCandidate("")


def test_a_candidate_may_name_its_section_by_index_alone() -> None:
    assert IceCandidate.from_json({"candidate": "x", "sdpMLineIndex": 1}) == IceCandidate("x", None, 1)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "candidate:1",
        {"candidate": "x"},
        {"candidate": 1, "sdpMid": "0"},
        {"candidate": "x" * 5000, "sdpMid": "0"},
        {"candidate": "x", "sdpMid": 0},
        {"candidate": "x", "sdpMid": "0" * 300},
        {"candidate": "x", "sdpMLineIndex": "0"},
        {"candidate": "x", "sdpMLineIndex": True},
        {"candidate": "x", "sdpMLineIndex": -1},
        {"candidate": "x", "sdpMLineIndex": 65536},
        {"candidate": "x", "sdpMid": "0", "usernameFragment": 5},
    ],
)
def test_what_is_no_candidate_is_refused(value: object) -> None:
    with pytest.raises(IceCandidateError):
        IceCandidate.from_json(value)
