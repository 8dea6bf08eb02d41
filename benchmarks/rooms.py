"""Messages and files in a room of two processes: ``python -m benchmarks.rooms``.

Small messages go through a relay that delays them (round trip 50 ms): how many a second, each acknowledged, in order.
The round trip of ``await peer.send(...)`` on loopback stands beside that of a raw channel, and the throughput of
``peerix send`` to ``peerix receive``, checksums on both sides, beside what a raw channel carries: all in one run, since
only such figures compare on a machine that others use too. MB are 10^6 bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine import describe_machine
from benchmarks.relay import Link, relayed
from benchmarks.report import add_output_options, publish
from benchmarks.room_worker import RoomJob
from benchmarks.runner import GRACE, RunFailedError, last_words, run
from benchmarks.scenarios import Job

if TYPE_CHECKING:
    from benchmarks.room_worker import Result

BACKENDS = ("asyncio", "uvloop", "trio")
ROUND_TRIP = 0.05
MESSAGE = 65536
BLOCK = 1 << 20
UNITS = {
    "messages/s, RTT 50 ms": 0,
    "misplaced": 0,
    "unacknowledged": 0,
    "CPU us a message, send": 0,
    "CPU us a message, receive": 0,
    "await send p50, us": 0,
    "raw channel p50, us": 0,
    "file, MB/s": 1,
    "raw channel, MB/s": 1,
    "file / raw, %": 0,
}
"""The columns, and their digits behind the point."""


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rooms", description=__doc__)
    add_output_options(parser)
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="only on this loop (repeatable)")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only this (repeatable)")
    parser.add_argument("--quick", action="store_true", help="short runs, and a file of 100 MB in place of 1 GB")
    return parser.parse_args(arguments)


def measure_small(backend: str, quick: bool) -> Result:
    """Small messages on a long path."""
    with relayed(Link(delay=ROUND_TRIP / 2)) as relay:
        found = run_pair(RoomJob("small", backend, new_room(), relay.ports, seconds=4.0 if quick else 10.0))
    return {
        "messages/s, RTT 50 ms": found["acknowledged"] / found["seconds"],
        "misplaced": found["misplaced"] + found["sent"] - found["received"],
        "unacknowledged": found["sent"] - found["acknowledged"],
        "CPU us a message, send": found["send_cpu"] / found["sent"] * 1e6,
        "CPU us a message, receive": found["receive_cpu"] / found["sent"] * 1e6,
    }


def measure_ping(backend: str, quick: bool) -> Result:
    """Round trips of an acknowledged message, and of a raw one that is echoed."""
    count = 500 if quick else 3000
    found = run_pair(RoomJob("ping", backend, new_room(), count=count))
    raw = run(Job("ping", "peerix", backend, None, 2, 0, message_size=64, count=count))
    return {"await send p50, us": found["p50"] * 1e6, "raw channel p50, us": raw["p50"] * 1e6}


def measure_file(backend: str, quick: bool) -> Result:
    """A file by the command line, and the same bytes over a raw channel."""
    size = 100_000_000 if quick else 1_000_000_000
    with tempfile.TemporaryDirectory(prefix="peerix-benchmark-") as folder:
        rate = size / send_file(backend, Path(folder), size) / 1e6
    found = run(Job("volume", "peerix", backend, None, 2, 60.0, count=-(-size // MESSAGE)))
    raw = found["bytes"] / found["seconds"] / 1e6
    return {"file, MB/s": rate, "raw channel, MB/s": raw, "file / raw, %": 100 * rate / raw}


SCENARIOS = {"small": measure_small, "ping": measure_ping, "file": measure_file}


def new_room() -> str:
    """A name that no other run uses."""
    return f"benchmark-{secrets.token_hex(8)}"


def run_pair(job: RoomJob) -> Result:
    """Run both members of a room and join what they report.

    :raises RunFailedError: one of them failed or hung.
    """
    command = [sys.executable, "-m", "benchmarks.room_worker", json.dumps(asdict(job))]
    return collect([[*command, "receive"], [*command, "send"]], job.seconds + GRACE)


def send_file(backend: str, folder: Path, size: int) -> float:
    """Send a file to another process; returns the seconds from its first block to its checksum.

    :raises RunFailedError: a process failed or hung, or the checksum was not taken.
    """
    source = folder / "file.bin"
    block = os.urandom(BLOCK)
    with source.open("xb") as file:
        while (left := size - file.tell()) > 0:
            file.write(block[:left])
    common = ["--room", new_room(), "--backend", backend, "--address", "127.0.0.1", "--json"]
    peerix = [sys.executable, "-m", "peerix"]
    sender = [*peerix, "send", *common, str(source)]
    receiver = [*peerix, "receive", *common, "--output", str(folder / "received")]
    lines = run_together([receiver, sender], GRACE)
    received = next((word for word in map(json.loads, lines) if word.get("event") == "received"), None)
    if received is None or not received["checked"] or received["size"] != size:
        raise RunFailedError("the file did not arrive whole")
    return float(received["seconds"])


def collect(commands: list[list[str]], limit: float) -> Result:
    """Run commands at the same time that print their result as JSON."""
    result: Result = {}
    for line in run_together(commands, limit):
        result |= json.loads(line)
    return result


def run_together(commands: list[list[str]], limit: float) -> list[str]:
    """Run commands at the same time; returns the lines that they print."""
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for command in commands
    ]
    try:
        lines: list[str] = []
        for process in processes:
            output, errors = process.communicate(timeout=limit)
            if process.returncode:
                raise RunFailedError(last_words(errors))
            lines += output.splitlines()
    except subprocess.TimeoutExpired:
        raise RunFailedError("no result in time") from None
    else:
        return lines
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def to_markdown(machine: dict[str, str], rows: dict[str, Result], failures: list[str]) -> str:
    """A table for people."""
    columns = [name for name in UNITS if any(name in row for row in rows.values())]
    lines = [f"* {name}: {value}" for name, value in machine.items()]
    lines += ["", "| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for backend, row in rows.items():
        cells = [f"{row[name]:,.{UNITS[name]}f}" if name in row else "-" for name in columns]
        lines.append(f"| {backend} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, *(f"FAILED: {failure}" for failure in failures)]) + "\n"


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; the exit code is 1 when a run failed."""
    options = parse_arguments(arguments)
    machine = describe_machine()
    rows: dict[str, Result] = {backend: {} for backend in options.backend or BACKENDS}
    failures: list[str] = []
    started = time.monotonic()
    for scenario in options.scenario or SCENARIOS:
        for backend, row in rows.items():
            try:
                row.update(SCENARIOS[scenario](backend, options.quick))
            except RunFailedError as error:
                failures.append(f"{backend}, {scenario}: {error}")
            print(f"  {backend}, {scenario}: {row}", file=sys.stderr)
    print(f"took {time.monotonic() - started:.0f} s", file=sys.stderr)
    results = {"machine": machine, "rows": rows, "failures": failures}
    publish(options, "rooms", to_markdown(machine, rows, failures), results)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
