"""What happens after the first offer and answer: need, rollback, glare, ICE restart, sections off and on again."""

from __future__ import annotations

import pytest

from peerix.core.errors import LocalProtocolError, NegotiationError
from peerix.core.jsep import IceParameters, SignalingState
from peerix.core.sdp import SessionDescription
from tests.core.jsep.support import Endpoint, connected, edited, make_transport, model, negotiate

ROLLBACK = SessionDescription("rollback")


def test_a_data_section_is_needed_until_it_is_agreed_on() -> None:
    a, b = Endpoint("a"), Endpoint("b")
    assert not a.negotiator.negotiation_needed()
    a.negotiator.add_data_section()
    assert a.negotiator.negotiation_needed()
    offer = a.offer()
    assert not a.negotiator.negotiation_needed()  # asked again when stable
    a.take(b.answer(offer))
    assert not a.negotiator.negotiation_needed()


def test_the_answerer_needs_nothing_when_the_offer_had_data() -> None:
    _, b = connected()
    assert not b.negotiator.negotiation_needed()


def test_data_that_was_turned_down_is_not_asked_for_again() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    answer = b.answer(a.offer())
    a.take(edited(answer, ("m=application 9", "m=application 0"), ("a=group:BUNDLE 0\r\n", "")))
    assert not a.negotiator.negotiation_needed()


def test_data_channels_that_come_later_are_added() -> None:
    a, b = Endpoint("a"), Endpoint("b")
    negotiate(a, b)
    b.negotiator.add_data_section()
    assert b.negotiator.negotiation_needed()
    offer, answer = negotiate(b, a)
    assert [section.mid for section in offer.media] == ["0"]
    assert not answer.media[0].rejected


def test_the_description_in_force_changes_with_the_answer() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    offer = a.offer()
    n = a.negotiator
    assert (n.pending_local_description, n.current_local_description) == (offer, None)
    answer = b.answer(offer)
    a.take(answer)
    assert (n.pending_local_description, n.current_local_description) == (None, offer)
    assert (n.pending_remote_description, n.current_remote_description) == (None, answer)
    assert (n.local_description, n.remote_description) == (offer, answer)


def test_a_rollback_takes_our_offer_back() -> None:
    a, _ = connected()
    before = a.negotiator.local_description
    a.offer()
    applied = a.negotiator.set_local(ROLLBACK, a.transport)
    assert applied.rolled_back
    assert applied.signaling_state is SignalingState.STABLE
    assert a.negotiator.local_description == before
    assert a.negotiator.pending_local_description is None


def test_a_rollback_takes_their_offer_back() -> None:
    a, b = connected()
    before = a.negotiator.remote_description
    a.take(b.offer())
    applied = a.take(ROLLBACK)
    assert applied.rolled_back
    assert a.negotiator.remote_description == before
    assert applied.ice_parameters == IceParameters("bbbb", "b" * 24)


def test_after_a_rollback_of_the_first_offer_nothing_is_known() -> None:
    b = Endpoint("b")
    b.take(Endpoint("a", data=True).offer())
    applied = b.take(ROLLBACK)
    assert (applied.ice_parameters, applied.ice_controlling, applied.sctp) == (None, None, None)
    assert b.negotiator.remote_description is None


def test_what_a_rollback_took_back_is_still_needed() -> None:
    a = Endpoint("a", data=True)
    a.offer()
    a.negotiator.set_local(ROLLBACK, a.transport)
    assert a.negotiator.negotiation_needed()
    assert model(a.offer()).media[0].mid == "0"


def test_in_glare_the_polite_side_withdraws_its_offer() -> None:
    polite, impolite = Endpoint("a", data=True), Endpoint("b", data=True)
    polite.offer()
    theirs = impolite.offer()
    applied = polite.take(theirs)
    assert applied.rolled_back
    assert applied.signaling_state is SignalingState.HAVE_REMOTE_OFFER
    assert applied.ice_controlling is False
    assert polite.negotiator.pending_local_description is None
    answer = polite.negotiator.create_answer(polite.transport)
    assert polite.negotiator.set_local(answer, polite.transport).dtls_role == "client"
    assert impolite.take(answer).ice_controlling is True
    assert not polite.negotiator.negotiation_needed()


def test_an_offer_that_cannot_be_read_does_not_roll_ours_back() -> None:
    a = Endpoint("a", data=True)
    offer = a.offer()
    with pytest.raises(NegotiationError):
        a.take(SessionDescription("offer", "nonsense"))
    assert a.negotiator.signaling_state is SignalingState.HAVE_LOCAL_OFFER
    assert a.negotiator.local_description == offer


def test_the_polite_side_may_offer_again_after_glare() -> None:
    polite, impolite = Endpoint("a", data=True), Endpoint("b", data=True)
    polite.offer()
    impolite.take(polite.answer(impolite.offer()))
    offer, answer = negotiate(polite, impolite)
    assert [section.mid for section in offer.media] == ["0"]
    assert not answer.media[0].rejected


def test_a_provisional_answer_starts_everything() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    b.take(a.offer())
    provisional = SessionDescription("pranswer", b.negotiator.create_answer(b.transport).sdp)
    assert b.negotiator.set_local(provisional, b.transport).dtls_role == "client"
    applied = a.take(provisional)
    assert applied.signaling_state is SignalingState.HAVE_REMOTE_PRANSWER
    assert applied.dtls_role == "server"
    assert applied.ice_parameters == IceParameters("bbbb", "b" * 24)
    assert applied.sctp is not None
    assert a.negotiator.current_local_description is None


def test_the_answer_after_a_provisional_one_changes_nothing_more() -> None:
    a, b = Endpoint("a", data=True), Endpoint("b")
    b.take(a.offer())
    sdp = b.negotiator.create_answer(b.transport).sdp
    a.take(SessionDescription("pranswer", sdp))
    applied = a.take(SessionDescription("answer", sdp))
    assert applied.signaling_state is SignalingState.STABLE
    assert not applied.ice_restarted


def test_a_later_offer_with_the_same_credentials_is_no_restart() -> None:
    a, b = connected()
    assert not a.take(b.offer()).ice_restarted


def test_new_credentials_are_an_ice_restart() -> None:
    a, b = connected()
    a.transport, b.transport = make_transport("c"), make_transport("d")
    offer = a.negotiator.create_offer(a.transport, ice_restart=True)
    assert not a.negotiator.set_local(offer, a.transport).ice_restarted
    applied = b.take(offer)
    assert applied.ice_restarted
    assert applied.ice_parameters == IceParameters("cccc", "c" * 24)
    applied = b.negotiator.set_local(None, b.transport)
    assert not applied.ice_restarted
    assert applied.ice_controlling is False
    answer = b.negotiator.local_description
    assert answer is not None
    applied = a.take(answer)
    assert applied.ice_restarted
    assert applied.dtls_role == "server"


def test_a_rollback_of_an_ice_restart_brings_the_old_credentials_back() -> None:
    a, b = connected()
    a.transport = make_transport("c")
    b.take(a.offer(ice_restart=True))
    applied = b.take(ROLLBACK)
    assert applied.rolled_back
    assert applied.ice_restarted
    assert applied.ice_parameters == IceParameters("aaaa", "a" * 24)


def test_an_ice_restart_needs_new_credentials() -> None:
    a, _ = connected()
    with pytest.raises(LocalProtocolError, match="credentials"):
        a.negotiator.create_offer(a.transport, ice_restart=True)


def test_a_wanted_ice_restart_is_needed_until_it_is_done() -> None:
    a, b = connected()
    a.negotiator.restart_ice()
    wanted = [(a.negotiator.ice_restart_wanted, a.negotiator.negotiation_needed())]
    a.transport = make_transport("c")
    negotiate(a, b)
    wanted.append((a.negotiator.ice_restart_wanted, a.negotiator.negotiation_needed()))
    assert wanted == [(True, True), (False, False)]


def test_a_wanted_ice_restart_does_not_go_out_with_the_old_credentials() -> None:
    a, _ = connected()
    a.negotiator.restart_ice()
    with pytest.raises(LocalProtocolError):
        a.negotiator.create_offer(a.transport)


def test_a_wanted_ice_restart_is_also_done_by_answering_with_new_credentials() -> None:
    a, b = connected()
    a.negotiator.restart_ice()
    a.transport, b.transport = make_transport("c"), make_transport("d")
    offer = b.negotiator.create_offer(b.transport, ice_restart=True)
    b.negotiator.set_local(offer, b.transport)
    a.answer(offer)
    assert not a.negotiator.ice_restart_wanted


def test_an_ice_restart_before_the_first_offer_means_nothing() -> None:
    a = Endpoint("a", data=True)
    a.negotiator.restart_ice()
    assert not a.negotiator.ice_restart_wanted


def turn_data_off(a: Endpoint, b: Endpoint) -> None:
    """Have `a` offer its data section turned off, as a peer that is not ours may."""
    offer = a.offer()
    b.take(edited(offer, ("m=application 9", "m=application 0"), ("a=group:BUNDLE 0\r\n", "")))
    answer = b.negotiator.create_answer(b.transport)
    b.negotiator.set_local(answer, b.transport)
    a.take(answer)


def test_a_section_that_is_off_is_used_again_under_a_new_name() -> None:
    a, b = connected()
    turn_data_off(a, b)
    offer, answer = negotiate(b, a)
    assert [(section.mid, section.rejected) for section in offer.media] == [("1", False)]
    assert [section.mid for section in answer.media] == ["1"]


def test_sections_of_others_that_are_off_keep_their_place() -> None:
    a, b = Endpoint("a"), Endpoint("b", data=True)
    audio = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:x\r\n"
    a.negotiator.add_data_section()
    offer = a.offer()
    sdp = offer.sdp.replace("m=application", audio + "m=application", 1)
    b.answer(SessionDescription("offer", sdp))
    again = model(b.offer())
    assert [(s.kind, s.rejected, s.mid) for s in again.media] == [("audio", True, "x"), ("application", False, "0")]


def test_a_name_is_never_used_for_two_sections() -> None:
    b = Endpoint("b", data=True)
    audio = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:7\r\n"
    b.answer(SessionDescription("offer", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n" + audio))
    assert [section.mid for section in model(b.offer()).media] == ["8"]


def test_an_answer_must_not_change_the_credentials_without_a_restart() -> None:
    a, b = connected()
    offer = a.offer()
    b.transport = make_transport("d")
    b.take(offer)
    answer = SessionDescription("answer", b.negotiator.create_answer(b.transport).sdp.replace("bbbb", "dddd"))
    with pytest.raises(NegotiationError, match="credentials"):
        a.take(answer)
    assert a.negotiator.signaling_state is SignalingState.HAVE_LOCAL_OFFER
