"""What the page needs from npm: installed beside it, by name and version, when it is not there yet."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from examples.browser.errors import SetupError

if TYPE_CHECKING:
    from pathlib import Path

INSTALL_LIMIT = 300.0
"""Seconds that npm may take."""

_STAMP = "node_modules/.peerix-lock"
"""The lock file that was installed from, so that a new one is installed again."""


async def install_packages(folder: Path) -> bool:
    """Install what the folder's package-lock.json says; False if that is there already.

    :raises SetupError: npm is missing, or it failed
    """
    lock = await to_thread.run_sync((folder / "package-lock.json").read_bytes)
    stamp = folder / _STAMP
    if await to_thread.run_sync(_is_current, stamp, lock):
        return False
    npm = shutil.which("npm")
    if npm is None:
        raise SetupError("npm is not installed: apt install npm (Debian, Ubuntu), brew install node (macOS)")
    try:
        with anyio.fail_after(INSTALL_LIMIT):
            done = await anyio.run_process([npm, "ci", "--no-audit", "--no-fund"], cwd=folder, check=False)
    except TimeoutError:
        raise SetupError(f"npm took more than {INSTALL_LIMIT:g} s") from None
    if done.returncode:
        raise SetupError(f"npm could not install what the page needs:\n{done.stderr.decode(errors='replace').strip()}")
    await to_thread.run_sync(stamp.write_bytes, lock)
    return True


def _is_current(stamp: Path, lock: bytes) -> bool:
    return stamp.exists() and stamp.read_bytes() == lock
