from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import fail_after

from peerix.drivers import MemoryDriver
from tests.support.peers import Log, is_connected, local_peer, meet, remote_of
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.anyio


def refuse(_id: str, _metadata: object) -> bool:
    return False


@pytest.fixture
async def driver(anyio_backend: object) -> AsyncGenerator[MemoryDriver]:
    async with MemoryDriver() as driver:
        yield driver


async def test_verify_is_asked_with_id_and_metadata(driver: MemoryDriver) -> None:
    asked: list[tuple[str, object]] = []

    def verify(id: str, metadata: Any) -> bool:  # noqa: A002
        asked.append((id, metadata))
        return True

    async with local_peer(driver=driver, verify=verify) as a, local_peer(driver=driver) as b:
        await a.join("room")
        await b.join("room", {"name": "B"})
        await until(lambda: is_connected(a, 1))
        assert asked == [(b.id, {"name": "B"})]


@pytest.mark.parametrize("refusing_side_is_first", [True, False])
async def test_a_remote_peer_that_verify_refuses_is_not_connected(
    driver: MemoryDriver, refusing_side_is_first: bool
) -> None:
    async with local_peer(driver=driver, verify=refuse) as a, local_peer(driver=driver) as b:
        log = Log(a)
        for peer in (a, b) if refusing_side_is_first else (b, a):
            await peer.join("room")
        await anyio.sleep(0.2)
        assert not a.remotes
        assert not log.events


async def test_verify_may_be_async(driver: MemoryDriver) -> None:
    async def verify(id: str, metadata: Any) -> bool:  # noqa: A002
        await anyio.sleep(0.05)
        return bool(metadata == "let me in")

    async with (
        local_peer(driver=driver, verify=verify) as a,
        local_peer(driver=driver) as b,
        local_peer(driver=driver) as c,
    ):
        await a.join("room")
        await b.join("room", "let me in")
        await c.join("room", "me too")
        await until(lambda: is_connected(a, 1))
        await anyio.sleep(0.2)
        assert list(a.remotes) == [b.id]


async def test_one_slow_answer_does_not_hold_up_another(driver: MemoryDriver) -> None:
    async def verify(id: str, metadata: Any) -> bool:  # noqa: A002
        if metadata == "slow":
            await anyio.sleep_forever()
        return True

    async with (
        local_peer(driver=driver, verify=verify) as a,
        local_peer(driver=driver) as b,
        local_peer(driver=driver) as c,
    ):
        await a.join("room")
        await b.join("room", "slow")
        await c.join("room", "quick")
        await until(lambda: c.id in a.remotes and remote_of(a, c).state == "connected")
        assert b.id not in a.remotes


async def test_a_refused_peer_gives_up_after_the_timeout(driver: MemoryDriver) -> None:
    async with (
        local_peer(driver=driver, verify=refuse) as a,
        local_peer(driver=driver, connection_timeout=0.3) as b,
    ):
        log = Log(b, "connection")
        await a.join("room")
        await b.join("room")
        await log.wait("connection:closed")
        assert log.names[:1] + log.names[-2:] == [
            "connection:new",
            "connection:failed",
            "connection:closed",
        ]


async def test_without_a_timeout_a_refused_peer_waits(driver: MemoryDriver) -> None:
    async with (
        local_peer(driver=driver, verify=refuse) as a,
        local_peer(driver=driver, connection_timeout=0) as b,
    ):
        log = Log(b, "connection:failed")
        await a.join("room")
        await b.join("room")
        await until(lambda: b.remotes)
        await anyio.sleep(0.3)
        assert not log.events


async def test_what_verify_raises_ends_the_peer(driver: MemoryDriver) -> None:
    def verify(id: str, metadata: Any) -> bool:  # noqa: A002
        raise RuntimeError("bug")

    with pytest.raises(ExceptionGroup) as caught, fail_after(PATIENCE):
        async with local_peer(driver=driver) as b, local_peer(driver=driver, verify=verify) as a:
            await b.join("room")
            await a.join("room")
            await anyio.sleep_forever()
    assert caught.group_contains(RuntimeError, match="bug")


async def test_no_more_remote_peers_than_allowed_are_let_in(driver: MemoryDriver) -> None:
    async with (
        local_peer(driver=driver, max_remotes=1) as a,
        local_peer(driver=driver) as b,
        local_peer(driver=driver) as c,
    ):
        await meet(a, b)
        await c.join("room")
        await until(lambda: c.remotes)
        await anyio.sleep(0.2)
        assert list(a.remotes) == [b.id]
