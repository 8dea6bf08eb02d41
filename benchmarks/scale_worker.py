"""A process of the benchmark of many connections: ``python -m benchmarks.scale_worker JOB``, its result on stdout."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import anyio

from benchmarks.process import run_job
from benchmarks.scenarios import Job, connect_pair, resident_size

if TYPE_CHECKING:
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


async def grow(job: ScaleJob) -> Result:
    """Connect one pair after the other; all stay. What the last ones cost, beside the first ones."""
    planned = Job("memory", job.stack, job.backend, None, 1, 0)
    part = max(job.count // 10, 1)
    result: Result = {}
    async with AsyncExitStack() as stack:
        for _ in range(WARM_UP):
            await connect_pair(planned, stack)
        sizes, times = [resident_size()], [time.process_time()]
        for number in range(1, job.count + 1):
            await connect_pair(planned, stack)
            if number in (part, job.count - part, job.count):
                cpu = time.process_time()  # without the time of looking at the memory
                sizes.append(resident_size())
                times += [cpu, time.process_time()]
        first, last = (times[1] - times[0]) / part, (times[5] - times[4]) / part
        result = {
            "first_cpu": first,
            "last_cpu": last,
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
