"""Data channels on loopback, peerix beside other stacks: ``python -m benchmarks.data_channel``.

aiortc runs in Python; @roamhq/wrtc (libwebrtc), node-datachannel (libdatachannel) and Chromium run in programs of their
own, with a loop of their own, which Python only tells what to do: their CPU time is that of the program and of what it
started, and Chromium's clock has steps of 0.1 ms. Those that are not installed are named.

Every measurement runs in processes of its own. Repetitions are interleaved (all variants, then all again), since a
machine that others use too is slower at one time than at another; the tables give medians and the range. MB are
10^6 bytes. Throughput starts with the first message, slow start included, 64 KiB messages, ordered and reliable,
about 1 MiB kept queued by the sender.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.machine import describe_machine
from benchmarks.peers import FOREIGN, STACKS
from benchmarks.peers.packages import missing, version
from benchmarks.report import (
    FLOOD_ONE,
    FLOOD_TWO,
    FROM_CHROMIUM,
    PING,
    SET_UP,
    SMALL,
    TO_CHROMIUM,
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

if TYPE_CHECKING:
    from collections.abc import Callable

BACKENDS = ("asyncio", "uvloop", "trio")
MESSAGE = 65536

Plan = list[tuple[Job, tuple[Metric, ...]]]


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data_channel", description=__doc__)
    add_output_options(parser)
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="only on this loop (repeatable)")
    parser.add_argument("--packet", action="append", choices=("1200", "found"), help="peerix's packet sizes")
    parser.add_argument("--stack", action="append", choices=STACKS, help="only this stack (repeatable)")
    parser.add_argument("--scenario", action="append", choices=tuple(PLANS), help="only this (repeatable)")
    parser.add_argument("--quick", action="store_true", help="one short repetition")
    parser.add_argument("--gigabyte", action="store_true", help="only move 1 GB (others: 100 MB) between processes")
    parser.add_argument("--repeat", type=int, metavar="N", help="repetitions (3; quick: 1)")
    parser.add_argument("--seconds", type=float, help="length of a throughput window (4; quick: 1)")
    return parser.parse_args(arguments)


def choose_variants(options: argparse.Namespace, stacks: list[str]) -> list[Variant]:
    """List the rows."""
    backends = options.backend or BACKENDS
    packets = [None if packet == "found" else int(packet) for packet in options.packet or ("1200", "found")]
    rows = {
        "aiortc": list(dict.fromkeys(Variant("peerix", backend).rival() for backend in backends)),
        "peerix": [Variant("peerix", backend, packet) for packet in packets for backend in backends],
    }
    return [row for stack in stacks for row in rows.get(stack, [Variant(stack, "")])]


def choose_stacks(wanted: list[str] | None, report: Report) -> list[str]:
    """List the stacks that are to be measured and can be; the report names the versions, and those that cannot."""
    stacks: list[str] = []
    for stack in STACKS:
        if wanted and stack not in wanted:
            continue
        trouble = missing(stack)
        if trouble is None:
            stacks.append(stack)
        else:
            report.notes.append(f"{stack} is not measured: {trouble}")
            print(report.notes[-1], file=sys.stderr)
    versions = [version(stack) for stack in stacks if stack in FOREIGN]
    if versions:
        report.machine["programs"] = ", ".join(versions)
    return stacks


def job(
    scenario: str,
    variant: Variant,
    seconds: float = 0,
    *,
    processes: int = 1,
    message_size: int = MESSAGE,
    count: int = 0,
    answer_stack: str | None = None,
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
        answer_stack=answer_stack,
    )


def plan_one(variant: Variant, seconds: float, quick: bool) -> Plan:
    """Throughput in one process."""
    return [(job("flood", variant, seconds), FLOOD_ONE)]


def plan_two(variant: Variant, seconds: float, quick: bool) -> Plan:
    """Throughput and CPU time in two processes."""
    return [(job("flood", variant, seconds, processes=2), FLOOD_TWO)]


def plan_small(variant: Variant, seconds: float, quick: bool) -> Plan:
    """Small messages in one process."""
    return [(job("flood", variant, seconds, message_size=64), SMALL)]


def plan_ping(variant: Variant, seconds: float, quick: bool) -> Plan:
    """Round trips between two processes."""
    return [(job("ping", variant, processes=2, message_size=64, count=500 if quick else 3000), PING)]


def plan_set_up(variant: Variant, seconds: float, quick: bool) -> Plan:
    """Connecting, from create_offer to the open channel."""
    return [(job("connect", variant, count=5 if quick else 30), SET_UP)]


def plan_memory(variant: Variant, seconds: float, quick: bool) -> Plan:
    """Memory of connected pairs; a quick run moves less through each. A browser has more than its pairs."""
    if variant.stack == "chromium":
        return []
    planned = job("memory", variant, count=150 if quick else 1526)
    return [(planned, memory_metrics(planned.count * planned.message_size))]


def plan_chromium(variant: Variant, seconds: float, quick: bool) -> Plan:
    """Throughput from Chromium and to it: peerix at the other end, or another Chromium."""
    if variant.stack == "chromium":
        return [(job("flood", variant, seconds, processes=2), FROM_CHROMIUM + TO_CHROMIUM)]
    if variant.stack != "peerix":
        return []
    to_chromium = job("flood", variant, seconds, processes=2, answer_stack="chromium")
    from_chromium = replace(to_chromium, stack="chromium", answer_stack="peerix")
    return [(from_chromium, FROM_CHROMIUM), (to_chromium, TO_CHROMIUM)]


PLANS: dict[str, Callable[[Variant, float, bool], Plan]] = {
    "one": plan_one,
    "two": plan_two,
    "small": plan_small,
    "ping": plan_ping,
    "setup": plan_set_up,
    "memory": plan_memory,
    "chromium": plan_chromium,
}


def plan_volume(variant: Variant, seconds: float, quick: bool) -> Plan:
    """A whole volume between two processes."""
    size = 10**9 if variant.stack == "peerix" else 10**8
    return [(job("volume", variant, processes=2, count=-(-size // MESSAGE)), VOLUME)]


def choose_plans(options: argparse.Namespace, stacks: list[str]) -> list[Callable[[Variant, float, bool], Plan]]:
    """List what is measured; without Chromium, nothing with it."""
    if options.gigabyte:
        return [plan_volume]
    chosen = [plan for name, plan in PLANS.items() if name in (options.scenario or PLANS)]
    return [plan for plan in chosen if plan is not plan_chromium or "chromium" in stacks]


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
    stacks = choose_stacks(options.stack, report)
    variants = choose_variants(options, stacks)
    seconds = options.seconds or (1.0 if options.quick else 4.0)
    started = time.monotonic()
    repetitions = options.repeat or (1 if options.quick or options.gigabyte else 3)
    for repetition in range(repetitions):
        print(f"repetition {repetition + 1} of {repetitions}", file=sys.stderr)
        # Scenario by scenario, all rows of one side by side in time.
        for plan in choose_plans(options, stacks):
            if repetition and plan is plan_memory:  # long, and the same each time
                continue
            for variant in variants:
                for entry in plan(variant, seconds, options.quick):
                    measure(report, variant, *entry)
    print(f"took {time.monotonic() - started:.0f} s", file=sys.stderr)
    name = "gigabyte" if options.gigabyte else "data_channel"
    publish(options, name, report.to_markdown(), report.to_json())
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
