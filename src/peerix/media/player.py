"""Plays a file, a URL or a device into tracks."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from anyio import AsyncContextManagerMixin, CancelScope, Event, sleep, to_thread
from av.codec.context import ThreadType
from av.error import EOFError as EndOfFileError
from av.error import FFmpegError

from peerix.core.errors import PeerixError
from peerix.media.sources import set_time
from peerix.rtc.media_stream import MediaStream
from peerix.rtc.media_track import MONOTONIC, MediaTrack
from peerix.task_groups import owned_task_group

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from typing import Self

    from av.container import InputContainer

    from peerix.rtc.media_track import Kind

MAX_AHEAD = 64
"""Decoded frames of a track that wait for their time; files whose tracks are further apart are shown as they come."""

BATCH = 8
"""Packets a trip to the worker thread."""

OPEN_TIMEOUT = 10.0
"""Seconds to open a source, and to wait for its next packet."""

LATE = 1.0
"""Seconds by which playing may be late (a stopped machine, a slow disk) before its clock is put back."""


class _Reader:
    """An open source: read and decoded in worker threads, by one at a time."""

    def __init__(self, source: str, format_name: str | None, options: dict[str, str]) -> None:
        self._source, self._format, self._options = source, format_name, options
        self._container = self._open()
        self._packets = self._demux()
        self.is_live = self._container.duration is None
        self._wanted = self._first_streams()
        self._skipping: set[Kind] = set()
        """Kinds of which packets were left out."""
        self.error: PeerixError | None = None
        self._lock = threading.Lock()
        self._closed = False

    def _open(self) -> InputContainer:
        return av.open(
            self._source, format=self._format, options=self._options, timeout=(OPEN_TIMEOUT, OPEN_TIMEOUT), mode="r"
        )

    def _first_streams(self) -> dict[int, Kind]:
        """One stream of each kind: its index and its kind."""
        wanted: dict[Kind, int] = {}
        for stream in self._container.streams:
            if _is_played(stream):
                wanted.setdefault(_kind_of(stream), stream.index)
        return {index: kind for kind, index in wanted.items()}

    @property
    def kinds(self) -> list[Kind]:
        """Of which kinds there is a stream, each once."""
        return sorted(self._wanted.values())

    def _demux(self) -> Any:
        for stream in self._container.streams.video:
            # Threads by frame would hold frames back, and hang when they are freed with some inside.
            stream.codec_context.thread_type = ThreadType.SLICE
        return self._container.demux()

    def read(self, watched: set[Kind]) -> tuple[list[tuple[Kind, Any]], bool]:
        """Read some packets; decode those of the watched kinds. Returns frames and whether the end was reached."""
        frames: list[tuple[Kind, Any]] = []
        with self._lock:
            is_over = not all(self._read_packet(watched, frames) for _ in range(BATCH))
        if self._closed:
            self.close()
        return frames, is_over

    def _read_packet(self, watched: set[Kind], frames: list[tuple[Kind, Any]]) -> bool:
        try:
            packet = next(self._packets)
        except StopIteration:
            return False
        except FFmpegError as error:
            if not isinstance(error, EndOfFileError):
                self.error = PeerixError(f"{self._source} ended early: {error}")
            return False
        kind = self._wanted.get(packet.stream_index)
        if kind is not None and self._is_decoded(kind, packet, watched):
            # A damaged packet costs its frames.
            with suppress(FFmpegError):
                found: list[Any] = packet.decode()
                frames.extend((kind, frame) for frame in found if frame.time is not None)
        return True

    def _is_decoded(self, kind: Kind, packet: Any, watched: set[Kind]) -> bool:
        if kind not in watched:
            self._skipping.add(kind)
            return False
        if kind in self._skipping:
            # Whoever begins to watch sees nothing until the next picture that stands alone.
            if not packet.is_keyframe:
                return False
            self._skipping.remove(kind)
            packet.stream.codec_context.flush_buffers()
        return True

    def rewind(self) -> None:
        """Begin again."""
        self._container.close()
        self._container = self._open()
        self._packets = self._demux()

    def close(self) -> None:
        """Close the source, or have the thread close it that still reads it."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._container.close()
            finally:
                self._lock.release()


def _is_played(stream: Any) -> bool:
    return stream.type in ("audio", "video") and stream.codec_context is not None


def _kind_of(stream: Any) -> Kind:
    return "video" if stream.type == "video" else "audio"


class MediaPlayer(AsyncContextManagerMixin):
    """Plays a file, a URL or a device, in time: ``async with MediaPlayer("clip.mp4") as player``.

    A file begins when somebody reads one of its tracks, and waits while nobody does.

    :param source: a path, a URL, or a device such as "/dev/video0".
    :param format: what FFmpeg calls the format, where it cannot tell; "v4l2" for "/dev/video*" by itself.
    :param options: FFmpeg's options, such as ``{"video_size": "1280x720"}``.
    :param loop: begin again at the end.
    :raises PeerixError: on entering: the source cannot be opened, or has neither sound nor pictures.
    :ivar stream: its tracks, at most one of each kind.
    :ivar finished: set when all has been played, or the source has failed.
    :ivar error: how the source failed (a device that was unplugged, a server that went silent); None while it did not.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        *,
        format: str | None = None,  # noqa: A002 - FFmpeg's word
        options: Mapping[str, str] | None = None,
        loop: bool = False,
    ) -> None:
        self.source = os.fspath(source)
        self.stream: MediaStream[MediaTrack[Any]] = MediaStream()
        self.finished = Event()
        self.error: PeerixError | None = None
        self.cancel_scope = CancelScope()
        if format is None and self.source.startswith("/dev/video"):
            format = "v4l2"  # noqa: A001
        self._format = format
        self._options = dict(options or {})
        self._loop = loop

    @property
    def audio(self) -> MediaTrack[av.AudioFrame] | None:
        """The track of audio, if there is one."""
        return next(iter(self.stream.audio_tracks), None)

    @property
    def video(self) -> MediaTrack[av.VideoFrame] | None:
        """The track of video, if there is one."""
        return next(iter(self.stream.video_tracks), None)

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        reader = await self._open()
        for kind in reader.kinds:
            self.stream.add(MediaTrack(kind, label=Path(self.source).name, clock=MONOTONIC))
        async with owned_task_group() as tasks:
            tasks.start_soon(self._live, reader, name=f"player of {self.source}")
            try:
                yield self
            finally:
                self.cancel_scope.cancel("the block of the player has ended")

    async def _open(self) -> _Reader:
        try:
            reader = await to_thread.run_sync(_Reader, self.source, self._format, self._options)
        except (FFmpegError, OSError, ValueError) as error:
            raise PeerixError(f"{self.source} cannot be played: {error}") from error
        if not reader.kinds:
            reader.close()
            raise PeerixError(f"{self.source} has neither sound nor pictures")
        return reader

    async def _live(self, reader: _Reader) -> None:
        try:
            with self.cancel_scope:
                await _Playback(reader, self.stream, loop=self._loop).run()
                self.error = reader.error
                self.finished.set()
        finally:
            for track in self.stream.tracks:
                track.end()
            with CancelScope(shield=True):
                await to_thread.run_sync(reader.close)


class _Playback:
    """What is read, by track, and the clock by which it is shown."""

    def __init__(self, reader: _Reader, stream: MediaStream[MediaTrack[Any]], *, loop: bool) -> None:
        self._reader = reader
        self._tracks: dict[Kind, MediaTrack[Any]] = {track.kind: track for track in stream.tracks}
        self._waiting: dict[Kind, deque[Any]] = {track.kind: deque() for track in stream.tracks}
        self._loop = loop
        self._origin: float | None = None
        """The time on the clock at which the time of a frame is 0."""
        self._last = 0.0
        self._done = False

    async def run(self) -> None:
        await self._wait_watched()
        while True:
            while not self._done and self._is_hungry():
                await self._fill()
            if not any(self._waiting.values()):
                if not (self._done and self._loop):
                    return
                await self._begin_again()
                continue
            await self._show(min((kind for kind in self._waiting if self._waiting[kind]), key=self._time_of_next))

    def _is_hungry(self) -> bool:
        sizes = [len(frames) for frames in self._waiting.values()]
        return min(sizes) == 0 and max(sizes) < MAX_AHEAD

    def _time_of_next(self, kind: Kind) -> float:
        return float(self._waiting[kind][0].time)

    async def _wait_watched(self) -> None:
        if self._reader.is_live or any(track.watched for track in self._tracks.values()):
            return
        watched = Event()

        async def wait(track: MediaTrack[Any]) -> None:
            await track.wait_watched()
            watched.set()

        async with owned_task_group() as tasks:
            for track in self._tracks.values():
                tasks.start_soon(wait, track)
            await watched.wait()
            tasks.cancel_scope.cancel("somebody reads")

    async def _fill(self) -> None:
        watched: set[Kind] = {kind for kind, track in self._tracks.items() if track.watched}
        # A source that hangs is left to its thread: its own timeout ends it.
        frames, self._done = await to_thread.run_sync(self._reader.read, watched, abandon_on_cancel=True)
        for kind, frame in frames:
            self._waiting[kind].append(frame)

    async def _begin_again(self) -> None:
        await to_thread.run_sync(self._reader.rewind)
        self._done = False
        self._origin = None

    async def _show(self, kind: Kind) -> None:
        frame = self._waiting[kind].popleft()
        now = time.monotonic()
        if self._origin is None:
            self._origin = max(now, self._last) - frame.time
        due = self._origin + frame.time
        if now < due:
            await sleep(due - now)
        elif now - due > LATE:
            self._origin += now - due
            due = now
        if not self._reader.is_live and not any(track.watched for track in self._tracks.values()):
            await self._wait_watched()
            due = time.monotonic()
            self._origin = due - frame.time
        self._last = due + (frame.duration * float(frame.time_base) if frame.duration else 0.0)
        set_time(frame, due)
        self._tracks[kind].deliver(frame)
