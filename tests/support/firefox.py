"""Debian's Firefox, driven over WebDriver BiDi: a WebSocket that it opens itself, and no driver program."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import anyio
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.browsers import Browser, BrowserProcess, Page, read_page
from tests.support.components import require_program
from tests.support.replies import ForeignError, Replies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

START_TIMEOUT = 60.0  # seconds: the first start makes a profile

ENTER = "\ue007"
"""What WebDriver calls the key."""

LOAD_PATIENCE = 5.0
"""Seconds after which a page that is not there is asked for again, and as many more each time."""

LOAD_ATTEMPTS = 20
"""How often a page is asked for that the browser says it cannot show."""

_FLAGS = ("--headless", "--no-remote", "--remote-debugging-port", "0", "--remote-allow-system-access")
"""The last is for the number of a tab's process."""

_ADVICE = ("WebRTC: ", "Firefox can\u2019t establish a connection", "The connection to ws://")
"""How messages begin that look like exceptions and are not: a connection failed, a server is not there."""

_PREFERENCES: dict[str, object] = {
    "dom.timeout.enable_budget_timer_throttling": False,
    "dom.min_background_timeout_value": 4,
    "dom.ipc.processCount.webIsolated": 1000,  # a tab has a process of its own, and may crash alone
    # Whatever it wants to tell its makers goes to a proxy that is not there.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "localhost, 127.0.0.1, 10.0.0.0/8",
    "network.manage-offline-status": False,  # a host without a way out is not offline
    "network.trr.mode": 5,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.normandy.enabled": False,
    "dom.push.connection.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
}


class Firefox(Browser):
    """One browser process.

    :param folder: for its profile and temporary files; nothing is written elsewhere.
    :param sites: folders by the first part of a page's path.
    """

    def __init__(self, program: str, folder: Path, sites: Mapping[str, Path], *, hide_addresses: bool) -> None:
        self.replies = Replies()
        self.pages: dict[str, FirefoxPage] = {}
        self._sites = sites
        self._own_numbers = itertools.count(1 << 30)
        profile = folder / "profile"
        profile.mkdir()
        preferences = _PREFERENCES | {"media.peerconnection.ice.obfuscate_host_addresses": hide_addresses}
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items())
        (profile / "user.js").write_text("".join(lines))
        # It does not end by itself when tests are killed.
        command = [require_program("setpriv"), "--pdeathsig", "TERM", program, *_FLAGS, "--profile", str(profile)]
        self._process = BrowserProcess(command, folder)
        self._resources = contextlib.ExitStack()
        url = f"{self._wait_for_url(profile / 'WebDriverBiDiServer.json')}/session"
        self._socket = self._resources.enter_context(
            connect(url, max_size=None, compression=None, ping_interval=None, proxy=None)
        )
        self._reader = threading.Thread(target=self._read, name="replies of Firefox", daemon=True)
        self._reader.start()
        self._begin_session()

    def _wait_for_url(self, announcement: Path) -> str:
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline and self._process.is_running:
            with contextlib.suppress(OSError, ValueError):
                where = json.loads(announcement.read_text())
                return f"ws://{where['ws_host']}:{where['ws_port']}"
            time.sleep(0.01)
        self.stop()
        raise TimeoutError("Firefox does not listen")

    def _begin_session(self) -> None:
        """The answers to these are of no interest: what they are for would fail, too."""
        intercept = {
            "phases": ["beforeRequestSent"],
            "urlPatterns": [{"type": "pattern", "protocol": "http", "hostname": "localhost"}],
        }
        self._send(next(self._own_numbers), "session.new", {"capabilities": {}})
        events = ["network.beforeRequestSent", "log.entryAdded"]
        self._send(next(self._own_numbers), "session.subscribe", {"events": events})
        self._send(next(self._own_numbers), "network.addIntercept", intercept)

    async def command(self, method: str, **parameters: Any) -> Any:
        """Carry out a BiDi command.

        :raises ForeignError: it failed.
        """
        return await self.replies.ask(lambda number: self._send(number, method, parameters))

    def _send(self, number: int, method: str, parameters: Mapping[str, Any]) -> None:
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))

    def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            for text in self._socket:
                self._receive(json.loads(text))
        self.replies.end("the browser ended")

    def _receive(self, message: dict[str, Any]) -> None:
        if message["type"] == "success":
            self.replies.answer(message["id"], message["result"], None)
        elif message["type"] == "error":
            if message["id"] is not None:
                self.replies.answer(message["id"], None, f"{message['error']}: {message['message']}")
        elif message["method"] == "network.beforeRequestSent":
            if message["params"]["isBlocked"]:
                self._serve(message["params"]["request"])
        elif message["method"] == "log.entryAdded":
            self._note(message["params"])

    def _serve(self, request: Mapping[str, Any]) -> None:
        found = read_page(self._sites, request["url"])
        content, kind = found or (b"", "text/plain")
        parameters = {
            "request": request["request"],
            "statusCode": 200 if found else 404,
            "reasonPhrase": "OK" if found else "Not Found",
            "headers": [{"name": "Content-Type", "value": {"type": "string", "value": kind}}],
            "body": {"type": "base64", "value": base64.b64encode(content).decode()},
        }
        self._send(next(self._own_numbers), "network.provideResponse", parameters)

    def _note(self, entry: Mapping[str, Any]) -> None:
        page = self.pages.get(entry["source"].get("context", ""))
        uncaught = (entry["type"], entry["level"]) == ("javascript", "error")
        if page is not None and uncaught and not entry["text"].startswith(_ADVICE):
            page.troubles.append(entry["text"])

    async def open_url(self, url: str) -> FirefoxPage:
        """Open a page in a tab of its own; its scripts may not have run yet."""
        with anyio.fail_after(START_TIMEOUT):  # it listens before it has a window
            while not (await self.command("browsingContext.getTree", maxDepth=0))["contexts"]:
                await anyio.sleep(0.01)
        context = (await self.command("browsingContext.create", type="tab"))["context"]
        page = self.pages[context] = FirefoxPage(self, context)
        with anyio.fail_after(START_TIMEOUT):
            await page.navigate(url)
        return page

    async def find_process(self, title: str) -> int:
        """The process of the tab with this title."""
        windows = await self.command("browsingContext.getTree", maxDepth=0, **{"moz:scope": "chrome"})
        find = f"gBrowser.tabs.find((tab) => tab.label === {json.dumps(title)})"
        # The tab has its title a moment later than the page.
        with anyio.fail_after(LOAD_PATIENCE):
            while True:
                reply = await self.command(
                    "script.evaluate",
                    expression=f"{find}?.linkedBrowser.browsingContext.currentWindowGlobal.osPid ?? 0",
                    target={"context": windows["contexts"][0]["context"]},
                    awaitPromise=False,
                )
                process: int = reply["result"]["value"]
                if process:
                    return process
                await anyio.sleep(0.01)

    def stop(self) -> None:
        """End the browser, with every process of it."""
        self._process.terminate()
        self._process.wait_ended()
        self._resources.close()
        self._reader.join()


class FirefoxPage(Page):
    """A page in a tab."""

    def __init__(self, browser: Firefox, context: str) -> None:
        super().__init__()
        self._browser = browser
        self._context = context

    async def evaluate(self, expression: str) -> Any:
        """Evaluate an expression, and wait for the promise if it is one.

        :raises ForeignError: it threw.
        """
        # BiDi has a notation of its own for values; JSON is enough here.
        reply = await self._browser.command(
            "script.evaluate",
            expression=f"(async () => JSON.stringify((await ({expression})) ?? null))()",
            target={"context": self._context},
            awaitPromise=True,
        )
        if reply["type"] == "exception":
            raise ForeignError(reply["exceptionDetails"]["text"])
        return json.loads(reply["result"]["value"])

    async def navigate(self, url: str) -> None:
        """Go to another page; its scripts may not have run yet."""
        # The empty page that a new tab begins with may still be on its way in, and then takes the place of ours: the
        # command fails, with one of several texts, or is never answered.
        for attempt in itertools.count(1):
            with anyio.move_on_after(attempt * LOAD_PATIENCE):
                try:
                    await self._command("browsingContext.navigate", url=url, wait="interactive")
                except ForeignError:
                    if attempt >= LOAD_ATTEMPTS:
                        raise
                    await anyio.sleep(0.05)
                else:
                    return

    async def type_line(self, text: str) -> None:
        """Type into what has the focus, and press Enter."""
        keys = [{"type": kind, "value": key} for key in (*text, ENTER) for kind in ("keyDown", "keyUp")]
        await self._command("input.performActions", actions=[{"type": "key", "id": "keyboard", "actions": keys}])

    async def choose_files(self, selector: str, files: Sequence[Path]) -> None:
        """Choose files in an input field for them."""
        found = await self._browser.command(
            "script.evaluate",
            expression=f"document.querySelector({json.dumps(selector)})",
            target={"context": self._context},
            awaitPromise=False,
        )
        element = {"sharedId": found["result"]["sharedId"]}
        await self._command("input.setFiles", element=element, files=[str(file) for file in files])

    async def save_files_in(self, folder: Path) -> None:
        """Put what is saved from now on into this folder."""
        behavior = {"type": "allowed", "destinationFolder": str(folder)}
        await self._browser.command("browser.setDownloadBehavior", downloadBehavior=behavior)

    async def _command(self, method: str, **parameters: Any) -> Any:
        return await self._browser.command(method, context=self._context, **parameters)

    async def crash(self) -> None:
        """Kill the process of the page: it has no time for a goodbye."""
        self.closed = True
        await self.evaluate(f"document.title = {json.dumps(self._context)}")
        os.kill(await self._browser.find_process(self._context), signal.SIGKILL)

    async def close(self) -> None:
        """Close the tab, as its user does."""
        self.closed = True
        await self._command("browsingContext.close")
        self._browser.pages.pop(self._context, None)
