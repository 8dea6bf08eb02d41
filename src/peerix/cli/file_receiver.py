"""Takes the files out of a stream of events, and puts them into a folder."""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, cast

import anyio
from anyio import to_thread

from peerix.cli.arrivals import Progress
from peerix.cli.exits import CommandError
from peerix.cli.presence import says_about_files
from peerix.cli.readings import Readings
from peerix.cli.storing import FileRefusedError, IncomingFile
from peerix.cli.text import name_of, one_line, rate_text, size_text
from peerix.core.errors import EventsLost, PeerixError
from peerix.core.rooms.files import FileInfo, read_file_info
from peerix.events import ChannelErrorEvent, ConnectionEvent, MessageEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.abc import TaskGroup

    from peerix.cli.output import Bar, Output
    from peerix.core.rooms.json import JsonValue
    from peerix.event_stream import EventStream
    from peerix.events import PeerEvent
    from peerix.remote_peer import RemotePeer

HOP_SIZE = 2 << 20
"""Bytes that a worker thread gets at once, of all files that arrive: a hop costs as much as writing 500 kB."""

MIN_HOP_SIZE = 1 << 18
"""Bytes of each file at least, when there are many."""

IDLE_TIME = 2.0
"""Seconds after a file in which a sender who stays in the room may begin another one."""

MAX_FILES_AT_ONCE = 64
"""Files that arrive at the same time; further ones are refused."""


@dataclass(slots=True)
class _Sender:
    """What one remote peer has sent us."""

    remote: RemotePeer
    ended_at: float
    gone: bool = False


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A file that begins to arrive."""

    event: MessageEvent
    info: FileInfo
    incoming: IncomingFile

    @property
    def fields(self) -> dict[str, object]:
        """What JSON output says of it in every line."""
        remote = self.event.remote
        return {"name": self.info.name, "peer": remote.id, "peer_name": name_of(remote)}


class FileReceiver:
    """Stores files as they come, each in a task of its own.

    :param folder: where they go; exists
    :param max_size: bytes of a file at most
    :ivar progress: whether a file has begun to arrive, and how many were refused or interrupted
    """

    def __init__(self, folder: Path, max_size: int, output: Output, tasks: TaskGroup) -> None:
        self._folder = folder
        self._max_size = max_size
        self._output = output
        self._tasks = tasks
        self._senders: dict[str, _Sender] = {}
        self._readings = Readings()
        self._active = 0
        self.progress = Progress()

    async def read(self, events: EventStream[PeerEvent]) -> None:
        """Handle events until there are no more."""
        try:
            async for event in events:
                await self.handle(event)
        except EventsLost as error:
            raise CommandError(f"too much at once: {error}") from error

    async def handle(self, event: PeerEvent) -> bool:
        """Take the file that an event brings; True when the event is about a file, of which all is said here."""
        if isinstance(event, ConnectionEvent):
            self._note_state(event)
        if isinstance(event, ChannelErrorEvent):
            return self._readings.tell(event.error)
        if not isinstance(event, MessageEvent):
            return False
        file_info = read_file_info(cast("JsonValue", event.info))
        if file_info is None:
            return False
        await self._begin(_Arrival(event, file_info, IncomingFile(self._folder, file_info, self._max_size)))
        return True

    async def wait_idle(self) -> None:
        """Wait until nothing that has begun is in the middle."""
        await self.progress.wait_until(lambda: self.progress.begun and not self._active)

    async def wait_over(self) -> None:
        """Wait until a sender is done: it has left, or says nothing for a while; and nobody else is in the middle."""
        while True:
            over_at = self._over_at()
            if over_at <= anyio.current_time():
                return
            with anyio.CancelScope(deadline=over_at):
                await self.progress.wait_changed()

    def _over_at(self) -> float:
        if self._active:
            return math.inf
        if any(sender.gone for sender in self._senders.values()):
            return anyio.current_time()
        # A sender that will leave when it is done may take its time between two files: it reads them first.
        stays = (sender for sender in self._senders.values() if says_about_files(sender.remote) != "send")
        return min((sender.ended_at + IDLE_TIME for sender in stays), default=math.inf)

    def _note_state(self, event: ConnectionEvent) -> None:
        sender = self._senders.get(event.remote.id)
        if sender is not None and event.state in {"closed", "failed"}:
            sender.gone = True
            self.progress.change()

    async def _begin(self, arrival: _Arrival) -> None:
        # In line, and not in the file's own task: its data is ours only until we take the next event.
        remote = arrival.event.remote
        sender = self._senders.setdefault(remote.id, _Sender(remote, 0))
        sender.gone = False
        sender.ended_at = anyio.current_time()
        self.progress.begin()
        self._readings.begin(arrival.event.data)
        try:
            if self._active >= MAX_FILES_AT_ONCE:
                raise FileRefusedError(f"{MAX_FILES_AT_ONCE} files arrive already")
            await to_thread.run_sync(arrival.incoming.open)
        except (FileRefusedError, OSError) as error:
            arrival.event.data.cancel()
            self._fail(arrival, f"refused: {error}")
            self._readings.end(arrival.event.data)
            return
        self._active += 1
        self._tasks.start_soon(self._take, arrival, arrival.event.data.pieces(), sender)

    async def _take(
        self, arrival: _Arrival, arriving: AsyncIterator[list[bytes | memoryview]], sender: _Sender
    ) -> None:
        started = monotonic()
        incoming = arrival.incoming
        bar = self._output.progress(one_line(arrival.info.name), arrival.info.size, **arrival.fields)
        try:
            await self._store(incoming, arriving, bar)
            path = await to_thread.run_sync(incoming.finish)
        except (FileRefusedError, OSError) as error:
            arrival.event.data.cancel()
            incoming.discard()  # before we say so
            self._fail(arrival, f"not kept: {error}")
        except PeerixError as error:
            incoming.discard()
            size = f" of {size_text(arrival.info.size)}" if arrival.info.size is not None else ""
            reason = f"interrupted after {size_text(incoming.size)}{size}, nothing is kept: {error}"
            self._fail(arrival, reason, kind=str(error.code))
        else:
            self._succeed(arrival, path, monotonic() - started)
        finally:
            incoming.discard()
            bar.close()
            self._readings.end(arrival.event.data)
            self._active -= 1
            sender.ended_at = anyio.current_time()
            self.progress.change()

    async def _store(self, incoming: IncomingFile, arriving: AsyncIterator[list[bytes | memoryview]], bar: Bar) -> None:
        batch: list[bytes | memoryview] = []
        waiting = 0
        async for pieces in arriving:
            batch += pieces
            waiting += sum(map(len, pieces))
            if waiting >= max(HOP_SIZE // self._active, MIN_HOP_SIZE):
                await to_thread.run_sync(incoming.write, batch)
                bar.update(incoming.size)
                batch, waiting = [], 0
        if batch:
            await to_thread.run_sync(incoming.write, batch)

    def _succeed(self, arrival: _Arrival, path: Path, seconds: float) -> None:
        size = arrival.incoming.size
        checked = arrival.info.sha256 is not None
        checksum = "checksum agrees" if checked else "no checksum"
        rate = rate_text(size, seconds)
        text = f"received {path} from {name_of(arrival.event.remote)} ({size_text(size)}, {rate}, {checksum})"
        digest = arrival.incoming.sha256
        more = {"path": str(path), "size": size, "sha256": digest, "checked": checked, "seconds": round(seconds, 3)}
        self._output.result("received", text, **arrival.fields, **more)

    def _fail(self, arrival: _Arrival, reason: str, **fields: object) -> None:
        self.progress.failures += 1
        name = one_line(arrival.info.name)
        self._output.error(f"{name!r} from {name_of(arrival.event.remote)} {reason}", **arrival.fields, **fields)
