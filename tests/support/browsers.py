"""What tests want of a browser, whichever it is.

Pages come from folders of this repository: the driver of each browser answers requests for `ORIGIN` itself, so there is
no web server. `http://localhost` is a secure context, as keys and encryption in a page need one.
"""

from __future__ import annotations

import abc
import contextlib
import json
import mimetypes
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from tests.support.replies import ForeignError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ORIGIN = "http://localhost"
LOAD_TIMEOUT = 60.0  # seconds
STOP_TIMEOUT = 10.0  # seconds


class BrowserProcess:
    """The processes of a browser, which write nowhere but into a folder: their words into its file `stderr`."""

    def __init__(self, command: Sequence[str], folder: Path, *, descriptors: Sequence[int] = ()) -> None:
        with (folder / "stderr").open("w") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=descriptors,
                env=os.environ | {"TMPDIR": str(folder), "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)},
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def wait_ended(self) -> None:
        """Wait until it has ended as it was asked to, or end it; then nothing that it started is left."""
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


class Browser(abc.ABC):
    """One browser process."""

    async def open(self, path: str) -> Page:
        """Open a page of ours in a tab of its own, and wait until its scripts have set `ready`."""
        page = await self.open_url(f"{ORIGIN}/{path}")
        await page.wait_ready()
        return page

    @abc.abstractmethod
    async def open_url(self, url: str) -> Page:
        """Open a page in a tab of its own; its scripts may not have run yet."""

    @abc.abstractmethod
    def stop(self) -> None:
        """End the browser, with every process of it."""


class Page(abc.ABC):
    """A page in a tab.

    :ivar troubles: exceptions and rejections that nobody in the page handled.
    """

    def __init__(self) -> None:
        self.troubles: list[str] = []
        self.closed = False

    @abc.abstractmethod
    async def evaluate(self, expression: str) -> Any:
        """Evaluate an expression, and wait for the promise if it is one.

        :raises ForeignError: it threw.
        """

    @abc.abstractmethod
    async def navigate(self, url: str) -> None:
        """Go to another page; its scripts may not have run yet."""

    @abc.abstractmethod
    async def type_line(self, text: str) -> None:
        """Type into what has the focus, and press Enter."""

    @abc.abstractmethod
    async def choose_files(self, selector: str, files: Sequence[Path]) -> None:
        """Choose files in an input field for them."""

    @abc.abstractmethod
    async def save_files_in(self, folder: Path) -> None:
        """Put what is saved from now on into this folder."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Close the tab, as its user does."""

    @abc.abstractmethod
    async def crash(self) -> None:
        """Kill the process of the page: it has no time for a goodbye."""

    async def call(self, function: str, *arguments: object) -> Any:
        """Call a function of the page with values that JSON can hold."""
        return await self.evaluate(f"{function}({', '.join(map(json.dumps, arguments))})")

    async def wait_ready(self) -> None:
        """Wait until the scripts of the page have set `ready`."""
        with anyio.fail_after(LOAD_TIMEOUT):
            while not await self._is_ready():
                await anyio.sleep(0.01)

    async def _is_ready(self) -> bool:
        try:
            loaded: bool = await self.evaluate("globalThis.ready === true")
        except ForeignError:  # it is on its way from the empty page to this one
            return False
        if self.troubles:
            raise ForeignError(self.troubles[0])
        return loaded


class PageAgent:
    """A page with the WebRTC agent in it."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def request(self, op: str, **arguments: Any) -> Any:
        """Ask for an operation."""
        return await self._page.call("agent.handle", {"op": op, **arguments})


def read_page(sites: Mapping[str, Path], url: str) -> tuple[bytes, str] | None:
    """The content of a page and its type; None where there is no such file.

    :param sites: folders by the first part of a page's path.
    """
    site, _, rest = url.removeprefix(ORIGIN + "/").partition("?")[0].partition("/")
    file = sites[site] / rest if site in sites else Path("/nonexistent")
    if not file.is_file():
        return None
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return file.read_bytes(), f"{kind}; charset=utf-8"
