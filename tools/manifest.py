"""The manifest of scenarios, ``tests/manifest.json``: every test function with its last result.

It is written by `make test-all` alone, from the reports of all its runs; with a part of the suite it takes the
results of that part. It holds no times: it changes when a scenario comes, goes, or turns out otherwise, not because it
was run once more.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path

from tests.support.scenarios import Result, count_results, worst

MANIFEST = Path("tests/manifest.json")


def join_reports(reports: list[Path]) -> dict[str, Result]:
    """Join what the runs report: a scenario that failed in one of them has failed."""
    joined: dict[str, Result] = {}
    for path in reports:
        scenarios: dict[str, Result] = json.loads(path.read_text(encoding="utf-8"))
        for name, result in scenarios.items():
            joined[name] = worst(joined[name], result) if name in joined else result
    return joined


def update(path: Path, scenarios: dict[str, Result], there: set[str]) -> dict[str, Result]:
    """What the manifest says of the scenarios that are there, with newer results.

    Those of fewer cases than before are no result of the scenario.
    """
    known: dict[str, Result] = {}
    if path.exists():
        known = json.loads(path.read_text(encoding="utf-8"))["scenarios"]
    for name, result in scenarios.items():
        if name not in known or result["cases"] >= known[name]["cases"]:
            known[name] = result
    return {name: result for name, result in known.items() if name in there}


def write_manifest(path: Path, scenarios: dict[str, Result], orders: list[str]) -> None:
    """Write the manifest, one line a scenario."""
    head = {
        "about": "Every test scenario with its last result in `make test-all`",
        "python": ".".join(platform.python_version_tuple()[:2]),
        "orders": orders,
        "results": dict(sorted(count_results(scenarios).items())),
    }
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    rows = [f"  {json.dumps(name)}: {describe(scenarios[name])}" for name in sorted(scenarios)]
    lines.append(' "scenarios": {\n' + ",\n".join(rows) + "\n }")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def describe(result: Result) -> str:
    """Put one scenario into a line."""
    return json.dumps({key: value for key, value in result.items() if value != []}, ensure_ascii=False)
