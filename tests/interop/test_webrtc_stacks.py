"""Connections with other WebRTC stacks: the one scenario for each that `make test` has time for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.browser_hosts import BROWSERS
from tests.support.foreign import connected
from tests.support.stacks import PROCESSES

if TYPE_CHECKING:
    from tests.support.foreign import Offerer
    from tests.support.stacks import Stack

pytestmark = pytest.mark.anyio

MESSAGES = ("text", "größer 🎉", b"bytes", "", b"", bytes(range(256)) * 256)


@pytest.mark.parametrize("stack", [*PROCESSES, *BROWSERS], indirect=True)
@pytest.mark.parametrize("offerer", ["we", "they"])
async def test_text_bytes_and_empty_messages_arrive_both_ways(stack: Stack, offerer: Offerer) -> None:
    async with connected(stack.agent, stack.configuration, offerer) as (_, ours, theirs):
        for message in MESSAGES:
            await ours.send(message)
            assert await theirs.receive() == message
            if message or "empty messages" not in stack.cannot:
                await theirs.send(message)
                assert await ours.receive() == message
