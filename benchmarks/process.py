"""What every process of a benchmark does: reads a job from its command line, and prints the result."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Protocol, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class BackendJob(Protocol):
    """A job on a loop: "asyncio", "uvloop" or "trio"."""

    @property
    def backend(self) -> str:
        """The loop."""
        ...


_Job = TypeVar("_Job", bound=BackendJob)


def run_job(make_job: Callable[..., _Job], play: Callable[..., Awaitable[dict[str, float]]]) -> None:
    """Run the job of the command line: its fields as JSON, and then the role and the descriptors for `play`."""
    job = make_job(**json.loads(sys.argv[1]))
    backend = "trio" if job.backend == "trio" else "asyncio"
    options = {"use_uvloop": job.backend == "uvloop"} if backend == "asyncio" else {}
    arguments = [*sys.argv[2:3], *map(int, sys.argv[3:])]
    print(json.dumps(anyio.run(play, job, *arguments, backend=backend, backend_options=options)))
