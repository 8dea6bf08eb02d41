"""Python peers and pages in one room, over a real nats-server: the scenario that `make test` has time for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio import fail_after

from tests.support.browser_hosts import BROWSERS
from tests.support.browser_peers import browser_peer, python_peer
from tests.support.peers import is_connected
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from tests.support.browsers import Browser
    from tests.support.nats_server import WebSocketNatsServer

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("host", BROWSERS, indirect=True)
@pytest.mark.parametrize("first", ["python", "page"])
async def test_whoever_joins_first_they_see_each_other_and_chat(
    browser: Browser, nats: WebSocketNatsServer, first: str
) -> None:
    async with browser_peer(browser, nats) as page, python_peer(nats) as peer:
        await peer.open("chat")
        for joining in ("python", "page") if first == "python" else ("page", "python"):
            if joining == "python":
                await peer.join("room", {"name": "Python"})
            else:
                await page.join({"name": "Page"})
        await until(lambda: is_connected(peer, 1))
        await page.wait_open("chat")
        (remote,) = peer.remotes.values()
        assert (remote.id, remote.metadata) == (page.id, {"name": "Page"})
        assert {(each["id"], each["metadata"]["name"]) for each in (await page.remotes()).values()} == {
            (peer.id, "Python")
        }
        with fail_after(PATIENCE):
            assert await peer.send("hello from Python", "chat") == (page.id,)
        assert (await page.receive()).value == "hello from Python"
        async with peer.events("channel:message") as messages:
            assert await page.send("hello from the page", "chat") == [peer.id]
            with fail_after(PATIENCE):
                assert await (await messages.receive()).data == "hello from the page"
