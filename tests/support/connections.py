"""Two connected `PeerConnection`s on loopback."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from anyio import fail_after

from peerix.rtc import (
    Configuration,
    DataChannel,
    DataChannelReceived,
    LocalCandidate,
    PeerConnection,
)
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from peerix.rtc import EventStream

LOOPBACK = Configuration(addresses=("127.0.0.1",))


async def negotiate(offerer: PeerConnection, answerer: PeerConnection) -> None:
    """One offer and one answer, candidates inside."""
    await offerer.set_local_description(await offerer.create_offer())
    assert offerer.local_description is not None
    await answerer.set_remote_description(offerer.local_description)
    await answerer.set_local_description(await answerer.create_answer())
    assert answerer.local_description is not None
    await offerer.set_remote_description(answerer.local_description)


async def next_channel(events: EventStream) -> DataChannel:
    """The next channel that the other side opens."""
    with fail_after(PATIENCE):
        async for event in events:
            if isinstance(event, DataChannelReceived):
                return event.channel
    message = "the connection ended before a channel came"
    raise AssertionError(message)


@asynccontextmanager
async def connected_pair(
    configuration: Configuration = LOOPBACK, **options: object
) -> AsyncGenerator[tuple[PeerConnection, PeerConnection, DataChannel, DataChannel]]:
    """Two connections and the two ends of an open channel between them."""
    async with PeerConnection(configuration) as a, PeerConnection(configuration) as b, b.events() as events:
        ours = a.create_data_channel("chat", **options)  # type: ignore[arg-type]
        await negotiate(a, b)
        with fail_after(PATIENCE):
            await ours.wait_open()
            theirs = await next_channel(events)
        yield a, b, ours, theirs


async def trickle(source: EventStream, target: PeerConnection) -> None:
    """Carry candidates over as they come."""
    async for event in source:
        if isinstance(event, LocalCandidate):
            await target.add_ice_candidate(event.candidate)


__all__ = ["LOOPBACK", "connected_pair", "negotiate", "next_channel", "trickle"]
