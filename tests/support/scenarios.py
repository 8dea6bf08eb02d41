"""Options of the test run: order, breadth, and a report of every scenario.

``--seed N`` shuffles the modules, and the tests within each, so that none can depend on what ran before it.
``--all`` adds the scenarios marked slow and more seeds to the tests that take one. ``--report FILE`` writes
what became of each scenario; `make test-all` joins the reports of several runs into the manifest.

A scenario is a test function. Its cases (parameters, backends) count together: the worst outcome is its
result. A test with an argument ``seed`` runs with each seed.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TypedDict

import pytest

BACKENDS = ("asyncio", "uvloop", "trio")
OUTCOMES = ("passed", "skipped", "failed")  # from good to bad
SEEDS = 3
SEEDS_ALL = 25


class Result(TypedDict):
    """What became of one scenario."""

    result: str
    cases: int
    backends: list[str]


@dataclass(slots=True, eq=False)  # pytest keeps its plugins in sets
class Report:
    """Collects outcomes during one run."""

    path: Path
    outcomes: dict[str, str] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst outcome of set-up, call and teardown."""
        outcome = report.outcome
        if report.skipped and isinstance(report.longrepr, tuple):
            outcome_text = f"skipped: {str(report.longrepr[2]).removeprefix('Skipped: ')}"
        else:
            outcome_text = outcome
        if severity(outcome_text) >= severity(self.outcomes.get(report.nodeid, OUTCOMES[0])):
            self.outcomes[report.nodeid] = outcome_text

    def pytest_sessionfinish(self) -> None:
        """Write the report."""
        self.path.write_text(json.dumps(self.scenarios(), indent=1, sort_keys=True, ensure_ascii=False) + "\n")

    def scenarios(self) -> dict[str, Result]:
        """Join the cases of each test function."""
        results: dict[str, Result] = {}
        for nodeid, outcome in self.outcomes.items():
            name, _, case = nodeid.partition("[")
            result = results.setdefault(name, Result(result=outcome, cases=0, backends=[]))
            result["cases"] += 1
            result["result"] = max(result["result"], outcome, key=severity)
            words = case.rstrip("]").split("-")
            result["backends"] = [b for b in BACKENDS if b in words or b in result["backends"]]
        return results


def severity(outcome: str) -> int:
    """Rank an outcome, the bad ones higher."""
    return OUTCOMES.index(outcome.partition(":")[0])


def worst(first: Result, second: Result) -> Result:
    """Join the results that one scenario had in two runs."""
    return Result(
        result=max(first["result"], second["result"], key=severity),
        cases=max(first["cases"], second["cases"]),
        backends=[b for b in BACKENDS if b in first["backends"] or b in second["backends"]],
    )


def shuffle(items: list[pytest.Item], seed: int) -> None:
    """Shuffle modules and the tests in each; a module stays in one piece, for its fixtures' sake."""
    order = random.Random(seed)
    modules = [list(group) for _, group in groupby(items, key=attrgetter("path"))]
    for module in modules:
        order.shuffle(module)
    order.shuffle(modules)
    items[:] = [item for module in modules for item in module]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("scenarios")
    group.addoption("--all", action="store_true", help="also the scenarios marked slow")
    group.addoption("--seed", type=int, help="shuffle the tests with this seed")
    group.addoption("--report", type=Path, help="write the result of every scenario to this file")


def pytest_configure(config: pytest.Config) -> None:
    """Start the report, if there is to be one."""
    path: Path | None = config.getoption("--report")
    if path is not None and not hasattr(config, "workerinput"):  # xdist's workers report to their controller
        config.pluginmanager.register(Report(path))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the slow ones, and shuffle."""
    if not config.getoption("--all"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        if slow:
            items[:] = [item for item in items if not item.get_closest_marker("slow")]
            config.hook.pytest_deselected(items=slow)
    seed: int | None = config.getoption("--seed")
    if seed is not None:
        shuffle(items, seed)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give tests that ask for a seed a few of them, or many."""
    given = any("seed" in str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize"))
    if "seed" in metafunc.fixturenames and not given:
        metafunc.parametrize("seed", range(SEEDS_ALL if metafunc.config.getoption("--all") else SEEDS))


def pytest_report_header(config: pytest.Config) -> str:
    """Say how to repeat the run."""
    breadth = "all" if config.getoption("--all") else "without the slow ones"
    seed = config.getoption("--seed")
    return f"scenarios: {breadth}, order: {'as written' if seed is None else seed}"


def count_results(scenarios: dict[str, Result]) -> Counter[str]:
    """How many scenarios passed, were skipped, failed."""
    return Counter(result["result"].partition(":")[0] for result in scenarios.values())
