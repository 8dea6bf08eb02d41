"""How much of a long message is made into packets at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio import fail_after
from anyio.lowlevel import checkpoint

from peerix.core.rooms.transfer import sender
from peerix.core.rooms.transfer.channel import BUFFER_TARGET, MAX_BUFFER_TARGET
from peerix.transfer_carrier import FAST, SLOW, Writing
from tests.support.peers import PATIENCE, peers_in_room

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.mark.anyio
async def test_a_source_whose_blocks_leave_whole_is_asked_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "FEED_SIZE", 1000)

    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(5):
            await checkpoint()
            yield bytes(2000)

    async with peers_in_room() as (a, b), b.events("channel:message") as messages:
        transfer = a.send(blocks(), "chat")
        with fail_after(PATIENCE):
            event = await messages.receive()
            assert len(await event.data) == 10_000
            await transfer


def test_a_path_that_takes_half_a_buffer_at_once_gets_more_at_a_time() -> None:
    writing = Writing()
    for _ in range(10):
        writing.adapt(FAST / 2)
    assert writing.target == MAX_BUFFER_TARGET


def test_a_path_that_becomes_slow_gets_less_again() -> None:
    writing = Writing()
    for _ in range(10):
        writing.adapt(FAST / 2)
    for _ in range(10):
        writing.adapt(2 * SLOW)
    assert writing.target == BUFFER_TARGET
