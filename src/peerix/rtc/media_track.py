"""A track of audio or video and its readers (W3C MediaStreamTrack), whatever its frames are made of."""

from __future__ import annotations

import secrets
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar
from weakref import ref

from anyio import EndOfStream, Event
from anyio.abc import ObjectReceiveStream
from anyio.lowlevel import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

Kind: TypeAlias = Literal["audio", "video"]

FrameT = TypeVar("FrameT")

MONOTONIC = object()
"""The clock of all that is made on this machine or has come to it: `time.monotonic`, in seconds."""

MAX_FRAMES = {"audio": 250, "video": 30}
"""Frames that wait for a reader that wants all of them: five seconds of audio, one of video."""


class FrameReader(ObjectReceiveStream[FrameT], Generic[FrameT]):
    """One reader's frames. It ends (EndOfStream) when the track has ended and all has been read.

    :param limit: frames that wait; when one more comes the oldest goes. 1 always gives the latest.
    :ivar lost: how many frames went unread.
    """

    def __init__(self, limit: int) -> None:
        self.lost = 0
        self._notify: Callable[[], None] | None = None
        self._frames: deque[FrameT] = deque()
        self._limit = limit
        self._waiter: Event | None = None
        self._ended = False

    def put(self, frame: FrameT) -> None:
        """Add a frame."""
        if self._ended:
            return
        if len(self._frames) >= self._limit:
            self._frames.popleft()
            self.lost += 1
        self._frames.append(frame)
        self._wake()

    def end(self) -> None:
        """No more frames will come."""
        self._ended = True
        self._wake()

    def receive_nowait(self) -> FrameT | None:
        """Take a frame that waits; None when there is none."""
        return self._frames.popleft() if self._frames else None

    def receive_batch(self, limit: int) -> list[FrameT]:
        """Take the frames that wait, `limit` at most; none when there are none."""
        frames = self._frames
        return [frames.popleft() for _ in range(min(limit, len(frames)))]

    @property
    def ended(self) -> bool:
        """Whether no more frames will come; some may wait."""
        return self._ended

    def notify(self, news: Callable[[], None]) -> None:
        """Have `news` called when a frame has come, or the end, by whoever brings it; and once now.

        So a reader that is no task is not woken like one. It must not block or raise.
        """
        self._notify = news
        news()

    def peek(self) -> FrameT | None:
        """Look at the next frame without taking it; None when none waits."""
        return self._frames[0] if self._frames else None

    async def receive(self) -> FrameT:
        """Wait for the next frame.

        :raises EndOfStream: the track has ended.
        """
        if self._frames or self._ended:
            await checkpoint()
        # Waiting is a checkpoint itself; one before it would cost a turn of the loop a frame.
        while not self._frames:
            if self._ended:
                raise EndOfStream
            if self._waiter is None:
                self._waiter = Event()
            await self._waiter.wait()
        return self._frames.popleft()

    async def aclose(self) -> None:
        """Read no more."""
        self.end()
        self._frames.clear()
        await checkpoint()

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.set()
            self._waiter = None
        if self._notify is not None:
            self._notify()


class MediaTrack(Generic[FrameT]):
    """Frames of one kind from one source, for any number of readers.

    Frames are made only while somebody reads: `watched` says so, and `wait_watched` waits for it. Times of frames are
    seconds on `clock`; tracks with the same clock are in step.

    :param clock: what the times of the frames are counted on; None is a clock of the track's own.
    :ivar rotation: degrees clockwise by which to turn its pictures: 0, 90, 180 or 270. Whoever makes them may set it,
        and those who receive them are told; nobody turns the pixels on the way.
    """

    __slots__ = ("__weakref__", "_changed", "_readers", "clock", "ended", "id", "kind", "label", "rotation")

    def __init__(self, kind: Kind, *, id: str | None = None, label: str = "", clock: object = None) -> None:  # noqa: A002
        self.kind: Kind = kind
        self.id = id or secrets.token_hex(16)
        self.label = label
        self.clock = clock if clock is not None else object()
        self.ended = False
        self.rotation = 0
        # Weakly: a loop that was left with `break` leaves its reader to nobody. A list, which is walked for each frame
        # at a tenth of what a WeakSet takes.
        self._readers: list[ref[FrameReader[FrameT]]] = []
        self._changed = Event()
        """Set when the track gets a reader or ends."""

    @property
    def watched(self) -> bool:
        """Whether somebody reads."""
        return bool(self._readers)

    async def wait_watched(self) -> None:
        """Wait until somebody reads, or the track has ended."""
        while not self.watched and not self.ended:
            await self._changed.wait()

    async def wait_ended(self) -> None:
        """Wait until the track has ended."""
        while not self.ended:
            await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = Event()

    @contextmanager
    def read(self, *, latest: bool = False, max_frames: int | None = None) -> Generator[FrameReader[FrameT]]:
        """Read the frames from now on.

        :param latest: a slow reader gets the latest frame and misses those between.
        :param max_frames: how many may wait; then the oldest is lost. MAX_FRAMES by default.
        """
        reader = self._new_reader(1 if latest else max_frames or MAX_FRAMES[self.kind])
        try:
            yield reader
        finally:
            self._readers[:] = [each for each in self._readers if each() is not reader]

    def __aiter__(self) -> FrameReader[FrameT]:
        """Read every frame until the track ends: ``async for frame in track``."""
        return self._new_reader(MAX_FRAMES[self.kind])

    def _new_reader(self, limit: int) -> FrameReader[FrameT]:
        reader: FrameReader[FrameT] = FrameReader(limit)
        if self.ended:
            reader.end()
        self._readers.append(ref(reader, self._readers.remove))
        self._tell()
        return reader

    def deliver(self, frame: FrameT) -> None:
        """Hand a frame to all readers: called by the source, in the event loop."""
        for reader in self._readers_now():
            reader.put(frame)

    def end(self) -> None:
        """End the track: its readers come to their end, once they have read what waits."""
        self.ended = True
        self._tell()
        for reader in self._readers_now():
            reader.end()

    def _readers_now(self) -> list[FrameReader[FrameT]]:
        return [reader for each in self._readers if (reader := each()) is not None]
