"""The example page as a person uses it: its fields, buttons and files, in a real browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio
from anyio import fail_after, to_thread

from tests.support.chromium import ChromiumPage
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.api.cli.processes import Cli
    from tests.support.browsers import Browser, Page

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "browser"


class Site:
    """`python -m examples.browser`, until the block is left; its lines can be read at any time."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "examples.browser", "--port", "0", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.troubles: list[str] = []
        self._has_said_all = threading.Event()
        self._readers = [threading.Thread(target=self._read_out), threading.Thread(target=self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read_out(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip())
            if "Ctrl-C" in line:
                self._has_said_all.set()
        self._has_said_all.set()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self.troubles.extend(self._process.stderr)

    def __enter__(self) -> Self:
        if not self._has_said_all.wait(PATIENCE):
            self.stop()
            raise AssertionError("the example does not start")
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(2)
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        for reader in self._readers:
            reader.join()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        return code

    def _find(self, pattern: str) -> str:
        found = re.search(pattern, "\n".join(self.lines))
        assert found is not None, (self.lines, self.troubles)
        return found[0]

    @property
    def url(self) -> str:
        """Where the page is."""
        return self._find(r"http://[^#\s]+")

    @property
    def driver(self) -> str:
        """Where Python peers go."""
        return self._find(r"nats://\S+")


class ExamplePage:
    """The page in a tab."""

    def __init__(self, page: Page) -> None:
        self._page = page

    @classmethod
    async def open(cls, browser: Browser, url: str) -> ExamplePage:
        """Open it, and wait until its scripts have run."""
        page = await browser.open_url(f"{url}icon.svg")
        # What a page of another test has remembered.
        await page.evaluate("localStorage.clear()")
        await page.navigate(url)
        opened = cls(page)
        await opened.until("document.body?.dataset.view === 'join'")
        return opened

    async def close(self) -> None:
        """Close the tab; it must not have had any trouble."""
        assert self._page.troubles == []
        await self._page.close()

    async def evaluate(self, expression: str) -> Any:
        """Evaluate an expression in the page."""
        return await self._page.evaluate(expression)

    async def until(self, expression: str) -> None:
        """Wait until an expression holds."""
        try:
            with fail_after(PATIENCE):
                while not await self._page.evaluate(f"!!({expression})"):
                    await anyio.sleep(0.02)
        except TimeoutError:
            shown = await self._page.evaluate("document.body.innerText")
            raise AssertionError(f"{expression} does not hold; the page shows {shown!r}") from None

    async def until_shown(self, text: str) -> None:
        """Wait until a text can be read in the page."""
        await self.until(f"document.body.innerText.includes({json.dumps(text)})")

    async def set(self, **fields: object) -> None:
        """Fill in fields of the form."""
        await self.evaluate(
            f"""Object.entries({json.dumps(fields)}).forEach(([name, value]) => {{
                const field = document.querySelector('#join-form').elements[name];
                field[typeof value === 'boolean' ? 'checked' : 'value'] = value;
            }})"""
        )

    async def submit(self) -> None:
        """Press Join."""
        await self.click("#join-form button[type=submit]")

    async def join(self, room: str, name: str, **settings: object) -> None:
        """Join a room."""
        await self.set(room=room, name=name, **settings)
        await self.submit()
        await self.until("document.body.dataset.view === 'room'")

    async def until_connected(self, *names: str) -> None:
        """Wait until others hear what is said here."""
        found = "[...document.querySelectorAll('.member[data-state=connected] .name')].map((each) => each.textContent)"
        await self.until(f"{json.dumps(names)}.every((name) => {found}.includes(name))")

    async def until_takers(self, *names: str) -> None:
        """Wait until somebody takes files, and all of these do."""
        await self.until("!document.querySelector('#attach').disabled")
        await self.until(f"{json.dumps(names)}.every((name) => document.querySelector('#attach').title.includes(name))")

    async def click(self, selector: str) -> None:
        """Press a button."""
        await self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    async def say(self, text: str) -> None:
        """Type a message, and press Enter."""
        await self.evaluate("document.querySelector('#message').focus()")
        await self._page.type_line(text)

    async def choose(self, *files: Path) -> None:
        """Choose files by the button."""
        await self._page.choose_files("#picker", files)

    async def drop(self, *files: Path) -> None:
        """Drag files into the page, and drop them; only Chromium can be told to."""
        assert isinstance(self._page, ChromiumPage)
        await self._page.drop_files(files)

    async def messages(self) -> Sequence[str]:
        """What was said, oldest first."""
        said: list[str] = await self.evaluate(
            "[...document.querySelectorAll('.bubble:not(.file)')].map((each) => each.textContent)"
        )
        return said

    async def save(self, name: str, folder: Path) -> Path:
        """Press the link of a file that has come; returns where the browser put it."""
        await self.until(f"document.querySelector('a.save[download={json.dumps(name)}]')")
        await self._page.save_files_in(folder)
        await self.click(f"a.save[download={json.dumps(name)}]")
        with fail_after(PATIENCE):
            while not _is_whole(folder / name):
                await anyio.sleep(0.02)
        return folder / name


def _is_whole(file: Path) -> bool:
    """Whether a browser has saved all of a file: until then it has a name of its own, and this one holds its place."""
    return file.exists() and file.stat().st_size > 0 and list(file.parent.iterdir()) == [file]


def _wait(command: Cli, event: str, fields: dict[str, Any]) -> dict[str, Any]:
    return command.wait_event(event, **fields)


async def event_of(command: Cli, event: str, /, **fields: Any) -> dict[str, Any]:
    """Wait for what a command with `--json` says."""
    return await to_thread.run_sync(partial(_wait, command, event, fields))
