"""Bars as SVG. Drawn by hand: a few rectangles need no library, and the same results give the same file.

Each picture brings its own white ground, so that it reads alike in light and in dark surroundings.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from benchmarks.figures_data import stack_of

if TYPE_CHECKING:
    from benchmarks.figures_data import Results

WIDTH = 760
MARGIN = 20
LABELS = 190
"""Width of the column with the names of the rows."""

VALUES = 80
ROW, BAR = 20, 13
PANEL_HEAD = 34
TITLE = 44
OURS = ("#2563a8", "#8fb6e0")
OTHERS = ("#8a9199", "#c4c9ce")
TEXT, FAINT = "#1f2933", "#66707a"


@dataclass(slots=True, frozen=True)
class Panel:
    """Bars for one figure; those of several columns are put end to end, with the columns' short names."""

    title: str
    source: str
    columns: tuple[str, ...]
    parts: tuple[str, ...] = ()


@dataclass(slots=True, frozen=True)
class Plot:
    """A file: some panels, one below the other."""

    name: str
    title: str
    panels: tuple[Panel, ...]


@dataclass(slots=True, frozen=True)
class Bars:
    """A panel with its figures, one list a row."""

    panel: Panel
    rows: dict[str, list[float]]

    @property
    def height(self) -> int:
        """What it takes of the picture."""
        return PANEL_HEAD + ROW * len(self.rows) + MARGIN // 2


def find_bars(results: Results, panel: Panel) -> Bars:
    """Take the rows that have all columns of a panel."""
    rows: dict[str, list[float]] = {}
    for label in results.rows.get(panel.source, {}):
        values = [results.value(panel.source, label, column) for column in panel.columns]
        found = [value for value in values if value is not None]
        if len(found) == len(values):
            rows[label] = found
    return Bars(panel, rows)


def draw(results: Results, plot: Plot) -> str:
    """Draw a plot; empty when nothing of it was measured."""
    panels = [bars for panel in plot.panels if (bars := find_bars(results, panel)).rows]
    if not panels:
        return ""
    height = TITLE + sum(bars.height for bars in panels) + MARGIN // 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        ' role="img" font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{escape(plot.title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
        _text(MARGIN, 28, plot.title, size=16, weight="600"),
    ]
    top = TITLE
    for bars in panels:
        parts += _draw_panel(bars, top)
        top += bars.height
    return "\n".join([*parts, "</svg>"]) + "\n"


def _draw_panel(bars: Bars, top: int) -> list[str]:
    parts = [_text(MARGIN, top + 18, bars.panel.title, weight="600")]
    if bars.panel.parts:
        parts.append(_text(MARGIN + LABELS, top + 18, "dark: {}, light: {}".format(*bars.panel.parts), color=FAINT))
    scale = (WIDTH - 2 * MARGIN - LABELS - VALUES) / (max(sum(values) for values in bars.rows.values()) or 1)
    for number, (label, values) in enumerate(bars.rows.items()):
        y = top + PANEL_HEAD - 6 + ROW * number
        x = float(MARGIN + LABELS)
        parts.append(_text(MARGIN + LABELS - 8, y + 11, label, anchor="end"))
        for value, color in zip(values, OURS if "peerix" in stack_of(label) else OTHERS, strict=False):
            width = max(value * scale, 1)
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{color}"/>')
            x += width
        parts.append(_text(x + 6, y + 11, readable(sum(values)), color=FAINT))
    return parts


def _text(
    x: float, y: float, text: str, *, size: int = 12, weight: str = "", anchor: str = "", color: str = TEXT
) -> str:
    more = f' font-size="{size}"' if size != 12 else ""
    more += f' font-weight="{weight}"' if weight else ""
    more += f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:.1f}" y="{y}" fill="{color}"{more}>{escape(text)}</text>'


def readable(value: float) -> str:
    """Give a figure the digits that its size deserves."""
    size = abs(value)
    digits = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2 if size >= 0.1 else 3
    return f"{value:,.{digits}f}"
