"""`peerix join` as a person at a terminal has it."""

from __future__ import annotations

import hashlib
import io
import os
import pty
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import anyio
import pytest

from peerix.cli.output import Output
from peerix.cli.presence import FILES_LABEL
from peerix.cli.terminal import TerminalCommands
from peerix.core.rooms.files import FileInfo, read_file_info
from tests.support.peers import local_peer, peers_in_room
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from peerix import Peer
    from peerix.core.rooms.json import JsonValue
    from tests.api.cli.processes import Cli


NOTE_SHA256 = hashlib.sha256(b"note").hexdigest()


class Typing:
    """A person who types, and what is shown to it."""

    def __init__(self, peer: Peer, tasks: anyio.abc.TaskGroup) -> None:
        self._shown = io.StringIO()
        self._commands = TerminalCommands(peer, Output(as_json=False, out=self._shown, remarks=self._shown), tasks)
        self.scope = tasks.cancel_scope

    def type(self, line: str) -> str | None:
        return self._commands.take(line)

    @property
    def shown(self) -> str:
        return self._shown.getvalue()

    async def wait_shown(self, text: str) -> None:
        await until(lambda: text in self.shown)


@asynccontextmanager
async def typing(peer: Peer) -> AsyncGenerator[Typing]:
    async with anyio.create_task_group() as tasks:
        yield Typing(peer, tasks)


@pytest.mark.anyio
async def test_lines_that_begin_with_a_slash_are_said_when_it_is_doubled() -> None:
    async with peers_in_room() as (alice, _), typing(alice) as person:
        assert person.type("hello") == "hello"
        assert person.type("//hello") == "/hello"
        assert person.type("/hello") is None
        assert "there is no command /hello" in person.shown


@pytest.mark.anyio
async def test_who_speaks_to_nobody_is_told() -> None:
    async with local_peer() as peer, typing(peer) as person:
        assert person.type("hello?") == "hello?"
        assert "nobody else is here" in person.shown


@pytest.mark.anyio
async def test_a_file_is_sent_to_those_who_take_files(tmp_path: Path) -> None:
    file = tmp_path / "a note.txt"
    file.write_bytes(b"note")
    async with peers_in_room(label=FILES_LABEL) as (alice, bob), typing(alice) as person:
        async with bob.events("channel:message") as messages:
            person.type(f'/send "{file}"')
            with anyio.fail_after(PATIENCE):
                message = await messages.receive()
                assert await message.data == b"note"
            assert read_file_info(cast("JsonValue", message.info)) == FileInfo(
                "a note.txt", 4, "text/plain", NOTE_SHA256
            )
        await person.wait_shown("has arrived")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("/send", "/send wants a file"),
        ("/send 'a", "No closing quotation"),
        ("/send /nonexistent", "cannot read /nonexistent"),
        ("/send /", "/ is a folder"),
        ("/who", "connected"),
        ("/help", "/send FILE"),
    ],
)
async def test_commands_answer(line: str, answer: str) -> None:
    async with peers_in_room(label=FILES_LABEL) as (alice, _), typing(alice) as person:
        assert person.type(line) is None
        await person.wait_shown(answer)


@pytest.mark.anyio
async def test_a_file_for_nobody_is_not_sent(tmp_path: Path) -> None:
    async with local_peer() as peer, typing(peer) as person:
        person.type("/send file")
        person.type("/who")
        assert "nobody here takes files" in person.shown
        assert "nobody else is here" in person.shown


@pytest.mark.anyio
async def test_leaving_ends_what_is_under_way() -> None:
    async with local_peer() as peer, typing(peer) as person:
        person.type("/quit")
        assert person.scope.cancel_called


@pytest.mark.slow
def test_a_person_talks_sends_a_file_and_quits(cli: Callable[..., Cli], room: str, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_bytes(b"note")
    other = cli("join", room, "--name", "Bob", "--output", tmp_path / "taken", "--wait", 0, "--keep")
    other.wait_text("joined")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "peerix", "join", room, "--name", "Alice", "--address", "127.0.0.1", "--keep"]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as person:
        os.close(theirs)
        try:
            other.wait_text("Alice is here")
            os.write(ours, b"hello\n")
            other.wait_text("Alice: hello")
            os.write(ours, f"/send {tmp_path / 'note.txt'}\n".encode())
            other.wait_text("received")
            os.write(ours, b"/quit\n")
            assert person.wait(PATIENCE) == 0
            assert person.stdout is not None
            assert b"/help" in person.stdout.read()
        finally:
            person.kill()
            os.close(ours)
    assert (tmp_path / "taken" / "note.txt").read_bytes() == b"note"
