"""What a remote peer's descriptions may do to its streams, without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from peerix.remote_streams import MAX_STREAMS, RemoteStreams
from peerix.rtc import MediaStream, MediaTrack, TrackReceived, TrackRemoved

if TYPE_CHECKING:
    from peerix import RemotePeer

NOBODY: Any = None


class Scene:
    """The streams of somebody, the labels that were told, and the events."""

    def __init__(self, **labels: str) -> None:
        self.labels = labels
        self.events: list[Any] = []
        self.streams = RemoteStreams(cast("RemotePeer", None), self.events.append, lambda: self.labels)

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    def receive(self, track: MediaTrack[Any], *streams: MediaStream[Any]) -> None:
        self.streams.handle_received(TrackReceived(cast("Any", track), NOBODY, NOBODY, streams))

    def remove(self, track: MediaTrack[Any], *streams: MediaStream[Any]) -> None:
        self.streams.handle_removed(TrackRemoved(cast("Any", track), NOBODY, NOBODY, streams))


def stream(name: str) -> MediaStream[Any]:
    return MediaStream((), name)


def track() -> MediaTrack[Any]:
    return MediaTrack("video")


def test_a_stream_keeps_the_label_that_it_came_with() -> None:
    scene = Scene(s="first")
    one, two = track(), track()
    scene.receive(one, stream("s"))
    scene.labels = {"s": "second"}
    scene.receive(two, stream("s"))
    assert {event.label for event in scene.events} == {"first"}
    assert list(scene.streams.view) == ["first"]


def test_a_track_may_be_in_several_streams() -> None:
    scene = Scene()
    one = track()
    scene.receive(one, stream("s"), stream("t"))
    assert scene.names == ["stream:add", "track:add"] * 2
    scene.remove(one, stream("s"), stream("t"))
    assert scene.names[4:] == ["track:remove", "stream:remove"] * 2


def test_a_track_of_no_stream_has_one_of_its_own() -> None:
    scene = Scene()
    one = track()
    scene.receive(one)
    assert list(scene.streams.view) == [one.id]
    scene.remove(one)
    assert not scene.streams.view


def test_of_two_streams_with_one_label_the_latest_has_it() -> None:
    scene = Scene(s="camera", t="camera")
    one, two, first, second = track(), track(), stream("s"), stream("t")
    scene.receive(one, first)
    scene.receive(two, second)
    assert scene.streams.view["camera"] is second
    scene.remove(two, second)
    assert scene.streams.view["camera"] is first


def test_a_track_that_comes_twice_is_told_once() -> None:
    scene = Scene()
    one, it = track(), stream("s")
    scene.receive(one, it)
    scene.receive(one, it)
    assert scene.names == ["stream:add", "track:add"]


def test_a_track_that_nobody_knows_is_not_told_to_go() -> None:
    scene = Scene()
    scene.receive(track(), stream("s"))
    scene.remove(track(), stream("s"))
    assert scene.names == ["stream:add", "track:add"]


def test_streams_have_a_bound() -> None:
    scene = Scene()
    scene.receive(track(), *(stream(str(number)) for number in range(MAX_STREAMS + 50)))
    assert len(scene.streams.view) == MAX_STREAMS
    assert len(scene.events) == 2 * MAX_STREAMS


def test_all_is_told_to_go_in_the_end() -> None:
    scene = Scene()
    it = stream("s")
    scene.receive(track(), it)
    scene.receive(track(), it)
    scene.streams.end()
    assert scene.names[3:] == ["track:remove", "track:remove", "stream:remove"]
