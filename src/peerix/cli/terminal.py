"""What a person at a terminal can do in `peerix join` besides talking: lines that begin with a slash."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import to_thread

from peerix.cli.exits import CommandError
from peerix.cli.presence import FILES_LABEL, says_about_files, takers
from peerix.cli.sending import check_file, describe
from peerix.cli.text import name_of, one_line, size_text
from peerix.core.errors import PeerixError

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from peerix.cli.output import Output
    from peerix.peer import Peer
    from peerix.remote_peer import RemotePeer

HINT = "what you type is said to everybody; /help tells what else there is, Ctrl-D leaves"

_HELP = """\
/send FILE...   send files to everybody here who takes files
/who            who is here
/quit           leave; so does Ctrl-D, when the files that are on their way have arrived
//...           say a line that begins with a slash"""


class TerminalCommands:
    """Carries out what is asked for.

    :param tasks: where files are sent from; they end before the peer leaves
    """

    def __init__(self, peer: Peer, output: Output, tasks: TaskGroup) -> None:
        self._peer = peer
        self._output = output
        self._tasks = tasks

    def take(self, line: str) -> str | None:
        """Carry out a command; what is to be said instead, if it is none."""
        if not line.startswith("/") or line.startswith("//"):
            if not self._peer.remotes:
                self._output.remark("alone", "nobody else is here to hear it")
            return line.removeprefix("/") if line.startswith("//") else line
        command, _, rest = line.partition(" ")
        if command == "/send":
            self._send(rest)
        elif command == "/who":
            self._show_members()
        elif command == "/quit":
            self._tasks.cancel_scope.cancel()
        elif command == "/help":
            self._output.remark("help", _HELP)
        else:
            self._output.error(f"there is no command {one_line(command)}: /help lists them, //... says such a line")
        return None

    def _show_members(self) -> None:
        remotes = self._peer.remotes.values()
        lines = [f"{name_of(remote)}: {remote.state}{_files_note(remote)}" for remote in remotes]
        self._output.remark("members", "\n".join(lines) or "nobody else is here")

    def _send(self, rest: str) -> None:
        try:
            names = shlex.split(rest)
        except ValueError as error:
            self._output.error(f"/send: {error}")
            return
        receivers = takers(self._peer, FILES_LABEL)
        if not names:
            self._output.error("/send wants a file: /send FILE...")
        elif not receivers:
            self._output.error("nobody here takes files")
        else:
            for name in names:
                self._tasks.start_soon(self._send_file, Path(name), receivers)

    async def _send_file(self, path: Path, receivers: list[RemotePeer]) -> None:
        try:
            path = await to_thread.run_sync(path.expanduser)
            await to_thread.run_sync(check_file, path)
            file = await describe(path)
            size = "" if file.info.size is None else f" ({size_text(file.info.size)})"
            names = ", ".join(map(name_of, receivers))
            self._output.remark("sending", f"sending {one_line(str(path))}{size} to {names}")
            transfer = self._peer.send(file.path, FILES_LABEL, info=file.info.to_json(), to=receivers)
            await transfer
        except (CommandError, PeerixError, OSError, RuntimeError) as error:
            self._output.error(f"{one_line(str(path))} was not sent: {one_line(str(error))}")
            return
        self._output.remark("sent", f"{one_line(str(path))} has arrived")


def _files_note(remote: RemotePeer) -> str:
    return ", takes no files" if says_about_files(remote) in {"send", "none"} else ""
