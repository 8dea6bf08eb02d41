"""Statistics of RTP streams of two sessions on a lossy network, in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peerix.core.rtp.header_extensions import AudioLevel
from peerix.rtc.media_stats import available_outgoing_bitrate, media_stats
from tests.simulation.test_media import vp8
from tests.support.sessions import SimulatedPeer, negotiate
from tests.support.simnet import Link, Network

if TYPE_CHECKING:
    from peerix.rtc.stats import Stats


@pytest.fixture(scope="module")
def peers() -> tuple[SimulatedPeer, SimulatedPeer]:
    """Two who talked for four seconds; the first sent sound and pictures."""
    network = Network(seed=3, default=Link(latency=0.03), tick=0.001)
    a = SimulatedPeer(network, "a", ["10.1.0.1"], media=True)
    b = SimulatedPeer(network, "b", ["10.2.0.1"], media=True)
    for kind in ("audio", "video"):
        a.session.negotiation.negotiator.add_transceiver(kind)
    negotiate(a, b)
    assert network.run(10, lambda: "connected" in a.states and "connected" in b.states)
    network.default = Link(latency=0.03, loss=0.03)
    audio, video = (one.mid or "" for one in a.session.negotiation.negotiator.transceivers)
    assert a.session.media is not None
    assert a.session.media.transport is not None
    send = a.session.media.transport.send
    for number in range(200):
        now = network.now
        send(audio, b"\x78" + bytes(60), number * 960, now, audio_level=AudioLevel(20))
        if not number % 2:
            send(video, vp8(number, 3000, key=not number), number * 1800, now)
        network.run(0.02)
    network.default = Link(latency=0.03)
    network.run(3)
    return a, b


def of_type(peer: SimulatedPeer, kind: str) -> dict[object, Stats]:
    return {entry["kind"]: entry for entry in media_stats(peer.session, "T0") if entry["type"] == kind}


def number(entry: Stats, name: str) -> float:
    value = entry[name]
    assert isinstance(value, int | float)
    return value


def test_what_one_side_sends_the_other_receives_or_loses(peers: tuple[SimulatedPeer, SimulatedPeer]) -> None:
    a, b = peers
    for kind in ("audio", "video"):
        sent, received = of_type(a, "outbound-rtp")[kind], of_type(b, "inbound-rtp")[kind]
        assert sent["ssrc"] == received["ssrc"]
        assert number(received, "packetsLost") > 0
        original = number(sent, "packetsSent") - number(sent, "retransmittedPacketsSent")
        repaired = number(received, "retransmittedPacketsReceived") if kind == "video" else 0
        assert original == number(received, "packetsReceived") - repaired + number(received, "packetsLost")
        assert number(sent, "headerBytesSent") >= number(received, "headerBytesReceived") > 0


def test_frames_requests_and_repetitions_are_counted(peers: tuple[SimulatedPeer, SimulatedPeer]) -> None:
    a, b = peers
    sent, received = of_type(a, "outbound-rtp")["video"], of_type(b, "inbound-rtp")["video"]
    assert sent["framesSent"] == received["framesReceived"] == 100
    assert number(received, "nackCount") >= number(sent, "nackCount") > 0
    assert number(sent, "retransmittedPacketsSent") >= number(received, "retransmittedPacketsReceived") > 0
    assert sent["pliCount"] == received["pliCount"] == 0
    assert "framesSent" not in {
        name for name, value in of_type(a, "outbound-rtp")["audio"].items() if value is not None
    }


def test_the_sender_knows_what_the_receiver_reports(peers: tuple[SimulatedPeer, SimulatedPeer]) -> None:
    a, b = peers
    reported = of_type(a, "remote-inbound-rtp")["video"]
    assert reported["localId"] == of_type(a, "outbound-rtp")["video"]["id"]
    assert of_type(a, "outbound-rtp")["video"]["remoteId"] == reported["id"]
    assert reported["roundTripTime"] == pytest.approx(0.06, abs=0.02)
    assert number(reported, "totalRoundTripTime") / number(reported, "roundTripTimeMeasurements") == pytest.approx(
        0.06, abs=0.02
    )
    assert reported["packetsLost"] == of_type(b, "inbound-rtp")["video"]["packetsLost"]
    assert 0 <= number(reported, "jitter") < 0.1


def test_the_receiver_knows_what_the_sender_reports(peers: tuple[SimulatedPeer, SimulatedPeer]) -> None:
    a, b = peers
    reported, received = of_type(b, "remote-outbound-rtp")["audio"], of_type(b, "inbound-rtp")["audio"]
    assert reported["localId"] == received["id"]
    assert received["remoteId"] == reported["id"]
    assert reported["packetsSent"] == of_type(a, "outbound-rtp")["audio"]["packetsSent"]
    # 1,000,000 seconds are between the two clocks of these sessions.
    assert reported["remoteTimestamp"] == pytest.approx((1_000_000 + a.network.now) * 1000, abs=2000)


def test_streams_name_their_codecs(peers: tuple[SimulatedPeer, SimulatedPeer]) -> None:
    for peer, kind in ((peers[0], "outbound-rtp"), (peers[1], "inbound-rtp")):
        codecs = {entry["id"]: entry for entry in media_stats(peer.session, "T0") if entry["type"] == "codec"}
        streams = of_type(peer, kind)
        assert codecs[streams["video"]["codecId"]]["mimeType"] == "video/VP8"
        sound = codecs[streams["audio"]["codecId"]]
        assert (sound["mimeType"], sound["clockRate"], sound["channels"]) == ("audio/opus", 48_000, 2)
        assert all(entry["transportId"] == "T0" for entry in (*codecs.values(), *streams.values()))


def test_the_level_of_sound_is_linear(peers: tuple[SimulatedPeer, SimulatedPeer]) -> None:
    received = of_type(peers[1], "inbound-rtp")["audio"]
    assert received["audioLevel"] == pytest.approx(0.1)
    assert number(received, "concealmentEvents") > 0
    assert number(received, "concealedSamples") >= 960


def test_the_path_tells_what_it_carries(peers: tuple[SimulatedPeer, SimulatedPeer]) -> None:
    bitrate = available_outgoing_bitrate(peers[0].session)
    assert bitrate is not None
    assert bitrate > 100_000


def test_a_session_without_media_has_no_such_statistics() -> None:
    peer = SimulatedPeer(Network(), "a", ["10.1.0.1"])
    assert list(media_stats(peer.session, "T0")) == []
    assert available_outgoing_bitrate(peer.session) is None
