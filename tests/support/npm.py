"""Packages of npm, installed where tests and the example page need them."""

from __future__ import annotations

import fcntl
import subprocess
from typing import TYPE_CHECKING

from tests.support.components import miss, require_program

if TYPE_CHECKING:
    from pathlib import Path

INSTALL_TIMEOUT = 300.0  # seconds
_STAMP = "node_modules/.peerix-lock"


def install_packages(folder: Path) -> None:
    """Install what the folder's package-lock.json says, unless that is there already.

    Skips the test with the reason when it cannot be done; with CI=true that is a failure.
    """
    npm = require_program("npm")
    with (folder / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes beside this one want it, too
        trouble = _install(npm, folder, lock.read())
    if trouble is not None:
        miss(f"npm cannot install the packages of {folder.name}: {trouble[-500:]}")


def _install(npm: str, folder: Path, lock: bytes) -> str | None:
    stamp = folder / _STAMP
    if stamp.exists() and stamp.read_bytes() == lock:
        return None
    command = [npm, "ci", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return "it took too long"
    if done.returncode:
        return done.stderr
    stamp.write_bytes(lock)
    return None
