"""Whether the cost of a byte and of a message stays the same: ``python -m benchmarks.growth``.

Volumes from 1 MB to 10 GB go from one process to another, packet size found: CPU time of both ends for a GB. Then up to
100,000 messages are queued at once, in one process: CPU time of both ends for a message. `benchmarks.scale` has what
grows with the number of connections. MB are 10^6 bytes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import TYPE_CHECKING, TypeAlias

from benchmarks.growth_worker import QueueJob
from benchmarks.machine import describe_machine
from benchmarks.report import add_output_options, publish
from benchmarks.runner import RunFailedError, run, run_alone
from benchmarks.scale import to_markdown
from benchmarks.scenarios import Job

if TYPE_CHECKING:
    from collections.abc import Iterator

Result: TypeAlias = "dict[str, float]"

BACKENDS = ("asyncio", "uvloop", "trio")
WORKER = "benchmarks.growth_worker"
MESSAGE = 65_536

VOLUMES = {"1 MB": 10**6, "10 MB": 10**7, "100 MB": 10**8, "1 GB": 10**9, "10 GB": 10**10}
QUICK = ("1 MB", "10 MB", "100 MB")
SMALL = 10**8
"""Bytes up to which a volume is moved three times: the median counts."""

COUNTS = (100, 1000, 10_000, 100_000)
LONGEST = 600.0
"""Seconds for the largest volume."""


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    add_output_options(parser)
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="only on this loop (repeatable)")
    parser.add_argument("--quick", action="store_true", help="no more than 100 MB")
    return parser.parse_args(arguments)


def measure_volume(backend: str, size: int) -> float:
    """CPU seconds a GB, both ends.

    :raises RunFailedError: a process failed or hung.
    """
    count = -(-size // MESSAGE)
    job = Job(
        scenario="volume",
        stack="peerix",
        backend=backend,
        packet_size=None,
        processes=2,
        seconds=LONGEST,
        message_size=MESSAGE,
        count=count,
    )
    found = [run(job) for _ in range(3 if size <= SMALL else 1)]
    return statistics.median((each["send_cpu"] + each["receive_cpu"]) / each["bytes"] * 1e9 for each in found)


def measure_queues(backend: str) -> Result:
    """CPU microseconds a message, both ends, by how many are queued at once.

    :raises RunFailedError: the process failed or hung.
    """
    found = run_alone(WORKER, QueueJob(backend, COUNTS), LONGEST)
    return {f"CPU us a message, {count:,} queued": 1e6 * found[str(count)] for count in COUNTS}


def measure(backends: list[str], volumes: tuple[str, ...]) -> Iterator[tuple[str, Result | RunFailedError]]:
    """Measure one thing after the other, each on all loops."""
    for name in volumes:
        for backend in backends:
            try:
                yield backend, {f"CPU s/GB, {name}": measure_volume(backend, VOLUMES[name])}
            except RunFailedError as error:
                yield backend, error
    for backend in backends:
        try:
            yield backend, measure_queues(backend)
        except RunFailedError as error:
            yield backend, error


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; the exit code is 1 when a run failed."""
    options = parse_arguments(arguments)
    machine = describe_machine()
    backends: list[str] = options.backend or list(BACKENDS)
    rows: dict[str, Result] = {backend: {} for backend in backends}
    failures: list[str] = []
    started = time.monotonic()
    for backend, found in measure(backends, QUICK if options.quick else tuple(VOLUMES)):
        print(f"  {backend}: {found}", file=sys.stderr)
        if isinstance(found, RunFailedError):
            failures.append(f"{backend}: {found}")
        else:
            rows[backend] |= found
    print(f"took {time.monotonic() - started:.0f} s", file=sys.stderr)
    results = {"machine": machine, "rows": rows, "failures": failures}
    publish(options, "growth", to_markdown(machine, rows, failures), results)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
