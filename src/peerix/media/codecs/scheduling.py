"""Keeps encoders from making this process one of real time.

SVT-AV1, opened by root, puts the thread that opens it and all its own into SCHED_FIFO with the highest priority: what
the program starts from then on inherits that, and starves the machine.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def usual_scheduling() -> Generator[None]:
    """Give this thread, and those that the block starts, the scheduling that this thread had before."""
    if sys.platform != "linux":
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    before = _threads()
    try:
        yield
    finally:
        for thread in {0} | _threads() - before:
            # A thread may be gone by now.
            with suppress(OSError):
                os.sched_setscheduler(thread, policy, parameters)


def _threads() -> set[int]:
    return {int(entry.name) for entry in Path("/proc/self/task").iterdir()}
