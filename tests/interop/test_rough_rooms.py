"""Rooms with pages when things go wrong at once: offers that cross, a page that crashes, a path that breaks."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import fail_after

from peerix import NatsDriver, Peer
from peerix.core.rooms.base62 import decode_base62
from peerix.core.rooms.namespaces import namespace as room_namespace
from peerix.core.rooms.protobuf import SIGNAL_SCHEMA, decode, encode
from peerix.core.rooms.signaling import SignalType
from tests.support.browser_hosts import BROWSERS
from tests.support.browser_peers import browser_peer, python_peer, where
from tests.support.peers import Log, is_connected
from tests.support.stacks import two_loops
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from tests.support.broken_network import Network
    from tests.support.browser_peers import BrowserPeer
    from tests.support.browsers import Browser
    from tests.support.nats_server import WebSocketNatsServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow, two_loops]

CERTAIN = 20
"""So many tries miss one of two equal chances in one of a million runs."""


class CrossingDriver(NatsDriver):
    """Keeps the first offer of each side back until both are there, so that they cross."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.outgoing: tuple[str, bytes] | None = None
        self.incoming: tuple[str, bytes] | None = None
        self.crossed = False

    async def publish(self, namespace: str, data: bytes) -> None:
        if not self.crossed and _is_offer(data):
            self.outgoing = self.outgoing or (namespace, data)
        else:
            await super().publish(namespace, data)

    def dispatch(self, namespace: str, data: bytes) -> None:
        if not self.crossed and _is_offer(data):
            self.incoming = self.incoming or (namespace, data)
        else:
            super().dispatch(namespace, data)

    async def cross(self) -> None:
        await until(lambda: self.outgoing is not None and self.incoming is not None)
        assert self.outgoing is not None
        assert self.incoming is not None
        self.crossed = True
        await super().publish(*self.outgoing)
        super().dispatch(*self.incoming)


def _is_offer(data: bytes) -> bool:
    return decode(SIGNAL_SCHEMA, data).get("type") == SignalType.OFFER


async def make_them_cross(nats: WebSocketNatsServer, page: BrowserPeer, peer: Peer, driver: CrossingDriver) -> None:
    """The page invokes us, and so we offer; then we are made to invoke the page as well."""
    await page.join()
    await peer.join("room")
    announcement = encode(
        SIGNAL_SCHEMA, {"type": SignalType.ANNOUNCE, "flags": 0, "sender": decode_base62(page.id, 33), "payload": b""}
    )
    await until(lambda: driver.outgoing is not None)
    async with NatsDriver(nats.url) as forger:
        await forger.publish(room_namespace("room", hashing=True), announcement)
        await driver.cross()


@pytest.mark.parametrize("polite", ["python", "page"])
async def test_offers_that_cross_end_in_one_connection(
    browser: Browser, nats: WebSocketNatsServer, polite: str
) -> None:
    for _ in range(CERTAIN):
        async with AsyncExitStack() as stack:
            page = await stack.enter_async_context(browser_peer(browser, nats))
            driver = await stack.enter_async_context(CrossingDriver(nats.url))
            peer = await stack.enter_async_context(Peer(driver=driver, **where(nats)))
            await peer.open("chat")
            await make_them_cross(nats, page, peer, driver)
            await page.wait_open("chat")
            with fail_after(PATIENCE):
                assert await peer.send("hello", "chat") == (page.id,)
            assert await page.send("hello", "chat") == [peer.id]
            assert is_connected(peer, 1)
            assert peer.id is not None
            if (peer.id > page.id) == (polite == "python"):
                return
    raise AssertionError("the ids never came out as wanted")


@pytest.mark.parametrize("host", BROWSERS, indirect=True)
async def test_two_pages_and_python_that_join_in_the_same_instant_all_meet(
    browser: Browser, nats: WebSocketNatsServer
) -> None:
    for _ in range(3):
        async with (
            browser_peer(browser, nats) as one,
            browser_peer(browser, nats) as other,
            python_peer(nats) as peer,
        ):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one.join)
                tasks.start_soon(peer.join, "room")
                tasks.start_soon(other.join)
            await until(lambda: is_connected(peer, 2))
            await one.wait_connected(2)
            await other.wait_connected(2)


async def test_a_page_that_crashes_is_noticed(browser: Browser, nats: WebSocketNatsServer, network: Network) -> None:
    async with browser_peer(browser, nats) as page, python_peer(nats) as peer:
        log = Log(peer)
        await peer.open("chat")
        await page.join()
        await peer.join("room")
        await page.wait_open("chat")
        await page.page.crash()
        network.notice_soon(peer, give_up_after=1.0)
        await until(lambda: log.of("connection:closed"))
        assert not peer.remotes


async def test_python_comes_back_to_a_page_when_the_path_was_cut(
    browser: Browser, nats: WebSocketNatsServer, network: Network
) -> None:
    """With encryption on a page never gets its own invitation out, so this side has to."""
    async with browser_peer(browser, nats, timeout=8) as page, python_peer(nats) as peer:
        log = Log(peer)
        await peer.open("chat")
        await page.join()
        await peer.join("room")
        await page.wait_open("chat")
        network.cut(peer, give_up_after=1.0)
        await until(lambda: log.of("connection:closed"))
        await page.wait_event("connection:closed")
        network.mend()
        with fail_after(2 * PATIENCE):
            while (await page.remotes()).get(peer.id or "", {}).get("state") != "connected":
                await anyio.sleep(0.05)
        await page.wait_open("chat")
        with fail_after(PATIENCE):
            assert await peer.send("back", "chat") == (page.id,)
