"""Peers in one room, over real connections on this machine."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from anyio import fail_after

from peerix import BroadcastDriver, Peer
from peerix.drivers import MemoryDriver
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from peerix import RemotePeer

__all__ = [
    "LOOPBACK",
    "PATIENCE",
    "EventList",
    "Log",
    "entered_peers",
    "is_connected",
    "local_peer",
    "meet",
    "next_message",
    "peers_in_room",
    "remote_of",
    "remove_sockets_of_killed_processes",
    "until",
]

LOOPBACK = ("127.0.0.1",)
"""What the peers of tests use: their traffic is nobody else's business."""


def local_peer(**options: Any) -> Peer:
    """A peer that keeps to loopback."""
    return Peer(**{"addresses": LOOPBACK, **options})


class EventList:
    """Events in the order in which they came."""

    def __init__(self) -> None:
        self._events: list[Any] = []

    @property
    def events(self) -> list[Any]:
        """What has happened so far."""
        return self._events

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [event.name for event in self.events]

    def of(self, name: str) -> list[Any]:
        """Those of one name."""
        return [event for event in self.events if event.name == name]

    async def wait(self, name: str, count: int = 1) -> Any:
        """Wait for the event of this name that makes the count full."""
        await until(lambda: len(self.of(name)) >= count)
        return self.of(name)[count - 1]


class Log(EventList):
    """The events of a peer, by its handlers."""

    def __init__(self, peer: Peer, *names: str) -> None:
        super().__init__()
        for name in names or ("connection", "channel", "error"):
            peer.on(name, self._events.append)


@asynccontextmanager
async def entered_peers(count: int, **options: Any) -> AsyncGenerator[list[Peer]]:
    """Peers that share a driver and are in no room."""
    async with MemoryDriver() as driver, AsyncExitStack() as stack:
        yield [await stack.enter_async_context(local_peer(driver=driver, **options)) for _ in range(count)]


@asynccontextmanager
async def peers_in_room(count: int = 2, *, label: str | None = "chat", **options: Any) -> AsyncGenerator[list[Peer]]:
    """Peers in one room, all connected with each other, with a channel open between all when there is a label."""
    async with entered_peers(count, **options) as peers:
        if label is not None:
            await peers[0].open(label)
        await meet(*peers)
        if label is not None:
            await peers[0].wait_open(label, remotes=count - 1)
            for peer in peers[1:]:
                await peer.wait_open(label)
        yield peers


async def meet(*peers: Peer, room: str = "room") -> None:
    """Join a room, and wait until everybody is connected with everybody."""
    for peer in peers:
        await peer.join(room)
    await until(lambda: all(is_connected(peer, len(peers) - 1) for peer in peers))


def is_connected(peer: Peer, remotes: int) -> bool:
    """Whether a peer is connected with so many."""
    return [remote.state for remote in peer.remotes.values()] == ["connected"] * remotes


def remote_of(peer: Peer, other: Peer) -> RemotePeer:
    """The object that one peer has for another."""
    assert other.id is not None
    return peer.remotes[other.id]


async def remove_sockets_of_killed_processes() -> None:
    """A killed process leaves its socket in the folder of `BroadcastDriver` to the next one that comes."""
    async with BroadcastDriver():
        pass


async def next_message(peer: Peer, name: str = "channel:message") -> Any:
    """Wait for the next message."""
    with fail_after(PATIENCE):
        async with peer.events(name) as events:
            return await events.receive()
