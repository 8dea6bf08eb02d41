"""Candidates that come after the descriptions."""

from __future__ import annotations

import pytest

from peerix.core.errors import IceCandidateError
from peerix.core.jsep import MAX_REMOTE_CANDIDATES
from peerix.core.sdp import IceCandidate, parse
from tests.core.jsep.support import CANDIDATE, Endpoint, connected, edited, make_transport, model


def remote_candidates(side: Endpoint) -> tuple[str, ...]:
    return model(side.negotiator.remote_description).media[0].candidates


def test_our_later_candidates_are_in_our_description() -> None:
    a, _ = connected()
    a.negotiator.update_candidates(make_transport("a", CANDIDATE, end=True))
    section = a.local().media[0]
    assert section.candidates == (CANDIDATE,)
    assert section.end_of_candidates
    assert section.port == 5001


def test_candidates_do_not_change_the_version() -> None:
    a, _ = connected()
    before = a.local().origin
    a.negotiator.update_candidates(make_transport("a", CANDIDATE))
    assert a.local().origin == before


def test_candidates_of_a_restart_are_in_the_pending_description_alone() -> None:
    a, _ = connected()
    a.transport = make_transport("c")
    a.offer(ice_restart=True)
    a.negotiator.update_candidates(make_transport("c", CANDIDATE))
    assert model(a.negotiator.pending_local_description).media[0].candidates == (CANDIDATE,)
    assert model(a.negotiator.current_local_description).media[0].candidates == ()


def test_our_candidates_belong_to_our_first_section_that_is_on() -> None:
    a = Endpoint("a", data=True)
    assert a.negotiator.transport_section == ("0", 0)
    offer = edited(a.offer(), ("m=application", "m=audio 9 RTP/AVP 0\r\na=mid:x\r\nm=application"))
    b = Endpoint("b")
    b.answer(offer)
    assert b.negotiator.transport_section == ("0", 1)


def test_their_candidate_is_noted_in_their_description() -> None:
    a, _ = connected()
    assert a.negotiator.add_remote_candidate(IceCandidate(CANDIDATE, "0", 0, "bbbb"))
    assert remote_candidates(a) == (CANDIDATE,)


def test_a_candidate_is_noted_once() -> None:
    a, _ = connected()
    for _ in range(2):
        a.negotiator.add_remote_candidate(IceCandidate(CANDIDATE, "0"))
    assert remote_candidates(a) == (CANDIDATE,)


def test_a_candidate_of_other_credentials_is_taken_but_not_noted() -> None:
    a, _ = connected()
    assert a.negotiator.add_remote_candidate(IceCandidate(CANDIDATE, "0", 0, "zzzz"))
    assert remote_candidates(a) == ()


def test_the_empty_candidate_is_noted_as_the_end() -> None:
    a, _ = connected()
    assert a.negotiator.add_remote_candidate(IceCandidate("", "0"))
    assert model(a.negotiator.remote_description).media[0].end_of_candidates


def test_a_candidate_may_name_the_section_by_its_index() -> None:
    a, _ = connected()
    assert a.negotiator.add_remote_candidate(IceCandidate(CANDIDATE, None, 0))
    assert remote_candidates(a) == (CANDIDATE,)


@pytest.mark.parametrize(
    "candidate", [IceCandidate(CANDIDATE, "1"), IceCandidate(CANDIDATE, None, 1), IceCandidate("x")]
)
def test_a_candidate_of_an_unknown_section_is_refused(candidate: IceCandidate) -> None:
    a, _ = connected()
    with pytest.raises(IceCandidateError):
        a.negotiator.add_remote_candidate(candidate)


def test_a_candidate_before_any_description_is_refused() -> None:
    with pytest.raises(IceCandidateError):
        Endpoint("a").negotiator.add_remote_candidate(IceCandidate(CANDIDATE, "0"))


@pytest.mark.parametrize("text", ["candidate:1\r\na=x", "candidate:1\na=x", "candidate:1\x00"])
def test_a_candidate_that_would_be_two_lines_is_refused(text: str) -> None:
    a, _ = connected()
    with pytest.raises(IceCandidateError):
        a.negotiator.add_remote_candidate(IceCandidate(text, "0"))


def test_a_candidate_of_a_section_that_we_do_not_use_is_none_of_ours() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    b.take(edited(a.offer(), ("m=application", "m=audio 9 RTP/AVP 0\r\na=mid:x\r\nm=application")))
    assert not b.negotiator.add_remote_candidate(IceCandidate(CANDIDATE, "x", 0))
    assert b.negotiator.add_remote_candidate(IceCandidate(CANDIDATE, "0", 1))


def test_the_candidates_that_are_noted_are_bounded() -> None:
    a, _ = connected()
    for port in range(MAX_REMOTE_CANDIDATES + 10):
        a.negotiator.add_remote_candidate(IceCandidate(f"candidate:1 1 udp 1 192.0.2.1 {port} typ host", "0"))
    assert len(remote_candidates(a)) == MAX_REMOTE_CANDIDATES


def test_the_candidates_of_a_description_are_bounded() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    many = "".join(f"a=candidate:1 1 udp 1 192.0.2.1 {port} typ host\r\n" for port in range(300))
    applied = b.take(edited(a.offer(), ("a=mid:0\r\n", "a=mid:0\r\n" + many)))
    assert len(applied.remote_candidates) == MAX_REMOTE_CANDIDATES


def test_the_other_side_says_whether_it_takes_later_candidates() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    told = [b.negotiator.can_trickle_ice_candidates]
    offer = a.offer()
    for description in (offer, edited(offer, ("a=ice-options:trickle\r\n", ""))):
        b.take(description)
        told.append(b.negotiator.can_trickle_ice_candidates)
    assert told == [None, True, False]


def test_a_description_with_noted_candidates_can_be_read() -> None:
    a, _ = connected()
    a.negotiator.add_remote_candidate(IceCandidate(CANDIDATE, "0", 0, "bbbb"))
    description = a.negotiator.remote_description
    assert description is not None
    assert parse(description.sdp).media[0].mid == "0"
