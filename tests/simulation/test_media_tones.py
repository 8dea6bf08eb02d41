"""Dial tones beside sound, in virtual time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from peerix.core.errors import LocalProtocolError
from peerix.core.jsep import MediaCapabilities
from peerix.core.session.media import DEFAULT_CAPABILITIES, SoundReceived, ToneReceived
from peerix.core.session.media.tones import MAX_WAITING
from tests.simulation.test_media import GOOD
from tests.support.media_peers import media_peers
from tests.support.simnet import Link

if TYPE_CHECKING:
    from tests.support.media_peers import MediaPeer


def talk(peer: MediaPeer, seconds: float, first: int = 0) -> None:
    (mid,) = peer.media.sending
    for number in range(first, first + round(seconds * 50)):
        peer.media.send(mid, b"\x78" + bytes(60), number * 960, peer.network.now)
        peer.network.run(0.02)


def tones(peer: MediaPeer) -> list[ToneReceived]:
    return [event for _, event in peer.events if isinstance(event, ToneReceived)]


def dial(peer: MediaPeer, digits: str, duration: float = 0.1) -> None:
    (mid,) = peer.media.sending
    for digit in digits:
        peer.media.send_tone(mid, digit, duration)


def test_tones_arrive_one_after_the_other_beside_the_sound() -> None:
    a, b = media_peers(GOOD, kinds=["audio"])
    talk(a, 0.2)
    dial(a, "1#d")
    talk(a, 1, first=10)
    a.network.run(0.1)
    assert [(tone.digit, tone.duration) for tone in tones(b)] == [("1", 0.1), ("#", 0.1), ("D", 0.1)]
    units = [event.unit for _, event in b.events if isinstance(event, SoundReceived)]
    assert sum(unit.payload is not None for unit in units) == 60
    assert all(later.timestamp - earlier.timestamp & 0xFFFFFFFF == 960 for earlier, later in pairwise(units))


def test_tones_without_sound_arrive_though_packets_are_lost() -> None:
    a, b = media_peers(Link(latency=0.02, loss=0.15), seed=1, kinds=["audio"])
    dial(a, "0123456789")
    a.network.run(4)
    assert [tone.digit for tone in tones(b)] == list("0123456789")


def test_a_long_tone_is_told_in_segments() -> None:
    a, b = media_peers(GOOD, kinds=["audio"])
    dial(a, "5", 3.0)
    a.network.run(4)
    (last,) = tones(b)
    assert last.duration == pytest.approx(3.0 - 2 * 0xFFFF / 48_000)


def test_what_is_no_digit_and_too_many_are_refused() -> None:
    a, _ = media_peers(GOOD, kinds=["audio"])
    for digits in ("x", "", "12"):
        with pytest.raises(LocalProtocolError):
            a.media.send_tone(next(iter(a.media.sending)), digits)
    with pytest.raises(LocalProtocolError, match="wait"):
        dial(a, "1" * (MAX_WAITING + 1))


def test_whoever_takes_no_tones_gets_none() -> None:
    codecs = tuple(codec for codec in DEFAULT_CAPABILITIES.codecs if codec.name != "telephone-event")
    capabilities = MediaCapabilities(codecs, DEFAULT_CAPABILITIES.extensions)
    a, _ = media_peers(GOOD, kinds=["audio"], capabilities=capabilities)
    with pytest.raises(LocalProtocolError, match="takes no tones"):
        dial(a, "1")
    with pytest.raises(LocalProtocolError, match="takes no tones"):
        a.media.send_tone("nothing", "1")
