"""Debian's Chromium, driven over the DevTools protocol on a pair of pipes: no port, no driver program, no package."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import itertools
import json
import os
import threading
from typing import TYPE_CHECKING, Any

import anyio

from benchmarks.peers.programs import HEADLESS_CHROMIUM
from tests.support.browsers import ORIGIN, Browser, BrowserProcess, Page, read_page
from tests.support.replies import ForeignError, Replies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HIDE_ADDRESSES = "WebRtcHideLocalIpsWithMdns"
ASK_FOR_LOCAL_NETWORK = ("LocalNetworkAccessChecks", "LocalNetworkAccessChecksWebSockets")
"""Pages that come over DevTools count as public ones, which ask before they talk to this machine."""

_FLAGS = (
    *HEADLESS_CHROMIUM,
    "--autoplay-policy=no-user-gesture-required",
    "--disable-quic",
    "--use-fake-device-for-media-stream",
)

GRANT_MEDIA = "--use-fake-ui-for-media-stream"
"""Whoever may use the camera is shown addresses, so a browser that hides them goes without."""


class Chromium(Browser):
    """One browser process.

    :param folder: for its profile and temporary files; nothing is written elsewhere.
    :param sites: folders by the first part of a page's path.
    """

    def __init__(self, program: str, folder: Path, sites: Mapping[str, Path], *, hide_addresses: bool) -> None:
        self.replies = Replies()
        self.pages: dict[str, ChromiumPage] = {}
        self._sites = sites
        self._own_numbers = itertools.count(1 << 30)
        self._lock = threading.Lock()
        disabled = ASK_FOR_LOCAL_NETWORK if hide_addresses else (*ASK_FOR_LOCAL_NETWORK, HIDE_ADDRESSES)
        granted = () if hide_addresses else (GRANT_MEDIA,)
        flags = [*_FLAGS, *granted, f"--user-data-dir={folder / 'profile'}", f"--disable-features={','.join(disabled)}"]
        their_in, self._out = _far_pipe()
        self._in, their_out = _far_pipe()
        # It talks on the descriptors 3 and 4.
        command = ["bash", "-c", f'exec "$@" 3<&{their_in} 4>&{their_out}', "bash", program, *flags, "about:blank"]
        self._process = BrowserProcess(command, folder, descriptors=(their_in, their_out))
        os.close(their_in)
        os.close(their_out)
        self._reader = threading.Thread(target=self._read, name="replies of Chromium", daemon=True)
        self._reader.start()

    async def command(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """Carry out a DevTools command.

        :raises ForeignError: it failed.
        """
        message = {"method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        return await self.replies.ask(lambda number: self._send(number, message))

    def _send(self, number: int, message: Mapping[str, Any]) -> None:
        data = json.dumps({"id": number, **message}).encode() + b"\0"
        with self._lock:
            while data:
                data = data[os.write(self._out, data) :]

    def _read(self) -> None:
        rest = b""
        while data := os.read(self._in, 1 << 20):
            *messages, rest = (rest + data).split(b"\0")
            for message in messages:
                self._receive(json.loads(message))
        self.replies.end("the browser ended")

    def _receive(self, message: dict[str, Any]) -> None:
        if "id" in message:
            error = message.get("error")
            self.replies.answer(message["id"], message.get("result"), None if error is None else json.dumps(error))
        elif message["method"] == "Fetch.requestPaused":
            self._serve(message["sessionId"], message["params"])
        elif message["method"] == "Runtime.exceptionThrown":
            details = message["params"]["exceptionDetails"]
            trouble = details.get("exception", {}).get("description") or details["text"]
            self.pages[message["sessionId"]].troubles.append(trouble)

    def _serve(self, session: str, request: Mapping[str, Any]) -> None:
        found = read_page(self._sites, request["request"]["url"])
        content, kind = found or (b"", "text/plain")
        parameters = {
            "requestId": request["requestId"],
            "responseCode": 200 if found else 404,
            "responseHeaders": [{"name": "Content-Type", "value": kind}],
            "body": base64.b64encode(content).decode(),
        }
        message = {"method": "Fetch.fulfillRequest", "sessionId": session, "params": parameters}
        self._send(next(self._own_numbers), message)

    async def open_url(self, url: str) -> ChromiumPage:
        """Open a page in a tab of its own; its scripts may not have run yet."""
        target = (await self.command("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.command("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = self.pages[session] = ChromiumPage(self, target, session)
        await self.command("Runtime.enable", session)
        await self.command("Fetch.enable", session, patterns=[{"urlPattern": f"{ORIGIN}/*"}])
        await page.navigate(url)
        return page

    def stop(self) -> None:
        """End the browser, with every process of it."""
        with contextlib.suppress(OSError):
            self._send(next(self._own_numbers), {"method": "Browser.close"})
        self._process.wait_ended()
        self._reader.join()
        os.close(self._in)
        os.close(self._out)


class ChromiumPage(Page):
    """A page in a tab."""

    def __init__(self, browser: Chromium, target: str, session: str) -> None:
        super().__init__()
        self._browser = browser
        self._target = target
        self._session = session

    async def command(self, method: str, **parameters: Any) -> Any:
        """Carry out a DevTools command in this page."""
        return await self._browser.command(method, self._session, **parameters)

    async def evaluate(self, expression: str) -> Any:
        """Evaluate an expression, and wait for the promise if it is one.

        :raises ForeignError: it threw.
        """
        reply = await self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in reply:
            details = reply["exceptionDetails"]
            raise ForeignError(details.get("exception", {}).get("description") or details["text"])
        return reply["result"].get("value")

    async def navigate(self, url: str) -> None:
        """Go to another page; its scripts may not have run yet."""
        await self.command("Page.navigate", url=url)

    async def type_line(self, text: str) -> None:
        """Type into what has the focus, and press Enter."""
        await self.command("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            await self.command("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13)

    async def choose_files(self, selector: str, files: Sequence[Path]) -> None:
        """Choose files in an input field for them."""
        document = await self.command("DOM.getDocument")
        node = await self.command("DOM.querySelector", nodeId=document["root"]["nodeId"], selector=selector)
        await self.command("DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(file) for file in files])

    async def drop_files(self, files: Sequence[Path]) -> None:
        """Drag files into the page, and drop them."""
        await self.command("Page.bringToFront")
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            await self.command("Input.dispatchDragEvent", type=kind, x=300, y=300, data=data)

    async def save_files_in(self, folder: Path) -> None:
        """Put what is saved from now on into this folder."""
        await self.command("Page.bringToFront")
        await self.command("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    async def crash(self) -> None:
        """Kill the process of the page: it has no time for a goodbye."""
        self.closed = True
        with contextlib.suppress(ForeignError), anyio.move_on_after(1):  # a crash does not answer
            await self.command("Page.crash")
        await self._browser.command("Target.closeTarget", targetId=self._target)

    async def close(self) -> None:
        """Close the tab, as its user does."""
        self.closed = True
        await self._browser.command("Target.closeTarget", targetId=self._target)
        self._browser.pages.pop(self._session, None)


def _far_pipe() -> tuple[int, int]:
    """A pipe whose descriptors are not in the way of 3 and 4."""
    ends = os.pipe()
    far = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return far[0], far[1]
