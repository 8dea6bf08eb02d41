"""The results that were saved, in one shape: file, row and column lead to a figure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Rows: TypeAlias = "dict[str, dict[str, float]]"

LOOPS = ("asyncio", "uvloop", "trio")


@dataclass(slots=True)
class Results:
    """What the benchmarks have left in a folder.

    :ivar rows: by name of the file, row (a stack and its loop, mostly) and column; medians of repetitions.
    :ivar machines: by name of the file, where that was measured.
    :ivar notes: by name of the file, what could not be measured there.
    :ivar buffers: by name of the file and row, the socket buffers that were granted: receive, send.
    """

    rows: dict[str, Rows] = field(default_factory=dict)
    machines: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    buffers: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)

    def value(self, source: str, row: str, column: str) -> float | None:
        """Give a figure, or None where it was not measured."""
        return self.rows.get(source, {}).get(row, {}).get(column)

    def total(self, source: str, row: str, columns: tuple[str, ...]) -> float | None:
        """Give the sum of some columns, or None where one is missing."""
        values = [self.value(source, row, column) for column in columns]
        found = [value for value in values if value is not None]
        return sum(found) if len(found) == len(values) else None

    def labels(self, source: str, stack: str) -> Iterator[str]:
        """Give the rows of a stack."""
        return (label for label in self.rows.get(source, {}) if stack_of(label) == stack)


def stack_of(label: str) -> str:
    """Give the stack of a row."""
    return label.partition(",")[0]


def read_results(folder: Path) -> Results:
    """Read all files of a folder that the benchmarks write; others are left alone."""
    results = Results()
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = read_rows(content)
        if rows:
            results.rows[path.stem] = rows
            results.machines[path.stem] = content.get("machine", {})
            failures = [f"failed: {failure}" for failure in content.get("failures", ())]
            results.notes[path.stem] = [*content.get("notes", ()), *failures]
            granted = content.get("granted_socket_buffers", {})
            results.buffers[path.stem] = {label: (sizes[0], sizes[1]) for label, sizes in granted.items()}
    return results


def read_rows(content: dict[str, Any]) -> Rows:
    """Read whichever shape a benchmark writes."""
    if "summary" in content:
        return _read_summary(content["summary"])
    if "rows" in content:
        # `benchmarks.rooms` has only loops there, since it measures nobody else.
        return {f"peerix, {label}" if label in LOOPS else label: row for label, row in content["rows"].items()}
    if "figures" in content:
        return {figure["case"]["name"]: _numbers(figure) for figure in content["figures"]}
    if "results" in content:
        return {result["flows"]: _numbers(result) for result in content["results"]}
    return {}


def _read_summary(summary: list[dict[str, Any]]) -> Rows:
    rows: Rows = {}
    for entry in summary:
        if entry["median"] is not None:
            rows.setdefault(entry["variant"], {})[entry["metric"]] = entry["median"]
    return rows


def _numbers(entry: dict[str, Any]) -> dict[str, float]:
    return {name.replace("_", " "): float(value) for name, value in entry.items() if isinstance(value, int | float)}
