"""Files from terminal to terminal."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from peerix import BroadcastDriver
from peerix.core.errors import TransferAborted
from tests.support.peers import local_peer, remove_sockets_of_killed_processes
from tests.support.waiting import AT_ONCE, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.api.cli.processes import Cli
    from tests.support.nats_server import NatsServer

    Start = Callable[..., Cli]

SIZE = 5_000_000


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file to send."""
    path = tmp_path / "source" / "cat.jpg"
    path.parent.mkdir()
    path.write_bytes(os.urandom(SIZE))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where files go; made by the command."""
    return tmp_path / "target"


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


BACKENDS = pytest.mark.parametrize(
    ("receiver", "sender"),
    [
        ("trio", "asyncio"),
        pytest.param("asyncio", "trio", marks=pytest.mark.slow),
        pytest.param("uvloop", "uvloop", marks=pytest.mark.slow),
    ],
)


@BACKENDS
def test_a_file_arrives_without_a_server(
    cli: Start, room: str, source: Path, folder: Path, receiver: str, sender: str
) -> None:
    receive = cli("receive", "--room", room, "--output", folder, "--backend", receiver, "--json")
    send = cli("send", source, "--room", room, "--backend", sender, "--json")
    assert (send.finish(), receive.finish()) == (0, 0)
    assert checksum(folder / "cat.jpg") == checksum(source)
    assert left_in(folder) == ["cat.jpg"]
    [received] = receive.events("received")
    assert received["sha256"] == checksum(source)
    assert received["checked"]
    [sent] = send.events("sent")
    assert sent["size"] == SIZE
    assert sent["type"] == "image/jpeg"


@BACKENDS
def test_a_file_arrives_over_nats(
    cli: Start, room: str, source: Path, folder: Path, shared_nats_server: NatsServer, receiver: str, sender: str
) -> None:
    driver = ("--driver", shared_nats_server.url)
    receive = cli("receive", "--room", room, "--output", folder, "--backend", receiver, *driver)
    send = cli("send", source, "--room", room, "--backend", sender, *driver)
    assert (send.finish(), receive.finish()) == (0, 0)
    assert checksum(folder / "cat.jpg") == checksum(source)


def test_several_files_arrive_also_empty_ones(cli: Start, room: str, source: Path, folder: Path) -> None:
    empty = source.parent / "empty.txt"
    empty.touch()
    receive = cli("receive", "--room", room, "--output", folder)
    send = cli("send", source, empty, "--room", room)
    assert (send.finish(), receive.finish()) == (0, 0)
    assert left_in(folder) == ["cat.jpg", "empty.txt"]
    assert (folder / "empty.txt").stat().st_size == 0


@pytest.mark.slow
def test_a_sender_may_come_first_and_wait_for_two_receivers(cli: Start, room: str, source: Path, folder: Path) -> None:
    send = cli("send", source, "--room", room, "--wait", 2)
    send.wait_text("waiting for receivers")
    one = cli("receive", "--room", room, "--output", folder / "1")
    other = cli("receive", "--room", room, "--output", folder / "2")
    assert (send.finish(), one.finish(), other.finish()) == (0, 0, 0)
    assert checksum(folder / "1" / "cat.jpg") == checksum(folder / "2" / "cat.jpg") == checksum(source)


def test_those_who_only_talk_or_send_are_no_receivers(cli: Start, room: str, source: Path) -> None:
    chat = cli("join", room, "--json")
    chat.wait_event("joined")
    other_sender = cli("send", source, "--room", room)
    other_sender.wait_text("waiting for receivers")
    send = cli("send", source, "--room", room, "--timeout", 1)
    assert send.finish() == 3
    assert chat.events("file") == []


def test_a_receiver_that_keeps_on_takes_files_until_it_is_stopped(
    cli: Start, room: str, source: Path, folder: Path
) -> None:
    receive = cli("receive", "--room", room, "--output", folder, "--keep", "--json")
    for _ in range(2):
        assert cli("send", source, "--room", room).finish() == 0
    receive.wait_event("received", path=str(folder / "cat (1).jpg"))
    receive.signal(signal.SIGTERM)
    assert receive.finish() == 143
    assert left_in(folder) == ["cat (1).jpg", "cat.jpg"]


def test_a_file_that_is_there_is_not_overwritten(cli: Start, room: str, source: Path, folder: Path) -> None:
    folder.mkdir()
    (folder / "cat.jpg").write_text("mine")
    receive = cli("receive", "--room", room, "--output", folder)
    assert cli("send", source, "--room", room).finish() == 0
    assert receive.finish() == 0
    assert (folder / "cat.jpg").read_text() == "mine"
    assert checksum(folder / "cat (1).jpg") == checksum(source)


def test_a_killed_sender_leaves_a_message_and_no_half_file(cli: Start, room: str, tmp_path: Path, folder: Path) -> None:
    endless = tmp_path / "endless.bin"
    os.mkfifo(endless)
    receive = cli("receive", "--room", room, "--output", folder, "--connection-timeout", 1)
    send = cli("send", endless, "--room", room)
    with endless.open("wb") as pipe:
        pipe.write(bytes(SIZE))
        wait_until(lambda: folder.exists() and any(path.stat().st_size for path in folder.iterdir()))
        send.signal(signal.SIGKILL)
        assert receive.finish() == 1
    assert left_in(folder) == []
    assert "interrupted after" in receive.wait_text("endless.bin")
    assert "nothing is kept" in receive.wait_text("endless.bin")
    anyio.run(remove_sockets_of_killed_processes)


def test_a_stopped_sender_ends_the_receiver_at_once(cli: Start, room: str, folder: Path) -> None:
    receive = cli("receive", "--room", room, "--output", folder)
    send = cli("send", "/dev/zero", "--room", room)
    wait_until(lambda: folder.exists() and any(path.stat().st_size for path in folder.iterdir()))
    send.signal(signal.SIGINT)
    assert send.finish() == 130, send.err
    stopped = time.monotonic()
    receive.wait_text("interrupted after")
    assert time.monotonic() - stopped < AT_ONCE
    assert receive.finish() == 1
    assert left_in(folder) == []


def test_a_receiver_that_is_stopped_fails_the_sender_and_leaves_no_half_file(
    cli: Start, room: str, tmp_path: Path, folder: Path
) -> None:
    endless = tmp_path / "endless.bin"
    os.mkfifo(endless)
    receive = cli("receive", "--room", room, "--output", folder)
    send = cli("send", endless, "--room", room)
    with endless.open("wb") as pipe:
        pipe.write(bytes(SIZE))
        wait_until(lambda: folder.exists() and any(path.stat().st_size for path in folder.iterdir()))
        receive.signal(signal.SIGINT)
        assert receive.finish() == 130
        assert left_in(folder) == []
    assert send.finish() == 1
    assert send.wait_text("was not sent")


class Forger:
    """A peer of our own that says about files what it likes."""

    def __init__(self, room: str) -> None:
        self._room = room

    def send(self, data: object, info: object) -> None:
        """Send a message to the one receiver in the room, and leave; the receiver may refuse it."""
        anyio.run(self._send, data, info)

    async def _send(self, data: object, info: object) -> None:
        async with BroadcastDriver() as driver, local_peer(driver=driver) as peer:
            await peer.join(self._room, {"files": "send"})
            await peer.open("any")
            with anyio.fail_after(PATIENCE):
                await peer.wait_open("any")
                try:
                    await peer.send(data, "any", info=info)
                except TransferAborted:
                    return


HOSTILE_NAMES = [
    "",
    ".",
    "..",
    "../escaped.txt",
    "/tmp/escaped.txt",
    "folder/escaped.txt",
    "..\\escaped.txt",
    "nul\0byte",
    "bell\a",
    "CON",
    "com1.txt",
    "exe\u202etxt.scr",
    "x" * 300,
    "trailing.",
    "\ud800",
]


def test_hostile_names_are_refused_and_harmless_ones_still_arrive(
    cli: Start, room: str, tmp_path: Path, folder: Path
) -> None:
    receive = cli("receive", "--room", room, "--output", folder, "--keep", "--json")
    for name in HOSTILE_NAMES:
        Forger(room).send(b"evil bytes", {"name": name, "size": 10})
    Forger(room).send(b"good bytes", {"name": "good.txt", "size": 10})
    receive.wait_event("received", name="good.txt")
    assert [event["name"] for event in receive.events("error")] == HOSTILE_NAMES
    assert all("refused" in event["message"] for event in receive.events("error"))
    assert left_in(folder) == ["good.txt"]
    assert left_in(tmp_path) == ["target"]


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        ({"sha256": "0" * 64}, "checksum is wrong"),
        ({"sha256": "nonsense"}, "checksum is wrong"),
        ({"size": 99_999}, "100000 of 99999|larger than the 99999"),
        ({"size": 100_001}, "100000 of 100001 bytes arrived"),
        ({"size": 10**15}, "larger than the limit"),
    ],
)
def test_a_file_that_is_not_what_was_announced_is_not_kept(
    cli: Start, room: str, folder: Path, info: dict[str, Any], reason: str
) -> None:
    receive = cli("receive", "--room", room, "--output", folder, "--json")
    Forger(room).send(bytes(100_000), {"name": "x.bin", **info})
    assert receive.finish() == 1
    [error] = receive.events("error")
    assert any(part in error["message"] for part in reason.split("|"))
    assert left_in(folder) == []


def test_a_file_above_the_limit_is_refused_before_and_while_it_arrives(cli: Start, room: str, folder: Path) -> None:
    receive = cli("receive", "--room", room, "--output", folder, "--max-size", "50k", "--keep", "--json")
    Forger(room).send(bytes(100_000), {"name": "told.bin", "size": 100_000})
    Forger(room).send(bytes(100_000), {"name": "untold.bin"})
    receive.wait_event("error", name="untold.bin")
    assert all("limit of 50000 bytes" in event["message"] for event in receive.events("error"))
    assert left_in(folder) == []


def test_messages_that_are_no_files_are_passed_over(cli: Start, room: str, folder: Path) -> None:
    receive = cli("receive", "--room", room, "--output", folder, "--keep", "--json")
    for info in (None, {"name": 5}, ["name"], "name"):
        Forger(room).send("text", info)
    Forger(room).send(b"bytes", {"name": "file.txt"})
    receive.wait_event("received", name="file.txt", checked=False)
    assert receive.events("error") == []


def test_a_sender_that_stays_in_the_room_is_done_after_a_while(cli: Start, room: str, folder: Path) -> None:
    receive = cli("receive", "--room", room, "--output", folder)

    async def send_and_stay() -> None:
        async with BroadcastDriver() as driver, local_peer(driver=driver) as peer:
            await peer.join(room)
            await peer.open("any")
            with anyio.fail_after(PATIENCE):
                await peer.wait_open("any")
                await peer.send(b"bytes", "any", info={"name": "file.txt"})
                assert await anyio.to_thread.run_sync(receive.finish) == 0

    anyio.run(send_and_stay)
    assert left_in(folder) == ["file.txt"]


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_refusal_is_told_to_the_sender(cli: Start, room: str, source: Path, folder: Path) -> None:
    receive = cli("receive", "--room", room, "--output", folder, "--max-size", "1k")
    send = cli("send", source, "--room", room)
    assert (send.finish(), receive.finish()) == (1, 1)
    assert "was not sent" in send.wait_text("cat.jpg")
    assert "limit of 1000 bytes" in receive.wait_text("cat.jpg")
    assert left_in(folder) == []
