"""Call-backs for a socket that has something to read."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from anyio import Event, create_task_group, fail_after, get_current_task, sleep, sleep_forever, wait_all_tasks_blocked
from anyio.lowlevel import checkpoint, current_token

from peerix.rtc.socket_reader import SocketReader
from tests.support.connections import connected_pair
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio


@contextmanager
def socket_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two sockets; what is sent on the first arrives at the second."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        theirs.setblocking(False)
        yield ours, theirs


async def test_each_datagram_is_read() -> None:
    with socket_pair() as (ours, theirs):
        got: list[bytes] = []
        reader = SocketReader(theirs, lambda: got.append(theirs.recv(100)))
        with fail_after(PATIENCE):
            async with create_task_group() as tasks:
                reader.start(tasks, "reader")
                for number in range(20):
                    ours.send(bytes([number]))
                    if number % 3 == 0:
                        await checkpoint()
                await until(lambda: len(got) == 20)
                reader.close()
        assert got == [bytes([number]) for number in range(20)]


def failing_reader(sock: socket.socket) -> SocketReader:
    def fail() -> None:
        sock.recv(100)
        message = "a bug"
        raise ZeroDivisionError(message)

    return SocketReader(sock, fail)


async def test_what_reading_raises_comes_out_of_the_group_in_which_it_was_started() -> None:
    with socket_pair() as (ours, theirs):
        ours.send(b"x")
        with fail_after(PATIENCE), pytest.raises(ExceptionGroup) as raised:
            async with create_task_group() as tasks:
                failing_reader(theirs).start(tasks, "reader")
                await sleep_forever()
        assert raised.group_contains(ZeroDivisionError, match="a bug")


async def test_closing_ends_what_was_started() -> None:
    with socket_pair() as (ours, theirs):
        got: list[bytes] = []
        reader = SocketReader(theirs, lambda: got.append(theirs.recv(100)))
        with fail_after(PATIENCE):
            async with create_task_group() as tasks:
                reader.start(tasks, "reader")
                ours.send(b"1")
                await until(lambda: bool(got))
                reader.close()
                ours.send(b"2")
                await sleep(0.01)
        assert got == [b"1"]


async def test_closing_twice_is_harmless() -> None:
    with socket_pair() as (_, theirs):
        reader = SocketReader(theirs, lambda: None)
        with fail_after(PATIENCE):
            async with create_task_group() as tasks:
                reader.start(tasks, "reader")
                await sleep(0.01)
                reader.close()
                reader.close()


@pytest.mark.parametrize("before", [True, False])
async def test_a_socket_that_is_closed_already_is_not_read(*, before: bool) -> None:
    with socket_pair() as (_, theirs), fail_after(PATIENCE):
        async with create_task_group() as tasks:
            reader = SocketReader(theirs, lambda: None)
            if before:
                theirs.close()
            reader.start(tasks, "reader")
            reader.close()
            theirs.close()


async def test_a_reading_may_close_other_sockets_that_have_something_to_read() -> None:
    with socket_pair() as (a, b), socket_pair() as (c, d), fail_after(PATIENCE):
        calls = 0

        def close_both() -> None:
            nonlocal calls
            calls += 1
            for reader, sock in zip(readers, (b, d), strict=True):
                reader.close()
                sock.close()

        async with create_task_group() as tasks:
            readers = [SocketReader(sock, close_both) for sock in (b, d)]
            for reader in readers:
                reader.start(tasks, "reader")
            await wait_all_tasks_blocked()
            for sock in (a, c):
                sock.send(b"x")
            await until(lambda: calls > 0)


@pytest.mark.parametrize("end", ["close", "failure"])
async def test_nothing_calls_back_after_the_end(end: str) -> None:
    with socket_pair() as (ours, theirs):
        calls = 0

        def read() -> None:
            nonlocal calls
            calls += 1
            theirs.recv(100)
            if end == "failure":
                raise ZeroDivisionError

        reader = SocketReader(theirs, read)
        with fail_after(PATIENCE):
            try:
                async with create_task_group() as tasks:
                    reader.start(tasks, "reader")
                    ours.send(b"1")
                    await until(lambda: calls == 1)
                    if end == "close":
                        reader.close()
            except* ZeroDivisionError:
                pass
            ours.send(b"2")
            await sleep(0.01)
        assert calls == 1
        assert theirs.recv(100) == b"2"


async def test_a_reading_that_never_empties_the_socket_lets_the_others_run_and_can_be_cancelled() -> None:
    with socket_pair() as (ours, theirs):
        calls = 0

        def leave_it() -> None:
            nonlocal calls
            calls += 1

        ours.send(b"x")
        with fail_after(PATIENCE):
            async with create_task_group() as tasks:
                reader = SocketReader(theirs, leave_it)
                reader.start(tasks, "reader")
                await until(lambda: calls > 20)
                reader.close()
                tasks.cancel_scope.cancel()


async def test_reading_may_start_tasks_and_make_events() -> None:
    with socket_pair() as (ours, theirs):
        names: list[str | None] = []

        async def note() -> None:
            names.append(get_current_task().name)

        async with create_task_group() as tasks:

            def read() -> None:
                theirs.recv(100)
                Event().set()
                tasks.start_soon(note, name="started by a reading")

            reader = SocketReader(theirs, read)
            reader.start(tasks, "reader")
            ours.send(b"x")
            with fail_after(PATIENCE):
                await until(lambda: bool(names))
            reader.close()
        assert names == ["started by a reading"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_loop_without_call_backs_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = current_token().native_token
    assert isinstance(loop, asyncio.AbstractEventLoop)
    with socket_pair() as (ours, theirs):
        got: list[bytes] = []
        refused: list[str] = []
        given = loop.add_reader

        def refuse_once(*arguments: Any) -> None:
            if refused:
                given(*arguments)
                return
            refused.append("no call-backs")
            raise NotImplementedError

        monkeypatch.setattr(loop, "add_reader", refuse_once)
        with fail_after(PATIENCE):
            async with create_task_group() as tasks:
                SocketReader(theirs, lambda: got.append(theirs.recv(100))).start(tasks, "reader")
                ours.send(b"x")
                await until(lambda: bool(got))
                tasks.cancel_scope.cancel()
        assert (got, refused) == ([b"x"], ["no call-backs"])


def test_connections_work_in_a_program_that_started_asyncio_itself() -> None:
    async def talk() -> bytes | str:
        async with connected_pair() as (_, _, ours, theirs):
            await ours.send(b"hello")
            return await theirs.receive()

    async def main() -> bytes | str:
        return await asyncio.wait_for(talk(), PATIENCE)

    assert asyncio.run(main()) == b"hello"
