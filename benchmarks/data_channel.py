"""Data channels on loopback, peerix beside aiortc: ``python -m benchmarks.data_channel``.

Every measurement runs in processes of its own. Repetitions are interleaved (all variants, then all again), since a
machine that others use too is slower at one time than at another; the tables give medians and the range. MB are
10^6 bytes. Throughput starts with the first message, slow start included, 64 KiB messages, ordered and reliable,
about 1 MiB kept queued by the sender.
"""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.machine import describe_machine
from benchmarks.report import (
    FLOOD_ONE,
    FLOOD_TWO,
    PING,
    SET_UP,
    SMALL,
    VOLUME,
    Metric,
    Report,
    Variant,
    add_output_options,
    memory_metrics,
    publish,
)
from benchmarks.runner import RunFailedError, run
from benchmarks.scenarios import Job

BACKENDS = ("asyncio", "uvloop", "trio")
MESSAGE = 65536

Plan = list[tuple[Job, tuple[Metric, ...]]]


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data_channel", description=__doc__)
    add_output_options(parser)
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="only on this loop (repeatable)")
    parser.add_argument("--packet", action="append", choices=("1200", "found"), help="peerix's packet sizes")
    parser.add_argument("--stack", action="append", choices=("peerix", "aiortc"), help="only this stack")
    parser.add_argument("--scenario", action="append", choices=(*PLANS, "volume"), help="only this (repeatable)")
    parser.add_argument("--quick", action="store_true", help="one short repetition")
    parser.add_argument("--gigabyte", action="store_true", help="only move 1 GB (aiortc: 100 MB) between processes")
    parser.add_argument("--repeat", type=int, metavar="N", help="repetitions (3; quick: 1)")
    parser.add_argument("--seconds", type=float, help="length of a throughput window (4; quick: 1)")
    return parser.parse_args(arguments)


def choose_variants(options: argparse.Namespace) -> list[Variant]:
    """List the rows."""
    backends = options.backend or BACKENDS
    packets = [None if packet == "found" else int(packet) for packet in options.packet or ("1200", "found")]
    variants: list[Variant] = []
    if "aiortc" in (options.stack or ("aiortc",)):
        variants += [Variant("aiortc", b) for b in dict.fromkeys(Variant("", b).rival().backend for b in backends)]
    if "peerix" in (options.stack or ("peerix",)):
        variants += [Variant("peerix", backend, packet) for packet in packets for backend in backends]
    return variants


def job(
    scenario: str,
    variant: Variant,
    seconds: float = 0,
    *,
    processes: int = 1,
    message_size: int = MESSAGE,
    count: int = 0,
) -> Job:
    """Make a job for a row."""
    return Job(
        scenario=scenario,
        stack=variant.stack,
        backend=variant.backend,
        packet_size=variant.packet_size,
        processes=processes,
        seconds=seconds,
        message_size=message_size,
        count=count,
    )


def plan_one(variant: Variant, seconds: float, quick: bool) -> tuple[Job, tuple[Metric, ...]]:
    """Throughput in one process."""
    return job("flood", variant, seconds), FLOOD_ONE


def plan_two(variant: Variant, seconds: float, quick: bool) -> tuple[Job, tuple[Metric, ...]]:
    """Throughput and CPU time in two processes."""
    return job("flood", variant, seconds, processes=2), FLOOD_TWO


def plan_small(variant: Variant, seconds: float, quick: bool) -> tuple[Job, tuple[Metric, ...]]:
    """Small messages in one process."""
    return job("flood", variant, seconds, message_size=64), SMALL


def plan_ping(variant: Variant, seconds: float, quick: bool) -> tuple[Job, tuple[Metric, ...]]:
    """Round trips between two processes."""
    return job("ping", variant, processes=2, message_size=64, count=500 if quick else 3000), PING


def plan_set_up(variant: Variant, seconds: float, quick: bool) -> tuple[Job, tuple[Metric, ...]]:
    """Connecting, from create_offer to the open channel."""
    return job("connect", variant, count=5 if quick else 30), SET_UP


def plan_memory(variant: Variant, seconds: float, quick: bool) -> tuple[Job, tuple[Metric, ...]]:
    """Memory of connected pairs; a quick run moves less through each."""
    planned = job("memory", variant, count=150 if quick else 1526)
    return planned, memory_metrics(planned.count * planned.message_size)


PLANS = {
    "one": plan_one,
    "two": plan_two,
    "small": plan_small,
    "ping": plan_ping,
    "setup": plan_set_up,
    "memory": plan_memory,
}


def make_plan(variant: Variant, options: argparse.Namespace) -> Plan:
    """List the jobs of a row in one repetition."""
    if options.gigabyte:
        size = 10**9 if variant.stack == "peerix" else 10**8
        return [(job("volume", variant, processes=2, count=-(-size // MESSAGE)), VOLUME)]
    seconds = options.seconds or (1.0 if options.quick else 4.0)
    return [
        plan(variant, seconds, options.quick) for name, plan in PLANS.items() if name in (options.scenario or PLANS)
    ]


def measure(report: Report, variant: Variant, planned: Job, metrics: tuple[Metric, ...]) -> None:
    """Run one job and report it."""
    try:
        result = run(planned)
    except RunFailedError as error:
        report.fail(variant, planned, str(error))
        print(f"  {variant.label}: {planned.scenario} failed: {error}", file=sys.stderr)
        return
    report.add(variant, planned, metrics, result)
    shown = ", ".join(f"{metric.name} {metric.compute(result):,.{metric.digits}f}" for metric in metrics)
    print(f"  {variant.label}: {shown}", file=sys.stderr)


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; the exit code is 1 when a run failed."""
    options = parse_arguments(arguments)
    report = Report(describe_machine())
    variants = choose_variants(options)
    started = time.monotonic()
    repetitions = options.repeat or (1 if options.quick or options.gigabyte else 3)
    for repetition in range(repetitions):
        print(f"repetition {repetition + 1} of {repetitions}", file=sys.stderr)
        # Scenario by scenario, all rows of one side by side in time.
        for jobs in zip(*([(v, *entry) for entry in make_plan(v, options)] for v in variants), strict=True):
            if repetition and jobs[0][1].scenario == "memory":  # long, and the same each time
                continue
            for entry in jobs:
                measure(report, *entry)
    print(f"took {time.monotonic() - started:.0f} s", file=sys.stderr)
    name = "gigabyte" if options.gigabyte else "data_channel"
    publish(options, name, report.to_markdown(), report.to_json())
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
