"""Video to a receiver that knows no transport-wide feedback: REMB and receiver reports, in virtual time."""

from __future__ import annotations

from dataclasses import replace

from peerix.core.jsep import MediaCapabilities
from peerix.core.rtp.header_extensions import TRANSPORT_SEQUENCE
from peerix.core.session.media import DEFAULT_CAPABILITIES, BitrateChanged
from tests.simulation.test_media import Camera, frames, number_of
from tests.support.media_peers import MediaPeer, media_peers
from tests.support.simnet import Link


def without(*feedback: str) -> MediaCapabilities:
    """The capabilities of somebody who knows neither transport-wide numbers nor this feedback."""
    codecs = tuple(
        replace(codec, feedback=tuple(value for value in codec.feedback if value not in feedback))
        for codec in DEFAULT_CAPABILITIES.codecs
    )
    extensions = tuple(one for one in DEFAULT_CAPABILITIES.extensions if one.uri != TRANSPORT_SEQUENCE)
    return MediaCapabilities(codecs, extensions)


REMB = without("transport-cc")
REPORTS = without("transport-cc", "goog-remb")


def rates(peer: MediaPeer) -> list[tuple[float, float]]:
    return [(at, event.bitrate) for at, event in peer.events if isinstance(event, BitrateChanged)]


def test_the_bitrate_grows_as_the_receiver_says_and_falls_when_the_path_becomes_narrow() -> None:
    a, b = media_peers(Link(latency=0.03, bandwidth=500_000), capabilities=REMB)
    camera = Camera(a, 300_000, follows=True)
    camera.run(20)
    wide = camera.bitrate
    a.network.default = Link(latency=0.03, bandwidth=75_000)
    camera.run(5)
    narrow = camera.bitrate
    assert wide > 700_000
    assert narrow < 600_000
    camera.run(2)
    a.network.run(1)
    assert number_of(frames(b)[-1]) >= len(camera.sent) - 30


def test_a_receiver_with_transport_wide_feedback_sends_no_estimate_of_its_own() -> None:
    a, _ = media_peers(Link(latency=0.03, bandwidth=500_000))
    Camera(a).run(3)
    assert a.media.outbound.estimator.reported.limit == float("inf")


def test_with_reports_only_the_bitrate_grows_until_packets_are_lost() -> None:
    a, b = media_peers(Link(latency=0.03, bandwidth=62_500, queue=20_000), capabilities=REPORTS)
    camera = Camera(a, 300_000, follows=True)
    camera.run(20)
    assert 400_000 < max(rate for _, rate in rates(a)) < 1_000_000
    assert frames(b)


def test_without_reports_the_bitrate_is_halved() -> None:
    a, _ = media_peers(Link(latency=0.03, bandwidth=500_000), capabilities=REPORTS)
    camera = Camera(a, 300_000, follows=True)
    camera.run(5)
    before = a.media.outbound.estimator.bitrate
    a.network.default = Link(down=True)
    camera.run(12)
    assert a.media.outbound.estimator.bitrate < 0.4 * before
