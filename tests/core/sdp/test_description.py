"""Descriptions read as typed values. The examples have the shapes that RFC 4317 and RFC 9429 section 7 discuss."""

from __future__ import annotations

import pytest

from peerix.core.sdp import (
    Direction,
    Fingerprint,
    Fmtp,
    Group,
    HeaderExtension,
    MediaSection,
    Msid,
    Rid,
    RtcpFeedback,
    RtpMap,
    SctpMap,
    Setup,
    SimulcastAlternative,
    Ssrc,
    SsrcGroup,
    parse,
    write,
)

PWD = "abcdefghijklmnopqrstuv"

AUDIO_AND_VIDEO_ON_HOLD = """\
v=0
o=alice 2890844526 2890844527 IN IP4 host.example
s=
c=IN IP4 192.0.2.1
t=0 0
m=audio 49170/2 RTP/AVP 0 8 97
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:97 iLBC/8000
a=sendonly
m=video 0 RTP/AVP 31 32
b=AS:128
a=rtpmap:31 H261/90000
a=rtpmap:32 MPV/90000
"""

BUNDLED = f"""\
v=0
o=- 4962303333179871722 1 IN IP4 0.0.0.0
s=-
t=0 0
a=ice-options:trickle ice2
a=group:BUNDLE a1 v1 d1
a=group:LS a1 v1
m=audio 10100 UDP/TLS/RTP/SAVPF 96 0 97
c=IN IP4 203.0.113.100
a=mid:a1
a=sendrecv
a=rtpmap:96 opus/48000/2
a=rtpmap:97 telephone-event/8000
a=fmtp:97 0-15
a=maxptime:120
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:2/sendonly urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on
a=msid:47017fee-b6c1-4162-929c-a25110252400
a=ice-ufrag:ETEn
a=ice-pwd:{PWD}
a=fingerprint:sha-256 19:E2:1C:3B
a=setup:actpass
a=tls-id:91bbf309c0990a6bec11e38ba2933cee
a=rtcp-mux
a=rtcp-rsize
a=candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host
a=candidate:1 1 udp 1845494015 198.51.100.100 11100 typ srflx raddr 203.0.113.100 rport 10100
a=end-of-candidates
m=video 0 UDP/TLS/RTP/SAVPF 100 101
c=IN IP4 0.0.0.0
a=bundle-only
a=mid:v1
a=recvonly
a=rtpmap:100 VP8/90000
a=rtpmap:101 rtx/90000
a=fmtp:101 apt=100
a=rtcp-fb:100 ccm fir
a=rtcp-fb:* nack pli
a=ssrc:11 cname:x
a=ssrc-group:FID 11 12
a=rid:h send max-width=1280
a=rid:l send
a=simulcast:send h;~l
m=application 0 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=mid:d1
a=sctp-port:5001
a=max-message-size:0
"""


def section(text: str) -> MediaSection:
    return parse("v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\n" + text).media[0]


@pytest.mark.parametrize("text", [AUDIO_AND_VIDEO_ON_HOLD, BUNDLED])
def test_the_examples_are_written_back_as_they_were(text: str) -> None:
    crlf = text.replace("\n", "\r\n")
    assert write(parse(crlf)) == crlf


def test_a_plain_telephony_offer_is_read() -> None:
    description = parse(AUDIO_AND_VIDEO_ON_HOLD)
    audio, video = description.media
    assert description.origin.username == "alice"
    assert (audio.kind, audio.port, audio.port_count, audio.formats) == ("audio", 49170, 2, ("0", "8", "97"))
    assert audio.direction is Direction.SENDONLY
    assert video.rejected
    assert video.direction is None


def test_groups_are_read_and_bundles_found_among_them() -> None:
    description = parse(BUNDLED)
    assert [group.semantics for group in description.groups] == ["BUNDLE", "LS"]
    assert description.bundles == (Group("BUNDLE", ("a1", "v1", "d1")),)


def test_the_transport_of_a_section_is_read() -> None:
    audio = parse(BUNDLED).media[0]
    assert (audio.mid, audio.ice_ufrag, audio.ice_pwd) == ("a1", "ETEn", PWD)
    assert audio.fingerprints == (Fingerprint("sha-256", "19:E2:1C:3B"),)
    assert audio.setup is Setup.ACTPASS
    assert audio.end_of_candidates
    assert audio.candidates[0] == "candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host"
    assert len(audio.candidates) == 2


def test_codecs_are_read() -> None:
    audio, video, _ = parse(BUNDLED).media
    assert audio.rtpmaps == (RtpMap(96, "opus", 48000, 2), RtpMap(97, "telephone-event", 8000))
    assert video.fmtps == (Fmtp(101, "apt=100"),)
    assert video.rtcp_feedbacks == (RtcpFeedback(100, "ccm", "fir"), RtcpFeedback(None, "nack", "pli"))


def test_the_rest_of_rtp_is_read() -> None:
    audio, video, _ = parse(BUNDLED).media
    assert (audio.rtcp_mux, audio.rtcp_rsize) == (True, True)
    assert audio.msids == (Msid("47017fee-b6c1-4162-929c-a25110252400"),)
    assert audio.header_extensions == (
        HeaderExtension(1, "urn:ietf:params:rtp-hdrext:sdes:mid"),
        HeaderExtension(2, "urn:ietf:params:rtp-hdrext:ssrc-audio-level", Direction.SENDONLY, "vad=on"),
    )
    assert video.ssrcs == (Ssrc(11, "cname", "x"),)
    assert video.ssrc_groups == (SsrcGroup("FID", (11, 12)),)


def test_simulcast_is_read() -> None:
    video = parse(BUNDLED).media[1]
    assert video.rids == (Rid("h", "send", "max-width=1280"), Rid("l", "send"))
    assert video.simulcast is not None
    assert video.simulcast.send == ((SimulcastAlternative("h"),), (SimulcastAlternative("l", paused=True),))


def test_bundle_only_takes_the_meaning_of_off_from_port_zero() -> None:
    _, video, data = parse(BUNDLED).media
    assert not video.rejected
    assert data.rejected


def test_a_data_section_is_read() -> None:
    data = parse(BUNDLED).media[2]
    assert data.is_data
    assert (data.sctp_port, data.max_message_size) == (5001, 0)


def test_a_data_section_that_says_nothing_takes_64_kib_at_port_5000() -> None:
    data = section("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n")
    assert (data.sctp_port, data.max_message_size) == (5000, 65536)


def test_a_data_section_of_the_old_form_is_read() -> None:
    data = section("m=application 9 DTLS/SCTP 5002\na=sctpmap:5002 webrtc-datachannel 256\n")
    assert data.is_data
    assert data.sctp_port == 5002
    assert data.sctpmap == SctpMap(5002, "webrtc-datachannel", 256)


@pytest.mark.parametrize(
    "line", ["m=application 9 TCP/BFCP *", "m=audio 9 UDP/DTLS/SCTP 0", "m=application 9 UDP/DTLS/SCTP chat"]
)
def test_other_applications_are_no_data_sections(line: str) -> None:
    assert not section(line).is_data


def test_a_section_is_found_by_its_mid() -> None:
    description = parse(BUNDLED)
    found = description.section("v1")
    assert found is not None
    assert found.kind == "video"
    assert description.section("x") is None


def test_msid_semantic_is_read_with_or_without_a_space_before_it() -> None:
    head = "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\n"
    assert parse(head + "a=msid-semantic: WMS a").msid_semantic == ("WMS", "a")
    assert parse(head + "a=msid-semantic:WMS *").msid_semantic == ("WMS", "*")


def test_ice_lite_is_read() -> None:
    head = "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\n"
    assert parse(head + "a=ice-lite").ice_lite
    assert not parse(head).ice_lite
