"""Keeps encoders from making this process one of real time.

SVT-AV1, opened by root, puts the thread that opens it and all its own into SCHED_FIFO with the highest priority: what
the program starts from then on inherits that, and starves the machine.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

_THREADS = "/proc/self/task"


@contextmanager
def usual_scheduling() -> Generator[None]:
    """Give this thread, and those that the block starts, the scheduling that this thread had before."""
    if sys.platform != "linux":
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    before = set(os.listdir(_THREADS))
    try:
        yield
    finally:
        for thread in {"0", *os.listdir(_THREADS)} - before:
            # A thread may be gone by now.
            with suppress(OSError):
                os.sched_setscheduler(int(thread), policy, parameters)
