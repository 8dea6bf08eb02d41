"""Peers in a room who publish streams, and what each of them sees."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from anyio import WouldBlock, fail_after

from peerix.media import TestSource
from tests.support.peers import EventList, entered_peers, meet
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import av

    from peerix import EventStream, Peer, PeerEvent
    from peerix.rtc import ReceivedTrack

SIZE = (160, 120)
"""Of the pictures: small ones cost little."""


class MediaLog(EventList):
    """The streams, tracks and ends of a peer. A handler for each name would not tell the order among them."""

    def __init__(self, stream: EventStream[PeerEvent]) -> None:
        super().__init__()
        self._stream = stream

    @property
    def events(self) -> list[Any]:
        """What has happened so far."""
        with suppress(WouldBlock):
            while True:
                self._events.append(self._stream.receive_nowait())
        return self._events


@asynccontextmanager
async def room_with_source(
    count: int = 2, *, met: bool = True
) -> AsyncGenerator[tuple[list[Peer], TestSource, list[MediaLog]]]:
    """Peers, in a room or in none yet, something to publish, and what each of them sees."""
    async with AsyncExitStack() as stack:
        peers = await stack.enter_async_context(entered_peers(count))
        source = await stack.enter_async_context(TestSource(*SIZE))
        if met:
            await meet(*peers)
        logs = [
            MediaLog(await stack.enter_async_context(peer.events("stream", "track", "error", "connection:closed")))
            for peer in peers
        ]
        yield peers, source, logs


async def first_frame(track: ReceivedTrack) -> av.VideoFrame:
    """Wait for a picture."""
    with fail_after(PATIENCE), track.read() as reader:
        return await reader.receive()  # type: ignore[no-any-return]
