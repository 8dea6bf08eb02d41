"""The document, ``docs/conformance.md``, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.conformance.table import Chapter, Entry, Listing, Row, Table

_HEAD = """\
# Conformance

What this implementation does of each standard, row by row. Each row names the test that goes red when the behaviour is
broken, and that is proven: `make conformance` breaks every one of them on purpose, in a copy of the sources, by a small
change of one place, and requires that its test fails, and that it passes without the change. The rows and the changes
are data, in `tools/conformance/rows`; this page is generated from them by `python -m tools.conformance`.

Y: implemented, tested, and the test is proven. N: not implemented. P: some of it. Tests are named below `tests/`.
"""


def write_document(table: Table) -> str:
    """Write the page."""
    parts = [_HEAD, _summary(table)]
    parts += [_chapter(chapter) for chapter in table.chapters]
    parts += [_listing(listing, table) for listing in table.lists]
    return "\n".join(parts)


def _summary(table: Table) -> str:
    lines = ["| subject | rows | Y | N |", "|---|---|---|---|"]
    for chapter in table.chapters:
        count, yes = len(chapter.rows), sum(not row.missing for row in chapter.rows)
        lines.append(f"| [{chapter.title}](#{_anchor(chapter.title)}) | {count} | {yes} | {count - yes} |")
    rows = table.rows.values()
    yes = sum(not row.missing for row in rows)
    lines.append(f"| all | {len(rows)} | {yes} | {len(rows) - yes} |")
    return "\n".join(lines) + "\n"


def _chapter(chapter: Chapter) -> str:
    lines = [
        f"## {chapter.title}",
        "",
        chapter.about.strip(),
        "",
        "| | behaviour | source | test |",
        "|---|---|---|---|",
    ]
    lines += [f"| {_state(row)} | {row.what} | {row.source} | {_proof(row)} |" for row in chapter.rows]
    return "\n".join(lines) + "\n"


def _listing(listing: Listing, table: Table) -> str:
    lines = [f"## {listing.title}", "", listing.about.strip(), "", "| | | tests |", "|---|---|---|"]
    lines += [
        f"| {_entry_state(each, table)} | {each.what} | {_entry_proof(each, table)} |" for each in listing.entries
    ]
    return "\n".join(lines) + "\n"


def _anchor(title: str) -> str:
    kept = "".join(character for character in title.lower() if character.isalnum() or character in " -")
    return kept.replace(" ", "-")


def _state(row: Row) -> str:
    return "N" if row.missing else "Y"


def _proof(row: Row) -> str:
    return row.missing or f"`{row.test}`"


def _entry_state(entry: Entry, table: Table) -> str:
    rows = [table.rows[name] for name in entry.rows]
    done = bool(entry.tests) or any(not row.missing for row in rows)
    open_ends = bool(entry.missing) or any(row.missing for row in rows)
    if not done:
        return "N"
    return "P" if open_ends else "Y"


def _entry_proof(entry: Entry, table: Table) -> str:
    rows = [table.rows[name] for name in entry.rows]
    tests = [row.test for row in rows if row.test] + list(entry.tests)
    reasons = [row.missing for row in rows if row.missing] + ([entry.missing] if entry.missing else [])
    return "<br>".join([*(f"`{test}`" for test in dict.fromkeys(tests)), *dict.fromkeys(reasons)])
