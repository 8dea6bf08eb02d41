"""Tests that leave something behind on purpose; `test_leaks.py` runs them in a process of their own."""

from __future__ import annotations

import asyncio
import gc
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings

import anyio
import pytest
import trio
from anyio import from_thread, to_thread

from tests.support import leaks

leaks.THREAD_GRACE = 0.1  # nothing here goes away by waiting
kept: list[object] = []


@pytest.mark.anyio
async def test_clean() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 0)
    await to_thread.run_sync(time.sleep, 0.01)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
    with tempfile.NamedTemporaryFile():
        pass
    await anyio.run_process([sys.executable, "-c", ""])


def test_clean_sync() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


@pytest.mark.anyio
async def test_task(anyio_backend_name: str) -> None:
    if anyio_backend_name == "trio":
        trio.lowlevel.spawn_system_task(trio.sleep_forever)
    else:
        kept.append(asyncio.get_running_loop().create_task(asyncio.sleep(100)))


@pytest.mark.anyio
async def test_open_task_group() -> None:
    group = anyio.create_task_group()
    await group.__aenter__()
    group.start_soon(anyio.sleep, 100)
    kept.append(group)
    kept.append(group.cancel_scope)


@pytest.mark.anyio
async def test_socket() -> None:
    kept.append(socket.socket())


def test_socket_sync() -> None:
    kept.append(socket.socket())


@pytest.mark.anyio
async def test_thread() -> None:
    threading.Thread(target=time.sleep, args=(2,), name="left behind").start()


@pytest.mark.anyio
async def test_busy_pool_thread() -> None:
    with anyio.move_on_after(0.01):
        await to_thread.run_sync(time.sleep, 10, abandon_on_cancel=True)


@pytest.mark.anyio
async def test_portal() -> None:
    portal = from_thread.start_blocking_portal("asyncio")
    await to_thread.run_sync(portal.__enter__)
    kept.append(portal)


@pytest.mark.anyio
async def test_child() -> None:
    kept.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(2)"]))  # noqa: ASYNC220


def test_zombie_sync() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    time.sleep(0.5)
    kept.append(child)


@pytest.mark.anyio
async def test_file() -> None:
    kept.append(tempfile.NamedTemporaryFile(delete=False))  # noqa: SIM115


def test_folder_sync() -> None:
    tempfile.mkdtemp()


@pytest.mark.anyio
async def test_warning() -> None:
    warnings.warn("something old", DeprecationWarning, stacklevel=1)


@pytest.mark.anyio
async def test_unraisable() -> None:
    class Raises:
        def __del__(self) -> None:
            raise ValueError

    Raises()
    gc.collect()


@pytest.mark.anyio
async def test_coroutine_never_awaited() -> None:
    anyio.sleep(1)  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]


@pytest.mark.anyio
async def test_asyncio_loop(anyio_backend_name: str) -> None:
    if anyio_backend_name == "trio":
        asyncio.new_event_loop().close()


@pytest.mark.anyio
async def test_asyncio_loop_in_a_portal() -> None:
    def use_portal() -> None:
        with from_thread.start_blocking_portal("asyncio") as portal:
            portal.call(anyio.sleep, 0)

    await to_thread.run_sync(use_portal)


@pytest.mark.anyio
async def test_socket_in_a_cycle() -> None:
    cycle: list[object] = [socket.socket()]
    cycle.append(cycle)


@pytest.mark.anyio
async def test_after_the_cycle() -> None:
    """pytest reports what a collection found in teardown once more in the next test, which is this one."""
