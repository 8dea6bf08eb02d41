"""What a stack has to do to be measured. Each does it in the way its own users would."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import anyio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskStatus

    from benchmarks.wire import Wire

BUFFERED = 1024 * 1024  # bytes that a sender keeps queued in its stack

# For the memory of a pair: those that take what the process needs only once, those that are measured, and those of
# them that move messages.
FIRST_PAIRS = 3
IDLE_PAIRS = 20
MOVING_PAIRS = 5


def memory_of_pairs(idle: float, sizes: Sequence[int]) -> dict[str, float]:
    """Tell what a transfer leaves behind in a pair, and what in the process.

    :param idle: bytes of a pair before.
    :param sizes: of the process: before, after a first transfer that does not count, and after that of each other pair.
        An allocator takes memory for all of them once, whenever it does; so the median is what a pair takes.
    """
    grown = [later - earlier for earlier, later in pairwise(sizes[1:])]
    return {"idle": idle, "after": idle + statistics.median(grown), "kept": sizes[-1] - sizes[0]}


@dataclass(slots=True)
class Meter:
    """Counts what arrives."""

    messages: int = 0
    size: int = 0

    async def reach(self, messages: int) -> None:
        """Wait until so many have arrived. It polls, so that counting is two additions for every stack."""
        while self.messages < messages:  # noqa: ASYNC110
            await anyio.sleep(0.001)


class Endpoint(Protocol):
    """One end of a connection with one ordered, reliable data channel."""

    async def offer(self, wire: Wire) -> float:
        """Connect as the side that offers; returns the seconds from making the offer to the open channel."""
        ...

    async def answer(self, wire: Wire) -> None:
        """Connect as the side that answers."""
        ...

    async def flood(self, message: bytes, count: int | None) -> None:
        """Send ``count`` messages, or without a count until cancelled, as fast as they go."""
        ...

    async def sink(self, meter: Meter) -> None:
        """Count messages until cancelled."""
        ...

    async def ping(self, message: bytes, count: int) -> list[float]:
        """Send and await the echo ``count`` times; returns the round trips in seconds."""
        ...

    async def echo(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Send every message back until cancelled; started when none can be missed any more."""
        ...

    async def second_channel(self, wire: Wire, *, offering: bool) -> Endpoint:
        """Open another channel on the same connection; the end that was ``offering`` opens it."""
        ...

    def cpu_seconds(self) -> float:
        """Processor time of whatever does the work, so far."""
        ...
