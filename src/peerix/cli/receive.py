"""`peerix receive`: files from whoever is in the room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from peerix.cli.arrivals import wait_for_all
from peerix.cli.exits import CommandError, Exit
from peerix.cli.file_receiver import FileReceiver
from peerix.cli.text import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from peerix.cli.output import Output
    from peerix.cli.settings import Settings


@dataclass(frozen=True, slots=True)
class ReceiveOptions:
    """What `peerix receive` was asked for; `timeout` is in seconds, 0 for none, and counts until a file begins."""

    room: str
    folder: Path
    keep: bool
    max_size: int
    timeout: float


async def receive(settings: Settings, options: ReceiveOptions, output: Output) -> Exit:
    """Receive files until one sender is done; with `keep`, until somebody stops us."""
    about_us = settings.about_us("receive")
    await to_thread.run_sync(make_folder, options.folder)
    driver = settings.driver()
    peer = settings.peer(driver)
    with output.bars():
        # The tasks end before the stream that they read is closed.
        async with (
            driver,
            peer,
            peer.events("channel:message", "connection") as events,
            anyio.create_task_group() as tasks,
        ):
            receiver = FileReceiver(options.folder, options.max_size, output, tasks)
            await peer.join(options.room, about_us)
            room = one_line(options.room)
            output.remark("joined", f"waiting for files in room {room!r}", room=options.room, id=peer.id)
            tasks.start_soon(receiver.read, events)
            result = await wait_for_all(receiver, keep=options.keep, limit=options.timeout, nobody="sent anything")
            tasks.cancel_scope.cancel()
            return result
    return Exit.FAILED


def make_folder(folder: Path) -> None:
    """Create the folder that files go to.

    :raises CommandError: that is impossible
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"cannot create the folder {folder}: {error.strerror}", Exit.USAGE) from error
