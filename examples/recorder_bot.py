"""`python -m examples.recorder_bot --room ROOM`: records what everybody publishes, each stream to a file."""

from __future__ import annotations

import itertools
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from examples.bots import run_bot
from peerix.media import MediaRecorder

if TYPE_CHECKING:
    from peerix import Peer, StreamEvent


async def record(peer: Peer, folder: Path) -> None:
    """Record every stream of the room, until the peer leaves or this is cancelled."""
    await anyio.Path(folder).mkdir(parents=True, exist_ok=True)
    numbers = itertools.count(1)
    async with peer.events("stream:add") as streams, anyio.create_task_group() as tasks:
        async for event in streams:
            # No word of what others say goes into the name: the id of a peer is letters and digits.
            name = f"{time.strftime('%Y%m%d-%H%M%S')}-{next(numbers)}-{event.remote.id[:8]}.mp4"
            tasks.start_soon(record_stream, event, folder / name)


async def record_stream(event: StreamEvent, path: Path) -> None:
    """Record one stream until it is unpublished, or its peer has left."""
    async with event.remote.events("stream:remove") as removals, MediaRecorder(path) as recorder:
        recorder.add(event.stream)
        print("recording", path, flush=True)
        async for removal in removals:
            if removal.stream is event.stream:
                break
    print("recorded", path, flush=True)


if __name__ == "__main__":
    run_bot(partial(record, folder=Path("recordings")), "recorder", __doc__)
