"""Rooms whose members are in other processes, threads, or behind a real server."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import fail_after

from peerix import BroadcastDriver, LocalProtocolError, NatsDriver, Peer
from tests.support.broken_network import Network, network
from tests.support.nats_server import nats_server_of_session, own_nats_server
from tests.support.peers import Log, is_connected, local_peer, meet, remove_sockets_of_killed_processes
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from tests.support.nats_server import NatsServer

pytestmark = pytest.mark.anyio

__all__ = ["nats_server_of_session", "network", "own_nats_server"]


async def test_a_peer_killed_with_sigkill_is_disconnected_then_failed_then_closed(network: Network) -> None:
    room = "killed"
    async with BroadcastDriver() as driver, local_peer(driver=driver) as peer:
        log = Log(peer, "connection")
        await peer.join(room)
        command = [sys.executable, "-m", "tests.support.lonely_peer", room]
        async with await anyio.open_process(command, stderr=None) as process:
            with fail_after(PATIENCE):
                await peer.wait_open("chat")
            process.send_signal(signal.SIGKILL)
            await process.wait()
            network.notice_soon(peer, give_up_after=0.5)
            await log.wait("connection:closed")
        names = [name for name in log.names if name != "connection:connecting"]  # the search for another path
        assert names == [
            "connection:new",
            "connection:connected",
            "connection:disconnected",
            "connection:failed",
            "connection:closed",
        ]
    await remove_sockets_of_killed_processes()


async def test_the_room_is_whole_again_soon_after_the_signalling_server_was_restarted(
    own_nats_server: NatsServer,
) -> None:
    async with AsyncExitStack() as stack:
        peers: list[Peer] = []
        for _ in range(3):
            driver = await stack.enter_async_context(NatsDriver(own_nats_server.url))
            peers.append(await stack.enter_async_context(local_peer(driver=driver)))
        a, b, late = peers
        await meet(a, b)
        own_nats_server.stop()
        await anyio.sleep(0.5)
        await late.join("room")
        assert is_connected(a, 1)
        own_nats_server.start()
        await until(lambda: all(is_connected(peer, 2) for peer in peers))


async def test_two_event_loops_on_the_default_driver_are_a_clear_error() -> None:
    raised: list[BaseException] = []

    async def enter() -> None:
        async with local_peer():
            pass

    def run() -> None:
        try:
            anyio.run(enter)
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    async with local_peer():
        thread = threading.Thread(target=run)
        thread.start()
        await until(lambda: not thread.is_alive())
        thread.join()
    assert isinstance(raised[0], LocalProtocolError)
    assert "another event loop" in str(raised[0])
