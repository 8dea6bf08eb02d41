"""The drivers against the calls that the browser library's drivers made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from peerix.drivers import BroadcastDriver, MemoryDriver, NatsDriver
from tests.api.drivers.conftest import ON_ASYNCIO
from tests.api.drivers.inbox import Inbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from urllib.parse import ParseResult

    from peerix.drivers import Driver
    from peerix.drivers.nats.client import Message

pytestmark = pytest.mark.anyio

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[3] / "protocol" / "vectors" / "drivers.json").read_text())[
    "drivers"
]
PACKET = bytes([8, 1, 16, 0, 255])


class RecordingClient:
    """A NATS client that only writes down what is asked of it."""

    is_connected = True
    is_closed = False
    max_payload = 1 << 20
    pending_data_size = 0

    discovered_servers: Sequence[ParseResult] = ()

    def __init__(self) -> None:
        self.calls: list[dict[str, object]] = []
        self.stats = {"reconnects": 0}

    async def subscribe(
        self, subject: str, *, cb: Callable[[Message], Awaitable[None]], pending_bytes_limit: int
    ) -> RecordingSubscription:
        self.calls.append({"call": "nc.subscribe", "args": [subject]})
        return RecordingSubscription(self, subject)

    async def publish(self, subject: str, payload: bytes) -> None:
        self.calls.append({"call": "nc.publish", "args": [subject, {"bytes": payload.hex()}]})

    async def flush(self, timeout: int) -> None:  # noqa: ASYNC109 - nats-py says so
        pass

    async def close(self) -> None:
        pass


class RecordingSubscription:
    def __init__(self, client: RecordingClient, subject: str) -> None:
        self._client = client
        self._subject = subject

    async def unsubscribe(self, limit: int = 0) -> None:
        self._client.calls.append({"call": "sub.unsubscribe", "args": [self._subject]})


async def play(driver: Driver, inbox: Inbox) -> None:
    """The script that the vectors were made with."""
    await driver.subscribe("ROOM", inbox.put)
    await driver.subscribe("PEER", inbox.put)
    await driver.publish("ROOM", PACKET)
    await driver.publish("OTHERPEER", PACKET)
    await driver.unsubscribe("PEER", inbox.put)
    await driver.unsubscribe("ROOM", inbox.put)


async def test_the_memory_driver_delivers_as_the_browser_librarys() -> None:
    vector = VECTORS["memory"]
    inbox = Inbox()
    other = Inbox()
    async with MemoryDriver() as driver:
        # Two members of the room: the publisher and another one.
        await driver.subscribe("ROOM", other.put)
        await play(driver, inbox)
    assert [list(packet) for packet in inbox.packets + other.packets] == vector["delivered_to_handlers"]


async def test_the_broadcast_driver_hears_another_one_and_not_itself() -> None:
    inbox = Inbox()
    async with BroadcastDriver("vectors") as driver, BroadcastDriver("vectors") as other:
        await driver.subscribe("ROOM", inbox.put)
        await driver.publish("ROOM", PACKET)
        await other.publish("ROOM", PACKET)
        await inbox.wait(1)
        await play(driver, inbox)
    assert [list(packet) for packet in inbox.packets] == VECTORS["broadcast-channel"]["delivered_to_handlers"]


@ON_ASYNCIO
async def test_the_nats_driver_makes_the_calls_of_the_browser_librarys() -> None:
    vector = VECTORS["nats"]
    client = RecordingClient()
    async with NatsDriver(client, prefix=vector["options"]["prefix"]) as driver:
        await play(driver, Inbox())
    published = [call for call in client.calls if call["call"] == "nc.publish"]
    others = [call for call in client.calls if call["call"] != "nc.publish"]
    wanted = vector["calls"] + vector["unsubscribe_calls"]
    assert published == [call for call in wanted if call["call"] == "nc.publish"]
    assert others == [call for call in wanted if call["call"] != "nc.publish"]
