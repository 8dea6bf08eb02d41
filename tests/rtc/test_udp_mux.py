"""Many connections on one UDP port."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from anyio import ClosedResourceError, fail_after

from peerix.rtc import Configuration, IceServer, PeerConnection, UdpMux
from tests.support.connections import LOOPBACK, negotiate, next_channel
from tests.support.stun_server import stun_server
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.anyio


def ports_of(connection: PeerConnection) -> set[tuple[str, str]]:
    assert connection.local_description is not None
    lines = [line.split() for line in connection.local_description.sdp.splitlines() if " typ host" in line]
    return {(fields[4], fields[5]) for fields in lines}


async def test_many_connections_share_one_port() -> None:
    async with UdpMux(addresses=("127.0.0.1",)) as mux, AsyncExitStack() as stack:
        shared = Configuration(udp_mux=mux)
        for number in range(8):
            server = await stack.enter_async_context(PeerConnection(shared))
            client = await stack.enter_async_context(PeerConnection(LOOPBACK))
            events = await stack.enter_async_context(server.events())
            channel = client.create_data_channel("chat")
            await negotiate(client, server)
            with fail_after(PATIENCE):
                await channel.wait_open()
                other = await next_channel(events)
                await channel.send(f"{number}" * 50_000)
                assert await other.receive() == f"{number}" * 50_000
            assert ports_of(server) == {("127.0.0.1", str(mux.port))}


async def test_the_port_number_is_the_same_on_all_addresses() -> None:
    async with UdpMux(addresses=("127.0.0.1", "::1")) as mux, PeerConnection(Configuration(udp_mux=mux)) as a:
        a.create_data_channel("chat")
        await a.set_local_description()
        assert ports_of(a) == {("127.0.0.1", str(mux.port)), ("::1", str(mux.port))}


async def test_a_connection_that_ends_leaves_the_port_to_the_others() -> None:
    async with UdpMux(addresses=("127.0.0.1",)) as mux:
        shared = Configuration(udp_mux=mux)
        async with PeerConnection(shared) as stays, PeerConnection(LOOPBACK) as client:
            channel = client.create_data_channel("chat")
            async with stays.events() as events:
                async with PeerConnection(shared) as goes, PeerConnection(LOOPBACK) as other:
                    brief = other.create_data_channel("chat")
                    await negotiate(other, goes)
                    with fail_after(PATIENCE):
                        await brief.wait_open()
                await negotiate(client, stays)
                with fail_after(PATIENCE):
                    await channel.wait_open()
                    theirs = await next_channel(events)
                    await theirs.send("still here")
                    assert await channel.receive() == "still here"


async def test_an_ice_restart_works_over_a_shared_port() -> None:
    async with (
        UdpMux(addresses=("127.0.0.1",)) as mux,
        PeerConnection(Configuration(udp_mux=mux)) as a,
        PeerConnection(LOOPBACK) as b,
        b.events() as events,
    ):
        channel = a.create_data_channel("chat")
        await negotiate(a, b)
        with fail_after(PATIENCE):
            await channel.wait_open()
            other = await next_channel(events)
        for number in range(6):
            a.restart_ice()
            await negotiate(a, b)
            with fail_after(PATIENCE):
                await channel.send(str(number))
                assert await other.receive() == str(number)


async def test_answers_of_one_stun_server_reach_every_connection() -> None:
    async with stun_server("127.0.0.77") as server, UdpMux(addresses=("127.0.0.1",)) as mux:
        configuration = Configuration(udp_mux=mux, ice_servers=[IceServer(f"stun:127.0.0.1:{server.port}")])
        async with PeerConnection(configuration) as a, PeerConnection(configuration) as b:
            for connection in (a, b):
                connection.create_data_channel("chat")
                await connection.set_local_description()
            with fail_after(PATIENCE):
                for connection in (a, b):
                    async with connection.events() as events:
                        while connection.ice_gathering_state.value != "complete":
                            await events.receive()
            for connection in (a, b):
                assert "typ srflx" in (connection.local_description.sdp if connection.local_description else "")


async def test_a_mux_may_be_left_before_its_sockets_are_read() -> None:
    for _ in range(2):
        async with UdpMux(addresses=("127.0.0.1",)) as mux:
            assert mux.port


async def test_a_mux_that_is_not_entered_cannot_be_used() -> None:
    async with PeerConnection(Configuration(udp_mux=UdpMux())) as a:
        a.create_data_channel("chat")
        with pytest.raises(ClosedResourceError):
            await a.set_local_description()
