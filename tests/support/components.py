"""The real programs that tests run against (a signalling server, later a browser and a TURN server)."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

# Debian puts servers into folders that are not on every user's path.
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))


def find_program(name: str) -> str | None:
    """Find an installed program."""
    return shutil.which(name, path=_PATH)


def require_program(name: str) -> str:
    """Find an installed program, or skip the test with the reason; with CI=true its absence is a failure.

    Its package belongs into ``tests/support/system-packages.txt``, from which `make test` installs.
    """
    found = find_program(name)
    if found is None:
        miss(f"{name} is not installed; `make test` as root installs it, see tests/support/system-packages.txt")
    return found


def require_root(purpose: str) -> None:
    """Skip the test unless root runs it, for example to "give a folder away"; with CI=true it fails then."""
    if os.geteuid() != 0:
        miss(f"only root can {purpose}")


def miss(reason: str) -> NoReturn:
    """Skip the test, which lacks something of the machine; with CI=true fail it: there nothing is to be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
