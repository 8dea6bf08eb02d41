"""Transceivers over several offers and answers: need, stop, sections used again, rollback."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peerix.core.jsep import CreatedBy, Transceiver
from peerix.core.sdp import Direction, SessionDescription
from tests.conformance.vectors import load
from tests.core.jsep.media import MediaEndpoint
from tests.core.jsep.support import edited, model, negotiate

ROLLBACK = SessionDescription("rollback")


def sharing(
    direction: Direction = Direction.SENDRECV,
) -> tuple[MediaEndpoint, MediaEndpoint, Transceiver, Transceiver]:
    """Two sides, the first of which shares audio; and both transceivers."""
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    ours = a.negotiator.add_transceiver("audio", direction=direction, streams=("s",))
    negotiate(a, b)
    return a, b, ours, b.negotiator.transceivers[0]


def test_a_new_transceiver_is_needed_until_it_has_a_section() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio")
    needed = [a.negotiator.negotiation_needed()]
    negotiate(a, b)
    needed.append(a.negotiator.negotiation_needed())
    needed.append(b.negotiator.negotiation_needed())
    assert needed == [True, False, False]


def test_a_new_direction_is_needed() -> None:
    a, _, ours, _ = sharing()
    ours.direction = Direction.INACTIVE
    assert a.negotiator.negotiation_needed()


def test_a_direction_that_the_other_side_already_has_is_not_needed() -> None:
    a, _, ours, _ = sharing()
    ours.direction = Direction.SENDONLY  # they only receive
    assert not a.negotiator.negotiation_needed()


def test_the_answerer_needs_an_offer_to_send() -> None:
    a, b, _, theirs = sharing()
    theirs.direction = Direction.SENDRECV
    needed = [b.negotiator.negotiation_needed()]
    negotiate(b, a)
    needed.append(b.negotiator.negotiation_needed())
    assert needed == [True, False]
    assert theirs.current_direction is Direction.SENDRECV


def test_other_streams_are_needed() -> None:
    a, b, ours, theirs = sharing()
    ours.outgoing = replace(ours.outgoing, streams=("other",))
    needed = [a.negotiator.negotiation_needed()]
    negotiate(a, b)
    needed.append(a.negotiator.negotiation_needed())
    assert needed == [True, False]
    assert theirs.association.streams == ("other",)


def test_a_track_that_pauses_is_removed_and_added_again() -> None:
    a, b, ours, theirs = sharing(Direction.SENDONLY)
    ours.direction = Direction.INACTIVE
    assert b.take(a.offer()).tracks.removed == (theirs,)
    b.negotiator.set_local(None, b.transport)
    answer = b.negotiator.local_description
    assert answer is not None
    a.take(answer)
    ours.direction = Direction.SENDONLY
    assert b.take(a.offer()).tracks.added == (theirs,)


def test_a_stopped_transceiver_turns_its_section_off_on_both_sides() -> None:
    a, b, ours, theirs = sharing()
    ours.stop()
    assert a.negotiator.negotiation_needed()
    offer = a.offer()
    assert model(offer).media[0].rejected
    assert model(offer).bundles == ()
    assert b.take(offer).tracks.removed == (theirs,)
    b.negotiator.set_local(None, b.transport)
    answer = b.negotiator.local_description
    assert answer is not None
    assert model(answer).media[0].rejected
    a.take(answer)
    assert (ours.stopped, theirs.stopped) == (True, True)
    assert (ours.current_direction, ours.mid) == (None, None)
    assert (a.negotiator.transceivers, b.negotiator.transceivers) == ((), ())
    assert not a.negotiator.negotiation_needed()


def test_a_transceiver_stopped_before_its_first_offer_needs_none() -> None:
    a, b = MediaEndpoint("a", data=True), MediaEndpoint("b")
    unused = a.negotiator.add_transceiver("audio")
    unused.stop()
    offer, _ = negotiate(a, b)
    assert [section.kind for section in offer.media] == ["application"]
    assert unused.stopped
    assert a.negotiator.transceivers == ()


def test_the_answerer_may_stop_a_transceiver() -> None:
    a, b, ours, theirs = sharing()
    theirs.stop()
    negotiate(b, a)
    assert (ours.stopped, theirs.stopped) == (True, True)


def test_an_offer_for_a_transceiver_that_we_stopped_is_answered_with_off() -> None:
    a, b, ours, theirs = sharing()
    theirs.stop()
    _, answer = negotiate(a, b)
    assert answer.media[0].rejected
    assert (ours.stopped, theirs.stopped) == (True, True)


def test_a_section_that_is_off_is_used_for_the_next_transceiver() -> None:
    a, b, ours, _ = sharing()
    ours.stop()
    negotiate(a, b)
    again = a.negotiator.add_transceiver("video")
    offer, answer = negotiate(a, b)
    assert [(section.kind, section.mid) for section in offer.media] == [("video", "1")]
    assert [(section.kind, section.mid) for section in answer.media] == [("video", "1")]
    assert again.mid == "1"
    assert b.negotiator.transceivers[0].kind == "video"


def test_a_section_is_not_used_again_by_the_offer_that_turns_it_off() -> None:
    a, _, ours, _ = sharing()
    ours.stop()
    a.negotiator.add_transceiver("video")
    offer = model(a.offer())
    assert [(section.kind, section.rejected) for section in offer.media] == [("audio", True), ("video", False)]


def test_the_other_side_may_use_a_section_again() -> None:
    a, b, ours, _ = sharing()
    ours.stop()
    negotiate(a, b)
    theirs = b.negotiator.add_transceiver("video")
    negotiate(b, a)
    assert theirs.mid == "1"
    assert [transceiver.mid for transceiver in a.negotiator.transceivers] == ["1"]


def test_twenty_shares_leave_two_sections() -> None:
    a, b = MediaEndpoint("a", data=True), MediaEndpoint("b")
    for _ in range(20):
        transceiver = a.negotiator.add_transceiver("video", direction=Direction.SENDONLY)
        negotiate(a, b)
        transceiver.stop()
        negotiate(a, b)
    assert len(a.local().media) == 2
    assert (a.negotiator.transceivers, b.negotiator.transceivers) == ((), ())


def test_both_sides_share_in_sections_of_their_own() -> None:
    a, b = MediaEndpoint("a", data=True), MediaEndpoint("b")
    negotiate(a, b)
    a.negotiator.add_transceiver("video", direction=Direction.SENDONLY, streams=("of-a",))
    b.negotiator.add_transceiver("video", direction=Direction.SENDONLY, streams=("of-b",))
    negotiate(a, b)
    offer, answer = negotiate(b, a)
    assert [section.direction for section in offer.media] == [None, Direction.RECVONLY, Direction.SENDONLY]
    assert [section.direction for section in answer.media] == [None, Direction.SENDONLY, Direction.RECVONLY]


def test_a_rollback_takes_the_section_from_our_transceiver() -> None:
    a = MediaEndpoint("a")
    transceiver = a.negotiator.add_transceiver("audio")
    a.offer()
    mids = [transceiver.mid]
    a.negotiator.set_local(ROLLBACK, a.transport)
    mids.append(transceiver.mid)
    assert mids == ["0", None]
    assert not transceiver.stopped
    assert a.negotiator.negotiation_needed()


def test_a_rollback_takes_their_new_tracks_away() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio")
    added = b.take(a.offer()).tracks.added
    applied = b.take(ROLLBACK)
    assert applied.tracks.removed == added
    assert b.negotiator.transceivers == ()


def test_a_rollback_brings_a_removed_track_back() -> None:
    a, b, ours, theirs = sharing()
    ours.direction = Direction.INACTIVE
    b.take(a.offer())
    assert b.take(ROLLBACK).tracks.added == (theirs,)
    assert theirs.current_direction is Direction.RECVONLY


def test_in_glare_the_polite_side_keeps_its_transceivers_and_takes_theirs() -> None:
    polite, impolite = MediaEndpoint("a"), MediaEndpoint("b")
    own = polite.negotiator.add_transceiver("audio", direction=Direction.SENDONLY)
    theirs = impolite.negotiator.add_transceiver("video", direction=Direction.SENDONLY)
    polite.offer()
    impolite.take(polite.answer(impolite.offer()))
    assert own.mid is None
    assert theirs.current_direction is Direction.SENDONLY
    assert polite.negotiator.negotiation_needed()
    negotiate(polite, impolite)
    assert own.mid == "1"


def test_in_glare_a_track_of_the_polite_side_takes_the_offered_section() -> None:
    polite, impolite = MediaEndpoint("a"), MediaEndpoint("b")
    own = polite.negotiator.add_transceiver("audio", streams=("x",), created_by=CreatedBy.ADD_TRACK)
    impolite.negotiator.add_transceiver("audio", streams=("y",), created_by=CreatedBy.ADD_TRACK)
    polite.offer()
    impolite.take(polite.answer(impolite.offer()))
    assert own.current_direction is Direction.SENDRECV
    assert len(impolite.negotiator.transceivers) == 1


def test_a_second_offer_of_theirs_replaces_the_first_one() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio")
    offer = a.offer()
    b.take(offer)
    b.take(edited(offer, ("a=sendrecv", "a=recvonly")))
    assert len(b.negotiator.transceivers) == 1
    assert not b.negotiator.transceivers[0].association.receiving


def test_a_provisional_answer_sets_media_going() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    ours = a.negotiator.add_transceiver("audio")
    b.take(a.offer())
    sdp = b.negotiator.create_answer(b.transport).sdp
    a.take(SessionDescription("pranswer", sdp))
    assert ours.current_direction is Direction.SENDONLY
    assert ours.association.send is not None
    a.take(SessionDescription("answer", sdp))
    assert ours.current_direction is Direction.SENDONLY


def test_an_answer_that_is_refused_leaves_the_transceivers_alone() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    ours = a.negotiator.add_transceiver("audio")
    answer = b.answer(a.offer())
    with pytest.raises(Exception, match="role"):
        a.take(edited(answer, ("setup:active", "setup:actpass")))
    assert ours.current_direction is None
    assert ours.mid == "0"


@pytest.mark.parametrize("name", ["chromium", "firefox"])
def test_a_browser_shares_and_stops_sharing(name: str) -> None:
    offers = [entry for entry in load("sdp")[name] if entry["type"] == "offer"]
    b = MediaEndpoint("b", data=True)
    counts: list[int] = []
    for entry in offers if name == "chromium" else offers[1:]:
        b.take(SessionDescription("offer", entry["sdp"]))
        b.negotiator.set_local(None, b.transport)
        counts.append(len(b.negotiator.transceivers))
    assert counts[-2:] == [2, 0]
    assert [section.rejected for section in b.local().media] == [False, True, True]
