"""`python -m examples.browser`: everything that the page needs, in one command.

It installs what the page needs from npm, runs a nats-server unless it is told of one, serves the page on this machine,
and stops all of it at Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from shlex import quote as quote_word
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import anyio

from examples.browser.errors import SetupError
from examples.browser.nats_server import HOST, free_port, run_nats_server
from examples.browser.npm import install_packages
from examples.browser.site import Site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskStatus

    from examples.browser.nats_server import NatsServer

FOLDER = Path(__file__).parent
PORT = 8000


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m examples.browser", description="Serve a page that shares rooms with Python peers."
    )
    parser.add_argument("--room", default="demo", help="the room in the printed lines (default: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="of the page; another one if it is taken (%(default)s)")
    parser.add_argument("--server", metavar="URL", help="a nats-server that runs already: ws://HOST:PORT or wss://HOST")
    parser.add_argument(
        "--driver", metavar="URL", help="how programs reach that server (default: nats:// and its host, port 4222)"
    )
    return parser.parse_args(given)


def _driver_of(server: str) -> str:
    parts = urlsplit(server)
    if parts.scheme not in {"ws", "wss"} or not parts.hostname:
        raise SetupError("--server wants the server's WebSocket address: ws://HOST:PORT or wss://HOST")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{'nats' if parts.scheme == 'ws' else 'tls'}://{host}:4222"


def _command() -> str:
    """How to call `peerix` from where we are."""
    if shutil.which("peerix"):
        return "peerix"
    program = Path(sys.executable).parent / "peerix"
    return os.path.relpath(program) if program.is_relative_to(Path.cwd()) else str(program)


async def _run(options: argparse.Namespace) -> None:
    driver = "" if options.server is None else options.driver or _driver_of(options.server)
    if await install_packages(FOLDER):
        _say("Installed what the page needs from npm.")
    async with AsyncExitStack() as stack:
        port = free_port(options.port)
        origins = (f"http://{HOST}:{port}", f"http://localhost:{port}")
        nats: NatsServer | None = None
        if options.server is None:
            nats = await stack.enter_async_context(run_nats_server(origins))
            server, driver = nats.websocket_url, nats.url
        else:
            server = options.server
        about = {"server": server, "driver": driver, "command": _command()}
        site = Site(FOLDER, {"/site.json": json.dumps(about).encode()})
        listener = await stack.enter_async_context(await anyio.create_tcp_listener(local_host=HOST, local_port=port))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, site.serve)
            _say(f"The page:       {origins[0]}/#{quote(options.room, safe='')}")
            command = f"{about['command']} join {quote_word(options.room)} --driver {driver} --output received"
            _say(f"In a terminal:  {command}")
            _say("Ctrl-C stops it.")
            await (anyio.sleep_forever() if nats is None else nats.wait_ended())


async def _run_until_signalled(options: argparse.Namespace) -> None:
    async with anyio.create_task_group() as tasks:
        await tasks.start(_watch_signals, tasks.cancel_scope)
        await _run(options)
        tasks.cancel_scope.cancel()


async def _watch_signals(
    scope: anyio.CancelScope, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            scope.cancel()


def _say(text: str) -> None:
    print(text, flush=True)


def _find_setup_error(error: BaseException) -> SetupError | None:
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_find_setup_error, error.exceptions)), None)
    return error if isinstance(error, SetupError) else None


def main(given: Sequence[str] | None = None) -> int:
    """Run it until it is stopped; the exit code."""
    options = _arguments(given)
    try:
        anyio.run(_run_until_signalled, options)
    except (SetupError, ExceptionGroup) as error:
        found = _find_setup_error(error)
        if found is None:
            raise
        print(f"examples.browser: {found}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
