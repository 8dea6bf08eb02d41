"""Lines from standard input that can be waited for on any event loop, and given up."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

MAX_LINE = 1 << 20
"""Bytes of a line; a longer one is cut there."""

_READ_SIZE = 65536


async def read_lines(descriptor: int) -> AsyncGenerator[str]:
    """Give the lines of a pipe, terminal or file, without their ends, until it ends."""
    buffer = b""
    while data := await _read(descriptor):
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            for start in range(0, len(line) or 1, MAX_LINE):
                yield _text(line[start : start + MAX_LINE])
        while len(buffer) >= MAX_LINE:
            yield _text(buffer[:MAX_LINE])
            buffer = buffer[MAX_LINE:]
    if buffer:
        yield _text(buffer)


async def _read(descriptor: int) -> bytes:
    if sys.platform == "win32":
        # Nothing there can wait for a console; the thread is left behind when we are cancelled.
        return await to_thread.run_sync(os.read, descriptor, _READ_SIZE, abandon_on_cancel=True)
    try:
        await anyio.wait_readable(descriptor)
    except (PermissionError, OSError):
        # A regular file, or /dev/null: always ready, and nothing that epoll takes.
        await anyio.lowlevel.checkpoint()
    return os.read(descriptor, _READ_SIZE)


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "replace")
