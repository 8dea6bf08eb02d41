"""What the commands say: lines for people, or JSON objects for programs, and progress bars on a terminal."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

if TYPE_CHECKING:
    from collections.abc import Generator

PROGRESS_INTERVAL = 0.5
"""Seconds between two progress objects of one transfer in JSON."""


class Output:
    """Says what happens: results on standard output, remarks and progress bars on standard error.

    With JSON everything goes to standard output, one object a line, each with a member `event`.
    """

    def __init__(self, *, as_json: bool, out: TextIO | None = None, remarks: TextIO | None = None) -> None:
        self._json = as_json
        self._out = sys.stdout if out is None else out
        self._console = Console(file=sys.stderr if remarks is None else remarks, highlight=False, soft_wrap=True)
        self._bars: Progress | None = None

    def result(self, event: str, text: str, **fields: object) -> None:
        """Say what the command is for: a message, a file that arrived, a figure."""
        self._say(event, text, fields, remark=False)

    def remark(self, event: str, text: str, **fields: object) -> None:
        """Say what happens on the way."""
        self._say(event, text, fields, remark=True)

    def error(self, text: str, **fields: object) -> None:
        """Say what went wrong."""
        self._say("error", f"peerix: {text}", {"message": text, **fields}, remark=True)

    def _say(self, event: str, text: str, fields: dict[str, object], *, remark: bool) -> None:
        if self._json:
            # ASCII only: whatever the terminal's encoding, it can be written.
            self._out.write(json.dumps({"event": event, **fields}) + "\n")
            self._out.flush()
        elif remark:
            self._console.print(text, markup=False)
        else:
            self._out.write(text.encode(self._out.encoding or "utf-8", "replace").decode(self._out.encoding or "utf-8"))
            self._out.write("\n")
            self._out.flush()

    @contextmanager
    def bars(self) -> Generator[None]:
        """Have room for progress bars while a block lasts, if this is a terminal."""
        if self._json or not self._console.is_terminal:
            yield
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as bars:
            self._bars = bars
            try:
                yield
            finally:
                self._bars = None

    def progress(self, text: str, total: int | None, **fields: object) -> Bar:
        """Begin to show how a transfer goes on."""
        if self._bars is not None:
            return _TerminalBar(self._bars, self._bars.add_task(text, total=total))
        return _JsonBar(self, total, fields) if self._json else Bar()


class Bar:
    """Shows how far one transfer is; this one shows nothing."""

    def update(self, current: int) -> None:
        """So many bytes are through."""

    def close(self) -> None:
        """The transfer is over."""


class _TerminalBar(Bar):
    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def update(self, current: int) -> None:
        self._bars.update(self._task, completed=current)

    def close(self) -> None:
        self._bars.remove_task(self._task)


class _JsonBar(Bar):
    def __init__(self, output: Output, total: int | None, fields: dict[str, object]) -> None:
        self._output = output
        self._total = total
        self._fields = fields
        self._next_at = monotonic() + PROGRESS_INTERVAL

    def update(self, current: int) -> None:
        now = monotonic()
        if now >= self._next_at:
            self._next_at = now + PROGRESS_INTERVAL
            self._output.remark("progress", "", current=current, total=self._total, **self._fields)
