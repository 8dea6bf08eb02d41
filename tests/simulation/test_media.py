"""Video and sound between two ends on bad networks, in virtual time."""

from __future__ import annotations

import random
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING

import pytest

from peerix.core.sdp import Direction
from peerix.core.session import ConnectionState, TracksChanged
from peerix.core.session.media import BitrateChanged, FrameReceived, KeyFrameRequested, SoundReceived
from tests.support.media_peers import MediaPeer, media_peers, negotiate
from tests.support.sessions import SimulatedPeer
from tests.support.sessions import negotiate as negotiate_sessions
from tests.support.simnet import GilbertElliott, Link, Network

if TYPE_CHECKING:
    from peerix.core.rtp.video_buffer import ReceivedFrame

RATE = 30
GOOD = Link(latency=0.02, bandwidth=1_000_000)
BAD_LINKS = {
    "loss": Link(latency=0.03, loss=0.02, bandwidth=1_000_000),
    "bursts": Link(latency=0.03, bursts=GilbertElliott(0.005, 0.3), bandwidth=1_000_000),
    "reordering": Link(latency=0.02, reordering=0.05, reordering_delay=0.015, bandwidth=1_000_000),
    "duplication": Link(latency=0.02, duplication=0.1, bandwidth=1_000_000),
}


def vp8(number: int, size: int, *, key: bool) -> bytes:
    """Something that is a frame of VP8 as far as its header goes; the number is in it."""
    head = bytes([0x10 if key else 0x11, 0, 0])
    if key:
        head += b"\x9d\x01\x2a" + (1280).to_bytes(2, "little") + (720).to_bytes(2, "little")
    body = number.to_bytes(4, "big")
    return head + body + random.Random(number).randbytes(max(size - len(head) - 4, 0))


class Camera:
    """Sends a frame each 1/30 s at a bitrate; a key frame first and when it is asked for."""

    def __init__(self, peer: MediaPeer, bitrate: float = 1_000_000, *, follows: bool = False) -> None:
        self.peer, self.bitrate, self.follows = peer, bitrate, follows
        (self.mid,) = peer.media.sending
        self.sent: dict[int, bytes] = {}
        self.asked = 1
        self._seen = 0

    def run(self, seconds: float) -> None:
        network = self.peer.network
        end = network.now + seconds
        while network.now < end - 1e-6:
            number = len(self.sent)
            for _, event in self.peer.events[self._seen :]:
                self.asked += isinstance(event, KeyFrameRequested)
                if isinstance(event, BitrateChanged) and self.follows:
                    self.bitrate = event.bitrate * 0.9
            self._seen = len(self.peer.events)
            data = vp8(number, int(self.bitrate / RATE / 8), key=self.asked > 0)
            self.asked = 0
            self.sent[number] = data
            self.peer.media.send(self.mid, data, number * 3000, network.now)
            network.run(1 / RATE)


def frames(peer: MediaPeer) -> list[ReceivedFrame]:
    return [event.frame for _, event in peer.events if isinstance(event, FrameReceived)]


def number_of(frame: ReceivedFrame) -> int:
    start = 10 if frame.key_frame else 3
    return int.from_bytes(frame.data[start : start + 4], "big")


def test_every_frame_arrives_whole_and_in_order_on_a_good_path() -> None:
    a, b = media_peers(GOOD)
    camera = Camera(a)
    camera.run(2)
    a.network.run(0.2)
    assert [frame.data for frame in frames(b)] == list(camera.sent.values())


@pytest.mark.parametrize("link", BAD_LINKS.values(), ids=BAD_LINKS)
def test_what_is_lost_is_sent_again_and_what_arrives_is_unchanged(link: Link, seed: int) -> None:
    a, b = media_peers(link, seed=seed)
    camera = Camera(a)
    camera.run(5)
    a.network.run(0.6)
    received = frames(b)
    assert len(received) >= (0.8 if link.bursts else 0.97) * len(camera.sent)
    for frame in received:
        assert frame.data == camera.sent[number_of(frame)]
    assert all(later > earlier for earlier, later in pairwise(map(number_of, received)))


def test_a_frame_that_cannot_be_repaired_makes_the_receiver_ask_for_a_key_frame() -> None:
    a, b = media_peers(GOOD)
    camera = Camera(a, follows=True)
    camera.run(1)
    a.network.default = Link(down=True)
    camera.run(4)
    a.network.default = GOOD
    camera.run(3)
    assert any(isinstance(event, KeyFrameRequested) for _, event in a.events)
    assert number_of(frames(b)[-1]) >= len(camera.sent) - 60


def test_a_receiver_that_begins_to_decode_gets_a_key_frame_even_if_its_request_is_lost() -> None:
    a, b = media_peers(GOOD)
    camera = Camera(a)
    camera.run(0.5)
    (mid,) = b.media.receiving
    b.media.request_key_frame("nothing")
    b.media.request_key_frame(mid)
    a.network.connect("b", "a", Link(down=True), GOOD)
    camera.run(0.1)
    a.network.connect("b", "a", GOOD)
    camera.run(1)
    asked = [event for _, event in a.events if isinstance(event, KeyFrameRequested)]
    assert len(asked) == 1
    assert sum(frame.key_frame for frame in frames(b)) == 2


def test_no_more_is_wanted_of_the_path_than_the_senders_say() -> None:
    a, b = media_peers(Link(latency=0.02, bandwidth=2_000_000))
    a.media.set_maximum(1_000_000)
    Camera(a, follows=True).run(5)
    rates = [event.bitrate for _, event in a.events if isinstance(event, BitrateChanged)]
    assert 800_000 < max(rates) <= 1_000_000
    a.media.set_maximum(100_000)
    assert [event.bitrate for event in a.media.poll_events() if isinstance(event, BitrateChanged)] == [100_000]
    assert frames(b)


def test_what_is_sent_again_is_taken_from_what_encoders_may_send() -> None:
    a, _ = media_peers(Link(latency=0.03, loss=0.08, bandwidth=500_000))
    camera = Camera(a, follows=True)
    camera.run(4)
    told: list[float] = []
    for _ in range(2 * RATE):
        camera.run(1 / RATE)
        told.append(camera.bitrate / 0.9 / a.media.outbound.estimator.bitrate)
    assert 0.7 < fmean(told) < 0.97


def test_the_bitrate_is_as_before_when_only_the_feedback_was_lost_for_a_while() -> None:
    a, _ = media_peers(Link(latency=0.03, bandwidth=500_000))
    camera = Camera(a, follows=True)
    camera.run(5)
    before = camera.bitrate
    a.network.connect("b", "a", Link(down=True), a.network.default)
    camera.run(3)
    during = camera.bitrate
    a.network.connect("b", "a", a.network.default)
    camera.run(0.5)
    assert during < 0.3 * before
    assert camera.bitrate > 0.7 * before


def test_video_that_joins_sound_begins_as_on_a_new_path_and_finds_its_bitrate_soon() -> None:
    a, b = media_peers(Link(latency=0.02, bandwidth=2_000_000), kinds=["audio", "video"])
    a.media.set_maximum(64_000)
    audio, video = a.media.sending
    for number in range(500):
        a.media.send(audio, b"\x78" + bytes(80), number * 960, a.network.now)
        a.network.run(0.02)
    assert max(event.bitrate for _, event in a.events if isinstance(event, BitrateChanged)) == 64_000
    a.media.set_maximum(2_564_000)
    assert a.media.outbound.estimator.bitrate == 300_000
    for number in range(60):
        size = int(a.media.outbound.estimator.bitrate / 240)
        a.media.send(video, vp8(number, size, key=number == 0), number * 3000, a.network.now)
        a.network.run(1 / RATE)
    assert a.media.outbound.estimator.bitrate > 2_000_000
    assert frames(b)


def test_the_bitrate_follows_a_path_that_becomes_narrow_and_wide_again() -> None:
    wide, narrow = Link(latency=0.03, bandwidth=500_000), Link(latency=0.03, bandwidth=125_000)
    a, b = media_peers(wide)
    camera = Camera(a, follows=True)
    camera.run(10)
    before = camera.bitrate
    a.network.default = narrow
    camera.run(2)
    during = camera.bitrate
    camera.run(3)
    a.network.default = wide
    camera.run(10)
    assert before > 2_000_000
    assert during < 1_000_000
    assert camera.bitrate > 2_000_000
    assert frames(b)


def test_sound_arrives_piece_by_piece_without_holes_in_time() -> None:
    a, b = media_peers(Link(latency=0.03, loss=0.05, jitter=0.01), kinds=["audio"])
    (mid,) = a.media.sending
    for number in range(250):
        a.media.send(mid, b"\x78" + number.to_bytes(2, "big") * 30, number * 960, a.network.now)
        a.network.run(0.02)
    a.network.run(0.5)
    units = [event.unit for _, event in b.events if isinstance(event, SoundReceived)]
    assert sum(unit.duration for unit in units) >= 960 * 240
    for earlier, later in pairwise(units):
        assert later.timestamp - earlier.timestamp & 0xFFFFFFFF == earlier.duration
    whole = [unit for unit in units if unit.payload is not None]
    assert len(whole) >= 0.9 * 250


def send_both(a: MediaPeer, seconds: float) -> None:
    """Send a piece of sound each 20 ms and a frame with every second one, captured at the same moment."""
    audio, video = a.media.sending
    for number in range(round(seconds * 50)):
        now = a.network.now
        a.media.send(audio, b"\x78" + bytes(60), number * 960, now)
        if not number % 2:
            a.media.send(video, vp8(number, 12_000 if number == 0 else 3_000, key=number == 0), number * 1800, now)
        a.network.run(0.02)


@pytest.mark.parametrize("link", BAD_LINKS.values(), ids=BAD_LINKS)
def test_sound_and_picture_captured_together_have_the_same_time(link: Link) -> None:
    a, b = media_peers(link, kinds=["audio", "video"])
    begin = a.network.now
    send_both(a, 4)
    sounds = [event for _, event in b.events if isinstance(event, SoundReceived)]
    start = sounds[0].unit.timestamp
    of_sound = {(event.unit.timestamp - start & 0xFFFFFFFF) // 960: event.time for event in sounds}
    pictures = {number_of(event.frame): event.time for _, event in b.events if isinstance(event, FrameReceived)}
    both = [number for number in pictures if number in of_sound and number > 25]
    assert len(both) > 50
    for number in both:
        assert abs(pictures[number] - of_sound[number]) < 0.005
        assert begin + number / 50 < pictures[number] < begin + number / 50 + link.latency + 0.03


def test_the_first_packet_of_a_stream_brings_a_report_of_it() -> None:
    a, b = media_peers(GOOD, kinds=["audio", "video"])
    send_both(a, 0.1)
    audio, video = b.media.receiving.values()
    assert audio.audio is not None
    assert audio.audio.clock is not None
    assert audio.audio.clock.wall_clock(0) is not None
    assert video.video[""].clock.wall_clock(0) is not None


def test_both_sides_learn_of_loss_and_round_trip_by_reports() -> None:
    a, b = media_peers(Link(latency=0.05, loss=0.05, bandwidth=1_000_000))
    Camera(a).run(6)
    statistics = next(iter(a.media.sending.values())).encodings[""].stream.statistics
    assert statistics.round_trip_time == pytest.approx(0.1, abs=0.02)
    assert 0 < statistics.remote_lost < 0.2 * statistics.packets
    stream = next(iter(b.media.receiving.values())).video[""]
    assert stream.statistics is not None
    assert stream.clock.wall_clock(frames(b)[-1].timestamp) == pytest.approx(1_000_000 + a.network.now, abs=0.3)


def test_a_direction_that_is_taken_back_stops_and_goes_on_with_the_same_numbers() -> None:
    a, b = media_peers(GOOD)
    camera = Camera(a)
    camera.run(0.5)
    (transceiver,) = a.negotiator.transceivers
    transceiver.direction = Direction.RECVONLY
    negotiate(a, b)
    assert not a.media.sending
    transceiver.direction = Direction.SENDRECV
    negotiate(a, b)
    count = len(frames(b))
    camera.asked = 1
    camera.run(0.5)
    a.network.run(0.1)
    assert len(frames(b)) >= count + 14


def test_datagrams_that_are_not_ours_are_dropped() -> None:
    a, b = media_peers(GOOD)
    Camera(a).run(0.2)
    chance = random.Random(1)
    for size in (0, 1, 11, 12, 100, 1200):
        b.media.receive(
            [bytes([0x80, 96]) + chance.randbytes(size), bytes([0x81, 200]) + chance.randbytes(size)], 101.0
        )
    assert len(frames(b)) == 6


def test_whole_sessions_carry_sound_beside_data_and_tell_of_the_track() -> None:
    network = Network(default=Link(latency=0.02), tick=0.001)
    a = SimulatedPeer(network, "a", ["10.1.0.1"], media=True)
    b = SimulatedPeer(network, "b", ["10.2.0.1"], media=True)
    a.session.negotiation.negotiator.add_transceiver("audio", streams=["stream"])
    a.open("chat")
    negotiate_sessions(a, b)
    assert network.run(10, lambda: "chat" in b.channels)
    (changed,) = [event for event in b.media_events if isinstance(event, TracksChanged)]
    assert [one.association.streams for one in changed.added] == [("stream",)]
    (transceiver,) = a.session.negotiation.negotiator.transceivers
    assert a.session.media is not None
    assert a.session.media.transport is not None
    for number in range(50):
        a.session.media.transport.send(transceiver.mid or "", b"\x78" + bytes(60), number * 960, network.now)
        a.send("chat", f"{number}")
        network.run(0.02)
    network.run(0.3)
    heard = [event.unit for event in b.media_events if isinstance(event, SoundReceived)]
    assert sum(unit.payload is not None for unit in heard) == 50
    assert len(b.messages["chat"]) == 50


def test_a_session_of_data_only_refuses_a_section_of_media_and_keeps_the_channel() -> None:
    network = Network(default=Link(latency=0.02), tick=0.001)
    a = SimulatedPeer(network, "a", ["10.1.0.1"], media=True)
    b = SimulatedPeer(network, "b", ["10.2.0.1"])
    a.session.negotiation.negotiator.add_transceiver("video")
    a.open("chat")
    negotiate_sessions(a, b)
    assert network.run(10, lambda: "chat" in b.channels)
    assert not a.session.negotiation.negotiator.transceivers


def test_a_session_of_media_only_says_nothing_of_sctp_until_a_channel_is_agreed_on() -> None:
    network = Network(default=Link(latency=0.02), tick=0.001)
    a = SimulatedPeer(network, "a", ["10.1.0.1"], media=True)
    b = SimulatedPeer(network, "b", ["10.2.0.1"], media=True)
    a.session.negotiation.negotiator.add_transceiver("audio")
    negotiate_sessions(a, b)
    network.run(2)
    assert a.session.connection_state is b.session.connection_state is ConnectionState.CONNECTED
    assert a.session.association.counters.sent.packets == b.session.association.counters.sent.packets == 0
    a.open("chat")
    negotiate_sessions(a, b)
    assert network.run(10, lambda: "chat" in b.channels)


def test_a_session_of_media_only_says_goodbye() -> None:
    network = Network(default=Link(latency=0.02), tick=0.001)
    a = SimulatedPeer(network, "a", ["10.1.0.1"], media=True)
    b = SimulatedPeer(network, "b", ["10.2.0.1"], media=True)
    a.session.negotiation.negotiator.add_transceiver("audio")
    negotiate_sessions(a, b)
    network.run(2)
    a.session.close(network.now)
    network.run(0.2)
    assert b.session.closed_by_peer
    assert a.session.goodbye_answered
