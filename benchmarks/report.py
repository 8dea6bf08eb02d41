"""Medians, ratios, a table for people and JSON for programs."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from benchmarks.peers import FOREIGN

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Self

    from benchmarks.scenarios import Job, Result

Samples: TypeAlias = "dict[str, list[float]]"

RESULTS = Path(__file__).with_name("results")
"""Where `--save` puts tables and JSON."""


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Let the command line say where the results go."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results to this file")
    parser.add_argument("--save", action="store_true", help="write JSON and table to benchmarks/results")


def publish(options: argparse.Namespace, name: str, table: str, results: object) -> None:
    """Print the table, and write what `add_output_options` has been told to write, under this name."""
    print(table)
    content = json.dumps(results, indent=1) + "\n"
    if options.json is not None:
        write(options.json, content)
    if options.save:
        write(RESULTS / f"{name}.json", content)
        write(RESULTS / f"{name}.md", table)


def write(path: Path, content: str) -> None:
    """Write a file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


@dataclass(slots=True, frozen=True)
class Metric:
    """A column: how it is called, computed from a run's result, and printed."""

    name: str
    compute: Callable[[Result], float]
    digits: int = 0
    more_is_better: bool = True


RIVALS = {
    "aiortc": "aiortc on the same loop (trio, and stacks with a loop of their own: than on asyncio)",
    "wrtc": "@roamhq/wrtc (libwebrtc)",
}
"""Stacks that each row is compared with, and what the tables call them."""

MEGA = 1e6
GIGA = 1e9

FLOOD_ONE = (Metric("MB/s, one process", lambda r: r["bytes"] / r["seconds"] / MEGA, 1),)
FLOOD_TWO = (
    Metric("MB/s, two processes", lambda r: r["bytes"] / r["seconds"] / MEGA, 1),
    Metric("CPU s/GB, send", lambda r: r["send_cpu"] / r["bytes"] * GIGA, 1, more_is_better=False),
    Metric("CPU s/GB, receive", lambda r: r["receive_cpu"] / r["bytes"] * GIGA, 1, more_is_better=False),
)
SMALL = (Metric("64-byte messages/s", lambda r: r["messages"] / r["seconds"]),)
PING = (
    Metric("round trip p50, us", lambda r: r["p50"] * MEGA, more_is_better=False),
    Metric("round trip p99, us", lambda r: r["p99"] * MEGA, more_is_better=False),
)
FROM_CHROMIUM = (Metric("MB/s, from Chromium", lambda r: r["bytes"] / r["seconds"] / MEGA, 1),)
TO_CHROMIUM = (Metric("MB/s, to Chromium", lambda r: r["bytes"] / r["seconds"] / MEGA, 1),)
SET_UP = (Metric("set-up, ms", lambda r: r["median"] * 1e3, 1, more_is_better=False),)
VOLUME = (
    Metric("MB/s, the whole volume", lambda r: r["bytes"] / r["seconds"] / MEGA, 1),
    Metric("seconds a GB", lambda r: r["seconds"] / r["bytes"] * GIGA, 1, more_is_better=False),
    Metric("CPU s/GB, send", lambda r: r["send_cpu"] / r["bytes"] * GIGA, 1, more_is_better=False),
    Metric("CPU s/GB, receive", lambda r: r["receive_cpu"] / r["bytes"] * GIGA, 1, more_is_better=False),
)


def memory_metrics(moved: int) -> tuple[Metric, ...]:
    """Name the columns of memory after the volume that was moved through a pair."""
    return (
        Metric("KiB RSS a pair, idle", lambda r: r["idle"] / 1024, more_is_better=False),
        Metric(f"after {moved / MEGA:.0f} MB", lambda r: r["after"] / 1024, more_is_better=False),
        Metric("kept by the process, KiB", lambda r: r["kept"] / 1024, more_is_better=False),
    )


@dataclass(slots=True, frozen=True)
class Variant:
    """A row: a stack on an event loop ("" for one of its own), with its largest UDP payload (None: what is found)."""

    stack: str
    backend: str
    packet_size: int | None = None

    @property
    def label(self) -> str:
        """Name the row."""
        if self.stack != "peerix":
            return ", ".join(filter(None, (self.stack, self.backend)))
        return f"{self.stack}, {self.backend}, {self.packet_size or 'found'}"

    def rival(self, stack: str = "aiortc") -> Self:
        """Name the row of another stack that it is compared with: aiortc on the same loop; it does not run on trio."""
        if stack in FOREIGN:
            return type(self)(stack, "")
        return type(self)(stack, "asyncio" if self.backend in ("", "trio") else self.backend)


class Report:
    """Collects results and puts them into words."""

    def __init__(self, machine: dict[str, str]) -> None:
        self.machine = machine
        self.runs: list[dict[str, object]] = []
        self.failures: list[str] = []
        self.notes: list[str] = []
        self.buffers: dict[str, tuple[int, int]] = {}
        self._samples: dict[Variant, Samples] = defaultdict(lambda: defaultdict(list))
        self._metrics: dict[str, Metric] = {}

    def add(self, variant: Variant, job: Job, metrics: tuple[Metric, ...], result: Result) -> None:
        """Take the result of one run."""
        self.runs.append({"variant": variant.label, "scenario": job.scenario, "processes": job.processes, **result})
        if "receive_buffer" in result:
            self.buffers[variant.label] = int(result["receive_buffer"]), int(result["send_buffer"])
        for metric in metrics:
            self._metrics[metric.name] = metric
            self._samples[variant][metric.name].append(metric.compute(result))

    def fail(self, variant: Variant, job: Job, reason: str) -> None:
        """Take note of a run without a result."""
        self.failures.append(f"{variant.label}, {job.scenario}, processes {job.processes}: {reason}")

    def median(self, variant: Variant, metric: str) -> float | None:
        """The median of all repetitions."""
        samples = self._samples[variant][metric] if variant in self._samples else []
        return statistics.median(samples) if samples else None

    def ratio(self, variant: Variant, metric: str, stack: str = "aiortc") -> float | None:
        """How many times better than its rival of that stack in the same run."""
        rival = variant.rival(stack)
        own, other = self.median(variant, metric), self.median(rival, metric)
        if not own or not other or variant.stack == stack:
            return None
        return own / other if self._metrics[metric].more_is_better else other / own

    def to_json(self) -> dict[str, object]:
        """Everything, for programs."""
        summary = [
            {
                "variant": variant.label,
                "metric": name,
                "median": self.median(variant, name),
                "samples": samples,
                "times_better_than_aiortc": self.ratio(variant, name),
                "times_better_than_wrtc": self.ratio(variant, name, "wrtc"),
            }
            for variant, metrics in self._samples.items()
            for name, samples in metrics.items()
        ]
        return {
            "machine": self.machine,
            "granted_socket_buffers": self.buffers,
            "summary": summary,
            "runs": self.runs,
            "failures": self.failures,
            "notes": self.notes,
        }

    def to_markdown(self) -> str:
        """Tables for people."""
        lines = [f"* {name}: {value}" for name, value in self.machine.items()]
        lines += [
            f"* socket buffers granted to {label}: receive {receive:,}, send {send:,} bytes"
            for label, (receive, send) in sorted(self.buffers.items())
        ]
        lines += [f"* {note}" for note in self.notes]
        lines += ["", "Medians", "", *self._table(self._cell)]
        measured = {variant.stack for variant in self._samples}
        for stack, title in RIVALS.items():
            if stack in measured:
                lines += ["", f"Times better than {title}", "", *self._table(partial(self._ratio_cell, stack))]
        lines += ["", *(f"FAILED: {failure}" for failure in self.failures)] if self.failures else []
        return "\n".join(lines) + "\n"

    def _table(self, cell: Callable[[Variant, str], str]) -> list[str]:
        names = list(self._metrics)
        head = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        rows = [f"| {v.label} | " + " | ".join(cell(v, name) for name in names) + " |" for v in self._samples]
        return head + rows

    def _cell(self, variant: Variant, name: str) -> str:
        samples = self._samples[variant][name]
        if not samples:
            return "-"
        digits = self._metrics[name].digits
        middle = f"{statistics.median(samples):,.{digits}f}"
        if len(samples) == 1:
            return middle
        return f"{middle} ({min(samples):,.{digits}f}-{max(samples):,.{digits}f})"

    def _ratio_cell(self, stack: str, variant: Variant, name: str) -> str:
        ratio = self.ratio(variant, name, stack)
        return "-" if ratio is None else f"{ratio:.1f}"
