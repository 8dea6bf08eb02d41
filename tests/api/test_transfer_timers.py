"""The timers of transfers: when their task runs, and what it waits for."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import create_task_group, fail_after

from peerix import transfer_timers
from peerix.core.rooms.transfer.channel import ChannelTransfers
from peerix.core.rooms.transfer.outgoing import ACKNOWLEDGEMENT_TIMEOUT
from peerix.transfer_timers import TransferTimers

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.rtc import DataChannel

pytestmark = pytest.mark.anyio

LIMIT = 30.0
"""Seconds after which a test gives up."""


class Wire:
    """Stands for a data channel: how much of what was sent SCTP has acknowledged."""

    label = "chat"

    def __init__(self) -> None:
        self.unacknowledged_amount = 0
        self.watched = anyio.Event()
        self._watchers: list[tuple[Callable[[], bool], anyio.Event]] = []

    async def watch(self, condition: Callable[[], bool], event: anyio.Event) -> None:
        """See `DataChannel.watch`."""
        self._watchers.append((condition, event))
        self.watched.set()
        await event.wait()

    def acknowledge(self) -> None:
        """SCTP has delivered everything."""
        self.unacknowledged_amount = 0
        for condition, event in self._watchers:
            if condition():
                event.set()


class Ends:
    """Transfers with timers over such a wire."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.transfers = ChannelTransfers(polite=True)
        self.worked = anyio.Event()
        channel: DataChannel = self.wire  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
        self.timers = TransferTimers(channel, self.transfers, self._work)

    def _work(self) -> None:
        self.worked.set()
        self.worked = anyio.Event()

    def send(self) -> int:
        """Send a message and give its id."""
        transfer = self.transfers.sender.start(b"x", kind=1)
        self.transfers.packets_to_send(1000)
        self.wire.unacknowledged_amount = self.transfers.sender.offset
        return transfer.id


async def test_no_task_runs_while_there_is_nothing_to_wait_for() -> None:
    ends = Ends()
    with fail_after(LIMIT):
        async with create_task_group() as tasks:
            ends.timers.arm(tasks)


async def test_the_task_ends_when_the_message_is_acknowledged_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer_timers, "PATIENCE", 0.01)
    ends = Ends()
    with fail_after(LIMIT):
        async with create_task_group() as tasks:
            number = ends.send()
            ends.timers.arm(tasks)
            ends.transfers.sender.handle_acknowledgement(number)
    assert not ends.wire.watched.is_set()


async def test_the_clock_of_a_message_starts_when_sctp_delivers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer_timers, "PATIENCE", 0.01)
    ends = Ends()
    with fail_after(LIMIT):
        async with create_task_group() as tasks:
            number = ends.send()
            ends.timers.arm(tasks)
            await ends.wire.watched.wait()
            assert ends.transfers.next_timeout() is None
            ends.wire.acknowledge()
            await ends.worked.wait()
            due = ends.transfers.next_timeout()
            assert due is not None
            assert due > monotonic()
            ends.transfers.sender.handle_acknowledgement(number)
            tasks.cancel_scope.cancel()


async def test_a_timer_that_is_due_earlier_wakes_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = Ends()
    with fail_after(LIMIT):
        async with create_task_group() as tasks:
            # Sleeps for the 10 s that a receiver has.
            ends.send()
            ends.transfers.sender.handle_delivered(ends.transfers.sender.offset, monotonic())
            ends.timers.arm(tasks)
            await anyio.wait_all_tasks_blocked()
            # The look after a new message comes first.
            monkeypatch.setattr(transfer_timers, "PATIENCE", 0.01)
            started = monotonic()
            ends.send()
            ends.timers.arm(tasks)
            await ends.worked.wait()
            assert monotonic() - started < ACKNOWLEDGEMENT_TIMEOUT / 2
            tasks.cancel_scope.cancel()


async def test_nothing_starts_after_the_end() -> None:
    ends = Ends()
    ends.send()
    ends.timers.end()
    with fail_after(LIMIT):
        async with create_task_group() as tasks:
            ends.timers.arm(tasks)
