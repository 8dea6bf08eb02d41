"""Packages of npm, installed where tests and the example page need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.peers import packages
from tests.support.components import miss, require_program

if TYPE_CHECKING:
    from pathlib import Path


def install_packages(folder: Path) -> None:
    """Install what the folder's package-lock.json says, unless that is there already.

    Skips the test with the reason when it cannot be done; with CI=true that is a failure.
    """
    require_program("npm")
    trouble = packages.install_packages(folder)
    if trouble is not None:
        miss(f"npm cannot install the packages of {folder.name}: {trouble}")
