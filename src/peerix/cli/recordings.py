"""Streams that are recorded, each to a file of its own that never replaces another."""

from __future__ import annotations

import re
import secrets
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

import anyio
from anyio import CancelScope, to_thread

from peerix.cli.arrivals import Progress
from peerix.cli.exits import CommandError
from peerix.cli.storing import move_to_free_name
from peerix.cli.text import name_of, one_line, size_text
from peerix.core.errors import EventsLost, PeerixError
from peerix.core.rooms.files import UnsafeNameError, safe_name
from peerix.events import StreamEvent, TrackEvent

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import TaskGroup

    from peerix.cli.output import Output
    from peerix.event_stream import EventStream
    from peerix.events import PeerEvent
    from peerix.media import MediaRecorder

MAX_RECORDINGS = 16
"""Streams that are recorded at once; further ones are refused."""

MAX_LABEL = 80
"""Characters of a label that go into the name of a file."""

_SEPARATING = re.compile(r'[\x00-\x1f\x7f/\\<>:"|?*]+')


def recording_name(owner: str, label: str, ending: str) -> str:
    """A harmless file name that says whose stream it is, and which."""
    text = _SEPARATING.sub("_", f"{owner} {label[:MAX_LABEL]}").strip(" .")
    try:
        return safe_name(f"{text}{ending}", windows=True)
    except UnsafeNameError:
        return f"stream{ending}"


class _Recording:
    """One stream on its way into a file."""

    def __init__(self, event: StreamEvent, draft: Path, name: str) -> None:
        self.event = event
        self.draft = draft
        self.name = name
        self.tracks = list(event.stream.tracks)
        self.started = monotonic()
        self.ended = anyio.Event()
        self.recorder: MediaRecorder | None = None

    @property
    def fields(self) -> dict[str, object]:
        """What is said about it."""
        remote = self.event.remote
        return {"label": self.event.label, "peer": remote.id, "peer_name": name_of(remote)}


class Recordings:
    """Records the streams of a room.

    :param folder: where the files go; exists
    :param ending: of the files: ".mp4", ".webm" or ".mkv"
    :param copy: write what comes as it is
    :ivar progress: whether a stream has come, and of how many there is no file, or not all of it.
    """

    def __init__(self, folder: Path, ending: str, output: Output, tasks: TaskGroup, *, copy: bool = False) -> None:
        self._folder = folder
        self._ending = ending
        self._copy = copy
        self._output = output
        self._tasks = tasks
        self._active: dict[object, _Recording] = {}
        self.progress = Progress()

    async def read(self, events: EventStream[PeerEvent]) -> None:
        """Record until there are no more events."""
        try:
            async for event in events:
                if isinstance(event, StreamEvent):
                    self._handle_stream(event)
                elif isinstance(event, TrackEvent) and event.name == "track:add":
                    self._handle_track(event)
        except EventsLost as error:
            raise CommandError(f"too much at once: {error}") from error

    async def wait_over(self) -> None:
        """Wait until there was a stream, and there is none any more."""
        await self.progress.wait_until(lambda: self.progress.begun and not self._active)

    def _handle_stream(self, event: StreamEvent) -> None:
        if event.name == "stream:remove":
            recording = self._active.get(event.stream)
            if recording is not None:
                recording.ended.set()
            return
        name = recording_name(name_of(event.remote), event.label, self._ending)
        recording = _Recording(event, self._folder / f".peerix-{secrets.token_hex(8)}.part{self._ending}", name)
        self.progress.begin()
        if len(self._active) >= MAX_RECORDINGS:
            self._fail(recording, f"is not recorded: {MAX_RECORDINGS} others are")
            return
        self._active[event.stream] = recording
        self._tasks.start_soon(self._record, recording)

    def _handle_track(self, event: TrackEvent) -> None:
        recording = self._active.get(event.stream)
        if recording is None or event.track in recording.tracks:
            return
        recording.tracks.append(event.track)
        if recording.recorder is None:
            return
        try:
            recording.recorder.add(event.track, copy=self._copy)
        except PeerixError:
            self._fail(recording, f"has more {event.track.kind} now, which is not recorded")

    async def _record(self, recording: _Recording) -> None:
        from peerix.media import MediaRecorder

        kinds = [track.kind for track in recording.tracks]
        remote = recording.event.remote
        text = f"recording {' and '.join(kinds)} of {name_of(remote)}, {one_line(recording.event.label)!r}"
        self._output.remark("recording", text, kinds=kinds, **recording.fields)
        try:
            async with MediaRecorder(recording.draft) as recorder:
                recording.recorder = recorder
                for track in recording.tracks:
                    recorder.add(track, copy=self._copy)
                await recording.ended.wait()
        except* (PeerixError, OSError) as errors:
            self._fail(recording, f"cannot be recorded: {errors.exceptions[0]}")
            recording.recorder = None
        finally:
            # Whoever is interrupted keeps what was recorded so far.
            with CancelScope(shield=True):
                await self._keep(recording)
            self._active.pop(recording.event.stream, None)
            self.progress.change()

    async def _keep(self, recording: _Recording) -> None:
        recorder, recording.recorder = recording.recorder, None
        if recorder is None:
            await to_thread.run_sync(partial(recording.draft.unlink, missing_ok=True))
            return
        if not await to_thread.run_sync(recording.draft.exists):
            self._fail(recording, "ended before anything came")
            return
        try:
            path = await to_thread.run_sync(move_to_free_name, recording.draft, recording.name)
        except (PeerixError, OSError) as error:
            self._fail(recording, f"is in {recording.draft}, which cannot be renamed: {error}")
            return
        size = (await to_thread.run_sync(path.stat)).st_size
        seconds = monotonic() - recording.started
        text = (
            f"recorded {one_line(str(path))} ({size_text(size)}, {seconds:.1f} s) of {name_of(recording.event.remote)}"
        )
        more = {"path": str(path), "size": size, "seconds": round(seconds, 3), "lost": recorder.lost}
        self._output.result("recorded", text, **recording.fields, **more)

    def _fail(self, recording: _Recording, reason: str) -> None:
        self.progress.failures += 1
        remote = recording.event.remote
        text = f"the stream {one_line(recording.event.label)!r} of {name_of(remote)} {reason}"
        self._output.error(text, **recording.fields)
