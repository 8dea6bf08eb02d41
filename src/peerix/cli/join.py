"""`peerix join`: talk to a room from a terminal or a script."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from peerix.cli.exits import Exit
from peerix.cli.file_receiver import FileReceiver
from peerix.cli.presence import CHAT_LABEL, FILES_LABEL
from peerix.cli.receive import make_folder
from peerix.cli.room_view import RoomView
from peerix.cli.stdin import read_lines
from peerix.cli.terminal import HINT, TerminalCommands
from peerix.cli.text import one_line
from peerix.core.errors import PeerixError

if TYPE_CHECKING:
    from pathlib import Path

    from peerix.cli.output import Output
    from peerix.cli.settings import Settings
    from peerix.peer import Peer
    from peerix.transfers import Transfer

MAX_MESSAGE_SIZE = 1 << 20
"""Bytes of a message that is shown."""


@dataclass(frozen=True, slots=True)
class JoinOptions:
    """What `peerix join` was asked for.

    :param wait: remote peers to wait for before the input is read
    :param keep: stay when the input has ended
    :param folder: where files go; None takes none
    :param terminal: a person types the input: lines that begin with a slash are commands
    """

    room: str
    wait: int
    keep: bool
    folder: Path | None
    max_size: int
    terminal: bool = False


async def join(settings: Settings, options: JoinOptions, output: Output) -> Exit:
    """Show what happens in a room, and say there what comes on standard input."""
    about_us = settings.about_us("none" if options.folder is None else "receive")
    if options.folder is not None:
        await to_thread.run_sync(make_folder, options.folder)
    driver = settings.driver()
    peer = settings.peer(driver, max_message_size=MAX_MESSAGE_SIZE)
    # The tasks end before the stream that they read is closed.
    async with driver, peer, peer.events() as events, anyio.create_task_group() as tasks:
        files = None if options.folder is None else FileReceiver(options.folder, options.max_size, output, tasks)
        for label in (CHAT_LABEL, FILES_LABEL) if options.terminal else (CHAT_LABEL,):
            await peer.open(label)
        await peer.join(options.room, about_us)
        output.remark("joined", f"joined room {one_line(options.room)!r}", room=options.room, id=peer.id)
        if options.terminal:
            output.remark("hint", HINT)
        tasks.start_soon(RoomView(output, files, tasks).show, events)
        if options.wait:
            await peer.wait_open(CHAT_LABEL, remotes=options.wait)
        # The input's own tasks: files that a person sends; they may end before we leave.
        async with anyio.create_task_group() as asked:
            await _talk(peer, TerminalCommands(peer, output, asked) if options.terminal else None)
        if options.keep and not asked.cancel_scope.cancel_called:
            await anyio.sleep_forever()
        tasks.cancel_scope.cancel()
    return Exit.DONE


async def _talk(peer: Peer, commands: TerminalCommands | None = None) -> None:
    """Say every line of the input that is no command, and wait until all are delivered or lost."""
    if sys.stdin is None:
        return
    last: Transfer | None = None
    lines = read_lines(sys.stdin.fileno())
    try:
        async for line in lines:
            said = line if commands is None else commands.take(line)
            if said:
                last = await _say(peer, said)
    finally:
        with anyio.CancelScope(shield=True):
            await lines.aclose()
    if last is not None:
        # Lines are acknowledged in order, so the last one stands for all; what failed was shown as an event.
        try:
            await last
        except PeerixError:
            return


async def _say(peer: Peer, line: str) -> Transfer:
    while True:
        try:
            return peer.send(line, CHAT_LABEL)
        except anyio.WouldBlock:
            await peer.writable(CHAT_LABEL)
