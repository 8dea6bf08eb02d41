"""Two connections that send tracks to one another, and what of them arrives."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from anyio import fail_after

from peerix.rtc import PeerConnection, TrackReceived
from tests.support.connections import LOOPBACK, negotiate
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from peerix.media import MediaStream, MediaTrack
    from peerix.rtc import EventStream, ReceivedTrack


@asynccontextmanager
async def pair(
    *tracks: MediaTrack[Any], stream: MediaStream[Any] | None = None
) -> AsyncGenerator[tuple[PeerConnection, PeerConnection, list[ReceivedTrack]]]:
    """Two connections; what the first one sends, and what of it the second one receives."""
    async with PeerConnection(LOOPBACK) as a, PeerConnection(LOOPBACK) as b, b.events() as events:
        for track in tracks:
            a.add_transceiver(track, direction="sendonly", streams=[stream] if stream else ())
        await negotiate(a, b)
        received = [(await next_event(events, TrackReceived)).track for _ in tracks]
        yield a, b, received


async def next_event(events: EventStream, kind: type[Any]) -> Any:
    """The next event of a kind."""
    with fail_after(PATIENCE):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"the connection ended before a {kind.__name__}")


async def take(track: MediaTrack[Any], count: int) -> list[Any]:
    """The next frames of a track."""
    frames: list[Any] = []
    with fail_after(PATIENCE):
        async for frame in track:
            frames.append(frame)
            if len(frames) == count:
                return frames
    raise AssertionError(f"the track ended after {len(frames)} frames")
