"""A process of the benchmark of many connections: ``python -m benchmarks.scale_worker JOB``, its result on stdout."""

from __future__ import annotations

import gc
import time
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import anyio

from benchmarks.process import run_job
from benchmarks.scenarios import Job, connect_pair, resident_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerix import Driver

Result: TypeAlias = "dict[str, float]"

WARM_UP = 5
"""Connections that take what a process needs only once."""

ADDRESS = "127.0.0.1"
MEETING_LIMIT = 120.0
"""Seconds for all members of a room to be connected."""


@dataclass(slots=True, frozen=True)
class ScaleJob:
    """One measurement.

    :ivar count: connections, or members of a room in this process.
    :ivar others: members of the room in other processes.
    :ivar seconds: how long to watch what idles.
    """

    scenario: str
    stack: str
    backend: str
    count: int
    others: int = 0
    room: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class Processor:
    """The CPU time of this process, with and without Python's full garbage collections.

    Those come each time that there are a quarter more objects, and look at all: 0.3 s at 400 connections, which is the
    cost of thirty connections. Over many connections it is the same for each; in which tenth one falls is chance.
    """

    collecting: float = 0.0
    _began: float = 0.0

    def note(self, phase: str, info: dict[str, int]) -> None:
        """What `gc.callbacks` calls."""
        if info["generation"] == 2:
            now = time.process_time()
            if phase == "start":
                self._began = now
            else:
                self.collecting += now - self._began

    def read(self) -> tuple[float, float]:
        """Seconds without full collections, and seconds of those."""
        return time.process_time() - self.collecting, self.collecting


@contextmanager
def watched_processor() -> Iterator[Processor]:
    """Notice full collections meanwhile."""
    processor = Processor()
    gc.callbacks.append(processor.note)
    try:
        yield processor
    finally:
        gc.callbacks.remove(processor.note)


async def grow(job: ScaleJob) -> Result:
    """Connect one pair after the other; all stay. What the last ones cost, beside the first ones.

    Full collections are spread over all of them.
    """
    planned = Job("memory", job.stack, job.backend, None, 1, 0)
    part = max(job.count // 10, 1)
    result: Result = {}
    async with AsyncExitStack() as stack:
        for _ in range(WARM_UP):
            await connect_pair(planned, stack)
        processor = stack.enter_context(watched_processor())
        sizes, readings = [resident_size()], [processor.read()]
        for number in range(1, job.count + 1):
            await connect_pair(planned, stack)
            if number in (part, job.count - part, job.count):
                reading = processor.read()  # without the time of looking at the memory
                sizes.append(resident_size())
                readings += [reading, processor.read()]
        passed = [
            (end[0] - begin[0], end[1] - begin[1]) for begin, end in zip(readings[::2], readings[1::2], strict=False)
        ]
        collecting = sum(seconds for _, seconds in passed) / job.count
        result = {
            "first_cpu": passed[0][0] / part + collecting,
            "last_cpu": passed[2][0] / part + collecting,
            "collecting": collecting,
            "first_memory": (sizes[1] - sizes[0]) / part,
            "last_memory": (sizes[3] - sizes[2]) / part,
            "memory": (sizes[3] - sizes[0]) / job.count,
        }
        started = time.monotonic()
    return result | {"closing": (time.monotonic() - started) / (job.count + WARM_UP)}


async def idle(job: ScaleJob) -> Result:
    """Connect pairs and watch what they cost while nothing happens."""
    planned = Job("memory", job.stack, job.backend, None, 1, 0)
    async with AsyncExitStack() as stack:
        for _ in range(job.count):
            await connect_pair(planned, stack)
        await anyio.sleep(2)  # until the handshakes have died away
        started, cpu = time.monotonic(), time.process_time()
        await anyio.sleep(job.seconds)
        return {"idle_cpu": (time.process_time() - cpu) / (time.monotonic() - started)}


async def mesh(job: ScaleJob) -> Result:
    """Join a room with several peers and wait until each is connected with everybody."""
    from peerix import BroadcastDriver, MemoryDriver, Peer

    driver: Driver = BroadcastDriver(echo=True) if job.others else MemoryDriver()
    remotes = job.count + job.others - 1
    before = resident_size()
    async with driver, AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(Peer(driver=driver, addresses=(ADDRESS,))) for _ in range(job.count)]
        for peer in peers:
            await peer.open("benchmark")
        started, cpu = time.monotonic(), time.process_time()
        with anyio.fail_after(MEETING_LIMIT):
            async with anyio.create_task_group() as group:
                for peer in peers:
                    group.start_soon(peer.join, job.room)
            for peer in peers:
                await peer.wait_open("benchmark", remotes=remotes)
        took, cpu = time.monotonic() - started, time.process_time() - cpu
        memory = resident_size() - before
        await anyio.sleep(job.seconds)  # others may not be ready yet
    return {"seconds": took, "cpu": cpu, "memory": memory}


SCENARIOS = {"grow": grow, "idle": idle, "mesh": mesh}


async def play(job: ScaleJob) -> Result:
    """Play the scenario of the job."""
    return await SCENARIOS[job.scenario](job)


if __name__ == "__main__":
    run_job(ScaleJob, play)
