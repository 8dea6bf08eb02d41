"""A thread for one encoder or decoder, which works while the event loop goes on.

`anyio.to_thread.run_sync` looks for an idle thread, and turns the loop twice, for each call: half a millisecond of CPU
a picture and codec. Here a thread is taken once, for as long as the codec lives; a job costs a put, and wakes the loop
once when it is done.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from anyio import CancelScope, CapacityLimiter, Event, to_thread
from anyio.lowlevel import current_token

from peerix.task_groups import owned_task_group

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from peerix.rtc.media_track import FrameReader

FrameT = TypeVar("FrameT")
ResultT = TypeVar("ResultT")


class CodecThread(Generic[ResultT]):
    """Does one job at a time; `codec_thread` opens one. All but the jobs belongs to the event loop.

    :param end: called in the thread behind the last job.
    """

    __slots__ = ("_end", "_error", "_feed", "_is_busy", "_jobs", "_news", "_result", "_tell")

    def __init__(self, end: Callable[[], object]) -> None:
        self._end = end
        self._feed: Callable[[], None] = _nothing
        self._jobs: SimpleQueue[Callable[[], ResultT] | None] = SimpleQueue()
        self._is_busy = False
        """A job is being done, or its result was not taken."""
        self._news = Event()
        self._result: ResultT | None = None
        self._error: BaseException | None = None
        self._tell = _way_into_this_loop()

    def follow(
        self,
        reader: FrameReader[FrameT],
        prepare: Callable[[list[FrameT]], Callable[[], ResultT] | None],
        max_batch: int = 1,
    ) -> None:
        """Do what comes from a reader: whoever brings a frame begins the job, no task is woken for that.

        :param prepare: makes a job of some frames, or none when they are to be left out; must not block or raise.
        """

        def feed() -> None:
            if self._is_busy:
                return
            while batch := reader.receive_batch(max_batch):
                if (job := prepare(batch)) is not None:
                    self._is_busy = True
                    self._jobs.put(job)
                    return
            if reader.ended:
                self._news.set()

        self._feed = feed
        reader.notify(feed)

    async def take(self) -> ResultT | None:
        """Wait for the result of a job, or raise what it has raised; None when the reader has come to its end."""
        await self._news.wait()
        if not self._is_busy:
            return None
        self._news = Event()
        self._is_busy = False
        if self._error is not None:
            raise self._error
        result, self._result = self._result, None
        self._feed()
        return result

    async def live(self) -> None:
        """Work until `stop`."""
        with CancelScope(shield=True):
            # A limiter of its own: this is no short visit to the threads that all share.
            await to_thread.run_sync(self._live, limiter=CapacityLimiter(1))

    def stop(self) -> None:
        """End the thread when its job is done; `live` waits for that."""
        self._jobs.put(None)

    def _live(self) -> None:
        """In the thread."""
        try:
            while (job := self._jobs.get()) is not None:
                result: ResultT | None = None
                error: BaseException | None = None
                try:
                    result = job()
                except BaseException as raised:  # noqa: BLE001 - it is raised where the result is taken
                    error = raised
                self._tell(self._done, result, error)
                del job, result, error  # else they would stay in memory until the next one
        finally:
            self._end()

    def _done(self, result: ResultT | None, error: BaseException | None) -> None:
        self._result, self._error = result, error
        self._news.set()


def _way_into_this_loop() -> Callable[..., object]:
    """What a thread calls to have a function called in the event loop, without waiting for it."""
    token: Any = current_token().native_token
    return token.call_soon_threadsafe if hasattr(token, "call_soon_threadsafe") else token.run_sync_soon  # type: ignore[no-any-return]


@asynccontextmanager
async def codec_thread(end: Callable[[], object]) -> AsyncGenerator[CodecThread[Any]]:
    """Have a thread while a block lasts.

    :param end: called in the thread behind the last job, to free what they used.
    """
    thread: CodecThread[Any] = CodecThread(end)
    async with owned_task_group() as tasks:
        tasks.start_soon(thread.live, name="thread of a codec")
        try:
            yield thread
        finally:
            thread.stop()


def _nothing() -> None:
    pass
