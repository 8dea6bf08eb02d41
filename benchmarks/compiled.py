"""The compiled core beside the same source as Python: ``make compiled``, then ``python -m benchmarks.compiled``.

Both take turns, row by row, each measurement in processes of its own. The columns are those of
`benchmarks.data_channel`, with packets of the size that was found.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.data_channel import BACKENDS, PLANS
from benchmarks.machine import describe_machine
from benchmarks.report import Variant, add_output_options, publish
from benchmarks.runner import RunFailedError, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMPILED = Path(__file__).parents[1] / ".compiled"
"""Where `make compiled` puts the package."""

SCENARIOS = ("one", "small", "ping", "setup")
KINDS = {"Python": None, "compiled": COMPILED}

Samples = dict[tuple[str, str, str], list[float]]
"""By backend, column and kind."""


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


def measure(samples: Samples, backend: str, packet: int | None, scenario: str, seconds: float) -> None:
    """Run a scenario with each kind."""
    variant = Variant("peerix", backend, packet)
    for kind, folder in KINDS.items():
        for job, metrics in PLANS[scenario](variant, seconds, False):
            with imported_from(folder):
                result = run(job)
            for metric in metrics:
                name = f"{metric.name}, 1200" if packet else metric.name
                samples.setdefault((backend, name, kind), []).append(metric.compute(result))
                print(f"  {backend}, {kind}: {name} {metric.compute(result):,.{metric.digits}f}", file=sys.stderr)


def table(samples: Samples) -> tuple[list[str], list[dict[str, object]]]:
    """A line for each backend and column: both figures, and how many times more the compiled one is."""
    lines = ["| | | Python | compiled | times |", "|---|---|---|---|---|"]
    rows: list[dict[str, object]] = []
    for backend, name in dict.fromkeys((backend, name) for backend, name, _ in samples):
        plain, compiled = (statistics.median(samples[backend, name, kind]) for kind in KINDS)
        lines.append(f"| {backend} | {name} | {plain:,.1f} | {compiled:,.1f} | {compiled / plain:.2f} |")
        rows.append({"backend": backend, "metric": name, "python": plain, "compiled": compiled})
    return lines, rows


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
    samples: Samples = {}
    try:
        for _ in range(options.repeat):
            for scenario in SCENARIOS:
                for backend in options.backend or BACKENDS:
                    for packet in (1200, None) if scenario == "one" else (None,):
                        measure(samples, backend, packet, scenario, options.seconds)
    except RunFailedError as error:
        print(error, file=sys.stderr)
        return 1
    lines, rows = table(samples)
    publish(options, "compiled", "\n".join(lines) + "\n", {"machine": describe_machine(), "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
