"""`peerix publish`: a file, a device or a test picture to everybody in a room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from peerix.cli.exits import CommandError, Exit
from peerix.cli.media import open_source
from peerix.cli.presence import wait_for_remotes
from peerix.cli.text import name_of, one_line
from peerix.core.errors import EventsLost, MediaStreamError, PeerixError
from peerix.events import ErrorEvent
from peerix.media_parameters import VideoParameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.cli.media import Source, SourceOptions
    from peerix.cli.output import Output
    from peerix.cli.settings import Settings
    from peerix.event_stream import EventStream
    from peerix.events import PeerEvent
    from peerix.peer import Peer

LAST_FRAMES = 1.0
"""Seconds for which we stay when all has been played: for the last frames to be encoded, sent and sent again."""


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """What `peerix publish` was asked for: `wait` for so many others, `timeout` seconds at most (0 for ever)."""

    source: SourceOptions
    room: str
    label: str
    codecs: Sequence[str]
    max_bitrate: int | None
    wait: int
    timeout: float


class _Troubles:
    """Tells of trouble while something is published, and remembers what concerns the stream."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.is_stream_broken = False

    async def tell(self, events: EventStream[PeerEvent]) -> None:
        """Tell until there are no more events."""
        while True:
            try:
                event = await events.receive()
            except EventsLost:
                continue
            except anyio.EndOfStream:
                return
            if isinstance(event, ErrorEvent):
                self._tell(event)

    def _tell(self, event: ErrorEvent) -> None:
        self.is_stream_broken = self.is_stream_broken or isinstance(event.error, MediaStreamError)
        remote = event.remote
        whose = "" if remote is None else f"{name_of(remote)}: "
        fields = {} if remote is None else {"peer": remote.id, "peer_name": name_of(remote)}
        self._output.error(whose + one_line(str(event.error)), kind=str(event.code), **fields)


async def publish(settings: Settings, options: PublishOptions, output: Output) -> Exit:
    """Publish a source until it ends."""
    about_us = settings.about_us("none")
    try:
        video = VideoParameters(max_bitrate=options.max_bitrate, codecs=options.codecs)
    except PeerixError as error:
        raise CommandError(str(error), Exit.USAGE) from error
    driver = settings.driver()
    peer = settings.peer(driver)
    troubles = _Troubles(output)
    async with (
        open_source(options.source) as source,
        driver,
        peer,
        peer.events("error") as events,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(troubles.tell, events)
        await peer.join(options.room, about_us)
        room = one_line(options.room)
        output.remark("joined", f"waiting for others in room {room!r}", room=options.room, id=peer.id)
        await wait_for_remotes(peer, options.wait, options.timeout)
        await _play(peer, source, video, options, output)
        tasks.cancel_scope.cancel()
    if troubles.is_stream_broken:
        raise CommandError("not everybody could be sent the stream")
    return Exit.DONE


async def _play(peer: Peer, source: Source, video: VideoParameters, options: PublishOptions, output: Output) -> None:
    kinds = [track.kind for track in source.stream.tracks]
    # Managed: the tracks end before their last frames have gone out.
    await peer.publish(source.stream, options.label, video=video, managed=True)
    what = " and ".join(kinds)
    text = f"publishing {what} of {one_line(options.source.source)} as {one_line(options.label)!r}"
    output.result("publishing", text, source=options.source.source, label=options.label, kinds=kinds)
    await source.wait_finished()
    await anyio.sleep(LAST_FRAMES)
    output.result("finished", "all has been played", source=options.source.source, label=options.label)
