"""The proof of the rows: in a copy of the sources each behaviour is broken on purpose, and its test has to fail.

A row is proven when its test passes as the sources are, is not skipped, and fails with the change of the row. Failing
is pytest's exit code 1: a test that cannot be collected any more proves nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from queue import SimpleQueue
from typing import TYPE_CHECKING

from tests.support.waiting import PATIENCE
from tools.conformance.runner import TESTS_FAILED
from tools.conformance.table import row_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tools.conformance.table import Mutation, Row

COPIED = (
    "src",
    "tests",
    "tools",
    "protocol",
    "pyproject.toml",
    "README.md",
    "docs",
    "examples",
    "benchmarks",
    "Makefile",
)
TIME_LIMIT = 60.0
"""Seconds that one test may take."""

ALREADY_LOADED = "ignore::pytest.PytestAssertRewriteWarning"
IMPATIENCE = 8.0
"""Seconds that a test waits for what its change may have made impossible."""

OPTIONS = ("-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-W", ALREADY_LOADED)


@dataclass(slots=True, frozen=True)
class Verdict:
    """What became of the proof of one row; `reason` is empty when it is proven."""

    row: Row
    reason: str = ""
    seconds: float = 0.0


class Workshop:
    """A copy of the sources, and a process that runs tests in it."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._folder = folder
        self._moments = count(1)
        copy_sources(root, folder)
        environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
        self._runner = subprocess.Popen(
            [sys.executable, "-m", "tools.conformance.runner"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End the process."""
        self._runner.communicate()

    def run(
        self, tests: Sequence[str], *options: str, limit: float = TIME_LIMIT, patience: float = IMPATIENCE
    ) -> tuple[int, str]:
        """Run tests; return pytest's exit code and its output."""
        assert self._runner.stdin is not None
        assert self._runner.stdout is not None
        self._runner.stdin.write(json.dumps([limit, patience, [*OPTIONS, *options, *tests]]) + "\n")
        self._runner.stdin.flush()
        code, output = json.loads(self._runner.stdout.readline())
        return int(code), str(output)

    def failing(self, rows: Sequence[Row]) -> dict[str, str]:
        """Run the tests of all rows as the sources are; return why those that did not pass did not."""
        tests = sorted({row.test_id for row in rows})
        report = self._folder / "report.json"
        _, output = self.run(tests, f"--report={report}", limit=len(tests) * TIME_LIMIT, patience=PATIENCE)
        if not report.exists():
            return dict.fromkeys(tests, output.strip()[-2000:])
        results = json.loads(report.read_text(encoding="utf-8"))
        outcomes = {test: results.get(test, {}).get("result", "not run") for test in tests}
        return {test: outcome for test, outcome in outcomes.items() if outcome != "passed"}

    @contextmanager
    def broken(self, mutation: Mutation) -> Iterator[None]:
        """Make the change, and take it back."""
        path = self._folder / mutation.path
        text = path.read_text(encoding="utf-8")
        before = path.stat().st_mtime
        path.write_text(text.replace(mutation.before, mutation.after, 1), encoding="utf-8")
        # Bytecode is valid for a time and a size: no two versions have the same time.
        os.utime(path, (before, before + next(self._moments)))
        try:
            yield
        finally:
            path.write_text(text, encoding="utf-8")
            os.utime(path, (before, before))

    def prove(self, row: Row) -> Verdict:
        """Break the behaviour of a row and see whether its test notices."""
        assert row.mutation is not None
        started = time.monotonic()
        with self.broken(row.mutation):
            code, output = self.run([row.test_id], "--exitfirst")
        seconds = time.monotonic() - started
        if code == TESTS_FAILED:
            return Verdict(row, seconds=seconds)
        reason = "the test passes with the change" if code == 0 else f"the test cannot run with the change:\n{output}"
        return Verdict(row, reason, seconds)


def copy_sources(root: Path, target: Path) -> None:
    """Copy what the tests need; what npm installed is linked, not copied."""
    skip = shutil.ignore_patterns("__pycache__", "node_modules", "dist")
    for name in COPIED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=skip)
        elif source.exists():
            shutil.copy2(source, target / name)
    modules = root / "tests" / "interop" / "node_modules"
    if modules.is_dir():
        (target / "tests" / "interop" / "node_modules").symlink_to(modules)


def prove(root: Path, scratch: Path, rows: Sequence[Row], jobs: int, tell: Callable[[Verdict], None]) -> list[Verdict]:
    """Prove rows, so many at a time; `tell` hears of each as it is done."""
    faults = {row.id: "; ".join(row_faults(row, root)) for row in rows}
    workshops = [Workshop(root, scratch / str(number)) for number in range(jobs)]
    try:
        shares = [[row for row in rows if not faults[row.id]][number::jobs] for number in range(jobs)]
        with ThreadPoolExecutor(jobs) as pool:
            failing = [pool.submit(shop.failing, share) for shop, share in zip(workshops, shares, strict=True)]
            reasons = {test: reason for each in failing for test, reason in each.result().items()}
            free: SimpleQueue[Workshop] = SimpleQueue()
            for shop in workshops:
                free.put(shop)

            def one(row: Row) -> Verdict:
                reason = faults[row.id] or reasons.get(row.test_id)
                if reason:
                    verdict = Verdict(row, f"without any change: {reason}")
                else:
                    shop = free.get()
                    try:
                        verdict = shop.prove(row)
                    finally:
                        free.put(shop)
                tell(verdict)
                return verdict

            return list(pool.map(one, rows))
    finally:
        for shop in workshops:
            shop.close()
