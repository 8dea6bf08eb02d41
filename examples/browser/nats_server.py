"""A nats-server of one's own that Python peers and pages of this machine reach."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import TYPE_CHECKING

import anyio

from examples.browser.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from anyio.abc import Process

HOST = "127.0.0.1"
PORT = 4222
WEBSOCKET_PORT = 4223
START_LIMIT = 10.0
STOP_LIMIT = 5.0
"""Seconds that it may take to start and to stop."""

# Debian puts servers into folders that are not on every user's path.
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))

# Any page that this browser opens could talk to a server on this machine; only ours is let in.
_CONFIGURATION = """\
listen: "{host}:{port}"
websocket {{
  listen: "{host}:{websocket_port}"
  no_tls: true
  allowed_origins: [{origins}]
}}
"""


@dataclass(frozen=True, slots=True)
class NatsServer:
    """Where it is: for programs, and for pages."""

    url: str
    websocket_url: str
    process: Process

    async def wait_ended(self) -> None:
        """Wait until it ends.

        :raises SetupError: always, since nobody asked it to
        """
        code = await self.process.wait()
        raise SetupError(f"nats-server ended with {code}")


@asynccontextmanager
async def run_nats_server(origins: Sequence[str]) -> AsyncGenerator[NatsServer]:
    """Run one while a block lasts, for pages from these origins.

    :raises SetupError: it is not installed, or does not start
    """
    program = shutil.which("nats-server", path=_PATH)
    if program is None:
        raise SetupError(
            "nats-server is not installed: apt install nats-server (Debian, Ubuntu), brew install nats-server (macOS); "
            "or name one that runs elsewhere: --server ws://HOST:PORT"
        )
    port, websocket_port = free_port(PORT), free_port(WEBSOCKET_PORT)
    with tempfile.TemporaryDirectory(prefix="peerix-page-") as folder:
        configuration = Path(folder) / "nats.conf"
        allowed = ", ".join(f'"{origin}"' for origin in origins)
        configuration.write_text(
            _CONFIGURATION.format(host=HOST, port=port, websocket_port=websocket_port, origins=allowed)
        )
        # Ctrl-C is for us; it ends when we have ended what uses it.
        process = await anyio.open_process(
            [program, "--config", str(configuration)],
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            start_new_session=True,
        )
        try:
            await _wait_answering(process, (port, websocket_port))
            yield NatsServer(f"nats://{HOST}:{port}", f"ws://{HOST}:{websocket_port}", process)
        finally:
            await _end(process)


async def _wait_answering(process: Process, ports: Sequence[int]) -> None:
    try:
        with anyio.fail_after(START_LIMIT):
            for port in ports:
                while not await _answers(port):
                    if process.returncode is not None:
                        raise SetupError(f"nats-server ended with {process.returncode}")
                    await anyio.sleep(0.02)
    except TimeoutError:
        raise SetupError(f"nats-server does not answer within {START_LIMIT:g} s") from None


async def _answers(port: int) -> bool:
    with suppress(OSError):
        async with await anyio.connect_tcp(HOST, port):
            return True
    return False


async def _end(process: Process) -> None:
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
        with anyio.move_on_after(STOP_LIMIT):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


def free_port(wanted: int) -> int:
    """The port that is wanted, or any other one if that is taken."""
    for port in (wanted, 0):
        with suppress(OSError), socket.socket() as probe:
            # Ports of connections that have just ended count as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            found: int = probe.getsockname()[1]
            return found
    raise SetupError(f"no port of {HOST} is free")
