"""A track of VP8 pictures, 1280x720 at 30 a second, peerix beside aiortc: ``python -m benchmarks.media``.

Both ends of a row share a process, where nothing else is said. What a column says:

* "outside the codec": CPU of the whole process, both ends, when the encoder plays a recording (2 Mbit/s, the same for
  both stacks) and the decoder always gives the same picture.
* "age": from handing a picture to the stack until it is decoded and in the reader's hand.
* "flood": the camera is far faster than the encoder, which takes what it can.
* "packets": recorded frames of 50 KB, as many as the sender sends.
* "fan": to one receiver, then to ten, all in another process; the CPU of the sender for a picture that arrives. At 15
  pictures a second, since ten encoders would not keep up with 30.
* "2 % loss": two processes with a relay between them that loses 2 % of the datagrams each way; round trip 60 ms.
* "4 to 1 to 4 Mbit/s": the relay carries 4 Mbit/s, from second 16 on 1, from second 28 on 4 again; round trip 60 ms.
  The camera flickers, so that more bits always help. Below and above: seconds until the sender keeps to that for a
  second, as the relay sees it; the length of the stage if it never does.

All in one run, since only such figures compare on a machine that others use too.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.machine import describe_machine
from benchmarks.media_stacks import MediaJob
from benchmarks.relay import BIN, Link, relayed
from benchmarks.report import Metric, Report, Variant, add_output_options, publish
from benchmarks.runner import RunFailedError, run_alone, run_ends
from benchmarks.scenarios import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.scenarios import Result

BACKENDS = ("asyncio", "uvloop", "trio")
WORKER = "benchmarks.media_worker"
STACKS = ("aiortc", "peerix")
BOTH = ("encoder", "decoder")
RECEIVERS = 10
LOSSY = Link(delay=0.03, loss=0.02)

WIDE_RATE, NARROW_RATE = 4e6, 1e6
FALL, RISE, END = 16.0, 28.0, 44.0
"""Seconds after the first datagram at which the link falls, is wide again, and nobody looks any more."""

KEPT = 10
"""Tenths of a second for which a bitrate has to be kept."""

BELOW, ABOVE = 1e6, 3e6
"""Bits a second that are to be fallen below, and to be risen above."""

# A tenth of a second of the wide link waits at most, four tenths of the narrow one.
NARROW = Link(
    delay=0.03, bandwidth=WIDE_RATE / 8, queue=50_000, changes=((FALL, NARROW_RATE / 8), (RISE, WIDE_RATE / 8))
)


LINKS = {"lossy": LOSSY, "narrow": NARROW}

TO_RECEIVER = 1
"""Which of the ways of a relay media take."""


def first(result: Result) -> float:
    """CPU of a picture that one receives, ms."""
    return 1e3 * result["cpu_1"] / result["frames_1"]


def further(result: Result) -> float:
    """What another receiver of a picture adds to that, ms."""
    pictures = result[f"frames_{RECEIVERS}"] / RECEIVERS
    return (1e3 * result[f"cpu_{RECEIVERS}"] / pictures - first(result)) / (RECEIVERS - 1)


def seconds_until(rates: Sequence[float], begin: float, end: float, holds: Callable[[float], bool]) -> float:
    """How long after `begin` a whole second is on average as wanted; the time to `end` if none is before.

    :param rates: bits a second in each `BIN`.
    """
    first, last = round(begin / BIN), round(end / BIN)
    for number in range(first, last - KEPT + 1):
        if holds(statistics.fmean(rates[number : number + KEPT])):
            return (number - first) * BIN
    return end - begin


def follow(entered: Sequence[int]) -> Result:
    """How fast the sender followed the link, by the bytes that it sent in each `BIN`."""
    rates = [8 * size / BIN for size in entered] + [0.0] * round(END / BIN)
    return {
        "before": statistics.fmean(rates[round((FALL - 4) / BIN) : round(FALL / BIN)]),
        "fall": seconds_until(rates, FALL, RISE, lambda rate: rate < BELOW),
        "rise": seconds_until(rates, RISE, END, lambda rate: rate > ABOVE),
    }


SCENARIOS: dict[str, tuple[MediaJob, tuple[Metric, ...]]] = {
    "bare": (
        MediaJob("alone", "", "", 10.0, replayed=BOTH),
        (
            Metric("CPU s/s outside the codec", lambda r: r["cpu"], 3, more_is_better=False),
            Metric("RTP packets/s of it", lambda r: r["packets"]),
        ),
    ),
    "whole": (
        MediaJob("alone", "", "", 10.0),
        (
            Metric("CPU s/s with the codec", lambda r: r["cpu"], 3, more_is_better=False),
            Metric("pictures/s of 30", lambda r: r["frames"], 1),
            Metric("age p50, ms", lambda r: r["p50"] * 1e3, 1, more_is_better=False),
            Metric("age p95, ms", lambda r: r["p95"] * 1e3, 1, more_is_better=False),
        ),
    ),
    "flood": (
        MediaJob("alone", "", "", 10.0, rate=300.0),
        (Metric("flood: pictures/s", lambda r: r["frames"], 1),),
    ),
    "packets": (
        MediaJob("alone", "", "", 5.0, rate=500.0, bitrate=12_000_000, replayed=BOTH),
        (Metric("packets: RTP packets/s", lambda r: r["packets"]),),
    ),
    "fan": (
        MediaJob("fan", "", "", 5.0, 3.0, rate=15.0, replayed=("decoder",), receivers=RECEIVERS),
        (
            Metric("fan: CPU ms a picture, first receiver", first, 2, more_is_better=False),
            Metric("each further one", further, 2, more_is_better=False),
            Metric("of the first, %", lambda r: 100 * further(r) / first(r), more_is_better=False),
        ),
    ),
    "lossy": (
        MediaJob("lossy", "", "", 20.0, 6.0, bitrate=1_500_000),
        (
            Metric("2 % loss: pictures/s", lambda r: r["frames"], 1),
            Metric("frozen, %", lambda r: 100 * r["frozen"], 1, more_is_better=False),
            Metric("PSNR, dB", lambda r: r["psnr"], 1),
            Metric("PSNR p10, dB", lambda r: r["psnr_p10"], 1),
        ),
    ),
    "narrow": (
        MediaJob("narrow", "", "", END - 6.0, 5.0, bitrate=6_000_000),
        (
            Metric("4 to 1 to 4 Mbit/s: Mbit/s before", lambda r: r["before"] / 1e6, 1),
            Metric("below 1, s", lambda r: r["fall"], 1, more_is_better=False),
            Metric("above 3 again, s", lambda r: r["rise"], 1, more_is_better=False),
            Metric("longest freeze, s", lambda r: r["longest"], 2, more_is_better=False),
        ),
    ),
}
"""Jobs without stack and loop, and the columns that they give."""


@dataclass(slots=True, frozen=True)
class Row(Variant):
    """A stack on a loop."""

    @property
    def label(self) -> str:
        """Name the row."""
        return f"{self.stack}, {self.backend}"


def run_media(job: MediaJob) -> Result:
    """Run a job in one process or two.

    :raises RunFailedError: a process failed or hung.
    """
    seconds = job.seconds + job.warm_up
    if job.scenario == "alone":
        return run_alone(WORKER, job, seconds)
    if job.scenario in LINKS and not job.relay_ports:
        with relayed(LINKS[job.scenario]) as relay:
            result = run_media(replace(job, relay_ports=relay.ports))
        return result | follow(relay.entered[TO_RECEIVER]) if job.scenario == "narrow" else result
    sent, received = run_ends(WORKER, job, seconds)
    return sent | received


def measure(report: Report, row: Row, name: str, seconds: float | None) -> None:
    """Measure one row."""
    template, metrics = SCENARIOS[name]
    # The link changes at its own times.
    seconds = template.seconds if seconds is None or name == "narrow" else seconds
    job = replace(template, stack=row.stack, backend=row.backend, seconds=seconds)
    noted = Job(name, row.stack, row.backend, None, 1 if job.scenario == "alone" else 2, job.seconds)
    try:
        result = run_media(job)
        shown = ", ".join(f"{metric.name} {metric.compute(result):,.{metric.digits}f}" for metric in metrics)
    except (RunFailedError, KeyError, ZeroDivisionError) as error:
        report.fail(row, noted, repr(error))
        print(f"  {row.label}: {name} failed: {error!r}", file=sys.stderr)
        return
    report.add(row, noted, metrics, result)
    print(f"  {row.label}: {shown}", file=sys.stderr)


def choose_rows(options: argparse.Namespace) -> list[Row]:
    """List the rows: aiortc does not run on trio."""
    backends = options.backend or BACKENDS
    rows = [Row(stack, backend) for stack in options.stack or STACKS for backend in backends]
    return [row for row in rows if (row.stack, row.backend) != ("aiortc", "trio")]


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.media", description=__doc__)
    add_output_options(parser)
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="only on this loop (repeatable)")
    parser.add_argument("--stack", action="append", choices=STACKS, help="only this stack")
    parser.add_argument("--scenario", action="append", choices=tuple(SCENARIOS), help="only this (repeatable)")
    parser.add_argument("--quick", action="store_true", help="short windows")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="repetitions")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; the exit code is 1 when a run failed."""
    options = parse_arguments(arguments)
    report = Report(describe_machine())
    started = time.monotonic()
    for _ in range(options.repeat):
        for name in options.scenario or SCENARIOS:
            print(name, file=sys.stderr)
            for row in choose_rows(options):
                measure(report, row, name, (8.0 if name == "lossy" else 3.0) if options.quick else None)
    print(f"took {time.monotonic() - started:.0f} s", file=sys.stderr)
    publish(options, "media", report.to_markdown(), report.to_json())
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
