"""Records tracks to a file."""

from __future__ import annotations

import time
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import AsyncContextManagerMixin, CancelScope, sleep, to_thread
from av.error import FFmpegError

from peerix.core.errors import PeerixError
from peerix.media.recording import CODECS, RecordingFile
from peerix.rtc.media_track import MONOTONIC, MediaTrack
from peerix.task_groups import owned_task_group

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator
    from typing import Self

    from peerix.rtc.media_stream import MediaStream
    from peerix.rtc.media_track import FrameReader, Kind

START_TIMEOUT = 2.0
"""Seconds that tracks which have shown nothing are waited for, after the first one has begun."""

INTERVAL = 0.1
"""Seconds between two trips to the worker thread, each with all frames that came."""

MAX_WAITING: dict[Kind, int] = {"audio": 500, "video": 90}
"""Frames of a track that wait for the encoder and the disk; then the oldest is lost."""


class MediaRecorder(AsyncContextManagerMixin):
    """Records tracks to a file: ``async with MediaRecorder("out.mp4") as recorder: recorder.add(stream)``.

    Leaving the block ends the file, also when it is cancelled. The file begins when all tracks that were added have
    begun, or two seconds after the first of them. Tracks with the same clock are in step; gaps in sound are silence;
    a picture of another size is fitted into the size of the first, and those of a track with a `rotation` are turned.

    :param path: its ending says what is written: mp4, mov, mkv, webm, wav, flac, ogg, opus or mp3.
    :param video_bitrate: bits a second.
    :param audio_bitrate: bits a second.
    :raises PeerixError: the ending is unknown; or, out of the block, the file cannot be written.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, video_bitrate: int = 2_500_000, audio_bitrate: int = 96_000
    ) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in CODECS:
            raise PeerixError(f"{self.path.name} should end in one of {' '.join(CODECS)}")
        self.cancel_scope = CancelScope()
        self._file = RecordingFile(self.path, {"video": video_bitrate, "audio": audio_bitrate})
        self._tracks: list[MediaTrack[Any]] = []
        self._readers: list[FrameReader[Any]] = []
        self._reading = ExitStack()
        self._zero: dict[object, float] = {}
        """What a clock shows at the beginning of the file."""
        self._first_at: float | None = None

    @property
    def lost(self) -> int:
        """Frames that are missing since the encoder or the disk was too slow."""
        return sum(reader.lost for reader in self._readers)

    def add(self, what: MediaStream[Any] | MediaTrack[Any]) -> None:
        """Record a track, or all tracks of a stream, from now on.

        :raises PeerixError: the file has begun, or holds no tracks of this kind.
        """
        for track in [what] if isinstance(what, MediaTrack) else what.tracks:
            if self._zero:
                raise PeerixError("the recording has begun: add all tracks before their first frames")
            if not self._file.holds(track.kind):
                raise PeerixError(f"a {self.path.suffix} file holds no {track.kind}")
            self._tracks.append(track)
            self._readers.append(self._reading.enter_context(track.read(max_frames=MAX_WAITING[track.kind])))

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        with self._reading:
            async with owned_task_group() as tasks:
                tasks.start_soon(self._live, name=f"recorder of {self.path.name}")
                try:
                    yield self
                finally:
                    self.cancel_scope.cancel("the block of the recorder has ended")

    async def _live(self) -> None:
        try:
            with self.cancel_scope:
                while True:
                    await sleep(INTERVAL)
                    # Frames that were taken from their readers are written, whoever is cancelled meanwhile.
                    with CancelScope(shield=True):
                        await self._write(is_last=False)
        finally:
            with CancelScope(shield=True):
                await self._write(is_last=True)
                await self._in_thread(self._file.close)

    async def _write(self, *, is_last: bool) -> None:
        if not self._zero:
            if not self._is_time_to_begin(is_last=is_last):
                return
            self._set_zero()
            tracks = zip(self._tracks, self._readers, strict=True)
            firsts = [(track.kind, reader.peek(), track.rotation) for track, reader in tracks]
            await self._in_thread(self._file.begin, firsts)
        frames: list[tuple[int, Any, float, int]] = []
        for number, (track, reader) in enumerate(zip(self._tracks, self._readers, strict=True)):
            zero = self._zero.get(track.clock, 0.0)
            while (frame := reader.receive_nowait()) is not None:
                frames.append((number, frame, frame.time - zero, track.rotation))
        if frames:
            frames.sort(key=_position)
            await self._in_thread(self._file.write, frames)

    def _is_time_to_begin(self, *, is_last: bool) -> bool:
        begun = sum(reader.peek() is not None for reader in self._readers)
        if not begun:
            return False
        now = time.monotonic()
        self._first_at = self._first_at or now
        return is_last or begun == len(self._readers) or now - self._first_at >= START_TIMEOUT

    def _set_zero(self) -> None:
        """Find what each clock shows when the first of all frames was made."""
        now = time.monotonic()
        latest: dict[object, float] = {}
        earliest: dict[object, float] = {}
        for track, reader in zip(self._tracks, self._readers, strict=True):
            if (frame := reader.peek()) is not None:
                earliest[track.clock] = min(frame.time, earliest.get(track.clock, frame.time))
                latest[track.clock] = max(frame.time, latest.get(track.clock, frame.time))
        # A clock of its own shows now what its latest frame says, which has just come.
        ahead = {clock: now - time_of for clock, time_of in latest.items()}
        if MONOTONIC in ahead:
            ahead[MONOTONIC] = 0.0
        begin = min(earliest[clock] + ahead[clock] for clock in ahead)
        self._zero = {track.clock: begin - ahead.get(track.clock, 0.0) for track in self._tracks}

    async def _in_thread(self, work: Any, *arguments: Any) -> None:
        try:
            await to_thread.run_sync(work, *arguments)
        except (FFmpegError, OSError) as error:
            raise PeerixError(f"{self.path} cannot be written: {error}") from error


def _position(entry: tuple[int, Any, float, int]) -> float:
    return entry[2]
