"""`peerix join`: both ways, by hand and by pipe."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import anyio
import pytest

from peerix import BroadcastDriver
from tests.support.peers import local_peer
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.api.cli.processes import Cli

    Start = Callable[..., Cli]


@pytest.mark.parametrize("backends", [("asyncio", "trio"), pytest.param(("uvloop", "asyncio"), marks=pytest.mark.slow)])
def test_two_members_hear_each_other(cli: Start, room: str, backends: tuple[str, str]) -> None:
    alice = cli("join", room, "--name", "Alice", "--backend", backends[0], "--json")
    bob = cli("join", room, "--name", "Bob", "--backend", backends[1])
    alice.say("hello Bob")
    bob.wait_text("Alice: hello Bob")
    bob.say("hello Alice")
    event = alice.wait_event("message", data="hello Alice")
    assert event["peer_name"] == "Bob"
    assert event["type"] == "text"
    assert event["label"] == "chat"


def test_members_of_different_addresses_meet(cli: Start, room: str) -> None:
    alice = cli("join", room, "--name", "Alice", "--address", "127.0.0.2")
    bob = cli("join", room, "--name", "Bob", "--address", "127.0.0.3")
    alice.say("hello Bob")
    bob.wait_text("Alice: hello Bob")


def test_lines_arrive_in_order(cli: Start, room: str) -> None:
    listener = cli("join", room, "--json", "--backend", "trio")
    speaker = cli("join", room)
    lines = [f"line {number}" for number in range(200)]
    for line in lines:
        speaker.say(line)
    speaker.end_input()
    assert speaker.finish() == 0
    listener.wait_event("message", data=lines[-1])
    assert [event["data"] for event in listener.events("message")] == lines


def test_piped_input_waits_for_a_listener_and_ends_when_all_is_delivered(cli: Start, room: str) -> None:
    speaker = cli("join", room, "--name", "Script")
    speaker.say("first")
    speaker.say("last")
    speaker.end_input()
    speaker.wait_text("joined room")
    listener = cli("join", room)
    listener.wait_text("Script: last")
    assert speaker.finish() == 0
    listener.wait_text("Script has left")


def test_without_input_it_stays_when_asked_to(cli: Start, room: str) -> None:
    stays = cli("join", room, "--keep", "--wait", 0)
    stays.end_input()
    visitor = cli("join", room, "--json")
    visitor.wait_event("connection", state="connected")
    visitor.say("are you there?")
    stays.wait_text("are you there?")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_ends_it_cleanly_and_the_others_hear_that_it_left(
    cli: Start, room: str, number: signal.Signals, code: int
) -> None:
    leaves = cli("join", room, "--name", "Leaver")
    stays = cli("join", room)
    stays.wait_text("Leaver is here")
    leaves.signal(number)
    assert leaves.finish() == code
    stays.wait_text("Leaver has left")
    assert "Traceback" not in "".join(leaves.err)


def test_files_are_taken_when_a_folder_is_given(cli: Start, room: str, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("a note")
    chat = cli("join", room, "--output", tmp_path / "taken")
    assert cli("send", tmp_path / "note.txt", "--room", room).finish() == 0
    chat.wait_text("received")
    assert (tmp_path / "taken" / "note.txt").read_text() == "a note"


@pytest.mark.parametrize("backend", ["asyncio", pytest.param("trio", marks=pytest.mark.slow)])
def test_an_interrupted_file_is_told_once(cli: Start, room: str, tmp_path: Path, backend: str) -> None:
    folder = tmp_path / "taken"
    listener = cli("join", room, "--output", folder, "--backend", backend, "--json")
    send = cli("send", "/dev/zero", "--room", room)
    listener.wait_event("progress")
    send.signal(signal.SIGINT)
    assert send.finish() == 130
    listener.wait_event("connection", state="closed")
    listener.wait_event("error", name="zero", kind="DATACHANNEL_ERROR")
    listener.signal(signal.SIGINT)
    assert listener.finish() == 130
    assert len(listener.events("error")) == 1


def test_an_interrupted_message_is_told_once(cli: Start, room: str) -> None:
    listener = cli("join", room, "--json")

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(20_000)

    async def abort() -> None:
        async with BroadcastDriver() as driver, local_peer(driver=driver) as peer:
            await peer.join(room)
            await peer.open("chat")
            with anyio.fail_after(PATIENCE):
                await peer.wait_open("chat")
                transfer = peer.send(endless(), "chat")
                async for progress in transfer:
                    if progress.current:
                        break
                transfer.abort()
                await peer.send("the end", "chat")

    anyio.run(abort)
    listener.wait_event("message", data="the end")
    [error] = listener.events("error")
    assert error["message"].startswith("a message from")
    assert error["kind"] == "DATACHANNEL_ERROR"


def test_nothing_that_others_send_can_drive_the_terminal(cli: Start, room: str) -> None:
    listener = cli("join", room)

    async def send_escapes() -> None:
        async with BroadcastDriver() as driver, local_peer(driver=driver) as peer:
            await peer.join(room, {"name": "\x1b[31mEve\nBob: forged"})
            await peer.open("chat")
            with anyio.fail_after(PATIENCE):
                await peer.wait_open("chat")
                await peer.send("\x1b]0;title\a \u202egnp.exe", "chat")
                await peer.send({"json": "\x1b[2J"}, "chat")
                await peer.send(b"\x1b[2J", "chat")

    anyio.run(send_escapes)
    listener.wait_text("binary data")
    output = "\n".join([*listener.out, *listener.err])
    assert "\x1b" not in output
    assert "\u202e" not in output
    assert not any(line.startswith("Bob:") for line in listener.out)


def test_values_and_bytes_are_told_apart_in_json(cli: Start, room: str) -> None:
    listener = cli("join", room, "--json")

    async def send_values() -> None:
        async with BroadcastDriver() as driver, local_peer(driver=driver) as peer:
            await peer.join(room)
            await peer.open("chat")
            with anyio.fail_after(PATIENCE):
                await peer.wait_open("chat")
                await peer.send({"a": [1, None]}, "chat", info="why")
                await peer.send(b"\x00\xff", "chat")

    anyio.run(send_values)
    listener.wait_event("message", type="json", data={"a": [1, None]}, info="why")
    listener.wait_event("message", type="bytes", data="AP8=")
