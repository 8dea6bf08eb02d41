"""Runs tests in a copy of the sources, many times, quickly: ``python -m tools.conformance.runner``.

What tests import from elsewhere is loaded once; each run is a fork of that, with the copy's own `peerix` and tests. A
line of input is JSON: the seconds that a run may take, those that a test waits for an event, and pytest's arguments; a
line of output is its exit code and what it printed.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path

LOADED_ONCE = (
    "_pytest.doctest",
    "anyio.pytest_plugin",
    "anyio._backends._asyncio",
    "anyio._backends._trio",
    "cryptography.hazmat.primitives.asymmetric.ec",
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.x509",
    "google_crc32c",
    "hypothesis",
    "ifaddr",
    "OpenSSL.SSL",
    "psutil",
    "pytest",
    "trio",
    "uvloop",
    "xdist.plugin",
)

TESTS_FAILED = 1
"""pytest's exit code."""


def run_here(patience: float, arguments: list[str], output: int) -> int:
    """Run pytest in this process, which ends with it."""
    os.setpgid(0, 0)
    for stream in (1, 2):
        os.dup2(output, stream)
    sys.path.insert(0, str(Path.cwd() / "src"))
    import pytest
    from hypothesis import Phase, settings

    # That a test fails is enough: nobody reads the smallest example.
    settings.register_profile("without shrinking", phases=(Phase.explicit, Phase.generate))
    settings.load_profile("without shrinking")
    from tests.support import waiting

    waiting.PATIENCE = patience
    try:
        return int(pytest.main(arguments))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def run_in_fork(limit: float, patience: float, arguments: list[str]) -> tuple[int, str]:
    """Run pytest in a fork of this process; return its exit code and its output."""
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if not child:
            code = TESTS_FAILED + 1
            try:
                code = run_here(patience, arguments, output.fileno())
            except BaseException:  # noqa: BLE001 - it is shown, and the process ends
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(code)
        code = wait_for(child, limit)
        output.seek(0)
        return code, output.read().decode(errors="replace")


def wait_for(child: int, limit: float) -> int:
    """Wait until a child has ended, or end it and what it started: a test that hangs has failed."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return TESTS_FAILED


def main() -> None:
    """Run what is asked for until there is no more."""
    for name in LOADED_ONCE:
        with suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        limit, patience, arguments = json.loads(line)
        code, output = run_in_fork(limit, patience, arguments)
        print(json.dumps([code, output]), flush=True)


if __name__ == "__main__":
    main()
