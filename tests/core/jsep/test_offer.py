"""Offers of data channels."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peerix.core.errors import LocalProtocolError
from peerix.core.jsep import Negotiator, SignalingState
from peerix.core.sdp import Group, SessionDescription, Setup
from tests.core.jsep.support import CANDIDATE, Endpoint, connected, edited, make_transport, model, negotiate


def test_the_first_offer_has_one_data_section() -> None:
    offer = Endpoint(data=True).negotiator.create_offer(make_transport("a"))
    assert offer.type == "offer"
    assert offer.sdp.split("\r\n")[4:] == [
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:aaaa",
        "a=ice-pwd:" + "a" * 24,
        "a=ice-options:trickle",
        "a=fingerprint:sha-256 AA:BB:CC",
        "a=setup:actpass",
        "a=mid:0",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
        "",
    ]


def test_an_offer_without_anything_wanted_is_empty() -> None:
    assert model(Endpoint().negotiator.create_offer(make_transport("a"))).media == ()


def test_an_offer_made_twice_is_the_same() -> None:
    a = Endpoint(data=True)
    assert a.negotiator.create_offer(a.transport) == a.negotiator.create_offer(a.transport)


def test_an_offer_made_again_while_one_is_pending_is_the_same() -> None:
    a = Endpoint(data=True)
    assert a.offer() == a.negotiator.create_offer(a.transport)


def test_the_version_grows_only_with_the_contents() -> None:
    a = Endpoint(data=True)
    first = model(a.negotiator.create_offer(a.transport)).origin
    second = model(a.negotiator.create_offer(make_transport("a", CANDIDATE))).origin
    assert second == replace(first, session_version=first.session_version + 1)


def test_the_version_does_not_fall_back_with_a_rollback() -> None:
    a, _ = connected()
    before = a.local().origin.session_version
    a.transport = make_transport("c")
    dropped = model(a.offer(ice_restart=True)).origin.session_version
    a.negotiator.set_local(SessionDescription("rollback"), a.transport)
    a.transport = make_transport("d")
    assert before < dropped < model(a.negotiator.create_offer(a.transport)).origin.session_version


def test_offers_and_answers_are_of_one_session() -> None:
    a, b = connected()
    first = a.local().origin
    _, answer = negotiate(b, a)
    assert (answer.origin.session_id, answer.origin.username) == (first.session_id, first.username)


def test_two_negotiators_have_two_sessions() -> None:
    a, b = connected()
    assert a.local().origin.session_id != b.local().origin.session_id


def test_a_session_id_fits_into_63_bits() -> None:
    negotiator = Negotiator(random_bytes=lambda count: b"\xff" * count)
    assert model(negotiator.create_offer(make_transport("a"))).origin.session_id == 2**63 - 1


def test_a_later_offer_leaves_the_role_open() -> None:
    _, b = connected()
    assert model(b.offer()).media[0].setup is Setup.ACTPASS


def test_a_later_offer_of_the_other_side_keeps_the_section_and_its_name() -> None:
    a = Endpoint("a", data=True)
    offer = edited(a.offer(), ("a=mid:0", "a=mid:data"), ("BUNDLE 0", "BUNDLE data"))
    b = Endpoint("b", data=True)
    b.answer(offer)
    section = model(b.offer()).media
    assert [each.mid for each in section] == ["data"]


def test_candidates_known_so_far_are_in_the_offer() -> None:
    offer = model(Endpoint(data=True).negotiator.create_offer(make_transport("a", CANDIDATE)))
    assert offer.media[0].candidates == (CANDIDATE,)
    assert not offer.media[0].end_of_candidates


def test_the_end_of_candidates_is_in_the_offer() -> None:
    offer = model(Endpoint(data=True).negotiator.create_offer(make_transport("a", CANDIDATE, end=True)))
    assert offer.media[0].end_of_candidates


HOST4 = "candidate:1 1 udp 2130706431 192.0.2.1 5001 typ host"
HOST6 = "candidate:2 1 udp 2130706431 2001:db8::1 5002 typ host"
TCP = "candidate:3 1 tcp 1518214911 192.0.2.1 9 typ host tcptype active"
HIDDEN = "candidate:4 1 udp 2130706431 a1b2c3.local 5003 typ host"
SRFLX = "candidate:5 1 udp 1694498815 198.51.100.1 5004 typ srflx raddr 0.0.0.0 rport 0"
RELAY6 = "candidate:6 1 udp 16777215 2001:db8::2 5005 typ relay raddr 0.0.0.0 rport 0"


@pytest.mark.parametrize(
    ("candidates", "port", "address"),
    [
        ([], 9, "IN IP4 0.0.0.0"),
        ([HOST4], 5001, "IN IP4 192.0.2.1"),
        ([HOST6], 5002, "IN IP6 2001:db8::1"),
        ([HOST6, HOST4], 5001, "IN IP4 192.0.2.1"),
        ([HOST4, SRFLX], 5004, "IN IP4 198.51.100.1"),
        ([RELAY6, SRFLX, HOST4], 5005, "IN IP6 2001:db8::2"),
        ([HIDDEN, TCP], 9, "IN IP4 0.0.0.0"),
    ],
)
def test_the_section_names_the_candidate_that_is_reached_most_likely(
    candidates: list[str], port: int, address: str
) -> None:
    section = model(Endpoint(data=True).negotiator.create_offer(make_transport("a", *candidates))).media[0]
    assert (section.port, section.lines[0].value) == (port, address)


def test_a_bundle_of_one_names_it() -> None:
    offer = model(Endpoint(data=True).negotiator.create_offer(make_transport("a")))
    assert offer.bundles == (Group("BUNDLE", ("0",)),)


def test_an_offer_cannot_be_made_while_theirs_waits() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b", data=True)
    b.take(a.offer())
    with pytest.raises(LocalProtocolError):
        b.negotiator.create_offer(b.transport)


def test_only_what_was_created_last_can_be_set() -> None:
    a = Endpoint(data=True)
    offer = a.negotiator.create_offer(a.transport)
    with pytest.raises(LocalProtocolError):
        a.negotiator.set_local(edited(offer, ("a=mid:0", "a=mid:1")), a.transport)
    assert a.negotiator.signaling_state is SignalingState.STABLE


def test_an_offer_cannot_be_set_after_another_description_was() -> None:
    a, b = connected()
    offer = a.negotiator.create_offer(a.transport)
    negotiate(b, a)
    with pytest.raises(LocalProtocolError):
        a.negotiator.set_local(offer, a.transport)


def test_without_a_description_the_fitting_one_is_made() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    a.negotiator.set_local(None, a.transport)
    offer = a.negotiator.local_description
    assert offer is not None
    assert offer.type == "offer"
    b.take(offer)
    b.negotiator.set_local(None, b.transport)
    answer = b.negotiator.local_description
    assert answer is not None
    assert answer.type == "answer"


def test_candidates_that_came_since_creation_are_in_the_description_that_is_set() -> None:
    a = Endpoint(data=True)
    offer = a.negotiator.create_offer(a.transport)
    a.negotiator.set_local(offer, make_transport("a", CANDIDATE))
    assert a.local().media[0].candidates == (CANDIDATE,)
