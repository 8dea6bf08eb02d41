"""The programs that bring stacks of their own: Node.js with packages of npm, and Chromium."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import psutil

from benchmarks.peers.exchange import Exchange, ForeignError
from benchmarks.peers.foreign import Agent
from benchmarks.peers.packages import NODE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

HEADLESS_CHROMIUM = (
    "--headless",
    "--no-sandbox",
    "--remote-debugging-pipe",
    "--allow-loopback-in-peer-connection",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-renderer-backgrounding",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
)
"""A browser that does nothing of its own and talks over a pipe."""

REMOVAL_TIMEOUT = 10.0
"""Seconds."""

CHROMIUM_FLAGS = (
    *HEADLESS_CHROMIUM,
    # Its addresses go into candidates as they are, and it does not ask before it talks to this machine.
    "--disable-features=WebRtcHideLocalIpsWithMdns,LocalNetworkAccessChecks",
)


class NodeAgent(Agent):
    """A process of Node.js."""

    def request(self, op: str, given: dict[str, object]) -> dict[str, Any]:
        """An operation as `node/worker.js` takes it."""
        return {"op": op, **given}

    def result(self, reply: Any) -> Any:
        """Its reply is the result."""
        return reply


class PageAgent(Agent):
    """A page of Chromium."""

    def __init__(self, exchange: Exchange, process: psutil.Process, session: str) -> None:
        super().__init__(exchange, process)
        self._session = session

    def request(self, op: str, given: dict[str, object]) -> dict[str, Any]:
        """An operation as a command of DevTools."""
        return self.evaluation(f"agent.handle({json.dumps({'op': op, **given})})")

    def evaluation(self, expression: str) -> dict[str, Any]:
        """The command to evaluate an expression, and to wait for the promise if it is one."""
        parameters = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        return {"method": "Runtime.evaluate", "sessionId": self._session, "params": parameters}

    def result(self, reply: Any) -> Any:
        """The value of the expression.

        :raises ForeignError: it threw.
        """
        if "exceptionDetails" in reply:
            details = reply["exceptionDetails"]
            raise ForeignError(str(details.get("exception", {}).get("description") or details["text"]).splitlines()[0])
        return reply["result"].get("value")


@asynccontextmanager
async def open_node(stack: str) -> AsyncIterator[NodeAgent]:
    """Start Node.js with one of the packages."""
    ours, theirs = socket.socketpair()
    command = ["node", "--expose-gc", str(NODE / "worker.js"), stack, str(theirs.fileno())]
    async with _talk(command, ours, theirs, b"\n") as (exchange, process):
        yield NodeAgent(exchange, process)


@asynccontextmanager
async def open_chromium() -> AsyncIterator[PageAgent]:
    """Start Chromium with an empty page, and our script in it."""
    script = (NODE / "agent.js").read_text(encoding="utf-8")
    ours, theirs = socket.socketpair()
    # It talks on the descriptors 3 and 4.
    shell = ["bash", "-c", f'exec "$@" 3<&{theirs.fileno()} 4>&{theirs.fileno()}', "bash"]
    async with _temporary_folder() as folder:
        command = [*shell, "chromium", *CHROMIUM_FLAGS, f"--user-data-dir={folder}/profile", "about:blank"]
        places = {"HOME": folder, "TMPDIR": folder, "XDG_RUNTIME_DIR": folder}
        async with _talk(command, ours, theirs, b"\0", places) as (exchange, process):
            page = await exchange.ask({"method": "Target.createTarget", "params": {"url": "about:blank"}})
            wanted = {"targetId": page["targetId"], "flatten": True}
            attached = await exchange.ask({"method": "Target.attachToTarget", "params": wanted})
            agent = PageAgent(exchange, process, attached["sessionId"])
            start = f"{script}\nglobalThis.agent = new BenchmarkAgent(w3cStack(RTCPeerConnection)); null"
            agent.result(await exchange.ask(agent.evaluation(start)))
            yield agent


@asynccontextmanager
async def _temporary_folder() -> AsyncIterator[str]:
    """A folder that is gone at the end, although a process that was killed may make its last file a little later."""
    folder = tempfile.mkdtemp(prefix="benchmark-")
    try:
        yield folder
    finally:
        with anyio.move_on_after(REMOVAL_TIMEOUT, shield=True):
            while await anyio.Path(folder).exists():
                shutil.rmtree(folder, ignore_errors=True)
                await anyio.sleep(0.02)


@asynccontextmanager
async def _talk(
    command: Sequence[str],
    ours: socket.socket,
    theirs: socket.socket,
    separator: bytes,
    environment: dict[str, str] | None = None,
) -> AsyncIterator[tuple[Exchange, psutil.Process]]:
    """Run a command that has the other end of a socket; at the end nothing that it started is left."""
    with ours:
        with theirs:
            process = await anyio.open_process(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # native libraries print there as they like
                stderr=subprocess.DEVNULL if environment else None,  # a browser has many words
                pass_fds=(theirs.fileno(),),
                env=os.environ | (environment or {}),
                start_new_session=True,
            )
        async with process:
            try:
                exchange = Exchange(ours, separator)
                async with anyio.create_task_group() as group:
                    group.start_soon(exchange.run)
                    yield exchange, psutil.Process(process.pid)
                    group.cancel_scope.cancel()
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
