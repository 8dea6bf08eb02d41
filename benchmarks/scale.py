"""Many connections, and rooms of many: ``python -m benchmarks.scale``.

A process connects one pair of ends after the other and keeps them: what the last ones cost in CPU and memory, beside
the first ones. Pairs that do nothing are watched for the CPU that they take. Rooms of 10 and 30 peers, in one process
and in several, join and connect everybody with everybody. aiortc runs beside it where it has such a thing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from benchmarks.machine import describe_machine
from benchmarks.report import add_output_options, publish
from benchmarks.rooms import BACKENDS, new_room, run_together
from benchmarks.runner import GRACE, RunFailedError
from benchmarks.scale_worker import ScaleJob

if TYPE_CHECKING:
    from benchmarks.scale_worker import Result

KIB = 1024
MESHES = ((10, 1), (10, 5), (30, 1), (30, 3))
"""Members of a room, and over how many processes they are spread."""


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    add_output_options(parser)
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="only on this loop (repeatable)")
    parser.add_argument("--stack", action="append", choices=("peerix", "aiortc"), help="only this stack (repeatable)")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only this (repeatable)")
    parser.add_argument("--quick", action="store_true", help="fewer connections, and no room of 30")
    return parser.parse_args(arguments)


def measure_growth(stack: str, backend: str, quick: bool) -> Result:
    """From the first to the last connection of a process."""
    count = 50 if quick else 500
    found = run_jobs([ScaleJob("grow", stack, backend, count)])
    return {
        f"CPU ms a pair, first tenth of {count}": found["first_cpu"] * 1e3,
        "last tenth": found["last_cpu"] * 1e3,
        "of it full garbage collections": found["collecting"] * 1e3,
        "KiB RSS a pair, first tenth": found["first_memory"] / KIB,
        "last tenth, KiB": found["last_memory"] / KIB,
        "all, KiB": found["memory"] / KIB,
        "closing, ms a pair": found["closing"] * 1e3,
    }


def measure_idle(stack: str, backend: str, quick: bool) -> Result:
    """Pairs that do nothing."""
    found = run_jobs([ScaleJob("idle", stack, backend, 50, seconds=5.0 if quick else 30.0)])
    return {"idle CPU of 50 pairs, %": 100 * found["idle_cpu"]}


def measure_meshes(stack: str, backend: str, quick: bool) -> Result:
    """Rooms; aiortc has none."""
    row: Result = {}
    if stack != "peerix":
        return row
    for members, processes in MESHES:
        if quick and members > 10:
            continue
        each = members // processes
        room = new_room()
        job = ScaleJob("mesh", stack, backend, each, members - each, room, 3.0 if processes > 1 else 0.0)
        found = run_jobs([job] * processes)
        name = f"{members} peers in {processes}"
        row[f"{name}: s to all connected"] = found["seconds"]
        row[f"{name}: CPU s"] = found["cpu"]
        row[f"{name}: MiB"] = found["memory"] / KIB / KIB
    return row


SCENARIOS = {"growth": measure_growth, "idle": measure_idle, "mesh": measure_meshes}


def run_jobs(jobs: list[ScaleJob]) -> Result:
    """Run processes at the same time; of the times the longest counts, of CPU and memory the sum.

    :raises RunFailedError: one of them failed or hung.
    """
    commands = [[sys.executable, "-m", "benchmarks.scale_worker", json.dumps(asdict(job))] for job in jobs]
    found: list[Result] = [json.loads(line) for line in run_together(commands, 5 * GRACE)]
    return {name: (max if name == "seconds" else sum)(each[name] for each in found) for name in found[0]}


def to_markdown(machine: dict[str, str], rows: dict[str, Result], failures: list[str]) -> str:
    """A table for people: one line a figure, one column a stack and loop."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [f"* {name}: {value}" for name, value in machine.items()]
    lines += ["", "| | " + " | ".join(rows) + " |", "|---" * (len(rows) + 1) + "|"]
    for name in names:
        cells = [f"{row[name]:,.2f}" if name in row else "-" for row in rows.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, *(f"FAILED: {failure}" for failure in failures)]) + "\n"


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; the exit code is 1 when a run failed."""
    options = parse_arguments(arguments)
    machine = describe_machine()
    stacks: list[str] = options.stack or ["peerix", "aiortc"]
    loops: list[str] = options.backend or list(BACKENDS)
    pairs = [(stack, loop) for loop in loops for stack in stacks if (stack, loop) != ("aiortc", "trio")]
    rows: dict[str, Result] = {f"{stack}, {loop}": {} for stack, loop in pairs}
    failures: list[str] = []
    started = time.monotonic()
    for scenario in options.scenario or SCENARIOS:
        for stack, loop in pairs:
            try:
                found = SCENARIOS[scenario](stack, loop, options.quick)
            except RunFailedError as error:
                failures.append(f"{stack}, {loop}, {scenario}: {error}")
                continue
            rows[f"{stack}, {loop}"].update(found)
            print(f"  {stack}, {loop}, {scenario}: {found}", file=sys.stderr)
    print(f"took {time.monotonic() - started:.0f} s", file=sys.stderr)
    results = {"machine": machine, "rows": rows, "failures": failures}
    publish(options, "scale", to_markdown(machine, rows, failures), results)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
