"""The compiled core beside the same source as Python: ``make compiled``, then ``python -m benchmarks.compiled``.

Both take turns, each measurement in processes of its own. The columns are those of `benchmarks.data_channel`, with
packets of the size that was found, and one of `benchmarks.media`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.data_channel import BACKENDS, PLANS
from benchmarks.machine import describe_machine
from benchmarks.media import SCENARIOS as MEDIA
from benchmarks.media import WORKER as MEDIA_WORKER
from benchmarks.report import Variant, add_output_options, publish
from benchmarks.runner import RunFailedError, run, run_alone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

COMPILED = Path(__file__).parents[1] / ".compiled"
"""Where `make compiled` puts the package."""

SCENARIOS = ("one", "small", "ping", "setup")
KINDS = {"Python": None, "compiled": COMPILED}

Step = Callable[[], dict[str, float]]
"""A measurement: columns and figures."""


@contextmanager
def imported_from(folder: Path | None) -> Iterator[None]:
    """Let the processes that are started now import peerix from a folder; None is the one that is installed."""
    before = os.environ.get("PYTHONPATH")
    if folder is not None:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), before)))
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("PYTHONPATH", None)
        else:
            os.environ["PYTHONPATH"] = before


def data(scenario: str, backend: str, packet: int | None, seconds: float) -> dict[str, float]:
    """Run a scenario of data channels."""
    found: dict[str, float] = {}
    for job, metrics in PLANS[scenario](Variant("peerix", backend, packet), seconds, False):
        result = run(job)
        found |= {f"{metric.name}, 1200" if packet else metric.name: metric.compute(result) for metric in metrics}
    return found


def media(backend: str) -> dict[str, float]:
    """A track of pictures, by what it costs outside the codec."""
    job, metrics = MEDIA["bare"]
    result = run_alone(MEDIA_WORKER, replace(job, stack="peerix", backend=backend), job.seconds)
    return {metric.name: metric.compute(result) for metric in metrics if not metric.more_is_better}


def steps(backend: str, seconds: float) -> list[Step]:
    """All that is measured on a loop."""
    planned: list[Step] = []
    for scenario in SCENARIOS:
        packets = (1200, None) if scenario == "one" else (None,)
        planned += [partial(data, scenario, backend, packet, seconds) for packet in packets]
    return [*planned, partial(media, backend)]


def median_rows(samples: Mapping[tuple[str, str], Sequence[float]]) -> dict[str, dict[str, float]]:
    """Give the medians by row and column."""
    rows: dict[str, dict[str, float]] = {}
    for (row, column), values in samples.items():
        rows.setdefault(row, {})[column] = statistics.median(values)
    return rows


def table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """A line for each loop and column: both figures, and how many times more the compiled one is."""
    lines = ["| | | Python | compiled | times |", "|---|---|---|---|---|"]
    for row, columns in rows.items():
        kind, _, backend = row.partition(", ")
        if kind != "Python":
            continue
        for column, plain in columns.items():
            other = rows[f"compiled, {backend}"][column]
            lines.append(f"| {backend} | {column} | {plain:,.4g} | {other:,.4g} | {other / plain:.2f} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compiled", description=__doc__)
    add_output_options(parser)
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="only on this loop (repeatable)")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="repetitions (3)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a throughput window (3)")
    options = parser.parse_args(arguments)
    if not COMPILED.is_dir():
        parser.error("there is no compiled package yet: run `make compiled`")
    machine = describe_machine()
    samples: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    try:
        for _ in range(options.repeat):
            for backend in options.backend or BACKENDS:
                for step in steps(backend, options.seconds):
                    for kind, folder in KINDS.items():
                        with imported_from(folder):
                            found = step()
                        for column, value in found.items():
                            samples[f"{kind}, {backend}", column].append(value)
                            print(f"  {kind}, {backend}: {column} {value:,.4g}", file=sys.stderr)
    except RunFailedError as error:
        print(error, file=sys.stderr)
        return 1
    rows = median_rows(samples)
    publish(options, "compiled", table(rows), {"machine": machine, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
