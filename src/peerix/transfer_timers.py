"""The timers of the transfers on one channel: a task while there are any, which sleeps until one of them is due."""

from __future__ import annotations

import math
from time import monotonic
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from peerix.core.rooms.transfer.channel import ChannelTransfers
    from peerix.rtc import DataChannel

PATIENCE = 1.0
"""Seconds for which nobody watches whether SCTP has delivered a message: nearly all are acknowledged by then, and
watching costs a task switch a message."""


class TransferTimers:
    """Lets the timers of `ChannelTransfers` run.

    :param work: called after the timers have run, to act on what they have done.
    """

    __slots__ = ("_armed", "_channel", "_ended", "_look_at", "_rearm", "_running", "_transfers", "_work")

    def __init__(self, channel: DataChannel, transfers: ChannelTransfers, work: Callable[[], None]) -> None:
        self._channel = channel
        self._transfers = transfers
        self._work = work
        self._rearm = anyio.Event()
        self._armed = math.inf
        self._look_at: float | None = None
        self._running = False
        self._ended = False

    def arm(self, tasks: TaskGroup) -> None:
        """See to it that the task runs when there is a timer, and that it sleeps no longer than until the first."""
        due = self._due()
        if due is None or self._ended:
            return
        if not self._running:
            self._running = True
            tasks.start_soon(self._run, name=f"timers of {self._channel.label!r}")
        elif due < self._armed:
            self._rearm.set()

    def end(self) -> None:
        """No task may be started any more."""
        self._ended = True

    def _due(self) -> float | None:
        """When there is something to do; None for never."""
        due = self._transfers.next_timeout()
        if self._transfers.sender.undelivered is None:
            self._look_at = None
            return due
        if self._look_at is None:
            self._look_at = monotonic() + PATIENCE
        return self._look_at if due is None else min(due, self._look_at)

    async def _run(self) -> None:
        try:
            while (due := self._due()) is not None:
                self._rearm = anyio.Event()
                now = monotonic()
                if due > now:
                    self._armed = due
                    with anyio.move_on_after(due - now):
                        await self._rearm.wait()
                elif due == self._look_at:
                    await self._wait_delivered(now)
                self._handle_timeout(monotonic())
        finally:
            self._running = False

    async def _wait_delivered(self, now: float) -> None:
        """Wait until SCTP has delivered a message that has been under way for long, or another timer is due."""
        due = self._transfers.next_timeout()
        self._armed = math.inf if due is None else due
        with anyio.move_on_after(self._armed - now):
            await self._channel.watch(self._has_delivered, self._rearm)

    def _delivered(self) -> int:
        # Answers count as unacknowledged as well: this may be too little, never too much.
        return self._transfers.sender.offset - self._channel.unacknowledged_amount

    def _has_delivered(self) -> bool:
        wanted = self._transfers.sender.undelivered
        return wanted is None or self._delivered() >= wanted

    def _handle_timeout(self, now: float) -> None:
        before = self._transfers.sender.undelivered
        self._transfers.sender.handle_delivered(self._delivered(), now)
        if self._transfers.sender.undelivered != before:
            self._look_at = None  # the next one has had less time
        self._transfers.handle_timeout(now)
        self._work()
