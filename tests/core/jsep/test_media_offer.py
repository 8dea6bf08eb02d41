"""Offers of audio and video."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peerix.core.errors import LocalProtocolError
from peerix.core.jsep import Negotiator
from peerix.core.sdp import Direction, Fmtp, Group, HeaderExtension, Msid, RtpMap
from tests.core.jsep.media import LEVEL, MID, OPUS, PCMU, VP8, VP9, MediaEndpoint, with_codecs
from tests.core.jsep.support import CANDIDATE, Endpoint, edited, make_transport, model, negotiate


def test_an_audio_section_says_all_of_the_track() -> None:
    a = MediaEndpoint(capabilities=with_codecs(OPUS))
    a.negotiator.add_transceiver("audio", direction=Direction.SENDONLY, track="t", streams=("s",))
    section = a.offer().sdp.split("m=audio")[1].split("\r\n")
    lines = [line.split(" cname:")[0].split(":")[0] if line.startswith("a=ssrc") else line for line in section]
    assert lines == [
        " 9 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:aaaa",
        "a=ice-pwd:" + "a" * 24,
        "a=ice-options:trickle",
        "a=fingerprint:sha-256 AA:BB:CC",
        "a=setup:actpass",
        "a=mid:0",
        "a=extmap-allow-mixed",
        "a=extmap:4 " + MID,
        "a=extmap:1 " + LEVEL,
        "a=sendonly",
        "a=msid:s t",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=rtpmap:111 opus/48000/2",
        "a=rtcp-fb:111 transport-cc",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=ssrc",
        "",
    ]


def test_a_video_section_has_retransmissions() -> None:
    a = MediaEndpoint(capabilities=with_codecs(VP8))
    a.negotiator.add_transceiver("video")
    section = model(a.offer()).media[0]
    assert section.formats == ("96", "97")
    assert section.rtpmaps == (RtpMap(96, "VP8", 90000), RtpMap(97, "rtx", 90000))
    assert section.fmtps == (Fmtp(97, "apt=96"),)
    group = section.ssrc_groups[0]
    assert (group.semantics, group.ssrcs) == ("FID", tuple(ssrc.ssrc for ssrc in section.ssrcs))


def test_redundancy_names_the_payload_type_that_it_repeats() -> None:
    a = MediaEndpoint()
    a.negotiator.add_transceiver("audio")
    assert Fmtp(63, "111/111") in model(a.offer()).media[0].fmtps


def test_a_track_in_no_stream_says_so() -> None:
    a = MediaEndpoint()
    a.negotiator.add_transceiver("audio", track="t")
    assert model(a.offer()).media[0].msids == (Msid("-", "t"),)


def test_a_section_that_only_receives_names_no_track() -> None:
    a = MediaEndpoint()
    a.negotiator.add_transceiver("audio", direction=Direction.RECVONLY, streams=("s",))
    section = model(a.offer()).media[0]
    assert (section.msids, section.ssrcs) == ((), ())


def test_media_comes_before_data_in_a_first_offer() -> None:
    a = MediaEndpoint(data=True)
    a.negotiator.add_transceiver("video")
    a.negotiator.add_transceiver("audio")
    offer = model(a.offer())
    assert [(section.kind, section.mid) for section in offer.media] == [
        ("video", "0"),
        ("audio", "1"),
        ("application", "2"),
    ]
    assert offer.bundles == (Group("BUNDLE", ("0", "1", "2")),)


def test_media_that_comes_later_is_added_behind() -> None:
    a, b = MediaEndpoint("a", data=True), MediaEndpoint("b")
    negotiate(a, b)
    a.negotiator.add_transceiver("audio")
    offer = model(a.offer())
    assert [(section.kind, section.mid) for section in offer.media] == [("application", "0"), ("audio", "1")]


def test_candidates_are_in_the_first_section_alone() -> None:
    a = MediaEndpoint(data=True)
    a.negotiator.add_transceiver("audio")
    a.transport = make_transport("a", CANDIDATE)
    assert [section.candidates for section in model(a.offer()).media] == [(CANDIDATE,), ()]


def test_an_offer_of_media_made_twice_is_the_same() -> None:
    a = MediaEndpoint(data=True)
    a.negotiator.add_transceiver("audio")
    a.negotiator.add_transceiver("video")
    first = a.negotiator.create_offer(a.transport)
    assert a.negotiator.create_offer(a.transport) == first
    a.negotiator.set_local(first, a.transport)
    assert a.negotiator.create_offer(a.transport) == first


def test_a_transceiver_added_while_an_offer_is_pending_is_in_the_next_one() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio")
    offer = a.offer()
    late = a.negotiator.add_transceiver("video")
    a.take(b.answer(offer))
    assert late.mid is None
    assert a.negotiator.negotiation_needed()
    assert [section.mid for section in model(a.offer()).media] == ["0", "1"]
    assert late.mid == "1"


def test_encodings_sent_at_the_same_time_have_names_and_no_ssrcs() -> None:
    a = MediaEndpoint()
    a.negotiator.add_transceiver("video", rids=("h", "l"))
    section = model(a.offer()).media[0]
    assert [(rid.id, rid.direction) for rid in section.rids] == [("h", "send"), ("l", "send")]
    assert section.attributes.value("simulcast") == "send h;l"
    assert section.ssrcs == ()


def test_two_tracks_have_different_ssrcs() -> None:
    a = MediaEndpoint()
    for _ in range(20):
        a.negotiator.add_transceiver("video")
    ssrcs = [ssrc.ssrc for section in model(a.offer()).media for ssrc in section.ssrcs]
    assert len(set(ssrcs)) == 40


def test_a_source_of_randomness_that_repeats_itself_is_survived() -> None:
    negotiator = Negotiator(random_bytes=bytes, capabilities=with_codecs(VP8))
    ssrcs = [(t.outgoing.ssrc, t.outgoing.rtx_ssrc) for t in (negotiator.add_transceiver("video") for _ in range(2))]
    assert ssrcs == [(1, 2), (3, 4)]


def test_preferences_choose_and_order_the_codecs() -> None:
    a = MediaEndpoint()
    a.negotiator.add_transceiver("video").codec_preferences = (VP9, VP8)
    assert [rtpmap.encoding for rtpmap in model(a.offer()).media[0].rtpmaps] == ["VP9", "rtx", "VP8", "rtx"]


def test_numbers_of_the_other_side_are_kept_in_later_offers() -> None:
    theirs = with_codecs(replace(OPUS, payload_type=109), replace(VP8, payload_type=120, rtx_payload_type=124))
    a, b = MediaEndpoint("a", capabilities=theirs), MediaEndpoint("b", capabilities=with_codecs(OPUS, VP8))
    a.negotiator.add_transceiver("audio")
    a.negotiator.add_transceiver("video")
    negotiate(a, b)
    b.negotiator.add_transceiver("video")
    assert [section.formats for section in model(b.offer()).media] == [("109",), ("120", "124"), ("120", "124")]


def test_a_new_codec_does_not_take_the_number_of_another() -> None:
    theirs = with_codecs(replace(OPUS, payload_type=96))
    a, b = MediaEndpoint("a", capabilities=theirs), MediaEndpoint("b", capabilities=with_codecs(OPUS, VP8))
    a.negotiator.add_transceiver("audio")
    negotiate(a, b)
    b.negotiator.add_transceiver("video")
    audio, video = model(b.offer()).media
    assert audio.formats == ("96",)
    assert video.formats == ("97", "98")


def test_extension_ids_of_the_other_side_are_kept() -> None:
    a, b = MediaEndpoint("a"), MediaEndpoint("b")
    a.negotiator.add_transceiver("audio")
    offer = edited(a.offer(), ("extmap:4 ", "extmap:1 "), (f"extmap:1 {LEVEL}", f"extmap:9 {LEVEL}"))
    b.answer(offer)
    b.negotiator.add_transceiver("video")
    video = model(b.offer()).media[1]
    assert HeaderExtension(1, MID) in video.header_extensions


def test_there_is_no_transceiver_without_a_codec() -> None:
    with pytest.raises(LocalProtocolError):
        Endpoint("a").negotiator.add_transceiver("audio")
    with pytest.raises(LocalProtocolError):
        MediaEndpoint(capabilities=with_codecs(PCMU)).negotiator.add_transceiver("video")


@pytest.mark.parametrize("wrong", ["", "a b", "a\r\nb", "ä"])
def test_an_id_that_would_break_a_line_is_refused(wrong: str) -> None:
    a = MediaEndpoint()
    with pytest.raises(LocalProtocolError):
        a.negotiator.add_transceiver("audio", streams=(wrong,))
    with pytest.raises(LocalProtocolError):
        a.negotiator.add_transceiver("audio", rids=(wrong, "x"))
    assert a.negotiator.transceivers == ()


def test_a_closed_negotiator_takes_no_transceiver() -> None:
    a = MediaEndpoint()
    a.negotiator.close()
    with pytest.raises(LocalProtocolError):
        a.negotiator.add_transceiver("audio")
