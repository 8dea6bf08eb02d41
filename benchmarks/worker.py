"""A process of a benchmark: ``python -m benchmarks.worker JOB ROLE [DESCRIPTOR]``, its result on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.process import run_job
from benchmarks.relayed import RelayedWire
from benchmarks.scenarios import Job, Result, answerer, both, connect_often, connected_pairs, offerer
from benchmarks.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ALONE: dict[str, Callable[[Job], Awaitable[Result]]] = {
    "connect": connect_often,
    "memory": connected_pairs,
}


async def play(job: Job, role: str, descriptor: int | None = None) -> Result:
    """Play one end or both."""
    if descriptor is None:
        return await ALONE.get(job.scenario, both)(job)
    if job.relay_ports:
        wire: Wire = RelayedWire.open(descriptor, job.relay_ports[role == "answer"])
    else:
        wire = Wire.from_descriptor(descriptor)
    try:
        return await (offerer if role == "offer" else answerer)(job, wire)
    finally:
        wire.close()


if __name__ == "__main__":
    run_job(Job, play)
