"""The rows of the table, read from ``rows/*.toml``, and what is wrong with them."""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = Path(__file__).parent / "rows"

CHAPTERS = (
    "stun",
    "ice",
    "gathering",
    "turn",
    "mdns",
    "dtls",
    "sctp",
    "channels",
    "jsep",
    "sdp",
    "stats",
    "networks",
    "rooms",
    "media",
)
"""The files with rows, in the order of the document."""

LISTS = ("features", "wishes", "traps", "vectors", "peers")
"""The files that list something and name the rows or tests that answer it."""


@dataclass(slots=True, frozen=True)
class Mutation:
    """A small change that breaks a behaviour: `before` occurs once in the file below ``src/peerix``."""

    file: str
    before: str
    after: str

    @property
    def path(self) -> str:
        """The file, from the root of the project."""
        return f"src/peerix/{self.file}"


@dataclass(slots=True, frozen=True)
class Row:
    """One behaviour: where it is asked for, the test that goes red without it, and the change that shows so.

    A row without a test is not implemented; `missing` says why.
    """

    id: str
    source: str
    what: str
    test: str = ""
    mutation: Mutation | None = None
    missing: str = ""

    @property
    def test_id(self) -> str:
        """The test as pytest names it."""
        return f"tests/{self.test}"


@dataclass(slots=True, frozen=True)
class Chapter:
    """The rows of one subject."""

    title: str
    about: str
    rows: tuple[Row, ...]


@dataclass(slots=True, frozen=True)
class Entry:
    """A line of a list: what it says, the rows that answer it, further tests, and why something is missing."""

    what: str
    rows: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    missing: str = ""


@dataclass(slots=True, frozen=True)
class Listing:
    """Something listed: features, wishes of users, traps, vectors."""

    title: str
    about: str
    entries: tuple[Entry, ...]


@dataclass(slots=True, frozen=True)
class Table:
    """All of it."""

    chapters: tuple[Chapter, ...]
    lists: tuple[Listing, ...]

    @property
    def rows(self) -> dict[str, Row]:
        """Every row by its id."""
        return {row.id: row for chapter in self.chapters for row in chapter.rows}


def load_table(folder: Path = ROWS) -> Table:
    """Read the table.

    :raises TypeError: for a row with a key that is none.
    """
    return Table(
        tuple(_read_chapter(folder / f"{name}.toml") for name in CHAPTERS),
        tuple(_read_list(folder / f"{name}.toml") for name in LISTS),
    )


def _read_chapter(path: Path) -> Chapter:
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    return Chapter(document["title"], document["about"], tuple(_read_row(**row) for row in document["row"]))


def _read_row(
    *,
    id: str,  # noqa: A002 - the key in the file
    source: str,
    what: str,
    test: str = "",
    file: str = "",
    before: str = "",
    after: str = "",
    missing: str = "",
) -> Row:
    mutation = Mutation(file, before, after) if file else None
    return Row(id, source, what, test, mutation, missing)


def _read_list(path: Path) -> Listing:
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    return Listing(document["title"], document["about"], tuple(_read_entry(**entry) for entry in document["entry"]))


def _read_entry(
    *, what: str, rows: list[str] | None = None, tests: list[str] | None = None, missing: str = ""
) -> Entry:
    return Entry(what, tuple(rows or ()), tuple(tests or ()), missing)


def find_faults(table: Table, root: Path = ROOT) -> list[str]:
    """Say what is wrong: an id twice, a test that is gone, a change that no longer fits."""
    faults: list[str] = []
    ids = [row.id for chapter in table.chapters for row in chapter.rows]
    faults += [f"{name}: the id is there twice" for name in sorted({name for name in ids if ids.count(name) > 1})]
    for chapter in table.chapters:
        for row in chapter.rows:
            faults += [f"{row.id}: {fault}" for fault in row_faults(row, root)]
    for listing in table.lists:
        for entry in listing.entries:
            faults += [f"{entry.what}: {fault}" for fault in _entry_faults(entry, table, root)]
    return faults


def row_faults(row: Row, root: Path) -> list[str]:
    """Say what is wrong with one row."""
    if row.missing:
        return ["it has a test, and says why it has none"] if row.test else []
    faults = _test_faults(row.test, root)
    mutation = row.mutation
    if mutation is None or mutation.before == mutation.after or not mutation.before:
        return [*faults, "no change breaks it"]
    if not (root / mutation.path).is_file():
        return [*faults, f"{mutation.path} is gone"]
    count = (root / mutation.path).read_text(encoding="utf-8").count(mutation.before)
    if count != 1:
        faults.append(f"{mutation.path} has {count} times {mutation.before!r}, it needs to be there once")
    return faults


def _entry_faults(entry: Entry, table: Table, root: Path) -> list[str]:
    faults = [f"there is no row {name}" for name in entry.rows if name not in table.rows]
    for test in entry.tests:
        faults += _test_faults(test, root)
    if not (entry.rows or entry.tests or entry.missing):
        faults.append("nothing answers it")
    return faults


def _test_faults(test: str, root: Path) -> list[str]:
    file, _, function = test.partition("::")
    return [] if function in test_functions(root / "tests" / file) else [f"there is no test {test!r}"]


@cache
def test_functions(path: Path) -> frozenset[str]:
    """Name the test functions of a module."""
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions if function.name.startswith("test_"))
