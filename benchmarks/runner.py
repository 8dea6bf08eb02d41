"""Runs jobs in processes of their own, so that none sees the memory or the warm caches of another."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import DataclassInstance

    from benchmarks.scenarios import Job, Result

WORKER = "benchmarks.worker"

GRACE = 120.0  # seconds on top of what the job itself takes
STOP_TIMEOUT = 10.0  # seconds


class RunFailedError(Exception):
    """A process of the benchmark ended badly; its last words are the message."""


def run(job: Job, places: Sequence[Sequence[str]] = ((), ())) -> Result:
    """Run a job in one process or two and join what they report.

    :param places: commands that run the rest of their line where the offering and the answering end are to be.
    :raises RunFailedError: a process failed or hung.
    """
    if job.processes == 1:
        return run_alone(WORKER, job, job.seconds)
    results = run_ends(WORKER, job, job.seconds, places)
    # The receiver knows what arrived, and comes last; only the sender knows how long a whole volume took.
    return results[1] | results[0] if job.scenario == "volume" else results[0] | results[1]


def run_alone(worker: str, job: DataclassInstance, seconds: float) -> Result:
    """Run both ends in one process of the module `worker`, for a job that takes so many seconds.

    :raises RunFailedError: the process failed or hung.
    """
    return _finish(_start(worker, job, "both"), seconds)


def run_ends(
    worker: str, job: DataclassInstance, seconds: float, places: Sequence[Sequence[str]] = ((), ())
) -> list[Result]:
    """Run the offering and the answering end in a process each; returns what they report, in this order.

    :raises RunFailedError: a process failed or hung.
    """
    first, second = socket.socketpair()
    with first, second:
        processes = [
            _start(worker, job, role, end, place)
            for role, end, place in zip(("offer", "answer"), (first, second), places, strict=True)
        ]
    try:
        return [_finish(process, seconds) for process in processes]
    finally:
        for process in processes:
            _stop(process)


def _start(
    worker: str, job: DataclassInstance, role: str, sock: socket.socket | None = None, place: Sequence[str] = ()
) -> subprocess.Popen[str]:
    command = [*place, sys.executable, "-m", worker, json.dumps(asdict(job)), role]
    descriptors = [] if sock is None else [sock.fileno()]
    return subprocess.Popen(
        [*command, *map(str, descriptors)],
        pass_fds=descriptors,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(process: subprocess.Popen[str], seconds: float) -> Result:
    try:
        output, errors = process.communicate(timeout=seconds + GRACE)
    except subprocess.TimeoutExpired:
        _stop(process)
        raise RunFailedError("no result in time") from None
    if process.returncode != 0:
        raise RunFailedError(last_words(errors))
    result: Result = json.loads(output.splitlines()[-1])
    return result


def _stop(process: subprocess.Popen[str]) -> None:
    """End a process that has not ended itself; it is asked first, for it may have started a browser."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def last_words(errors: str) -> str:
    """Find the exception at the end of a traceback, past the frame that is drawn around groups."""
    lines = [line.strip(" |+-") for line in errors.splitlines()]
    return next((line for line in reversed(lines) if line), "no word of why")
