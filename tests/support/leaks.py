"""What a test left behind: tasks, threads, descriptors, child processes, temporary files, event loops.

A snapshot is taken before and after each test, while its event loop is still open; whatever is in the second
and not in the first is a leak. Idle threads of a pool (AnyIO's, trio's, an executor's) are not: they are told
apart by the innermost frames of their stack, which are the pool's own waiting.
"""

from __future__ import annotations

import asyncio
import asyncio.base_events
import contextlib
import os
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import trio
import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

Key = TypeVar("Key")

PREFIX = "pxt-"  # short: the path of a Unix socket has 104 bytes at most
THREAD_GRACE = 1.0  # seconds for a pool's thread to go back to its queue, or for a joined one to end

# The innermost frames of a thread that waits for work: file and function.
_WAITING = (
    (("/threading.py", "wait"), ("/queue.py", "get"), ("/anyio/_backends/_asyncio.py", "run")),
    (("/trio/_core/_thread_cache.py", "_work"),),
    (("/concurrent/futures/thread.py", "_worker"),),
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What exists at one moment, each thing with the words that a person needs to find it."""

    threads: dict[int, str]
    descriptors: dict[tuple[int, str], str]
    children: dict[int, str]
    files: dict[str, str]


def take_snapshot() -> Snapshot:
    """Look around in the process, while no event loop runs: uvloop has more sockets open while it does."""
    return Snapshot(_threads(), _descriptors(), _children(), _files())


def find_leaks(before: Snapshot) -> list[str]:
    """Name what is there now and was not in ``before``.

    Threads alone get a moment: the one that has just handed in its result is on its way back to the pool.
    """
    deadline = time.monotonic() + THREAD_GRACE
    while (threads := _threads()).keys() - before.threads.keys() and time.monotonic() < deadline:
        time.sleep(0.001)
    return [
        *_added("thread", before.threads, threads),
        *_added("descriptor", before.descriptors, _descriptors()),
        *_added("child process", before.children, _children()),
        *_added("temporary file", before.files, _files()),
    ]


def _added(kind: str, before: Mapping[Key, str], after: Mapping[Key, str]) -> list[str]:
    return [f"{kind} left: {after[key]}" for key in after if key not in before]


def running_tasks(backend: str) -> dict[int, str]:
    """List the tasks of the running loop, without those of the test runner's own."""
    if backend == "trio":
        return {id(task): f"{task.name} {task.coro!r}" for task in _trio_tasks()}
    return {id(task): repr(task) for task in asyncio.all_tasks() if not _belongs_to_runner(task)}


def find_tasks(before: dict[int, str], backend: str) -> list[str]:
    """Name the tasks that are not in ``before``."""
    return _added("task", before, running_tasks(backend))


def _belongs_to_runner(task: asyncio.Task[object]) -> bool:
    """AnyIO's runner wraps each step of a test (fixture, body, fixture) in a task of its own."""
    return getattr(task.get_coro(), "__qualname__", "").startswith("TestRunner.")


def _trio_tasks() -> Iterator[trio.lowlevel.Task]:
    root = trio.lowlevel.current_root_task()
    todo = [root] if root is not None else []
    while todo:
        task = todo.pop()
        yield task
        todo.extend(child for nursery in task.child_nurseries for child in nursery.child_tasks)


def _threads() -> dict[int, str]:
    frames = sys._current_frames()
    found: dict[int, str] = {}
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if frame is not None and not _is_idle(frame):
            found[id(thread)] = f"{thread.name} at {''.join(traceback.format_stack(frame)[-3:])}"
    return found


def _is_idle(frame: FrameType) -> bool:
    return any(_ends_with(frame, pattern) for pattern in _WAITING)


def _ends_with(frame: FrameType | None, pattern: tuple[tuple[str, str], ...]) -> bool:
    for file, function in pattern:
        if frame is None or frame.f_code.co_name != function or not frame.f_code.co_filename.endswith(file):
            return False
        frame = frame.f_back
    return True


def _descriptors() -> dict[tuple[int, str], str]:
    if not Path("/proc/self/fd").exists():
        return {}
    found: dict[tuple[int, str], str] = {}
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        # The descriptor of the listing itself is in the list, and gone by now.
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink(f"/proc/self/fd/{name}")  # noqa: PTH115
            if target != os.devnull:  # uvloop keeps one after its first child process
                found[int(name), target] = f"{name} -> {target}"
    return found


def _children() -> dict[int, str]:
    found: dict[int, str] = {}
    for listing in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError):  # the thread ended meanwhile
            for pid in listing.read_text().split():
                found[int(pid)] = f"{pid} {_command_line(pid)}"
    return found


def _command_line(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip() or "(zombie)"
    except OSError:
        return "(gone)"


def _files() -> dict[str, str]:
    found: dict[str, str] = {}
    for folder, folders, files in os.walk(tempfile.gettempdir()):
        folders[:] = [name for name in folders if not name.startswith("pytest-of-")]
        for name in (*folders, *files):
            path = os.path.join(folder, name)  # noqa: PTH118
            found[path] = path
    return found


@contextlib.contextmanager
def private_temporary_folder() -> Iterator[None]:
    """Point TMPDIR and XDG_RUNTIME_DIR at a new folder, so that what is found there is ours."""
    names = ("TMPDIR", "XDG_RUNTIME_DIR")
    saved = {name: os.environ.get(name) for name in names}
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder:
        runtime = Path(folder) / "run"
        runtime.mkdir(mode=0o700)
        os.environ.update(TMPDIR=folder, XDG_RUNTIME_DIR=str(runtime))
        tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = None
            for name, value in saved.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


@contextlib.contextmanager
def no_asyncio_loop_in_this_thread() -> Iterator[list[str]]:
    """Record each asyncio loop made in the calling thread; other threads may have one (a portal does)."""
    made: list[str] = []
    thread = threading.get_ident()

    def note() -> None:
        if threading.get_ident() == thread:
            made.append("".join(traceback.format_stack(limit=12)[:-2]))

    initialise = asyncio.base_events.BaseEventLoop.__init__
    new_uvloop = uvloop.new_event_loop

    def guarded_initialise(self: asyncio.base_events.BaseEventLoop) -> None:
        note()
        initialise(self)

    def guarded_uvloop() -> uvloop.Loop:
        note()
        return new_uvloop()

    with (
        _replaced(asyncio.base_events.BaseEventLoop, "__init__", guarded_initialise),
        _replaced(uvloop, "new_event_loop", guarded_uvloop),
    ):
        yield made


@contextlib.contextmanager
def _replaced(owner: object, name: str, value: Callable[..., object]) -> Iterator[None]:
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)
