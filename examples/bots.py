"""What the bots have in common: where they meet others, and their end at Ctrl-C."""

from __future__ import annotations

import argparse
import signal
from typing import TYPE_CHECKING

import anyio

from peerix import Peer
from peerix.drivers.urls import from_url

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    Bot = Callable[[Peer], Coroutine[Any, Any, None]]


def run_bot(bot: Bot, name: str, description: str | None) -> None:
    """Run a bot in the room that the command line names, until Ctrl-C."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--room", default="demo", help="where the others are (default: %(default)s)")
    parser.add_argument("--driver", default="broadcast:", help="nats://HOST, or broadcast: for this machine")
    parser.add_argument("--backend", default="asyncio", choices=["asyncio", "trio"])
    options = parser.parse_args()

    async def main() -> None:
        async with from_url(options.driver) as driver, Peer(driver=driver) as peer, anyio.create_task_group() as tasks:
            tasks.start_soon(_end_at_signal, tasks.cancel_scope)
            peer.on("error", lambda event: print("trouble:", event.error, flush=True))
            tasks.start_soon(bot, peer)
            await peer.join(options.room, {"name": name, "files": "none"})
            print(f"in room {options.room!r} as {name!r}; Ctrl-C ends it", flush=True)

    anyio.run(main, backend=options.backend)


async def _end_at_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
