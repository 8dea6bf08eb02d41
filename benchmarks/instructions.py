"""Instructions of fixed work, to notice when the path of the data gets slower: ``python -m benchmarks.instructions``.

Time says nothing about a change of 20 % on a machine that others use too; instructions do. valgrind counts them, those
of CPython, OpenSSL and the rest of the process included (`benchmarks.instructions_worker` has the work). Builds of
CPython differ, so the figure of a workload is its ratio to plain Python that is counted in the same run. The accepted
ratios are in benchmarks/results/instructions.json, for each version of Python and kind of machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from benchmarks.instructions_worker import NOTHING, WORKLOADS
from benchmarks.report import RESULTS, write
from benchmarks.runner import last_words

if TYPE_CHECKING:
    from collections.abc import Sequence

Ratios: TypeAlias = "dict[str, float]"

ACCEPTED = RESULTS / "instructions.json"
REFERENCE = "reference"
MAX_GROWTH = 0.2
WORKER = ("-m", "benchmarks.instructions_worker")
LIMIT = 600.0
"""Seconds for a run: a quarter of a minute is usual on a machine that does nothing else."""

# Cachegrind without a model of the caches is the cheapest tool of valgrind that counts, and enough: callgrind takes
# twice the time to tell functions apart, which the check does not ask.
_VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no")


class CannotCountError(Exception):
    """valgrind is not there, or the work failed under it."""


def count(names: Sequence[str], worker: Sequence[str] = WORKER) -> dict[str, int]:
    """Count the instructions of workloads, each without those of starting Python and importing.

    :param worker: the arguments of Python that run `benchmarks.instructions_worker`.
    :raises CannotCountError: there are no figures.
    """
    if shutil.which(_VALGRIND[0]) is None:
        raise CannotCountError("valgrind is not installed; `make system` as root installs it")
    with tempfile.TemporaryDirectory(prefix="peerix-instructions-") as folder:
        tool = [*_VALGRIND, f"--cachegrind-out-file={folder}/%p"]
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        done = subprocess.run(
            [*tool, sys.executable, *worker, *names],
            capture_output=True,
            text=True,
            env=environment,
            timeout=LIMIT,
            check=False,
        )
        if done.returncode:
            raise CannotCountError(f"the work failed under valgrind: {last_words(said_by_the_worker(done.stderr))}")
        children: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
        totals = {name: read_total(Path(folder, str(child))) for name, child in children.items()}
    start = totals.pop(NOTHING)
    return {name: total - start for name, total in totals.items()}


def said_by_the_worker(errors: str) -> str:
    """Leave out what valgrind itself has to say."""
    return "\n".join(line for line in errors.splitlines() if not re.match(r"(==|--)\d+(==|--)", line))


def read_total(path: Path) -> int:
    """Read the sum of what cachegrind counted in a process."""
    found = re.search(r"^summary: (\d+)", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    if found is None:
        raise CannotCountError("valgrind has not counted anything")
    return int(found[1])


def ratios(counts: dict[str, int]) -> Ratios:
    """Divide by the instructions of the reference."""
    reference = counts[REFERENCE]
    return {name: round(number / reference, 4) for name, number in counts.items() if name != REFERENCE}


def this_build() -> str:
    """Name what ratios hold for: the minor version of Python and the kind of machine."""
    major, minor, _ = platform.python_version_tuple()
    return f"{platform.python_implementation()} {major}.{minor}, {platform.machine()}"


def read_accepted(path: Path) -> dict[str, Ratios]:
    """Read the accepted ratios of all builds."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def accept(path: Path, found: Ratios) -> None:
    """Write the ratios of this build; those of other builds, and of work that was not counted, stay."""
    accepted = read_accepted(path)
    merged = accepted.get(this_build(), {}) | found
    accepted[this_build()] = {name: merged[name] for name in WORKLOADS if name in merged}
    write(path, json.dumps(dict(sorted(accepted.items())), indent=1) + "\n")


def judge(found: Ratios, accepted: Ratios) -> list[str]:
    """Say what has grown by more than `MAX_GROWTH`, and what nobody has accepted yet."""
    complaints: list[str] = []
    for name, ratio in found.items():
        if name not in accepted:
            complaints.append(f"{name!r} has no accepted ratio yet")
        elif ratio > accepted[name] * (1 + MAX_GROWTH):
            growth = ratio / accepted[name] - 1
            complaints.append(
                f"{name!r} takes {growth:.0%} more instructions than accepted"
                f" (ratio {ratio:.3f}, accepted {accepted[name]:.3f}, at most {MAX_GROWTH:.0%} more is allowed)"
            )
    return complaints


def to_table(counts: dict[str, int], found: Ratios, accepted: Ratios) -> str:
    """A table for people."""
    width = max(map(len, counts))
    lines = [f"{'':{width}}  millions   ratio  accepted  change"]
    for name, number in counts.items():
        line = f"{name:{width}}  {number / 1e6:8,.1f}"
        if name in found:
            line += f"  {found[name]:6.3f}"
        if name in found and name in accepted:
            line += f"  {accepted[name]:8.3f}  {found[name] / accepted[name] - 1:+6.1%}"
        lines.append(line)
    return "\n".join(lines)


def report(found: Ratios, accepted: Ratios | None) -> int:
    """Say what is wrong; returns the exit code."""
    if accepted is None:
        print(f"No ratios are accepted for {this_build()} yet: counted, not judged.")
        print("To accept these: python -m benchmarks.instructions --accept")
        return 0
    complaints = judge(found, accepted)
    for complaint in complaints:
        print(f"FAILED: {complaint}", file=sys.stderr)
    if complaints:
        print("If that is how it is to be: python -m benchmarks.instructions --accept", file=sys.stderr)
        return 1
    print(f"No workload takes {MAX_GROWTH:.0%} more instructions than accepted for {this_build()}.")
    return 0


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when a ratio has grown by more than 20 %%")
    parser.add_argument("--accept", action="store_true", help="accept the ratios that are found")
    names = [name for name in WORKLOADS if name != REFERENCE]
    parser.add_argument("--workload", action="append", choices=names, help="only this (repeatable)")
    return parser.parse_args(arguments)


def main(arguments: list[str], path: Path = ACCEPTED) -> int:
    """Count; the exit code is 1 when it cannot be done, or `--check` finds that something has grown."""
    options = parse_arguments(arguments)
    names = options.workload or [name for name in WORKLOADS if name != REFERENCE]
    try:
        counts = count([REFERENCE, *names])
    except CannotCountError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    found = ratios(counts)
    accepted = read_accepted(path).get(this_build())
    print(to_table(counts, found, accepted or {}))
    if options.accept:
        accept(path, found)
        print(f"Accepted for {this_build()}: {path}")
    return report(found, accepted) if options.check and not options.accept else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
