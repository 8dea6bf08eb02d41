"""Signalling between processes: others die, stop, or are not who they should be."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio
import pytest

from peerix.core.errors import SignalingError
from peerix.drivers import BroadcastDriver
from peerix.drivers.broadcast.endpoint import group_of, members
from peerix.drivers.broadcast.folder import MAX_SOCKET_PATH, Folder
from peerix.drivers.broadcast.link import MAX_QUEUE
from peerix.drivers.broadcast.network import FLUSH_TIMEOUT
from peerix.drivers.broadcast.unix import peer_user
from tests.api.drivers.inbox import PATIENCE, Inbox
from tests.support.components import require_root

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

Sockets = Literal["unix", "loopback"]
NAME = "processes"


@pytest.fixture(params=["unix", pytest.param("loopback", marks=pytest.mark.slow)])
def sockets(request: pytest.FixtureRequest) -> Sockets:
    kind: Sockets = request.param
    return kind


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, in one that every user can open."""
    with tempfile.TemporaryDirectory(prefix="pxt-", dir="/tmp") as path:
        yield Path(path)


@contextmanager
def member(sockets: Sockets, backend: str = "asyncio") -> Iterator[subprocess.Popen[str]]:
    """Another process that answers, see member.py."""
    command = [sys.executable, "-m", "tests.api.drivers.member", NAME, sockets, backend]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)


def runtime_folder() -> Path:
    return Path(os.environ["XDG_RUNTIME_DIR"]) / "peerix"


def entries() -> list[str]:
    return [path.name for path in runtime_folder().iterdir()]


async def ask(driver: BroadcastDriver, inbox: Inbox, count: int, question: bytes = b"who? ") -> set[int]:
    """The process ids of those who answer."""
    before = len(inbox.packets)
    await driver.publish("ask", question)
    answers = (await inbox.wait(before + count))[before:]
    return {int(packet.removeprefix(question)) for packet in answers}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
async def test_another_process_hears_and_answers(sockets: Sockets, backend: str) -> None:
    inbox = Inbox()
    with member(sockets, backend) as process:
        async with BroadcastDriver(NAME, sockets=sockets) as driver:
            await driver.subscribe("answer", inbox.put)
            assert await ask(driver, inbox, 1) == {process.pid}


async def test_three_processes_hear_each_other(sockets: Sockets) -> None:
    inbox = Inbox()
    with member(sockets) as one, member(sockets) as other:
        async with BroadcastDriver(NAME, sockets=sockets) as driver:
            await driver.subscribe("answer", inbox.put)
            assert await ask(driver, inbox, 2) == {one.pid, other.pid}


async def test_a_large_packet_goes_to_another_process_and_back(sockets: Sockets) -> None:
    inbox = Inbox()
    with member(sockets) as process:
        async with BroadcastDriver(NAME, sockets=sockets) as driver:
            await driver.subscribe("answer", inbox.put)
            assert await ask(driver, inbox, 1, bytes(400_000)) == {process.pid}


async def test_a_killed_process_disturbs_nobody_and_what_it_left_is_removed(sockets: Sockets) -> None:
    inbox = Inbox()
    with member(sockets) as lives, member(sockets) as dies:
        async with BroadcastDriver(NAME, sockets=sockets) as driver:
            await driver.subscribe("answer", inbox.put)
            await ask(driver, inbox, 2)
            dies.kill()
            dies.wait()
            assert len(members(runtime_folder(), group_of(NAME), "")) == 3
            assert await ask(driver, inbox, 1) == {lives.pid}
            assert await ask(driver, inbox, 1) == {lives.pid}
            await until(lambda: len(members(runtime_folder(), group_of(NAME), "")) == 2)


async def test_entering_removes_the_sockets_of_killed_processes() -> None:
    with member("unix") as dies:
        dies.kill()
        dies.wait()
        [stale] = members(runtime_folder(), group_of(NAME), "")
        async with BroadcastDriver("another name"):
            assert stale not in entries()


async def test_leaving_removes_the_socket_and_the_empty_folder(sockets: Sockets) -> None:
    async with BroadcastDriver(NAME, sockets=sockets):
        assert len(entries()) == 1
    assert not runtime_folder().exists()


async def test_a_process_that_stands_still_holds_up_nobody(sockets: Sockets) -> None:
    inbox = Inbox()
    with member(sockets) as stands, member(sockets) as goes:
        async with BroadcastDriver(NAME, sockets=sockets) as driver:
            await driver.subscribe("answer", inbox.put)
            await ask(driver, inbox, 2)
            stands.send_signal(signal.SIGSTOP)
            with anyio.fail_after(PATIENCE):
                for _ in range(2 * MAX_QUEUE // 500_000):
                    assert await ask(driver, inbox, 1, bytes(500_000)) == {goes.pid}
            stands.send_signal(signal.SIGCONT)


async def test_a_process_that_stands_still_is_not_taken_for_dead(sockets: Sockets) -> None:
    inbox = Inbox()
    with member(sockets) as stands:
        stands.send_signal(signal.SIGSTOP)
        async with BroadcastDriver(NAME, sockets=sockets) as driver:
            await driver.subscribe("answer", inbox.put)
            await driver.publish("ask", b"first ")
            await anyio.sleep(0.05)
            stands.send_signal(signal.SIGCONT)
            assert await inbox.wait(1) == [b"first " + str(stands.pid).encode()]


async def test_leaving_does_not_wait_long_for_a_process_that_stands_still(sockets: Sockets) -> None:
    with member(sockets) as stands:
        stands.send_signal(signal.SIGSTOP)
        with anyio.fail_after(FLUSH_TIMEOUT + 1):
            async with BroadcastDriver(NAME, sockets=sockets) as driver:
                for _ in range(4):
                    await driver.publish("ask", bytes(500_000))
        stands.send_signal(signal.SIGCONT)


async def test_drivers_of_different_names_do_not_reach_each_other(sockets: Sockets) -> None:
    inbox, same = Inbox(), Inbox()
    async with (
        BroadcastDriver("one", sockets=sockets) as one,
        BroadcastDriver("other", sockets=sockets) as other,
        BroadcastDriver("other", sockets=sockets) as witness,
    ):
        await one.subscribe("room", inbox.put)
        await witness.subscribe("room", same.put)
        await other.publish("room", b"hello")
        await same.wait(1)
    assert inbox.packets == []


async def test_peers_that_share_a_driver_hear_each_other_with_echo() -> None:
    inbox = Inbox()
    async with BroadcastDriver(NAME, echo=True) as driver:
        await driver.subscribe("room", inbox.put)
        await driver.publish("room", b"hello")
    assert inbox.packets == [b"hello"]


async def test_a_process_that_speaks_another_language_is_cut_off() -> None:
    inbox = Inbox()
    async with BroadcastDriver(NAME) as driver, BroadcastDriver(NAME) as other:
        await driver.subscribe("room", inbox.put)
        for name in members(runtime_folder(), group_of(NAME), ""):
            with socket.socket(socket.AF_UNIX) as stranger:
                stranger.connect(str(runtime_folder() / name))
                stranger.settimeout(PATIENCE)
                stranger.sendall(b"\xff" * 100)
                await anyio.to_thread.run_sync(stranger.recv, 1)
        await other.publish("room", b"still here")
        assert await inbox.wait(1) == [b"still here"]


async def test_loopback_believes_nobody_who_has_not_read_the_file() -> None:
    inbox = Inbox()
    async with (
        BroadcastDriver(NAME, sockets="loopback") as driver,
        BroadcastDriver(NAME, sockets="loopback") as other,
    ):
        await driver.subscribe("room", inbox.put)
        for name in members(runtime_folder(), group_of(NAME), ""):
            port = int((runtime_folder() / name).read_text().split(":")[1].split(",")[0])
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as stranger:
                stranger.sendall(bytes(16) + bytes(32) + b"\x00\x00\x00\x01\x00\x04roomX")
                with suppress(ConnectionResetError):
                    await anyio.to_thread.run_sync(read_all, stranger)
        await other.publish("room", b"real")
        assert await inbox.wait(1) == [b"real"]


async def test_loopback_tells_nothing_to_somebody_else_on_the_port_of_a_dead_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as imposter:
        imposter.settimeout(PATIENCE)
        async with BroadcastDriver(NAME, sockets="loopback") as driver:
            stale = runtime_folder() / f"{group_of(NAME)}.00000000"
            port = imposter.getsockname()[1]
            stale.write_text(f'{{"port": {port}, "secret": "{"00" * 32}"}}')
            await driver.publish("room", b"a secret of ours")
            connection, _ = await anyio.to_thread.run_sync(imposter.accept)
            with connection:
                connection.sendall(bytes(48))
                heard = await anyio.to_thread.run_sync(read_all, connection)
            await until(lambda: not stale.exists())
    assert len(heard) == 16


async def test_the_folder_is_open_to_its_user_only() -> None:
    async with BroadcastDriver(NAME):
        assert stat.S_IMODE(runtime_folder().stat().st_mode) == 0o700


async def test_a_folder_that_others_can_open_is_refused(folder: Path, sockets: Sockets) -> None:
    (folder / "open").mkdir()
    (folder / "open").chmod(0o755)
    with pytest.raises(SignalingError, match="open to other users"):
        async with BroadcastDriver(NAME, folder=folder / "open", sockets=sockets):
            pass


async def test_a_folder_of_another_user_is_refused(folder: Path) -> None:
    require_root("give a folder away")
    (folder / "theirs").mkdir(mode=0o700)
    os.chown(folder / "theirs", 12345, 12345)
    with pytest.raises(SignalingError, match="belongs to user 12345"):
        async with BroadcastDriver(NAME, folder=folder / "theirs"):
            pass


async def test_a_link_in_place_of_the_folder_is_refused(folder: Path) -> None:
    (folder / "target").mkdir(mode=0o700)
    (folder / "link").symlink_to(folder / "target")
    with pytest.raises(SignalingError, match="not a folder"):
        async with BroadcastDriver(NAME, folder=folder / "link"):
            pass


async def test_a_missing_parent_is_named(folder: Path, sockets: Sockets) -> None:
    with pytest.raises(SignalingError, match="there is no"):
        async with BroadcastDriver(NAME, folder=folder / "missing" / "folder", sockets=sockets):
            pass


async def test_a_path_too_long_for_sockets_is_refused(folder: Path) -> None:
    with pytest.raises(SignalingError, match="too long"):
        async with BroadcastDriver(NAME, folder=folder / ("x" * MAX_SOCKET_PATH)):
            pass


async def test_a_runtime_folder_too_long_for_sockets_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    long = folder / ("x" * MAX_SOCKET_PATH)
    long.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    async with BroadcastDriver(NAME) as driver:
        assert driver.active
    long.rmdir()


async def test_without_a_runtime_folder_a_temporary_one_of_the_user_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    expected = Path(tempfile.gettempdir()) / f"peerix-{os.geteuid()}"
    # This machine may have one.
    monkeypatch.setattr("peerix.drivers.broadcast.folder._is_ours", lambda _: False)
    async with BroadcastDriver(NAME):
        assert stat.S_IMODE(expected.stat().st_mode) == 0o700


async def test_sharing_with_other_users_opens_the_folder_but_not_for_removal(folder: Path) -> None:
    async with BroadcastDriver(NAME, folder=folder / "shared", shared=True):
        assert stat.S_IMODE((folder / "shared").stat().st_mode) == 0o1777


async def test_a_shared_folder_without_the_sticky_bit_is_refused(folder: Path) -> None:
    (folder / "loose").mkdir()
    (folder / "loose").chmod(0o777)
    with pytest.raises(SignalingError, match="sticky"):
        async with BroadcastDriver(NAME, folder=folder / "loose", shared=True):
            pass


@pytest.mark.parametrize("shared", [True, False])
async def test_a_process_of_another_user_is_heard_only_when_sharing(folder: Path, shared: bool) -> None:
    require_root("become somebody else")
    inbox, same = Inbox(), Inbox()
    async with BroadcastDriver(NAME, folder=folder / "d", shared=shared) as driver:
        await driver.subscribe("room", inbox.put)
        await driver.subscribe("own", same.put)
        [name] = members(folder / "d", group_of(NAME), "")
        for path, mode in ((folder, 0o755), (folder / "d", 0o1777), (folder / "d" / name, 0o666)):
            os.chmod(path, mode)  # noqa: PTH101
        code = (
            "import os, socket, sys; os.setuid(12345); s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
            r"s.sendall(b'\0\0\0\1\0\4roomX'); s.settimeout(5); s.shutdown(socket.SHUT_WR); s.recv(1)"
        )
        await anyio.run_process([sys.executable, "-c", code, str(folder / "d" / name)], check=False)
        assert inbox.packets == ([b"X"] if shared else [])


async def test_the_system_tells_the_user_at_the_other_end() -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert peer_user(one) == os.geteuid()


async def test_the_lock_of_the_folder_is_held_by_one_at_a_time(folder: Path) -> None:
    place = Folder(folder / "d", shared=False, name_length=None)
    place.prepare()
    inside = 0
    most = 0

    async def hold() -> None:
        nonlocal inside, most
        async with place.locked():
            inside += 1
            most = max(most, inside)
            await anyio.sleep(0.002)
            inside -= 1

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(hold)
    assert most == 1


async def test_many_drivers_entering_and_leaving_at_once_all_find_a_place() -> None:
    async def come_and_go() -> None:
        for _ in range(5):
            async with BroadcastDriver(NAME) as driver:
                await driver.publish("room", b"hello")

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(come_and_go)
    assert not runtime_folder().exists()


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(64), b""))


async def until(condition: Any) -> None:
    with anyio.fail_after(PATIENCE):
        while not condition():
            await anyio.sleep(0.005)
