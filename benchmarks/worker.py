"""A process of a benchmark: ``python -m benchmarks.worker JOB ROLE [DESCRIPTOR]``, its result on stdout."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from benchmarks.peers import FOREIGN, foreign, open_agent
from benchmarks.process import run_job
from benchmarks.relayed import RelayedWire
from benchmarks.scenarios import Job, Opener, Result, answerer, both, connect_often, connected_pairs, offerer, opener_of
from benchmarks.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

Alone: TypeAlias = "Mapping[str, Callable[[Job], Awaitable[Result]]]"
"""Scenarios that are not played by two ends with a line between them."""

ALONE: Alone = {"connect": connect_often, "memory": connected_pairs}


async def play(job: Job, role: str, descriptor: int | None = None) -> Result:
    """Play one end or both, here or in the program of a foreign stack."""
    stack = job.stack_of(role)
    if stack not in FOREIGN:
        return await play_ends(job, role, descriptor, opener_of(job, role), ALONE)
    async with open_agent(stack) as agent:
        alone: Alone = {
            "connect": partial(foreign.connect_often, agent=agent),
            "memory": partial(foreign.connected_pairs, agent=agent),
        }
        return await play_ends(job, role, descriptor, agent.open_end, alone)


async def play_ends(job: Job, role: str, descriptor: int | None, open_end: Opener, alone: Alone) -> Result:
    """Play one end or both."""
    if descriptor is None:
        return await alone[job.scenario](job) if job.scenario in alone else await both(job, open_end)
    if job.relay_ports:
        wire: Wire = RelayedWire.open(descriptor, job.relay_ports[role == "answer"])
    else:
        wire = Wire.from_descriptor(descriptor)
    try:
        return await (offerer if role == "offer" else answerer)(job, wire, open_end)
    finally:
        wire.close()


if __name__ == "__main__":
    run_job(Job, play)
