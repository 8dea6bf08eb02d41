"""Members of a room that live in a browser, and Python peers beside them."""

from __future__ import annotations

import base64
import json
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from anyio import CancelScope, fail_after, move_on_after

from peerix import NatsDriver, Peer
from tests.support.peers import LOOPBACK, is_connected
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from tests.support.browsers import Browser, Page
    from tests.support.nats_server import WebSocketNatsServer


@dataclass(slots=True, frozen=True)
class Received:
    """A message as the page got it."""

    peer: str
    label: str
    info: Any
    value: Any
    raw: bool
    failed: str | None


@dataclass(slots=True, frozen=True)
class Delivery:
    """How a message of the page ended."""

    result: str
    steps: int
    last: Any


@dataclass(slots=True)
class BrowserPeer:
    """The peer of the example page, in a tab of its own."""

    page: Page
    id: str = ""

    async def _ask(self, op: str, **arguments: Any) -> Any:
        return await self.page.call("agent.handle", {"op": op, **arguments})

    async def join(self, metadata: object = None) -> str:
        """Join the room."""
        given = {} if metadata is None else {"metadata": metadata}
        self.id = await self._ask("join", **given)
        return self.id

    async def leave(self) -> None:
        """Leave the room."""
        await self._ask("leave")

    async def open(self, label: str, **options: object) -> None:
        """Open a channel with everybody."""
        await self._ask("open", label=label, options=options)

    async def close(self, label: str) -> None:
        """Close a channel."""
        await self._ask("close", label=label)

    async def remotes(self) -> dict[str, dict[str, Any]]:
        """Those whom the page is connected to, or being connected to."""
        return {each["id"]: each for each in await self._ask("peers")}

    async def send(self, message: object, label: str, **options: object) -> list[str]:
        """Send a message, and wait until all have acknowledged it."""
        reached: list[str] = await self._ask("send", label=label, **_content(message), **options)
        return reached

    async def start_sending(self, label: str, length: int, **options: object) -> int:
        """Begin to send the pattern (`tests.support.foreign.pattern`)."""
        number: int = await self._ask("startSending", label=label, length=length, **options)
        return number

    async def abort_sending(self, sending: int, after: int) -> None:
        """Abort it when so many bytes are on their way."""
        await self._ask("abortSending", sending=sending, after=after)

    async def finish_sending(self, sending: int) -> Delivery:
        """Wait for its end."""
        return Delivery(**await self._ask("finishSending", sending=sending))

    async def cancel_next(self, after: int) -> None:
        """Cancel the next message that comes when so many bytes have arrived."""
        await self._ask("cancelNext", after=after)

    async def send_raw(self, message: str | bytes, label: str) -> None:
        """Send a frame as it is."""
        given = {"text": message} if isinstance(message, str) else {"base64": base64.b64encode(message).decode()}
        await self._ask("sendRaw", label=label, **given)

    async def receive(self) -> Received:
        """Wait for the next message."""
        with fail_after(PATIENCE):
            got = await self._ask("receive")
        value = got.get("value")
        if "base64" in got:
            value = base64.b64decode(got["base64"])
        elif "length" in got:
            assert got["right"]
            value = got["length"]
        return Received(got["peer"], got["label"], got["info"], value, got.get("raw", False), got.get("failed"))

    async def events(self, name: str) -> list[dict[str, Any]]:
        """What has happened, oldest first."""
        return [event for event in await self._ask("events") if event["name"] == name]

    async def wait_event(self, name: str, count: int = 1) -> dict[str, Any]:
        """Wait for the event of this name that makes the count full."""
        with fail_after(PATIENCE):
            while len(found := await self.events(name)) < count:
                await anyio.sleep(0.01)
        return found[count - 1]

    async def wait_connected(self, remotes: int = 1) -> None:
        """Wait until it is connected with so many."""
        await self._until(lambda found: [each["state"] for each in found.values()] == ["connected"] * remotes)

    async def wait_open(self, label: str, remotes: int = 1) -> None:
        """Wait until the channel is open with so many."""
        await self._until(lambda found: sum(_has_open(each, label) for each in found.values()) >= remotes)

    async def _until(self, condition: Callable[[dict[str, dict[str, Any]]], bool]) -> None:
        with fail_after(PATIENCE):
            while not condition(await self.remotes()):
                await anyio.sleep(0.01)

    async def stop(self) -> None:
        """Leave the room and the broker."""
        await self._ask("stop")


def _has_open(remote: dict[str, Any], label: str) -> bool:
    return any(each["label"] == label and each["state"] == "open" for each in remote["channels"])


def _content(message: object) -> dict[str, object]:
    if isinstance(message, str):
        return {"text": message}
    if isinstance(message, bytes):
        return {"base64": base64.b64encode(message).decode()}
    json.dumps(message)
    return {"json": message}


@asynccontextmanager
async def browser_peer(
    browser: Browser, server: WebSocketNatsServer, room: str = "room", **options: object
) -> AsyncGenerator[BrowserPeer]:
    """A page that is about to join; its tab is closed in the end, and it must not have had any trouble."""
    page = await browser.open("browser/room.html")
    peer = BrowserPeer(page)
    try:
        await page.call("agent.handle", {"op": "start", "url": server.websocket_url, "name": room, **options})
        yield peer
        assert not page.troubles, page.troubles
    finally:
        with CancelScope(shield=True), move_on_after(PATIENCE):
            if not page.closed:
                await peer.stop()
                await page.close()


@asynccontextmanager
async def python_peer(server: WebSocketNatsServer, **options: Any) -> AsyncGenerator[Peer]:
    """A Python peer with a driver of its own."""
    async with AsyncExitStack() as stack:
        driver = await stack.enter_async_context(NatsDriver(server.url))
        yield await stack.enter_async_context(Peer(**{"driver": driver, **where(server), **options}))


def where(server: WebSocketNatsServer) -> dict[str, Any]:
    """The option of a peer that meets pages at this server: those on this machine need no other address."""
    return {"addresses": LOOPBACK} if server.host in LOOPBACK else {}


async def join_both(peer: Peer, page: BrowserPeer, first: str = "python") -> None:
    """Join the room, one after the other, and wait until they are connected."""
    for joining in ("python", "page") if first == "python" else ("page", "python"):
        await (peer.join("room") if joining == "python" else page.join())
    await until(lambda: is_connected(peer, 1))
    await page.wait_connected()


@asynccontextmanager
async def met(
    browser: Browser, nats: WebSocketNatsServer, *, label: str | None = "chat", **options: Any
) -> AsyncGenerator[tuple[Peer, BrowserPeer]]:
    """A Python peer and a page, with a channel between them."""
    async with browser_peer(browser, nats) as page, python_peer(nats, **options) as peer:
        if label is not None:
            await peer.open(label)
        await join_both(peer, page)
        if label is not None:
            await wait_open(peer, page, label)
        yield peer, page


async def wait_open(peer: Peer, page: BrowserPeer, label: str, remotes: int = 1) -> None:
    """Wait until a channel is open on both sides."""
    with fail_after(PATIENCE):
        await peer.wait_open(label, remotes=remotes)
    await page.wait_open(label, remotes)


async def deliver(peer: Peer, message: object, label: str = "chat", **options: Any) -> tuple[str, ...]:
    """Send a message, and wait until all have acknowledged it."""
    with fail_after(PATIENCE):
        return await peer.send(message, label, **options)
