"""What comes by itself, files or streams: whether it has begun, how much of it failed, and when it is over."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import anyio

from peerix.cli.exits import CommandError, Exit

if TYPE_CHECKING:
    from collections.abc import Callable


class Progress:
    """How far it is, and who waits for it to go on.

    :ivar begun: whether anything has begun to come.
    :ivar failures: how much of it failed.
    """

    def __init__(self) -> None:
        self.begun = False
        self.failures = 0
        self._changed = anyio.Event()

    def begin(self) -> None:
        """Something has begun."""
        self.begun = True
        self.change()

    def change(self) -> None:
        """Something is otherwise: those who wait look again."""
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def wait_changed(self) -> None:
        """Wait until something is otherwise."""
        await self._changed.wait()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds that changes."""
        while not condition():
            await self.wait_changed()


class Arrivals(Protocol):
    """Who takes what comes."""

    @property
    def progress(self) -> Progress:
        """How far it is."""
        ...

    async def wait_over(self) -> None:
        """Wait until there was something, and nothing more is to be expected."""
        ...


async def wait_for_all(arrivals: Arrivals, *, keep: bool, limit: float, nobody: str) -> Exit:
    """Wait until it is over; with `keep`, until somebody stops us.

    :param limit: seconds until something has to begin; 0 for none
    :param nobody: what nobody did when nothing began
    :raises CommandError: nothing began in time
    """
    progress = arrivals.progress
    with anyio.move_on_after(limit or math.inf):
        await progress.wait_until(lambda: progress.begun)
    if not progress.begun:
        raise CommandError(f"nobody {nobody} within {limit:g} s", Exit.NOBODY_CAME)
    await (anyio.sleep_forever() if keep else arrivals.wait_over())
    return Exit.FAILED if progress.failures else Exit.DONE
