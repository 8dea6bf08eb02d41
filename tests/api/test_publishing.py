"""Streams from peer to peer: published, received, replaced and taken away."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from anyio import fail_after

from peerix import TrackEvent, TransferAborted, published
from peerix.drivers import MemoryDriver
from peerix.media import AudioSource, MediaStream, TestSource, VideoSource
from peerix.media.test_source import PictureMaker, read_number
from tests.support.peers import local_peer, meet, remote_of
from tests.support.streams import SIZE, first_frame, room_with_source
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from peerix import Peer
    from tests.support.streams import MediaLog

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last frames of these streams are nobody's concern."""
    monkeypatch.setattr(published, "LINGER", 0.01)


def has_label(log: MediaLog, label: str) -> bool:
    return label in [event.label for event in log.of("track:add")]


def sections(peer: Peer, other: Peer) -> list[str]:
    """The media sections of the connection, as their `m=` lines."""
    connection = remote_of(peer, other).connection
    assert connection is not None
    assert connection.local_description is not None
    return [line for line in connection.local_description.sdp.split("\r\n") if line.startswith(("m=audio", "m=video"))]


async def test_a_published_stream_comes_with_its_tracks_and_its_label() -> None:
    async with room_with_source() as ((a, b), source, (_, log)):
        await a.publish(source.stream, "camera")
        await log.wait("track:add", 2)
        assert log.names == ["stream:add", "track:add", "track:add"]
        assert {event.label for event in log.events} == {"camera"}
        assert {event.track.kind for event in log.of("track:add")} == {"audio", "video"}
        assert {event.remote for event in log.events} == {remote_of(b, a)}


async def test_a_remote_peer_has_its_streams_by_label() -> None:
    async with room_with_source() as ((a, b), source, (_, log)):
        await a.publish(source.stream, "camera")
        event = await log.wait("stream:add")
        assert dict(remote_of(b, a).streams) == {"camera": event.stream}
        assert sorted(track.kind for track in event.stream.tracks) == ["audio", "video"]


async def test_the_pictures_that_arrive_are_those_that_were_sent() -> None:
    async with room_with_source() as ((a, _b), source, (_, log)):
        await a.publish(MediaStream([source.video]), "camera")
        frame = await first_frame((await log.wait("track:add")).track)
        assert (frame.width, frame.height) == SIZE
        sent = PictureMaker(*SIZE, 30.0).draw(read_number(frame))
        assert abs(frame.to_ndarray(format="rgb24").astype(int) - sent).mean() < 16


@pytest.mark.slow
async def test_a_bare_stream_has_its_id_as_label() -> None:
    async with room_with_source() as ((a, _b), source, (_, log)):
        await a.publish(source.stream)
        assert (await log.wait("stream:add")).label == source.stream.id


@pytest.mark.slow
async def test_the_one_who_publishes_gets_no_events() -> None:
    async with room_with_source() as ((a, _b), source, (own, log)):
        await a.publish(source.stream, "camera")
        await log.wait("track:add", 2)
        assert own.events == []


async def test_an_unpublished_stream_goes_with_its_tracks() -> None:
    async with room_with_source() as ((a, b), source, (_, log)):
        await a.publish(source.stream, "camera")
        await log.wait("track:add", 2)
        await a.unpublish("camera")
        removed = await log.wait("stream:remove")
        assert log.names[3:] == ["track:remove", "track:remove", "stream:remove"]
        assert (removed.label, dict(remote_of(b, a).streams), dict(a.published)) == ("camera", {}, {})
        assert all(event.track.ended for event in log.of("track:remove"))


@pytest.mark.slow
async def test_a_stream_can_be_named_to_be_unpublished() -> None:
    async with room_with_source() as ((a, b), source, (_, log)):
        await a.publish(source.stream, "one")
        await a.publish(source.stream, "two")
        await log.wait("track:add", 4)
        assert set(remote_of(b, a).streams) == {"one", "two"}
        await a.unpublish(source.stream)
        await log.wait("stream:remove", 2)
        assert dict(a.published) == {}


async def test_unpublished_tracks_are_ended() -> None:
    async with room_with_source(1, met=False) as ((a,), source, _):
        await a.publish(source.stream, "camera")
        await a.unpublish("camera")
        assert source.video.ended
        assert source.audio.ended


async def test_tracks_under_another_label_are_not_ended() -> None:
    async with room_with_source(1, met=False) as ((a,), source, _):
        await a.publish(source.stream, "camera")
        await a.publish(MediaStream([source.video]), "pictures")
        await a.unpublish("camera")
        assert source.audio.ended
        assert not source.video.ended


async def test_managed_tracks_are_not_ended() -> None:
    async with room_with_source(1, met=False) as ((a,), source, _):
        await a.publish(source.stream, "camera", managed=True)
        await a.unpublish("camera")
        assert not source.video.ended


async def test_a_stream_whose_tracks_have_ended_is_unpublished() -> None:
    async with room_with_source() as ((a, _b), source, (_, log)):
        await a.publish(source.stream, "camera")
        await log.wait("track:add", 2)
        source.cancel_scope.cancel()
        await log.wait("stream:remove")
        assert dict(a.published) == {}


@pytest.mark.slow
async def test_a_managed_stream_whose_tracks_have_ended_stays() -> None:
    async with room_with_source(1, met=False) as ((a,), source, _):
        await a.publish(source.stream, "camera", managed=True)
        await a.publish(MediaStream([source.video]), "own")
        source.cancel_scope.cancel()
        await until(lambda: "own" not in a.published)
        assert "camera" in a.published


async def test_another_stream_under_the_same_label_is_sent_without_a_word() -> None:
    async with room_with_source() as ((a, b), source, (_, log)), TestSource(*SIZE, pitch=880.0) as other:
        await a.publish(source.stream, "camera")
        await log.wait("track:add", 2)
        connection = remote_of(a, b).connection
        assert connection is not None
        before = connection.local_description
        await a.publish(other.stream, "camera")
        assert [sender.track for sender in connection.get_senders()] == [other.video, other.audio]
        assert source.video.ended
        video = next(event.track for event in log.of("track:add") if event.track.kind == "video")
        await first_frame(video)
        assert connection.local_description == before
        assert log.names == ["stream:add", "track:add", "track:add"]


async def test_a_replacement_adds_and_takes_away_what_has_no_counterpart() -> None:
    async with room_with_source() as ((a, b), source, (_, log)):
        sound = AudioSource()
        await a.publish(MediaStream([source.video]), "camera")
        await log.wait("track:add")
        await a.publish(MediaStream([sound]), "camera")
        await log.wait("track:remove")
        added = await log.wait("track:add", 2)
        assert added.track.kind == "audio"
        assert list(remote_of(b, a).streams) == ["camera"]
        assert [track.kind for track in remote_of(b, a).streams["camera"].tracks] == ["audio"]


@pytest.mark.slow
async def test_a_stream_that_has_another_track_by_now_is_published_again() -> None:
    async with room_with_source() as ((a, _b), source, (_, log)):
        stream: MediaStream[Any] = MediaStream([source.video])
        await a.publish(stream, "camera")
        await log.wait("track:add")
        stream.add(source.audio)
        await a.publish(stream, "camera")
        await log.wait("track:add", 2)
        assert log.names == ["stream:add", "track:add", "track:add"]
        assert not source.video.ended


async def test_late_joiners_get_what_is_published() -> None:
    async with room_with_source(3, met=False) as ((a, b, c), source, (_, *logs)):
        await a.publish(source.stream, "camera")
        await meet(a, b)
        await logs[0].wait("track:add", 2)
        await c.join("room")
        await logs[1].wait("track:add", 2)
        assert logs[1].names == ["stream:add", "track:add", "track:add"]
        assert logs[1].events[0].label == "camera"


@pytest.mark.slow
async def test_late_joiners_get_the_latest_replacement() -> None:
    async with room_with_source(2, met=False) as ((a, b), source, (_, log)):
        late = VideoSource()
        await a.publish(source.stream, "camera")
        await a.publish(MediaStream([late]), "camera")
        await meet(a, b)
        await log.wait("track:add")
        connection = remote_of(a, b).connection
        assert connection is not None
        assert [sender.track for sender in connection.get_senders()] == [late]


async def test_published_streams_survive_leaving_and_joining() -> None:
    async with room_with_source(2) as ((a, _b), source, (_, log)):
        await a.publish(source.stream, "camera")
        await log.wait("track:add", 2)
        await a.leave()
        await log.wait("stream:remove")
        await a.join("room")
        await log.wait("track:add", 4)
        assert log.of("stream:add")[1].label == "camera"
        assert not source.video.ended


async def test_streams_of_one_who_leaves_go_before_the_connection_is_closed() -> None:
    async with room_with_source(2) as ((a, _b), source, (_, log)):
        await a.publish(source.stream, "camera")
        await log.wait("track:add", 2)
        await a.leave()
        await log.wait("connection:closed")
        assert log.names[3:] == ["track:remove", "track:remove", "stream:remove", "connection:closed"]
        assert all(event.track.ended for event in log.of("track:remove"))


async def test_two_peers_that_publish_in_the_same_instant_see_each_other() -> None:
    async with room_with_source(2) as ((a, b), source, logs), TestSource(*SIZE) as other:
        await a.publish(source.stream, "camera")
        await b.publish(other.stream, "camera")
        for log in logs:
            await log.wait("track:add", 2)
            assert log.names == ["stream:add", "track:add", "track:add"]
            assert log.events[0].label == "camera"


async def test_each_direction_has_sections_of_its_own() -> None:
    async with room_with_source(2) as ((a, b), source, logs), TestSource(*SIZE) as other:
        await a.publish(MediaStream([source.video]), "camera")
        await logs[1].wait("track:add")
        await b.publish(MediaStream([other.video]), "camera")
        await logs[0].wait("track:add")
        connection = remote_of(b, a).connection
        assert connection is not None
        assert [each.direction for each in connection.get_transceivers()] == ["recvonly", "sendonly"]


@pytest.mark.slow
async def test_one_remote_peer_alone_can_be_given_a_stream() -> None:
    async with room_with_source(3) as ((a, b, _c), source, (_, *logs)):
        await remote_of(a, b).publish(source.stream, "for b")
        await a.publish(MediaStream([source.video]), "for all")
        for log in logs:
            await until(partial(has_label, log, "for all"))
        assert "for b" in [event.label for event in logs[0].events]
        assert "for b" not in [event.label for event in logs[1].events]


@pytest.mark.slow
async def test_one_remote_peer_alone_can_be_refused_a_stream() -> None:
    async with room_with_source(3) as ((a, b, c), source, (_, *logs)):
        await a.publish(source.stream, "camera")
        for log in logs:
            await log.wait("track:add", 2)
        await remote_of(a, b).unpublish("camera")
        await logs[0].wait("stream:remove")
        assert "camera" in remote_of(c, a).streams
        assert not source.video.ended


@pytest.mark.slow
async def test_a_stream_for_one_remote_peer_that_leaves_is_not_ended() -> None:
    async with room_with_source(2) as ((a, b), source, (_, log)):
        await remote_of(a, b).publish(source.stream, "for b")
        await log.wait("track:add", 2)
        await b.leave()
        await until(lambda: not a.remotes)
        assert not source.video.ended


async def test_publishing_twenty_times_needs_no_more_sections() -> None:
    async with room_with_source(2) as ((a, b), source, (_, log)):
        stream: MediaStream[Any] = MediaStream([source.video])
        for round_ in range(1, 21):
            await a.publish(stream, "camera", managed=True)
            await log.wait("track:add", round_)
            await a.unpublish("camera")
            await log.wait("stream:remove", round_)
        assert len(sections(a, b)) == len(sections(b, a)) == 1
        connection = remote_of(a, b).connection
        assert connection is not None
        await until(lambda: connection.get_transceivers() == [])


@pytest.mark.slow
async def test_publishing_twenty_times_in_both_directions_at_once_needs_no_more_sections() -> None:
    async with room_with_source(2) as ((a, b), source, logs), TestSource(*SIZE) as other:
        for round_ in range(1, 21):
            for peer, each in ((a, source), (b, other)):
                await peer.publish(MediaStream([each.video]), "camera", managed=True)
            for log in logs:
                await log.wait("track:add", round_)
            for peer in (a, b):
                await peer.unpublish("camera")
            for log in logs:
                await log.wait("stream:remove", round_)
        assert len(sections(a, b)) <= 3
        assert all(log.of("error") == [] for log in logs)


@pytest.mark.slow
async def test_unpublishing_what_is_not_published_does_nothing() -> None:
    async with room_with_source(1, met=False) as ((a,), source, _):
        await a.unpublish("camera")
        await a.unpublish(source.stream)
        assert not source.video.ended


@pytest.mark.slow
async def test_publishing_to_one_who_has_left_does_nothing() -> None:
    async with room_with_source(2) as ((a, b), source, _):
        remote = remote_of(a, b)
        await b.leave()
        await until(lambda: not a.remotes)
        await remote.publish(source.stream, "camera")
        await remote.unpublish("camera")
        assert dict(remote.streams) == {}


async def test_what_is_published_before_the_block_of_the_peer_is_shared_in_it() -> None:
    async with MemoryDriver() as driver, local_peer(driver=driver) as a, TestSource(*SIZE) as source:
        b = local_peer(driver=driver)
        await b.publish(MediaStream([source.video]), "camera")
        async with b, a.events("track:add", "stream:remove") as events:
            await meet(a, b)
            with fail_after(PATIENCE):
                added = await events.receive()
                assert isinstance(added, TrackEvent)
                assert added.label == "camera"
                source.video.end()
                assert (await events.receive()).name == "stream:remove"
            assert dict(b.published) == {}


@pytest.mark.slow
async def test_trouble_in_a_handler_of_a_stream_is_an_error_event() -> None:
    def fail(_: object) -> None:
        raise TransferAborted("what a message of somebody else raises")

    async with room_with_source() as ((a, b), source, (_, log)):
        b.on("stream:add", fail)
        await a.publish(MediaStream([source.video]), "camera")
        event = await log.wait("error")
        assert (event.code, event.remote) == ("DATACHANNEL_ERROR", remote_of(b, a))
