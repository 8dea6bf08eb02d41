"""Data channels over long, lossy and narrow links, peerix beside other stacks: ``python -m benchmarks.long_links``.

Two processes talk through a third one that delays, loses and queues datagrams and drops those above 1,500 bytes
(`benchmarks.relay`), with the same seed for every row. Throughput starts with the first message, slow start included;
64 KiB messages, ordered and reliable. The queue is what datagrams waited for the bandwidth, at the relay.
A ping beside bulk that takes longer than the window counts as that long.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.data_channel import BACKENDS, choose_stacks, job
from benchmarks.machine import describe_machine
from benchmarks.peers import STACKS
from benchmarks.relay import Link, relayed
from benchmarks.report import MEGA, Metric, Report, Variant, add_output_options, publish
from benchmarks.runner import RunFailedError, run

if TYPE_CHECKING:
    from benchmarks.scenarios import Job, Result

LOSSY = "RTT 50 ms, 1 %"
LOSSIER = "RTT 100 ms, 2 %"
NARROW = "RTT 50 ms, 40 Mbit/s"
BESIDE = "RTT 20 ms, 20 Mbit/s"

LINKS = {
    "clean": ("RTT 50 ms", Link(delay=0.025)),
    "lossy": (LOSSY, Link(delay=0.025, loss=0.01)),
    "lossier": (LOSSIER, Link(delay=0.05, loss=0.02)),
    "narrow": (NARROW, Link(delay=0.025, bandwidth=5e6)),
    "beside": (BESIDE, Link(delay=0.01, bandwidth=2.5e6)),
}


@dataclass(slots=True, frozen=True)
class Row(Variant):
    """A row with its congestion control; only peerix has a choice of it."""

    congestion_control: str | None = None

    @property
    def label(self) -> str:
        """Name the row."""
        if self.stack != "peerix":
            return ", ".join(filter(None, (self.stack, self.backend)))
        return f"{self.stack}, {self.backend}, {self.congestion_control or 'default'}"


def metrics_of(name: str) -> tuple[Metric, ...]:
    """The columns of a link."""
    title, link = LINKS[name]
    speed = Metric(f"{title}: MB/s", lambda r: r["bytes"] / r["seconds"] / MEGA, 2)
    queue = Metric(f"{title}: queue p95, ms", lambda r: r["queue_p95"] * 1e3, 1, more_is_better=False)
    if name == "beside":
        ping = Metric(f"{title}: ping beside bulk p95, ms", lambda r: r["p95"] * 1e3, 1, more_is_better=False)
        return ping, speed
    return (speed, queue) if link.bandwidth else (speed,)


def run_over(link: Link, planned: Job) -> Result:
    """Run a job through a relay; what the relay saw of the way to the receiver joins the result.

    :raises RunFailedError: a process failed.
    """
    with relayed(link) as relay:
        result = run(replace(planned, relay_ports=relay.ports))
    return result | relay.seen[1]


def measure(report: Report, row: Row, name: str, seconds: float) -> None:
    """Measure one row on one link."""
    planned = replace(
        job("beside" if name == "beside" else "flood", row, seconds, processes=2),
        congestion_control=row.congestion_control,
    )
    try:
        result = run_over(LINKS[name][1], planned)
    except RunFailedError as error:
        report.fail(row, planned, f"{name}: {error}")
        print(f"  {row.label}: {name} failed: {error}", file=sys.stderr)
        return
    metrics = metrics_of(name)
    report.add(row, planned, metrics, result)
    shown = ", ".join(f"{metric.name} {metric.compute(result):,.{metric.digits}f}" for metric in metrics)
    print(f"  {row.label}: {shown}", file=sys.stderr)


def choose_rows(options: argparse.Namespace, stacks: list[str]) -> list[Row]:
    """List the rows."""
    backends = options.backend or BACKENDS
    rows = {
        "aiortc": list(dict.fromkeys(Row("peerix", backend).rival() for backend in backends)),
        "peerix": [Row("peerix", b, None, name) for name in options.congestion or (None,) for b in backends],
    }
    return [row for stack in stacks for row in rows.get(stack, [Row(stack, "")])]


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long_links", description=__doc__)
    add_output_options(parser)
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="only on this loop (repeatable)")
    parser.add_argument("--stack", action="append", choices=STACKS, help="only this stack (repeatable)")
    parser.add_argument("--link", action="append", choices=tuple(LINKS), help="only this link (repeatable)")
    parser.add_argument("--congestion", action="append", metavar="NAME", help="peerix's congestion control, by name")
    parser.add_argument("--quick", action="store_true", help="short windows")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="repetitions")
    parser.add_argument("--seconds", type=float, help="length of a window (20; quick: 5)")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; the exit code is 1 when a run failed."""
    options = parse_arguments(arguments)
    report = Report(describe_machine())
    seconds = options.seconds or (5.0 if options.quick else 20.0)
    rows = choose_rows(options, choose_stacks(options.stack, report))
    started = time.monotonic()
    for _ in range(options.repeat):
        for name in options.link or LINKS:
            print(LINKS[name][0], file=sys.stderr)
            for row in rows:
                measure(report, row, name, seconds)
    print(f"took {time.monotonic() - started:.0f} s", file=sys.stderr)
    publish(options, "long_links", report.to_markdown(), report.to_json())
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
