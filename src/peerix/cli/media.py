"""What the commands need of `peerix.media`, and what they say where it is missing."""

from __future__ import annotations

import importlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import anyio

from peerix.cli.exits import CommandError, Exit
from peerix.core.errors import PeerixError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from peerix.media import MediaPlayer
    from peerix.rtc import MediaStream

TEST_SOURCE = "testsrc"
"""The source that is a test picture and a tone."""


def check_media() -> None:
    """Make sure that sound and pictures can be handled.

    :raises CommandError: the extra is not installed
    """
    try:
        importlib.import_module("peerix.media")
    except ImportError as error:
        raise CommandError(str(error), Exit.USAGE) from error


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """A source: a file, a URL, a device or `TEST_SOURCE`; its format where FFmpeg cannot tell, and FFmpeg's options."""

    source: str
    loop: bool
    format: str | None
    size: tuple[int, int] | None

    @property
    def name(self) -> str:
        """What to call it: the name of a file without its folder and ending."""
        return PurePath(self.source.rstrip("/")).stem or self.source


class Source:
    """An open source: its stream, and its end."""

    def __init__(self, stream: MediaStream[Any], player: MediaPlayer | None) -> None:
        self.stream = stream
        self._player = player

    async def wait_finished(self) -> None:
        """Wait until all has been played; a test picture never ends.

        :raises CommandError: it ended too early
        """
        if self._player is None:
            await anyio.sleep_forever()
        else:
            await self._player.finished.wait()
            if self._player.error is not None:
                raise CommandError(str(self._player.error))


@asynccontextmanager
async def open_source(options: SourceOptions) -> AsyncGenerator[Source]:
    """Open a source.

    :raises CommandError: it cannot be played
    """
    check_media()
    from peerix.media import MediaPlayer, TestSource

    if options.source == TEST_SOURCE:
        width, height = options.size or (640, 360)
        async with TestSource(width, height) as source:
            yield Source(source.stream, None)
        return
    player = MediaPlayer(options.source, format=options.format, options=_player_options(options), loop=options.loop)
    opened = False
    try:
        async with player:
            opened = True
            yield Source(player.stream, player)
    except PeerixError as error:
        if opened:
            raise
        raise CommandError(str(error), Exit.USAGE) from error


def _player_options(options: SourceOptions) -> Mapping[str, str]:
    return {} if options.size is None else {"video_size": f"{options.size[0]}x{options.size[1]}"}
