"""Messages that are queued all at once: ``python -m benchmarks.growth_worker JOB both``, its result on stdout."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import anyio

from benchmarks.peers.base import Meter
from benchmarks.peers.peerix_peer import PeerixEndpoint
from benchmarks.process import run_job
from benchmarks.scenarios import Job, connect_pair

if TYPE_CHECKING:
    from collections.abc import Sequence

Result: TypeAlias = "dict[str, float]"

SIZE = 8
"""Bytes of a message: so many of them fit into what a channel queues (1 MiB)."""


@dataclass(slots=True, frozen=True)
class QueueJob:
    """One measurement.

    :ivar counts: how many messages are queued before the first one leaves; for each the same number is sent in all.
    """

    backend: str
    counts: Sequence[int]


async def play(job: QueueJob, role: str) -> Result:
    """Give the CPU seconds of a message, both ends, for each count."""
    planned = Job(scenario="memory", stack="peerix", backend=job.backend, packet_size=None, processes=1, seconds=0)
    total = max(job.counts)
    result: Result = {}
    async with AsyncExitStack() as stack:
        sender, receiver = await connect_pair(planned, stack)
        assert isinstance(sender, PeerixEndpoint)
        meter = Meter()
        async with anyio.create_task_group() as group:
            group.start_soon(receiver.sink, meter)
            await send(sender, meter, total, total)  # what the process needs only once
            for count in job.counts:
                cpu = time.process_time()
                await send(sender, meter, count, total)
                result[str(count)] = (time.process_time() - cpu) / total
            group.cancel_scope.cancel()
    return result


async def send(sender: PeerixEndpoint, meter: Meter, count: int, total: int) -> None:
    """Send `total` messages, `count` at once; the next ones when these have arrived."""
    for _ in range(total // count):
        arrived = meter.messages
        for _ in range(count):
            sender.channel.send_nowait(bytes(SIZE))
        await meter.reach(arrived + count)


if __name__ == "__main__":
    run_job(QueueJob, play)
