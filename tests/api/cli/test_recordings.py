"""Recording the streams of a room, which are made here instead of received."""

from __future__ import annotations

import io
import json
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from peerix import StreamEvent, TrackEvent
from peerix.cli import recordings
from peerix.cli.output import Output
from peerix.cli.recordings import Recordings
from peerix.media import AudioSource, MediaStream, TestSource, VideoSource
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


class Remote:
    """Somebody who publishes."""

    id = "0123456789"
    metadata: Any = {"name": "Alice/../.."}  # noqa: RUF012 - nobody changes it


class Scene:
    """Recordings, the events that they are told, and what they say."""

    recordings: Recordings

    def __init__(self) -> None:
        self._out = io.StringIO()
        self.output = Output(as_json=True, out=self._out)
        self._tell, self.events = anyio.create_memory_object_stream[Any](100)

    def said(self, event: str) -> list[dict[str, Any]]:
        """The objects of one kind."""
        return [each for line in self._out.getvalue().splitlines() if (each := json.loads(line))["event"] == event]

    def tell(self, name: str, stream: MediaStream[Any], track: Any = None) -> None:
        """Tell of a stream, or of a track of it."""
        remote = cast("Any", Remote())
        event = TrackEvent(name, remote, stream, track, "cam") if track else StreamEvent(name, remote, stream, "cam")
        self._tell.send_nowait(event)

    def close(self) -> None:
        """Tell nothing any more."""
        self._tell.close()
        self.events.close()


@asynccontextmanager
async def recording_in(folder: Path) -> AsyncGenerator[Scene]:
    """Recordings that run."""
    scene = Scene()
    async with anyio.create_task_group() as tasks:
        scene.recordings = Recordings(folder, ".mp4", scene.output, tasks)
        tasks.start_soon(scene.recordings.read, cast("Any", scene.events))
        try:
            yield scene
            await scene.recordings.wait_over()
        finally:
            tasks.cancel_scope.cancel()
    scene.close()


def has_said(scene: Scene, event: str, count: int) -> bool:
    return len(scene.said(event)) == count


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def is_begun(folder: Path) -> bool:
    """Whether something is in the temporary file of a recording."""
    return any(path.stat().st_size for path in folder.glob(".peerix-*"))


async def test_streams_of_one_name_have_files_of_their_own(tmp_path: Path) -> None:
    async with TestSource(160, 120) as source, recording_in(tmp_path) as scene:
        for number in (1, 2):
            stream: MediaStream[Any] = MediaStream([source.video])
            scene.tell("stream:add", stream)
            scene.tell("track:add", stream, source.video)
            await until(lambda: is_begun(tmp_path))
            scene.tell("stream:remove", stream)
            await until(partial(has_said, scene, "recorded", number))
    assert files(tmp_path) == ["Alice_.._.. cam (1).mp4", "Alice_.._.. cam.mp4"]
    assert scene.recordings.progress.failures == 0


async def test_a_stream_that_showed_nothing_leaves_no_file(tmp_path: Path) -> None:
    stream: MediaStream[Any] = MediaStream([VideoSource()])
    async with recording_in(tmp_path) as scene:
        scene.tell("stream:add", stream)
        scene.tell("stream:remove", stream)
    assert files(tmp_path) == []
    assert "ended before anything came" in scene.said("error")[0]["message"]
    assert scene.recordings.progress.failures == 1


async def test_a_track_that_comes_when_the_file_has_begun_is_said_to_be_missing(tmp_path: Path) -> None:
    async with TestSource(160, 120) as source, recording_in(tmp_path) as scene:
        stream: MediaStream[Any] = MediaStream([source.video])
        scene.tell("stream:add", stream)
        await until(lambda: is_begun(tmp_path))
        scene.tell("track:add", stream, AudioSource())
        await until(lambda: scene.said("error"))
        scene.tell("stream:remove", stream)
    assert "has more audio now" in scene.said("error")[0]["message"]
    assert files(tmp_path) == ["Alice_.._.. cam.mp4"]


async def test_streams_above_the_bound_are_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "MAX_RECORDINGS", 1)
    one: MediaStream[Any] = MediaStream([VideoSource()])
    two: MediaStream[Any] = MediaStream([VideoSource()])
    async with recording_in(tmp_path) as scene:
        scene.tell("stream:add", one)
        scene.tell("stream:add", two)
        await until(lambda: scene.said("error"))
        scene.tell("stream:remove", one)
    assert "is not recorded: 1 others are" in scene.said("error")[0]["message"]


async def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    async with TestSource(160, 120) as source, recording_in(folder) as scene:
        stream: MediaStream[Any] = MediaStream([source.video])
        scene.tell("stream:add", stream)
        await until(lambda: scene.said("error"))
    assert "cannot be recorded" in scene.said("error")[0]["message"]
