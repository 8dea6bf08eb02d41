from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import fail_after

from peerix.drivers import MemoryDriver
from peerix.negotiator import TOOL, has_tool, with_tool
from tests.support.broken_network import Network, network
from tests.support.peers import Log, entered_peers, is_connected, local_peer, meet, peers_in_room, remote_of
from tests.support.waiting import AT_ONCE, PATIENCE, until

if TYPE_CHECKING:
    from peerix import Peer

pytestmark = pytest.mark.anyio

__all__ = ["network"]


class Switch(MemoryDriver):
    """A driver whose server can be stopped: it is inactive then, and loses what is published."""

    async def publish(self, namespace: str, data: bytes) -> None:
        if self.active:
            await super().publish(namespace, data)


def ufrag(peer: Peer, other: Peer) -> str:
    """The ICE username fragment of one side of a connection."""
    connection = remote_of(peer, other).connection
    assert connection is not None
    assert connection.local_description is not None
    return connection.local_description.sdp.partition("a=ice-ufrag:")[2].partition("\r\n")[0]


async def test_a_lost_connection_is_disconnected_then_failed_then_closed(network: Network) -> None:
    async with entered_peers(2) as (a, b):
        logs = [Log(a, "connection"), Log(b, "connection")]
        await meet(a, b)
        network.cut(a, b, give_up_after=0.5)
        for log in logs:
            await log.wait("connection:closed")
            names = log.names  # those of the next attempt may be behind
            end = names.index("connection:closed")
            assert names[end - 1] == "connection:failed"
        # Who notices first tells the other side that it looks for a new path.
        assert any("connection:disconnected" in log.names for log in logs)


async def test_a_connection_that_comes_back_is_connected_again(network: Network) -> None:
    async with peers_in_room() as (a, b):
        log = Log(a, "connection")
        network.cut()
        await until(lambda: not is_connected(a, 1))
        network.mend()
        await log.wait("connection:connected")
        with fail_after(PATIENCE):
            assert await a.send("x", "chat") == (b.id,)
        assert "connection:closed" not in log.names


async def test_python_peers_look_for_a_new_path_over_the_driver(network: Network) -> None:
    async with peers_in_room() as (a, b):
        before = {ufrag(a, b), ufrag(b, a)}
        network.cut()
        await until(lambda: before.isdisjoint({ufrag(a, b), ufrag(b, a)}))
        network.mend()
        await until(lambda: is_connected(a, 1) and is_connected(b, 1))
        with fail_after(PATIENCE):
            assert await a.send("x", "chat") == (b.id,)
            assert await b.send("y", "chat") == (a.id,)


async def test_after_an_ice_restart_the_control_channel_carries_signalling_again(network: Network) -> None:
    async with peers_in_room() as (a, b):
        before = {ufrag(a, b), ufrag(b, a)}
        network.cut()
        await until(lambda: before.isdisjoint({ufrag(a, b), ufrag(b, a)}))
        network.mend()
        await until(lambda: is_connected(a, 1) and is_connected(b, 1))
        for opener, label in ((a, "by a"), (b, "by b")):
            await opener.open(label)
            with fail_after(PATIENCE):
                await opener.wait_open(label)


async def test_peers_whose_connection_failed_connect_again(network: Network) -> None:
    async with peers_in_room() as (a, b):
        logs = [Log(peer, "connection") for peer in (a, b)]
        network.cut(a, b, give_up_after=0.5)
        for log in logs:
            await log.wait("connection:closed")
        network.mend()
        await until(lambda: is_connected(a, 1) and is_connected(b, 1))
        await a.wait_open("chat")
        with fail_after(PATIENCE):
            assert await a.send("x", "chat") == (b.id,)


async def test_peers_without_encryption_connect_again(network: Network) -> None:
    async with peers_in_room(signaling_encryption=False) as (a, b):
        log = Log(a, "connection")
        network.cut(a, b, give_up_after=0.5)
        await log.wait("connection:closed")
        network.mend()
        await until(lambda: is_connected(a, 1) and is_connected(b, 1))


async def test_a_side_that_has_not_noticed_takes_the_new_connection(network: Network) -> None:
    async with entered_peers(2) as (a, b):
        log = Log(a, "connection")
        await meet(a, b)
        network.cut(a, give_up_after=0.3)
        await log.wait("connection:closed")
        network.mend()
        await until(lambda: is_connected(a, 1) and is_connected(b, 1))


async def test_a_message_under_way_fails_when_the_connection_fails(network: Network) -> None:
    from peerix import TransferAborted

    async with peers_in_room() as (a, _):
        network.cut(a, give_up_after=0.3)
        with fail_after(PATIENCE), pytest.raises(TransferAborted):
            await a.send("x", "chat")


async def test_leaving_the_block_on_a_dead_network_takes_one_second_at_most(network: Network) -> None:
    async with local_peer() as a:
        async with local_peer() as b:
            await meet(a, b)
            network.cut()
            start = anyio.current_time()
        assert anyio.current_time() - start < AT_ONCE


async def test_members_announce_themselves_again_when_the_driver_comes_back() -> None:
    async with Switch() as driver, local_peer(driver=driver) as a, local_peer(driver=driver) as b:
        driver.set_active(active=False)
        await a.join("room")
        await b.join("room")
        await anyio.sleep(0.05)
        assert not a.remotes
        driver.set_active(active=True)
        await until(lambda: is_connected(a, 1) and is_connected(b, 1))


async def test_connections_live_on_while_the_driver_is_away() -> None:
    async with Switch() as driver, local_peer(driver=driver) as a, local_peer(driver=driver) as b:
        log = Log(a, "connection")
        await a.open("chat")
        await meet(a, b)
        driver.set_active(active=False)
        await a.wait_open("chat")
        assert await a.send("x", "chat") == (b.id,)
        driver.set_active(active=True)
        await anyio.sleep(0.1)
        assert log.names[-1] == "connection:connected"


async def test_an_offer_that_was_lost_is_repeated_when_the_driver_comes_back() -> None:
    class LosesOffers(MemoryDriver):
        lossy = True

        async def publish(self, namespace: str, data: bytes) -> None:
            # Announcements have no payload and invitations hardly any: what is longer is an offer, or candidates.
            if not self.lossy or len(data) < 100:
                await super().publish(namespace, data)

    async with LosesOffers() as driver, local_peer(driver=driver) as a, local_peer(driver=driver) as b:
        await a.join("room")
        await b.join("room")
        await until(lambda: a.remotes or b.remotes)
        await anyio.sleep(0.2)
        assert not (is_connected(a, 1))
        assert not (is_connected(b, 1))
        driver.lossy = False
        driver.set_active(active=False)
        driver.set_active(active=True)
        await until(lambda: is_connected(a, 1) and is_connected(b, 1))


async def test_leaving_the_driver_first_leaves_the_connections_working() -> None:
    async with local_peer(driver=(driver := MemoryDriver())) as a, local_peer(driver=driver) as b:
        async with driver:
            await a.open("chat")
            await meet(a, b)
            await a.wait_open("chat")
        assert await a.send("x", "chat") == (b.id,)


def test_a_description_names_the_library_in_its_session_part() -> None:
    sdp = "v=0\r\ns=-\r\nt=0 0\r\nm=application 9 x\r\na=mid:0\r\nm=audio 9 y\r\n"
    assert with_tool(sdp) == f"v=0\r\ns=-\r\nt=0 0\r\n{TOOL}\r\nm=application 9 x\r\na=mid:0\r\nm=audio 9 y\r\n"


def test_the_library_is_recognised_in_the_session_part_only() -> None:
    assert has_tool(with_tool("v=0\r\nt=0 0\r\nm=application 9 x\r\n"))
    assert not has_tool(f"v=0\r\nt=0 0\r\nm=application 9 x\r\n{TOOL}\r\n")
