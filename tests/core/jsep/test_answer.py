"""Answers, ours and theirs: what is accepted, in which role, on which transport."""

from __future__ import annotations

import pytest

from peerix.core.errors import NegotiationError
from peerix.core.jsep import IceParameters, SctpParameters, SignalingState
from peerix.core.sdp import Fingerprint, Group, SdpError, SessionDescription, Setup
from tests.conformance.vectors import load
from tests.core.jsep.support import Endpoint, connected, edited, make_transport, model, negotiate

AUDIO = """\
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=ice-ufrag:cccc
a=ice-pwd:cccccccccccccccccccccccc
a=fingerprint:sha-256 CC:CC:CC
a=setup:actpass
a=mid:5
a=sendrecv
a=rtcp-mux
a=rtpmap:111 opus/48000/2
"""
DATA = """\
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=ice-ufrag:dddd
a=ice-pwd:dddddddddddddddddddddddd
a=fingerprint:sha-256 DD:DD:DD
a=setup:actpass
a=mid:6
"""


def offer_of(*sections: str, session: str = "a=group:BUNDLE 5 6\n") -> SessionDescription:
    head = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\n"
    return SessionDescription("offer", head + session + "".join(sections))


def test_the_answer_takes_the_active_part() -> None:
    _, answer = negotiate(Endpoint("a", data=True), Endpoint("b"))
    assert answer.media[0].setup is Setup.ACTIVE


def test_the_answer_keeps_the_name_of_the_section() -> None:
    a = Endpoint("a", data=True)
    offer = edited(a.offer(), ("a=mid:0", "a=mid:data"), ("BUNDLE 0", "BUNDLE data"))
    answer = model(Endpoint("b").answer(offer))
    assert answer.media[0].mid == "data"
    assert answer.bundles == (Group("BUNDLE", ("data",)),)


def test_an_offer_that_is_active_is_answered_passively() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    answer = b.answer(edited(a.offer(), ("actpass", "active")))
    assert model(answer).media[0].setup is Setup.PASSIVE


def test_an_offer_that_is_passive_is_answered_actively() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    answer = b.answer(edited(a.offer(), ("actpass", "passive")))
    assert model(answer).media[0].setup is Setup.ACTIVE


def test_an_offer_without_a_role_is_answered_actively() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    assert model(b.answer(edited(a.offer(), ("a=setup:actpass\r\n", "")))).media[0].setup is Setup.ACTIVE


def test_an_offer_that_puts_dtls_on_hold_cannot_be_answered() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    with pytest.raises(NegotiationError, match="hold"):
        b.answer(edited(a.offer(), ("actpass", "holdconn")))


def test_both_know_their_roles_from_the_answer_on() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    offer = a.negotiator.create_offer(a.transport)
    assert a.negotiator.set_local(offer, a.transport).dtls_role is None
    assert b.take(offer).dtls_role is None
    answer = b.negotiator.create_answer(b.transport)
    assert b.negotiator.set_local(answer, b.transport).dtls_role == "client"
    assert a.take(answer).dtls_role == "server"


def test_the_first_offerer_controls_ice() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    offer = a.negotiator.create_offer(a.transport)
    assert a.negotiator.set_local(offer, a.transport).ice_controlling is True
    assert b.take(offer).ice_controlling is False
    answer = b.negotiator.create_answer(b.transport)
    assert b.negotiator.set_local(answer, b.transport).ice_controlling is False
    assert a.take(answer).ice_controlling is True


def test_roles_stay_when_the_other_side_offers_later() -> None:
    a, b = connected()
    offer = b.negotiator.create_offer(b.transport)
    assert b.negotiator.set_local(offer, b.transport).ice_controlling is False
    assert a.take(offer).ice_controlling is True
    answer = a.negotiator.create_answer(a.transport)
    applied = a.negotiator.set_local(answer, a.transport)
    assert (applied.dtls_role, applied.ice_controlling) == ("server", True)
    assert model(answer).media[0].setup is Setup.PASSIVE
    applied = b.take(answer)
    assert (applied.dtls_role, applied.ice_controlling) == ("client", False)


def test_an_offer_that_wants_the_settled_roles_is_answered() -> None:
    a, b = connected()
    assert model(a.answer(edited(b.offer(), ("actpass", "active")))).media[0].setup is Setup.PASSIVE


def test_an_offer_that_changes_the_roles_cannot_be_answered() -> None:
    a, b = connected()
    with pytest.raises(NegotiationError, match="roles"):
        a.answer(edited(b.offer(), ("actpass", "passive")))


def test_an_answer_that_changes_the_roles_is_refused() -> None:
    a, b = connected()
    answer = b.answer(a.offer())
    with pytest.raises(NegotiationError, match="roles"):
        a.take(edited(answer, ("a=setup:active", "a=setup:passive")))
    assert a.negotiator.signaling_state is SignalingState.HAVE_LOCAL_OFFER


def test_an_answer_without_a_role_is_active() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    answer = b.answer(a.offer())
    assert a.take(edited(answer, ("a=setup:active\r\n", ""))).dtls_role == "server"


@pytest.mark.parametrize("setup", ["actpass", "holdconn"])
def test_an_answer_must_take_a_role(setup: str) -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    answer = b.answer(a.offer())
    with pytest.raises(NegotiationError, match="role"):
        a.take(edited(answer, ("a=setup:active", f"a=setup:{setup}")))


def test_the_lite_side_never_controls_ice() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    offer = edited(a.offer(), ("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n"))
    applied = b.take(offer)
    assert applied.ice_lite
    assert applied.ice_controlling is True


def test_what_an_offer_says_of_its_transport_is_known_at_once() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    a.transport = make_transport("a", "candidate:1 1 udp 1 192.0.2.1 9 typ host", end=True)
    applied = b.take(a.offer())
    assert applied.ice_parameters == IceParameters("aaaa", "a" * 24)
    assert applied.fingerprints == (Fingerprint("sha-256", "AA:BB:CC"),)
    assert applied.remote_candidates == ("candidate:1 1 udp 1 192.0.2.1 9 typ host",)
    assert applied.end_of_candidates
    assert not applied.ice_restarted


def test_the_message_size_of_the_other_side_is_known() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    applied = b.take(edited(a.offer(), ("size:262144", "size:1073741823"), ("port:5000", "port:5001")))
    assert applied.sctp == SctpParameters(5001, 1073741823)


def test_a_side_that_says_nothing_takes_64_kib() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    applied = b.take(edited(a.offer(), ("a=max-message-size:262144\r\n", ""), ("a=sctp-port:5000\r\n", "")))
    assert applied.sctp == SctpParameters(5000, 65536)


def test_an_offer_of_the_old_form_is_answered_in_the_old_form() -> None:
    old = DATA.replace("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5001") + "a=sctpmap:5001 webrtc-datachannel 256\n"
    b = Endpoint("b")
    assert b.take(offer_of(old)).sctp == SctpParameters(5001, 65536)
    section = model(b.negotiator.create_answer(b.transport)).media[0]
    assert (section.protocol, section.formats) == ("DTLS/SCTP", ("5000",))
    assert section.attributes.value("sctpmap") == "5000 webrtc-datachannel 1024"


def test_a_section_that_cannot_be_served_is_turned_off_by_itself() -> None:
    b = Endpoint("b")
    answer = model(b.answer(offer_of(AUDIO, DATA)))
    assert [section.rejected for section in answer.media] == [True, False]
    assert answer.bundles == (Group("BUNDLE", ("6",)),)
    assert answer.media[0].mid == "5"
    assert answer.media[0].formats == ("111",)


def test_an_unknown_kind_of_section_is_turned_off_by_itself() -> None:
    answer = model(Endpoint("b").answer(offer_of("m=message 9 TCP/MSRP *\na=mid:5\n", DATA)))
    assert [section.rejected for section in answer.media] == [True, False]


def test_a_section_that_is_off_in_the_offer_stays_off() -> None:
    answer = model(Endpoint("b").answer(offer_of(AUDIO, DATA.replace("application 9", "application 0"))))
    assert [section.rejected for section in answer.media] == [True, True]
    assert answer.bundles == ()


def test_an_offer_of_nothing_that_can_be_served_is_answered() -> None:
    b = Endpoint("b")
    assert b.take(offer_of(AUDIO)).ice_parameters is None
    applied = b.negotiator.set_local(None, b.transport)
    assert applied.signaling_state is SignalingState.STABLE
    assert (applied.dtls_role, applied.sctp, applied.ice_parameters) == (None, None, None)


def test_the_transport_is_that_of_a_section_that_is_accepted() -> None:
    assert Endpoint("b").take(offer_of(AUDIO, DATA)).ice_parameters == IceParameters("dddd", "d" * 24)


def test_a_bundled_section_may_leave_its_transport_to_the_first_one() -> None:
    bare = "".join(line + "\n" for line in DATA.splitlines() if not line.startswith(("a=ice", "a=fing", "a=setup")))
    b = Endpoint("b")
    applied = b.take(offer_of(AUDIO, bare))
    assert applied.ice_parameters == IceParameters("cccc", "c" * 24)
    assert applied.sctp is not None


def test_a_section_outside_the_bundle_is_turned_off() -> None:
    second = DATA.replace("mid:6", "mid:7")
    answer = model(Endpoint("b").answer(offer_of(DATA, second)))
    assert [section.rejected for section in answer.media] == [False, True]


def test_of_two_data_sections_the_first_is_served() -> None:
    second = DATA.replace("mid:6", "mid:5")
    answer = model(Endpoint("b").answer(offer_of(second, DATA)))
    assert [section.rejected for section in answer.media] == [False, True]


def test_data_beside_a_bundle_of_media_is_served() -> None:
    answer = model(Endpoint("b").answer(offer_of(AUDIO, DATA, session="a=group:BUNDLE 5\n")))
    assert [section.rejected for section in answer.media] == [True, False]
    assert answer.bundles == ()


def test_an_offer_without_mids_and_bundle_is_answered_without() -> None:
    answer = model(Endpoint("b").answer(offer_of(DATA.replace("a=mid:6\n", ""), session="")))
    assert not answer.media[0].rejected
    assert answer.media[0].mid is None
    assert answer.bundles == ()


def test_a_section_without_credentials_is_turned_off() -> None:
    bare = "".join(line + "\n" for line in DATA.splitlines() if not line.startswith("a=ice"))
    answer = model(Endpoint("b").answer(offer_of(bare)))
    assert answer.media[0].rejected


def test_the_attributes_of_the_session_stand_in_for_those_of_the_section() -> None:
    moved = [line for line in DATA.splitlines() if line.startswith(("a=ice", "a=fing", "a=setup"))]
    bare = "".join(line + "\n" for line in DATA.splitlines() if line not in moved)
    session = "".join(line + "\n" for line in moved).replace("actpass", "active")
    b = Endpoint("b")
    applied = b.take(offer_of(bare, session=session))
    assert applied.ice_parameters == IceParameters("dddd", "d" * 24)
    assert model(b.negotiator.create_answer(b.transport)).media[0].setup is Setup.PASSIVE


@pytest.mark.parametrize(
    "change",
    [
        ("m=application", "m=audio"),
        ("a=mid:0", "a=mid:1"),
        ("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", "m=application 9 UDP/DTLS/SCTP\r\n"),
        ("a=ice-ufrag:bbbb\r\n", ""),
        ("a=fingerprint:sha-256 AA:BB:CC\r\n", ""),
        ("a=fingerprint:sha-256 AA:BB:CC", "a=fingerprint:sha-256"),
        ("a=max-message-size:262144\r\n", "a=max-message-size:262144\r\nm=audio 0 RTP/AVP 0\r\n"),
    ],
)
def test_an_answer_that_does_not_fit_the_offer_changes_nothing(change: tuple[str, str]) -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    answer = b.answer(a.offer())
    with pytest.raises(NegotiationError):
        a.take(edited(answer, change))
    assert a.negotiator.signaling_state is SignalingState.HAVE_LOCAL_OFFER
    assert a.negotiator.remote_description is None
    assert a.take(answer).signaling_state is SignalingState.STABLE


def test_an_answer_may_not_turn_on_what_the_offer_turned_off() -> None:
    a, b = Endpoint("a"), Endpoint("b", data=True)
    a.answer(edited(b.offer(), ("m=application 9", "m=audio 9")))
    answer = Endpoint("c").answer(a.offer())
    with pytest.raises(NegotiationError, match="on in the answer"):
        a.take(edited(answer, ("m=audio 0", "m=audio 9")))


def test_an_unreadable_offer_changes_nothing() -> None:
    b = Endpoint("b")
    with pytest.raises(SdpError):
        b.take(SessionDescription("offer", "v=1"))
    assert b.negotiator.signaling_state is SignalingState.STABLE


def test_two_sections_of_one_name_are_refused() -> None:
    with pytest.raises(NegotiationError, match="mid"):
        Endpoint("b").take(offer_of(AUDIO, DATA.replace("mid:6", "mid:5")))


def test_an_offer_may_not_drop_sections() -> None:
    _, b = connected()
    with pytest.raises(NegotiationError, match="sections"):
        b.take(offer_of(session=""))


def test_an_offer_may_not_change_a_section_that_is_on() -> None:
    _, b = connected()
    with pytest.raises(NegotiationError, match="section 0"):
        b.take(offer_of(AUDIO))


def test_data_channels_turned_off_by_the_other_side_end_the_association() -> None:
    a, b = connected()
    off = edited(a.offer(), ("m=application 9", "m=application 0"))
    assert b.take(off).sctp is None


def test_an_answer_that_turns_data_off_leaves_nothing_in_force() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    answer = b.answer(a.offer())
    applied = a.take(edited(answer, ("m=application 9", "m=application 0"), ("a=group:BUNDLE 0\r\n", "")))
    assert applied.signaling_state is SignalingState.STABLE
    assert (applied.sctp, applied.ice_parameters, applied.dtls_role) == (None, None, None)


@pytest.mark.parametrize("index", [0, 2, 4], ids=["data", "media added", "media removed"])
@pytest.mark.parametrize("name", ["chromium", "firefox"])
def test_the_offers_of_browsers_are_answered(name: str, index: int) -> None:
    entries = load("sdp")[name]
    b = Endpoint("b")
    answer = model(b.answer(SessionDescription("offer", entries[index]["sdp"])))
    assert not answer.media[0].rejected
    assert answer.media[0].setup is Setup.ACTIVE
    assert all(section.rejected for section in answer.media[1:])


@pytest.mark.parametrize(
    ("name", "index", "size"), [("chromium", 1, 262144), ("firefox", 1, 1073741823), ("aiortc", 1, 262144)]
)
def test_the_answers_of_others_are_taken(name: str, index: int, size: int) -> None:
    a = Endpoint("a", data=True)
    a.offer()
    applied = a.take(SessionDescription("answer", load("sdp")[name][index]["sdp"]))
    assert (applied.signaling_state, applied.dtls_role) == (SignalingState.STABLE, "server")
    assert applied.sctp == SctpParameters(5000, size)


def test_the_transport_of_a_bundle_is_that_of_the_first_section_we_accept() -> None:
    offer = SessionDescription("offer", load("sdp")["aiortc"][2]["sdp"])
    applied = Endpoint("b").take(offer)
    assert applied.remote_candidates == model(offer).media[2].candidates
