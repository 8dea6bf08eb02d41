"""`peerix record`: the streams of a room to files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from peerix.cli.arrivals import wait_for_all
from peerix.cli.exits import Exit
from peerix.cli.media import check_media
from peerix.cli.receive import make_folder
from peerix.cli.recordings import Recordings
from peerix.cli.text import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from peerix.cli.output import Output
    from peerix.cli.settings import Settings


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """What `peerix record` was asked for.

    :ivar format: the ending of the files.
    :ivar copy: write what comes as it is.
    :ivar timeout: seconds until a stream comes; 0 for no limit.
    """

    room: str
    folder: Path
    format: str
    copy: bool
    keep: bool
    timeout: float


async def record(settings: Settings, options: RecordOptions, output: Output) -> Exit:
    """Record what is published in a room until it ends; with `keep`, until somebody stops us."""
    check_media()
    about_us = settings.about_us("none")
    await to_thread.run_sync(make_folder, options.folder)
    driver = settings.driver()
    peer = settings.peer(driver)
    async with driver, peer, peer.events("stream", "track") as events, anyio.create_task_group() as tasks:
        recordings = Recordings(options.folder, f".{options.format}", output, tasks, copy=options.copy)
        await peer.join(options.room, about_us)
        room = one_line(options.room)
        output.remark("joined", f"waiting for streams in room {room!r}", room=options.room, id=peer.id)
        tasks.start_soon(recordings.read, events)
        result = await wait_for_all(recordings, keep=options.keep, limit=options.timeout, nobody="published anything")
        tasks.cancel_scope.cancel()
        return result
    return Exit.FAILED
