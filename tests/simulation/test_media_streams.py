"""What travels with frames, and the encodings of a simulcast, in virtual time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from peerix.core.rtp.header_extensions import AudioLevel
from peerix.core.session.media import FrameReceived, KeyFrameRequested, SoundReceived
from tests.simulation.test_media import BAD_LINKS, GOOD, RATE, number_of, vp8
from tests.support.media_peers import media_peers
from tests.support.simnet import Link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support.media_peers import MediaPeer

RIDS = ("low", "mid", "high")
LOSSY = Link(latency=0.03, loss=0.03, bandwidth=1_000_000)


def send_frames(
    peer: MediaPeer, seconds: float, *, rids: Sequence[str] = ("",), first: int = 0, key: bool = True, rotation: int = 0
) -> int:
    """Send frames of each encoding, larger ones of the later; the first is a key frame if `key`."""
    for number in range(first, first + round(seconds * RATE)):
        send_frame(peer, number, dict.fromkeys(rids, key and number == first), rotation)
    return first + round(seconds * RATE)


def send_frame(
    peer: MediaPeer, number: int, keys: Mapping[str, bool], rotation: int = 0, *, size: int = 1200
) -> dict[str, bytes]:
    """Send a frame of each encoding, the first one of `size` bytes, and give what was sent."""
    (mid,) = peer.media.sending
    sent = {rid: vp8(number, size * place, key=key) for place, (rid, key) in enumerate(keys.items(), 1)}
    for rid, data in sent.items():
        peer.media.send(mid, data, number * 3000, peer.network.now, rid=rid, rotation=rotation)
    peer.network.run(1 / RATE)
    return sent


def asked(peer: MediaPeer, rid: str) -> int:
    """How many key frames the other side has asked for."""
    return sum(isinstance(event, KeyFrameRequested) and event.rid == rid for _, event in peer.events)


def received(peer: MediaPeer) -> list[FrameReceived]:
    return [event for _, event in peer.events if isinstance(event, FrameReceived)]


def test_the_level_of_sound_arrives_with_it() -> None:
    a, b = media_peers(GOOD, kinds=["audio"])
    (mid,) = a.media.sending
    for number in range(5):
        level = AudioLevel(number, voice=number > 2)
        a.media.send(mid, b"\x78" + bytes(60), number * 960, a.network.now, audio_level=level)
        a.network.run(0.02)
    a.network.run(0.1)
    levels = [event.level for _, event in b.events if isinstance(event, SoundReceived)]
    assert levels == [AudioLevel(number, voice=number > 2) for number in range(5)]


def test_sound_without_a_level_has_none() -> None:
    a, b = media_peers(GOOD, kinds=["audio"])
    a.media.send(next(iter(a.media.sending)), b"\x78" + bytes(60), 0, a.network.now)
    a.network.run(0.1)
    assert [event.level for _, event in b.events if isinstance(event, SoundReceived)] == [None]


def test_pictures_are_turned_from_the_frame_on_with_which_they_are() -> None:
    a, b = media_peers(LOSSY)
    number = send_frames(a, 1, rotation=90)
    number = send_frames(a, 1, first=number, key=False, rotation=270)
    send_frames(a, 1, first=number, rotation=0)
    a.network.run(0.6)
    by_number = {number_of(event.frame): event.rotation for event in received(b)}
    assert len(by_number) > 85
    for number, rotation in by_number.items():
        assert rotation == (90, 270, 0)[number // RATE]


def test_a_sender_asks_for_a_playout_delay() -> None:
    a, b = media_peers(GOOD)
    a.media.set_playout_delay("nothing", 1.0, 1.0)
    a.media.set_playout_delay(next(iter(a.media.sending)), 0.2, 0.4)
    send_frames(a, 0.2)
    a.network.run(0.1)
    last = received(b)[-1].frame
    assert last.playout_at - last.received_at == pytest.approx(0.2, abs=0.03)


def test_every_encoding_of_a_simulcast_arrives_and_is_repaired(seed: int) -> None:
    a, b = media_peers(LOSSY, rids=RIDS, seed=seed)
    sent: list[dict[str, bytes]] = []
    answered = dict.fromkeys(RIDS, -1)
    for number in range(5 * RATE):
        # A receiver that lost the first packet of all knows nothing of it, and asks for another key frame.
        requests = {rid: asked(a, rid) for rid in RIDS}
        # Less than what a new path is taken to carry: there is no encoder here that would follow the estimate.
        sent.append(send_frame(a, number, {rid: requests[rid] > answered[rid] for rid in RIDS}, size=400))
        answered = requests
    a.network.run(0.6)
    for rid in RIDS:
        found = [event.frame for event in received(b) if event.rid == rid]
        # It may begin half a second late, with the key frame that it has asked for.
        assert len(found) >= 0.85 * len(sent)
        assert all(frame.data == sent[number_of(frame)][rid] for frame in found)
        assert all(later > earlier for earlier, later in pairwise(map(number_of, found)))
    (sending,) = a.media.sending.values()
    assert all(encoding.stream.counters.retransmitted for encoding in sending.encodings.values())


def test_encodings_of_one_moment_have_the_same_time() -> None:
    a, b = media_peers(BAD_LINKS["reordering"], rids=RIDS)
    send_frames(a, 2, rids=RIDS)
    a.network.run(0.2)
    times: dict[int, list[float]] = {}
    for event in received(b):
        times.setdefault(number_of(event.frame), []).append(event.time)
    assert sum(len(each) == 3 for each in times.values()) > 50
    assert all(max(each) - min(each) < 0.005 for number, each in times.items() if number > 15)


def test_each_encoding_is_reported_and_asked_for_a_key_frame_by_itself() -> None:
    a, b = media_peers(GOOD, rids=RIDS)
    number = send_frames(a, 2, rids=RIDS)
    (sending,) = a.media.sending.values()
    assert len({stream.ssrc for stream in sending.streams} | {stream.rtx_ssrc for stream in sending.streams}) == 6
    assert all(stream.statistics.round_trip_time is not None for stream in sending.streams)
    b.media.request_key_frame(next(iter(b.media.receiving)), "mid")
    send_frames(a, 0.2, rids=RIDS, first=number, key=False)
    assert [event.rid for _, event in a.events if isinstance(event, KeyFrameRequested)] == ["mid"]


def test_an_encoding_that_is_not_sent_disturbs_none_of_the_others() -> None:
    a, b = media_peers(GOOD, rids=RIDS)
    send_frames(a, 1, rids=("mid", "unknown"))
    a.network.run(0.1)
    assert [event.rid for event in received(b)] == ["mid"] * RATE


def test_feedback_keeps_to_its_share_of_the_bandwidth_however_much_there_is_to_ask_for() -> None:
    loss, seconds = 0.4, 10
    a, _ = media_peers(Link(latency=0.03, loss=loss))
    (mid,) = a.media.sending
    for number in range(300 * seconds):
        a.media.send(mid, vp8(number, 60, key=number == 0), number * 300, a.network.now)
        a.network.run(1 / 300)
    there, back = a.network.states["a", "b"], a.network.states["b", "a"]
    feedback = back.delivered_bytes / (1 - loss) + 28 * back.sent
    assert 0.01 * there.delivered_bytes < feedback < 0.06 * (there.delivered_bytes + 300_000 / 8 * seconds) + 1000
