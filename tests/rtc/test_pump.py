"""What a flush of the pump sends, and when the pump wakes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

import pytest
from anyio import create_task_group, sleep, wait_all_tasks_blocked

from peerix.rtc.pump import MAX_FLUSH, MUCH_LATER, Pump

if TYPE_CHECKING:
    from peerix.core.session import Session

pytestmark = pytest.mark.anyio

ADDRESS = ("127.0.0.1", 9)


class OneAtATime:
    """Stands for a session that gives a datagram at each call."""

    def __init__(self, count: int, size: int = 100) -> None:
        self.left = count
        self.size = size

    def poll_events(self) -> list[object]:
        """Nothing has happened."""
        return []

    def datagrams_to_send(self, now: float) -> list[tuple[int, tuple[str, int], bytes, int]]:
        """Give the next one."""
        if not self.left:
            return []
        self.left -= 1
        return [(0, ADDRESS, bytes(self.size), 0)]

    @property
    def has_more(self) -> bool:
        """Whether there is another one."""
        return self.left > 0

    def next_timeout(self) -> None:
        """No timer runs."""


class Port:
    """Counts what is sent, and has room for so many datagrams."""

    port_id = 0

    def __init__(self, room: int) -> None:
        self.sent = 0
        self._room = room

    @property
    def blocked(self) -> bool:
        """Whether there was no room for all."""
        return self.sent >= self._room

    def send(self, destination: tuple[str, int], buffer: bytes, segment_size: int) -> None:
        """Count it."""
        self.sent += 1

    def close(self) -> None:
        """Nothing to close."""


def flush(session: OneAtATime, room: int = 1_000_000) -> int:
    """Flush once and tell how many datagrams left."""
    pump = Pump(cast("Session", session), lambda events: None)
    port = Port(room)
    pump.add_port(port)
    pump.finish(0.0)
    return port.sent


async def test_a_flush_asks_until_there_is_nothing_to_send() -> None:
    assert flush(OneAtATime(5)) == 5


async def test_a_flush_ends_when_the_system_has_no_room() -> None:
    assert flush(OneAtATime(5), room=2) == 2


async def test_a_flush_lets_others_run_after_so_many_bytes() -> None:
    assert flush(OneAtATime(100, size=60_000)) == -(-MAX_FLUSH // 60_000)


class Timed:
    """Stands for a session with one deadline."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.woken = 0

    def poll_events(self) -> list[object]:
        """Nothing has happened."""
        return []

    def datagrams_to_send(self, now: float) -> list[tuple[int, tuple[str, int], bytes, int]]:
        """Nothing to send."""
        return []

    def next_timeout(self) -> float:
        """Return the deadline."""
        return self.deadline

    def handle_timeout(self, now: float) -> None:
        """Count the wake-up; nothing is due for long."""
        self.woken += 1
        self.deadline = now + 1000


async def wake_ups(first: float, later: float, waiting: float) -> int:
    """Let a pump sleep `first` seconds, make it `later` after a moment, and count its wake-ups while `waiting`."""
    start = time.monotonic()
    session = Timed(start + first)
    pump = Pump(cast("Session", session), lambda events: None)
    async with create_task_group() as tasks:
        pump.start(tasks)
        await wait_all_tasks_blocked()
        session.deadline = start + later
        pump.finish(time.monotonic())
        await sleep(waiting)
        pump.close()
        tasks.cancel_scope.cancel()
    return session.woken


async def test_a_deadline_that_moved_far_away_wakes_nobody() -> None:
    assert await wake_ups(0.2, 0.2 + 100 * MUCH_LATER, waiting=0.5) == 0


async def test_a_deadline_that_came_nearer_is_kept() -> None:
    assert await wake_ups(100.0, 0.01, waiting=0.5) == 1


async def test_a_deadline_that_has_moved_on_a_little_is_slept_on_when_it_would_have_come() -> None:
    assert await wake_ups(0.05, 0.99 * MUCH_LATER, waiting=0.3) == 0


async def test_a_deadline_that_has_moved_on_a_little_is_kept() -> None:
    assert await wake_ups(0.05, 0.3, waiting=1.0) == 1
