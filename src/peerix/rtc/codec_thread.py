"""A thread for one encoder or decoder, which works while the event loop goes on.

`anyio.to_thread.run_sync` looks for an idle thread, and turns the loop twice, for each call: half a millisecond of CPU
a picture and codec. Here a thread is taken once, for as long as the codec lives; a job costs a put, and wakes the loop
once when it is done.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from anyio import CancelScope, CapacityLimiter, Event, to_thread
from anyio.lowlevel import current_token

from peerix.rtc.callback_context import callback_context
from peerix.task_groups import owned_task_group

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from peerix.rtc.media_track import FrameReader

FrameT = TypeVar("FrameT")
ResultT = TypeVar("ResultT")


class CodecThread(Generic[FrameT, ResultT]):
    """Does what comes from a reader, one job at a time; `codec_thread` opens one. All but the jobs is in the loop.

    Whoever brings a frame begins the job, and the loop calls what takes the result: no task is woken for either.

    :param end: called in the thread behind the last job.
    """

    __slots__ = ("_deliver", "_end", "_ended", "_error", "_feed", "_is_busy", "_jobs", "_tell")

    def __init__(self, end: Callable[[], object]) -> None:
        self._end = end
        self._ended = Event()
        self._error: BaseException | None = None
        self._feed: Callable[[], None] = _nothing
        self._deliver: Callable[[ResultT], object] = _nothing
        self._is_busy = False
        self._jobs: SimpleQueue[Callable[[], ResultT] | None] = SimpleQueue()
        self._tell = _way_into_this_loop()

    async def work(
        self,
        reader: FrameReader[FrameT],
        prepare: Callable[[list[FrameT]], Callable[[], ResultT] | None],
        deliver: Callable[[ResultT], object],
        max_batch: int = 1,
    ) -> None:
        """Work until the reader comes to its end, or `finish`. What a job or `deliver` raises is raised here.

        :param prepare: makes a job of some frames, or none when they are to be left out; must not block or raise.
        :param deliver: takes the result of a job; must not block.
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
                self.finish()

        self._feed, self._deliver = feed, deliver
        reader.notify(feed)
        try:
            await self._ended.wait()
        finally:
            self._feed = self._deliver = _nothing
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        """Let `work` return."""
        self._ended.set()

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
                result: Any = None
                error: BaseException | None = None
                try:
                    result = job()
                except BaseException as raised:  # noqa: BLE001 - `work` raises it
                    error = raised
                self._tell(self._done, result, error)
                del job, result, error  # else they would stay in memory until the next one
        finally:
            self._end()

    def _done(self, result: ResultT, error: BaseException | None) -> None:
        self._is_busy = False
        try:
            if error is not None:
                raise error
            self._feed()
            self._deliver(result)
        except BaseException as raised:  # noqa: BLE001 - `work` raises it
            self._error = raised
            self.finish()


def _way_into_this_loop() -> Callable[..., object]:
    """What a thread calls to have a function called in the event loop, without waiting for it."""
    token: Any = current_token().native_token
    if not isinstance(token, asyncio.AbstractEventLoop):
        return token.run_sync_soon  # type: ignore[no-any-return]
    return partial(token.call_soon_threadsafe, context=callback_context())


@asynccontextmanager
async def codec_thread(end: Callable[[], object]) -> AsyncGenerator[CodecThread[Any, Any]]:
    """Have a thread while a block lasts.

    :param end: called in the thread behind the last job, to free what they used.
    """
    thread: CodecThread[Any, Any] = CodecThread(end)
    async with owned_task_group() as tasks:
        tasks.start_soon(thread.live, name="thread of a codec")
        try:
            yield thread
        finally:
            thread.stop()


def _nothing(*_: object) -> None:
    pass
