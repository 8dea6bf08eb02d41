"""Records tracks to a file."""

from __future__ import annotations

import time
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import AsyncContextManagerMixin, CancelScope, sleep, to_thread
from av.error import FFmpegError

from peerix.core.errors import PeerixError
from peerix.media.recording import CODECS, Beginning, RecordingFile
from peerix.rtc.encoded_track import EncodedTrack
from peerix.rtc.media_track import MONOTONIC, MediaTrack
from peerix.rtc.received_track import ReceivedTrack
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


class _Recorded:
    """A track that is recorded, and what of it waits for the file."""

    __slots__ = ("_is_synced", "_skipped", "_unread", "is_encoded", "reader", "track")

    def __init__(self, track: MediaTrack[Any], reader: FrameReader[Any]) -> None:
        self.track = track
        self.reader = reader
        self.is_encoded = isinstance(track, EncodedTrack)
        self._is_synced = not self.is_encoded or track.kind == "audio"
        self._unread = self._skipped = 0
        if not self._is_synced:
            self._want_key_frame()

    @property
    def lost(self) -> int:
        """Frames that will not be in the file."""
        return self.reader.lost + self._skipped

    @property
    def beginning(self) -> Beginning:
        """What the file has to know when it begins."""
        track, first, codec = self.track, self.peek(), ""
        if isinstance(track, EncodedTrack):
            codec = (first and first.codec) or track.codec
        return Beginning(track.kind, first, track.rotation, self.is_encoded, codec)

    def peek(self) -> Any:
        """Look at the next frame; None when none waits. Encoded pictures begin with a key frame, also after a loss."""
        reader = self.reader
        if self.is_encoded and self.track.kind == "video":
            if reader.lost != self._unread:
                self._unread = reader.lost
                self._is_synced = False
                self._want_key_frame()
            while not self._is_synced and (frame := reader.peek()) is not None:
                self._is_synced = frame.key_frame
                if not frame.key_frame:
                    reader.receive_nowait()
                    self._skipped += 1
        return reader.peek()

    def take(self) -> list[Any]:
        """Take the frames that wait."""
        frames: list[Any] = []
        while (frame := self.peek()) is not None:
            frames.append(frame)
            self.reader.receive_nowait()
        return frames

    def _want_key_frame(self) -> None:
        if isinstance(self.track, EncodedTrack):
            self.track.key_frame_wanted()


class MediaRecorder(AsyncContextManagerMixin):
    """Records tracks to a file: ``async with MediaRecorder("out.mp4") as recorder: recorder.add(stream)``.

    Leaving the block ends the file, also when it is cancelled. The file begins when all tracks that were added have
    begun, or two seconds after the first of them. Tracks with the same clock are in step; gaps in sound are silence;
    a picture of another size is fitted into the size of the first, and those of a track with a `rotation` are turned.

    What is encoded already is written as it is, which costs next to nothing: ``recorder.add(stream, copy=True)``, or
    an `EncodedTrack`. Such pictures keep their sizes and are not turned, and begin with a key frame. An mkv file holds
    VP8, VP9, AV1, H.264 and Opus, a webm file all but H.264, an mp4 file all but VP8.

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
        self._recorded: list[_Recorded] = []
        self._reading = ExitStack()
        self._zero: dict[object, float] = {}
        """What a clock shows at the beginning of the file."""
        self._first_at: float | None = None

    @property
    def lost(self) -> int:
        """Frames that are missing in the file.

        The encoder or the disk was too slow; or they came encoded, and belong to no key frame, are of another codec
        than those before, or of a track that began after the file.
        """
        return sum(recorded.lost for recorded in self._recorded) + self._file.left_out

    def add(self, what: MediaStream[Any] | MediaTrack[Any], *, copy: bool = False) -> None:
        """Record a track, or all tracks of a stream, from now on.

        :param copy: write the frames of a received track as they come, without decoding them.
        :raises PeerixError: the file has begun, or holds no tracks of this kind or codec; or there is nothing to copy,
            since the track is not received.
        """
        tracks: list[MediaTrack[Any]] = [what] if isinstance(what, MediaTrack) else list(what.tracks)
        for track in [_encoded(track) for track in tracks] if copy else tracks:
            if self._zero:
                raise PeerixError("the recording has begun: add all tracks before their first frames")
            if not self._file.holds(track.kind):
                raise PeerixError(f"a {self.path.suffix} file holds no {track.kind}")
            if isinstance(track, EncodedTrack) and track.codec:
                self._file.check_codec(track.codec)
            reader = self._reading.enter_context(track.read(max_frames=MAX_WAITING[track.kind]))
            self._recorded.append(_Recorded(track, reader))

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
            await self._in_thread(self._file.begin, [recorded.beginning for recorded in self._recorded])
        frames: list[tuple[int, Any, float, int]] = []
        for number, recorded in enumerate(self._recorded):
            track = recorded.track
            zero = self._zero.get(track.clock, 0.0)
            frames += [(number, frame, frame.time - zero, track.rotation) for frame in recorded.take()]
        if frames:
            frames.sort(key=_position)
            await self._in_thread(self._file.write, frames)

    def _is_time_to_begin(self, *, is_last: bool) -> bool:
        begun = sum(recorded.peek() is not None for recorded in self._recorded)
        if not begun:
            return False
        now = time.monotonic()
        self._first_at = self._first_at or now
        return is_last or begun == len(self._recorded) or now - self._first_at >= START_TIMEOUT

    def _set_zero(self) -> None:
        """Find what each clock shows when the first of all frames was made."""
        now = time.monotonic()
        latest: dict[object, float] = {}
        earliest: dict[object, float] = {}
        for recorded in self._recorded:
            if (frame := recorded.peek()) is not None:
                clock = recorded.track.clock
                earliest[clock] = min(frame.time, earliest.get(clock, frame.time))
                latest[clock] = max(frame.time, latest.get(clock, frame.time))
        # A clock of its own shows now what its latest frame says, which has just come.
        ahead = {clock: now - time_of for clock, time_of in latest.items()}
        if MONOTONIC in ahead:
            ahead[MONOTONIC] = 0.0
        begin = min(earliest[clock] + ahead[clock] for clock in ahead)
        clocks = {recorded.track.clock for recorded in self._recorded}
        self._zero = {clock: begin - ahead.get(clock, 0.0) for clock in clocks}

    async def _in_thread(self, work: Any, *arguments: Any) -> None:
        try:
            await to_thread.run_sync(work, *arguments)
        except (FFmpegError, OSError) as error:
            raise PeerixError(f"{self.path} cannot be written: {error}") from error


def _position(entry: tuple[int, Any, float, int]) -> float:
    return entry[2]


def _encoded(track: MediaTrack[Any]) -> EncodedTrack:
    if isinstance(track, EncodedTrack):
        return track
    if not isinstance(track, ReceivedTrack):
        raise PeerixError("only received tracks can be copied: what is made here is not encoded yet")
    return track.encoded
