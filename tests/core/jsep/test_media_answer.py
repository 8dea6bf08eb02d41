"""Answers to offers of audio and video, and what both sides know then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peerix.core.jsep import CreatedBy, Extension, MediaCapabilities, SignalingState
from peerix.core.sdp import Direction, Fmtp, SessionDescription, direction_of
from tests.conformance.vectors import load
from tests.core.jsep.media import CAPABILITIES, H264, MID, OPUS, PCMU, RED, VP8, VP9, MediaEndpoint, with_codecs
from tests.core.jsep.support import Endpoint, edited, model, negotiate


def test_a_section_that_only_sends_is_answered_by_receiving() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio", direction=Direction.SENDONLY)
    _, answer = negotiate(a, b)
    assert answer.media[0].direction is Direction.RECVONLY
    assert answer.media[0].msids == ()


def test_their_track_is_known_with_its_streams_as_soon_as_they_offer_it() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio", direction=Direction.SENDONLY, streams=("{s1}", "s2"))
    applied = b.take(a.offer())
    (transceiver,) = applied.tracks.added
    assert transceiver.association.streams == ("{s1}", "s2")
    assert (transceiver.kind, transceiver.mid, transceiver.direction) == ("audio", "0", Direction.RECVONLY)
    assert transceiver.current_direction is None
    assert b.negotiator.transceivers == (transceiver,)


def test_an_own_transceiver_is_never_used_for_a_section_of_theirs() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio")
    own = b.negotiator.add_transceiver("audio", direction=Direction.SENDONLY)
    negotiate(a, b)
    assert own.mid is None
    assert b.negotiator.negotiation_needed()
    assert len(b.negotiator.transceivers) == 2


def test_an_own_track_is_sent_in_a_section_of_theirs_that_receives() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio")
    own = b.negotiator.add_transceiver("audio", streams=("s",), created_by=CreatedBy.ADD_TRACK)
    _, answer = negotiate(a, b)
    assert own.mid == "0"
    assert own.current_direction is Direction.SENDRECV
    assert answer.media[0].direction is Direction.SENDRECV
    assert not b.negotiator.negotiation_needed()


def test_an_own_track_is_not_sent_in_a_section_of_theirs_that_only_sends() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio", direction=Direction.SENDONLY)
    own = b.negotiator.add_transceiver("audio", created_by=CreatedBy.ADD_TRACK)
    negotiate(a, b)
    assert own.mid is None


@pytest.mark.parametrize("theirs", Direction)
@pytest.mark.parametrize("ours", Direction)
def test_the_direction_in_force_is_what_both_want(theirs: Direction, ours: Direction) -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    offered = a.negotiator.add_transceiver("audio", direction=theirs)
    offer = a.offer()
    b.take(offer)
    (answering,) = b.negotiator.transceivers
    answering.direction = ours
    b.negotiator.set_local(None, b.transport)
    answer = b.negotiator.local_description
    assert answer is not None
    a.take(answer)
    agreed = direction_of(sends=theirs.sends and ours.receives, receives=theirs.receives and ours.sends)
    assert offered.current_direction is agreed
    assert answering.current_direction is agreed.reversed
    assert offered.association.receiving is agreed.receives
    assert answering.association.receiving is agreed.sends


def test_a_track_that_we_do_not_want_is_gone_with_our_answer() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio", direction=Direction.SENDONLY)
    (transceiver,) = b.take(a.offer()).tracks.added
    transceiver.direction = Direction.INACTIVE
    assert b.negotiator.set_local(None, b.transport).tracks.removed == (transceiver,)


def test_codecs_are_answered_in_the_order_and_with_the_numbers_of_the_offer() -> None:
    theirs = with_codecs(replace(VP9, payload_type=100, rtx_payload_type=101), replace(VP8, payload_type=120))
    a, b = MediaEndpoint("a", capabilities=theirs), MediaEndpoint("b")
    a.negotiator.add_transceiver("video")
    _, answer = negotiate(a, b)
    assert answer.media[0].formats == ("100", "101", "120", "97")


def test_codecs_are_answered_in_the_order_that_we_prefer() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    a.negotiator.add_transceiver("video")
    (transceiver,) = b.take(a.offer()).tracks.added
    transceiver.codec_preferences = (H264, VP8)
    answer = model(b.negotiator.create_answer(b.transport))
    assert answer.media[0].formats == ("108", "109", "96", "97")


def test_only_what_was_answered_is_sent_the_preferred_first() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    offering = a.negotiator.add_transceiver("video")
    (answering,) = b.take(a.offer()).tracks.added
    answering.direction, answering.codec_preferences = Direction.SENDRECV, (H264, VP8)
    b.negotiator.set_local(None, b.transport)
    answer = b.negotiator.local_description
    assert answer is not None
    a.take(answer)
    for sender in (offering, answering):
        assert sender.association.send is not None
        assert [bound.codec for bound in sender.association.send.codecs] == [H264, VP8]


def test_a_section_without_a_codec_of_ours_is_turned_off_by_itself() -> None:
    a = MediaEndpoint("a", data=True, capabilities=with_codecs(OPUS, VP9))
    b = MediaEndpoint("b", capabilities=with_codecs(OPUS, VP8))
    ended = a.negotiator.add_transceiver("video")
    kept = a.negotiator.add_transceiver("audio")
    _, answer = negotiate(a, b)
    assert [section.rejected for section in answer.media] == [True, False, False]
    assert (ended.stopped, ended.mid, kept.stopped) == (True, None, False)
    assert a.negotiator.transceivers == (kept,)
    assert len(b.negotiator.transceivers) == 1


@pytest.mark.parametrize(
    "change",
    [
        ("a=rtcp-mux\r\n", ""),
        ("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
        ("opus/48000/2", "opus/48000"),
        ("opus/48000/2", "opus/24000/2"),
    ],
)
def test_a_section_that_we_cannot_serve_makes_no_transceiver(change: tuple[str, str]) -> None:
    a, b = MediaEndpoint("a", capabilities=with_codecs(OPUS)), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio")
    answer = b.answer(edited(a.offer(), change))
    assert model(answer).media[0].rejected
    assert b.negotiator.transceivers == ()


H264_BASELINE = replace(H264, parameters="packetization-mode=1;profile-level-id=42001f")
H264_MODE_0 = replace(H264, parameters="profile-level-id=42e01f")
H264_LOW = replace(H264, parameters="packetization-mode=1;profile-level-id=42e00a")
H264_OTHER_SPELLING = replace(H264, parameters="packetization-mode=1;profile-level-id=4d801f")
VP9_10_BIT = replace(VP9, parameters="profile-id=2")


@pytest.mark.parametrize("theirs", [H264_BASELINE, H264_MODE_0, VP9_10_BIT])
def test_another_variant_of_a_codec_is_another_codec(theirs: object) -> None:
    assert isinstance(theirs, type(OPUS))
    a, b = MediaEndpoint("a", capabilities=with_codecs(theirs)), MediaEndpoint("b")
    a.negotiator.add_transceiver("video")
    _, answer = negotiate(a, b)
    assert answer.media[0].rejected


def test_the_same_profile_may_be_spelled_in_several_ways() -> None:
    a, b = MediaEndpoint("a", capabilities=with_codecs(H264_OTHER_SPELLING)), MediaEndpoint("b")
    a.negotiator.add_transceiver("video")
    _, answer = negotiate(a, b)
    assert not answer.media[0].rejected


def test_the_lower_level_is_answered_unless_both_may_differ() -> None:
    a, b = MediaEndpoint("a", capabilities=with_codecs(H264_LOW)), MediaEndpoint("b")
    a.negotiator.add_transceiver("video")
    _, answer = negotiate(a, b)
    assert answer.media[0].fmtps[0].as_dict()["profile-level-id"] == "42e00a"


def test_our_own_level_is_answered_when_both_may_differ() -> None:
    low = replace(H264_LOW, parameters="level-asymmetry-allowed=1;" + H264_LOW.parameters)
    a, b = MediaEndpoint("a", capabilities=with_codecs(low)), MediaEndpoint("b")
    a.negotiator.add_transceiver("video")
    _, answer = negotiate(a, b)
    assert answer.media[0].fmtps[0].as_dict()["profile-level-id"] == "42e01f"


def test_redundancy_is_answered_with_the_number_that_it_repeats() -> None:
    theirs = with_codecs(replace(RED, payload_type=64), replace(OPUS, payload_type=109))
    a, b = MediaEndpoint("a", capabilities=theirs), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio")
    _, answer = negotiate(a, b)
    assert Fmtp(64, "109/109") in answer.media[0].fmtps


def test_redundancy_of_another_codec_is_not_taken() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio")
    answer = b.answer(edited(a.offer(), ("a=fmtp:63 111/111", "a=fmtp:63 0/0")))
    assert model(answer).media[0].formats == ("111", "0")


def test_only_feedback_that_both_take_is_answered() -> None:
    theirs = with_codecs(replace(VP8, feedback=("nack", "nack pli", "x-own")))
    a, b = MediaEndpoint("a", capabilities=theirs), MediaEndpoint("b")
    a.negotiator.add_transceiver("video")
    _, answer = negotiate(a, b)
    assert [f"{f.type} {f.parameter}".strip() for f in answer.media[0].rtcp_feedbacks] == ["nack", "nack pli"]


def test_feedback_for_all_payload_types_counts_for_each() -> None:
    a, b = MediaEndpoint("a", capabilities=with_codecs(VP8)), MediaEndpoint("b")
    a.negotiator.add_transceiver("video")
    offer = edited(a.offer(), ("a=rtcp-fb:96 nack pli", "a=rtcp-fb:* nack pli"))
    assert "nack pli" in [f"{f.type} {f.parameter}" for f in model(b.answer(offer)).media[0].rtcp_feedbacks]


def test_retransmissions_need_both_sides() -> None:
    a, b = MediaEndpoint("a", capabilities=with_codecs(replace(VP8, rtx_payload_type=None))), MediaEndpoint("b")
    a.negotiator.add_transceiver("video")
    _, answer = negotiate(a, b)
    assert answer.media[0].formats == ("96",)


def test_payload_types_without_description_are_known() -> None:
    a, b = MediaEndpoint("a", capabilities=with_codecs(PCMU)), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio")
    answer = b.answer(edited(a.offer(), ("a=rtpmap:0 PCMU/8000\r\n", "")))
    assert model(answer).media[0].formats == ("0",)


def test_only_header_extensions_of_both_are_answered_with_their_ids() -> None:
    theirs = MediaCapabilities((OPUS,), (Extension(MID, 7), Extension("urn:x", 8)))
    a, b = MediaEndpoint("a", capabilities=theirs), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio")
    _, answer = negotiate(a, b)
    assert [(e.id, e.uri) for e in answer.media[0].header_extensions] == [(7, MID)]


def test_both_sides_send_with_the_numbers_of_the_receiver() -> None:
    theirs = with_codecs(replace(VP8, payload_type=120, rtx_payload_type=124))
    a, b = MediaEndpoint("a", capabilities=theirs), MediaEndpoint("b")
    offering = a.negotiator.add_transceiver("video")
    negotiate(a, b)
    (answering,) = b.negotiator.transceivers
    assert offering.association.send is not None
    assert answering.association.receive is not None
    for parameters in (offering.association.send, answering.association.receive):
        (bound,) = parameters.codecs
        assert (bound.payload_type, bound.rtx_payload_type, bound.feedback) == (120, 124, VP8.feedback)
        assert parameters.mid == "0"
        assert parameters.reduced_size_rtcp


def test_the_receiver_knows_the_sources_that_were_announced() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    offering = a.negotiator.add_transceiver("video")
    negotiate(a, b)
    (answering,) = b.negotiator.transceivers
    assert answering.association.receive is not None
    (source,) = answering.association.receive.sources
    assert (source.ssrc, source.rtx_ssrc) == (offering.outgoing.ssrc, offering.outgoing.rtx_ssrc)
    assert source.cname


def test_who_does_not_send_has_no_parameters_for_it() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    offering = a.negotiator.add_transceiver("video", direction=Direction.SENDONLY)
    negotiate(a, b)
    (answering,) = b.negotiator.transceivers
    assert offering.association.receive is None
    assert answering.association.send is None


def test_a_simulcast_is_received_as_it_is_sent() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    offering = a.negotiator.add_transceiver("video", rids=("h", "m", "l"))
    _, answer = negotiate(a, b)
    assert answer.media[0].attributes.value("simulcast") == "recv h;m;l"
    (answering,) = b.negotiator.transceivers
    assert offering.association.send is not None
    assert answering.association.receive is not None
    assert offering.association.send.rids == answering.association.receive.rids == ("h", "m", "l")


def test_encodings_that_the_answer_leaves_out_are_not_sent() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    offering = a.negotiator.add_transceiver("video", rids=("h", "l"))
    answer = b.answer(a.offer())
    a.take(edited(answer, ("recv h;l", "recv l")))
    assert offering.association.send is not None
    assert offering.association.send.rids == ("l",)


def test_streams_of_older_descriptions_stand_beside_the_ssrc() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    track = a.negotiator.add_transceiver("audio", track="t", streams=("s",)).outgoing
    offer = edited(a.offer(), ("a=msid:s t\r\n", f"a=ssrc:{track.ssrc} msid:old t\r\n"))
    (transceiver,) = b.take(offer).tracks.added
    assert transceiver.association.streams == ("old",)


def test_a_side_without_codecs_turns_all_media_off() -> None:
    a, b = MediaEndpoint("a", data=True), Endpoint("b")
    a.negotiator.add_transceiver("audio")
    _, answer = negotiate(a, b)
    assert [section.rejected for section in answer.media] == [True, False]


def test_media_and_data_share_one_transport() -> None:
    a, b = MediaEndpoint("a", data=True), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio")
    _, answer = negotiate(a, b)
    assert answer.bundles[0].mids == ("0", "1")
    assert b.negotiator.transport_section == ("0", 0)


def test_media_left_out_of_the_bundle_is_not_used() -> None:
    a, b = MediaEndpoint("a", data=True), MediaEndpoint("b")
    transceiver = a.negotiator.add_transceiver("audio")
    answer = b.answer(a.offer())
    assert a.take(edited(answer, ("BUNDLE 0 1", "BUNDLE 1"))).sctp is not None
    assert transceiver.current_direction is Direction.INACTIVE
    assert transceiver.association.send is None


@pytest.mark.parametrize(
    ("name", "index", "kinds"),
    [("chromium", 2, ["audio", "video"]), ("firefox", 2, ["video", "audio"]), ("aiortc", 2, ["audio", "video"])],
)
def test_the_media_of_others_is_taken(name: str, index: int, kinds: list[str]) -> None:
    b = MediaEndpoint("b", data=True)
    applied = b.take(SessionDescription("offer", load("sdp")[name][index]["sdp"]))
    assert [transceiver.kind for transceiver in applied.tracks.added] == kinds
    assert all(transceiver.association.streams for transceiver in applied.tracks.added)
    applied = b.negotiator.set_local(None, b.transport)
    assert applied.signaling_state is SignalingState.STABLE
    assert not any(section.rejected for section in b.local().media)
    for transceiver in b.negotiator.transceivers:
        assert transceiver.association.receive is not None
        assert transceiver.association.receive.codecs
        assert transceiver.association.receive.sources


def test_every_codec_of_ours_is_found_in_what_chromium_offers() -> None:
    b = MediaEndpoint("b")
    b.take(SessionDescription("offer", load("sdp")["chromium"][2]["sdp"]))
    b.negotiator.set_local(None, b.transport)
    found = {
        bound.codec
        for transceiver in b.negotiator.transceivers
        if transceiver.association.receive is not None
        for bound in transceiver.association.receive.codecs
    }
    assert found == set(CAPABILITIES.codecs)
