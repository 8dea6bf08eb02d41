"""Every scenario, backend, order and seed: ``python -m tools.test_all [pytest arguments]``.

Runs the whole suite with ``--all`` as written, then what `make test` runs shuffled by each seed, joins the results into
``tests/manifest.json`` and ends with the sum of all runs in pytest's own words. With pytest arguments that choose a
part of the suite the manifest takes the results of that part.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.scenarios import count_results
from tools.manifest import MANIFEST, join_reports, update, write_manifest

ORDERS = ("as written", "1", "2")

CHOOSE_NOTHING = ("--numprocesses=", "--dist=", "--durations=")
"""How arguments begin that leave the suite whole."""


def run_suite(order: str, report: Path, arguments: list[str]) -> int:
    """Run pytest in one order and return its exit code."""
    # What leaks from one test to another shows without the breadth, which would take an hour in each order.
    chosen = ["--all"] if order == "as written" else ["--seed", order]
    command = [sys.executable, "-m", "pytest", f"--report={report}", *chosen, *arguments]
    return subprocess.run(command, check=False).returncode


def all_scenarios() -> set[str]:
    """The names of all scenarios that there are."""
    command = [sys.executable, "-m", "pytest", "--all", "--collect-only", "--quiet"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {line.partition("[")[0] for line in listed.splitlines() if "::" in line}


def main(arguments: list[str]) -> int:
    """Run all orders; the exit code is that of the first run that failed."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        reports = [Path(folder) / f"{number}.json" for number, _ in enumerate(ORDERS)]
        codes = [run_suite(order, report, arguments) for order, report in zip(ORDERS, reports, strict=True)]
        scenarios = join_reports([report for report in reports if report.exists()])
    is_whole = all(argument.startswith(CHOOSE_NOTHING) for argument in arguments)
    results = scenarios if is_whole else update(MANIFEST, scenarios, all_scenarios())
    write_manifest(MANIFEST, results, list(ORDERS))
    counted = count_results(scenarios)
    summary = ", ".join(
        f"{counted[outcome]} {outcome}" for outcome in ("failed", "passed", "skipped") if counted[outcome]
    )
    print(f"=== {summary or 'no scenarios ran'} in {time.monotonic() - started:.2f}s ===")
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
