"""Drivers in pairs: two that reach each other, of each kind."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from peerix.drivers import BroadcastDriver, MemoryDriver, NatsDriver
from tests.support.nats_server import NatsServer, nats_server_of_session, own_nats_server, shared_nats_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from peerix.drivers import Driver

__all__ = ["nats_server_of_session", "own_nats_server", "shared_nats_server"]

ON_ASYNCIO = pytest.mark.parametrize(
    "anyio_backend",
    [
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    ],
)
"""For what works on asyncio only."""

KINDS = ["memory", "broadcast", "loopback", "nats"]


def maker(kind: str, request: pytest.FixtureRequest) -> Callable[[], Driver]:
    """A function that makes drivers which reach each other."""
    if kind == "memory":
        driver = MemoryDriver()
        return lambda: driver
    if kind == "broadcast":
        return lambda: BroadcastDriver("contract")
    if kind == "loopback":
        return lambda: BroadcastDriver("contract", sockets="loopback")
    server: NatsServer = request.getfixturevalue("shared_nats_server")
    return lambda: NatsDriver(server.url, prefix="contract.")


@pytest.fixture(params=KINDS)
def make_driver(request: pytest.FixtureRequest) -> Callable[[], Driver]:
    return maker(request.param, request)


@asynccontextmanager
async def pair(make: Callable[[], Driver]) -> AsyncGenerator[tuple[Driver, Driver]]:
    """Two drivers of one kind, entered."""
    async with make() as first, make() as second:
        yield first, second
