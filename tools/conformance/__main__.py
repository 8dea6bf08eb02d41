"""The table of conformance.

``python -m tools.conformance`` writes ``docs/conformance.md``. ``--check`` only says whether it is up to date and the
table is sound. ``--prove [ROW ...]`` breaks the behaviour of each row, or of those named, in a copy of the sources, and
requires that its test fails.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tools.conformance.document import write_document
from tools.conformance.proof import Verdict, prove
from tools.conformance.table import ROOT, Row, Table, find_faults, load_table

DOCUMENT = ROOT / "docs" / "conformance.md"


def check(table: Table) -> list[str]:
    """Say what is wrong with the table and its document."""
    faults = find_faults(table)
    if not faults and (not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != write_document(table)):
        faults.append(f"{DOCUMENT.name} is not up to date: run python -m tools.conformance")
    return faults


def choose(table: Table, names: list[str]) -> list[Row]:
    """Return the rows to prove: those named, whose id begins with a name, or all."""
    done = [row for row in table.rows.values() if not row.missing]
    return [row for row in done if row.id.startswith(tuple(names))] if names else done


def tell(verdict: Verdict) -> None:
    """Print what became of a row."""
    print(f"{'NOT PROVEN' if verdict.reason else 'proven':10} {verdict.seconds:5.1f} s  {verdict.row.id}", flush=True)
    if verdict.reason:
        print(f"           {verdict.row.test_id}: {verdict.reason}", flush=True)


def run_proof(table: Table, names: list[str], jobs: int) -> int:
    """Prove rows; the exit code is 1 when one is not proven."""
    rows = choose(table, names)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="conformance-") as scratch:
        verdicts = prove(ROOT, Path(scratch), rows, jobs, tell)
    failed = [verdict for verdict in verdicts if verdict.reason]
    print(f"=== {len(verdicts) - len(failed)} proven, {len(failed)} not, in {time.monotonic() - started:.0f} s ===")
    return 1 if failed or not rows else 0


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tools.conformance", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when something is wrong")
    parser.add_argument(
        "--prove", nargs="*", metavar="ROW", help="break the behaviour of these rows (beginnings of ids)"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="copies that are worked with at a time")
    arguments = parser.parse_args()
    table = load_table()
    if arguments.prove is not None:
        return run_proof(table, arguments.prove, arguments.jobs)
    faults = check(table) if arguments.check else find_faults(table)
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults or arguments.check:
        return 1 if faults else 0
    DOCUMENT.write_text(write_document(table), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
