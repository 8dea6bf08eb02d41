"""A `peerix` process whose lines can be waited for."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Any, Self, TypeVar

from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

T = TypeVar("T")


class Cli:
    """A running command; a context manager that kills it if it has not ended."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "peerix", *arguments]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, errors="replace")
        self.out: list[str] = []
        self.err: list[str] = []
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines))
            for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[str], lines: list[str]) -> None:
        for line in stream:
            with self._changed:
                lines.append(line.rstrip("\n"))
                self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        # Kindly first: a killed process leaves its socket to the next one that comes.
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def say(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end_input(self) -> None:
        """Close its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait_text(self, text: str) -> str:
        """Wait until a line has this text in it, on either output; returns the line."""
        return self._wait(lambda: next((line for line in [*self.out, *self.err] if text in line), None), text)

    def wait_event(self, event: str, /, **fields: Any) -> dict[str, Any]:
        """Wait for a JSON object with these members."""

        def find() -> dict[str, Any] | None:
            return next((each for each in self.events(event) if fields.items() <= each.items()), None)

        return self._wait(find, event)

    def _wait(self, find: Callable[[], T | None], what: str) -> T:
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while (found := find()) is None:
                if not self._changed.wait(0.1) and time.monotonic() > deadline:
                    raise AssertionError(f"{what!r} did not come; output: {self.out}, errors: {self.err}")
        return found

    def finish(self) -> int:
        """Wait until it ends by itself; returns its exit code."""
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """The JSON objects so far, all or those of one kind."""
        objects = [json.loads(line) for line in self.out]
        return [each for each in objects if name in ("", each["event"])]
