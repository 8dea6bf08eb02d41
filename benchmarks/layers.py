"""Where the time of peerix goes, by layer: ``python -m benchmarks.layers``.

A sampling profiler (py-spy, of the `dev` group) looks at a process with both ends in it. A sample counts for the
innermost Python function, so what a system call or OpenSSL takes counts for who called it. Shares are of the time in
which the process ran.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.data_channel import job
from benchmarks.machine import describe_machine
from benchmarks.report import Variant, add_output_options, publish
from benchmarks.runner import GRACE, WORKER, RunFailedError, last_words

if TYPE_CHECKING:
    from benchmarks.scenarios import Job

BACKENDS = ("asyncio", "uvloop", "trio")
RATE = 400
"""Samples a second."""

LAYERS: dict[str, str] = {
    "sockets": r"rtc/(datagram_socket|udp_port)\.py",
    "DTLS": r"core/dtls/|OpenSSL/|cryptography/",
    "SCTP": r"core/(sctp|datachannel)/|google_crc32c",
    "RTP": r"core/(rtp|srtp)/|core/session/media/|pylibsrtp",
    "ICE": r"core/(ice|stun|turn|mdns)/",
    "descriptions": r"core/(jsep|sdp)/",
    "session": r"core/session/",
    "codecs": r"peerix/media/|/av/",
    "connection objects": r"peerix/rtc/",
    "event loop": r"anyio/|asyncio/|uvloop/|trio/|sniffio/|outcome/|concurrent/|(selectors|threading|weakref)\.py",
    "the benchmark": r"benchmarks/",
}
"""The first that fits the file of a function."""

OTHER = "other"
_START_UP = "<frozen importlib"


def jobs(backend: str, quick: bool) -> dict[str, Job]:
    """What is looked at."""
    variant, seconds = Variant("peerix", backend), 2.0 if quick else 10.0
    return {
        "messages of 64 KiB": job("flood", variant, seconds),
        "messages of 64 bytes": job("flood", variant, seconds, message_size=64),
        "a lone message": job("ping", variant, message_size=64, count=500 if quick else 10_000),
        "set-up": job("connect", variant, count=20 if quick else 300),
    }


def layer_of(frame: str) -> str:
    """The layer of a function, which is written as py-spy does: ``name (file:line)``."""
    place = frame[frame.rfind("(") :]
    return next((layer for layer, pattern in LAYERS.items() if re.search(pattern, place)), OTHER)


def shares(collapsed: str) -> dict[str, float]:
    """Read stacks, one a line with its number of samples; gives percent by layer."""
    counts: Counter[str] = Counter()
    for line in collapsed.splitlines():
        stack, _, samples = line.rpartition(" ")
        if _START_UP in stack:
            continue
        counts[layer_of(stack.rpartition(";")[2])] += int(samples)
    total = sum(counts.values())
    return {layer: 100 * counts[layer] / total for layer in (*LAYERS, OTHER) if counts[layer]}


def sample(planned: Job) -> dict[str, float]:
    """Run a job under the profiler.

    :raises RunFailedError: it failed.
    """
    with TemporaryDirectory() as folder:
        found = Path(folder) / "stacks"
        profiler = [
            str(Path(sys.executable).with_name("py-spy")),
            "record",
            "--rate",
            str(RATE),
            "--format",
            "raw",
            "--output",
            str(found),
        ]
        command = [*profiler, "--full-filenames", "--", sys.executable, "-m", WORKER]
        command += [json.dumps(asdict(planned)), "both"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=2 * GRACE, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RunFailedError(str(error)) from error
        if not found.exists():
            raise RunFailedError(last_words(done.stderr))
        return shares(found.read_text(encoding="utf-8"))


def main(arguments: list[str]) -> int:
    """Look at what the command line asks for; the exit code is 1 when a run failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layers", description=__doc__)
    add_output_options(parser)
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="only on this loop (repeatable)")
    parser.add_argument("--quick", action="store_true", help="short runs")
    options = parser.parse_args(arguments)
    rows: dict[str, dict[str, float]] = {}
    failures: list[str] = []
    for backend in options.backend or ("asyncio", "trio"):
        for name, planned in jobs(backend, options.quick).items():
            label = f"{name}, {backend}"
            try:
                rows[label] = sample(planned)
            except RunFailedError as error:
                failures.append(f"{label}: {error}")
            print(f"  {label}: {rows.get(label)}", file=sys.stderr)
    publish(options, "layers", to_markdown(rows), {"machine": describe_machine(), "rows": rows, "failures": failures})
    return 1 if failures else 0


def to_markdown(rows: dict[str, dict[str, float]]) -> str:
    """A table for people."""
    layers = [layer for layer in (*LAYERS, OTHER) if any(layer in row for row in rows.values())]
    lines = ["| % of the time | " + " | ".join(layers) + " |", "|---" * (len(layers) + 1) + "|"]
    for label, row in rows.items():
        lines.append(f"| {label} | " + " | ".join(f"{row.get(layer, 0):.0f}" for layer in layers) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
