"""Connections through a real TURN server (coturn)."""

from __future__ import annotations

import ssl
import time
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from anyio import CancelScope, fail_after, sleep

from peerix.rtc import (
    Configuration,
    ConnectionState,
    IceGatheringState,
    IceServer,
    IceServerFailed,
    PeerConnection,
    SessionDescription,
)
from tests.support.connections import next_channel
from tests.support.coturn import PASSWORD, USERNAME, Coturn, coturn, coturn_of_module, or_skip, running
from tests.support.waiting import AT_ONCE, PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from peerix.rtc import EventStream

__all__ = ["coturn", "coturn_of_module"]

pytestmark = pytest.mark.anyio

TRANSPORTS = ("udp", "tcp", "tls")


@pytest.fixture(scope="module")
def odd_servers_of_module(coturn_of_module: Coturn | None) -> Iterator[dict[str, Coturn]]:
    """Servers that refuse something."""
    with ExitStack() as stack:
        found: dict[str, Coturn] = {}
        if coturn_of_module is not None:
            options = {
                "redirecting": ["--alternate-server", f"127.0.0.1:{coturn_of_module.port}"],
                "strict": ["--user-quota", "1"],
                "fickle": ["--stale-nonce=1"],
                "choosy": ["--denied-peer-ip", "127.0.0.9"],
            }
            for name, arguments in options.items():
                server = stack.enter_context(running(*arguments))
                assert server is not None
                found[name] = server
        yield found


@pytest.fixture
def odd_servers(odd_servers_of_module: dict[str, Coturn]) -> dict[str, Coturn]:
    """Servers that refuse something; skips where coturn is missing."""
    or_skip(odd_servers_of_module.get("strict"))
    return odd_servers_of_module


def url_of(server: Coturn, transport: str = "udp", host: str = "127.0.0.1") -> str:
    if transport == "tls":
        return f"turns:{host}:{server.tls_port}?transport=tcp"
    return f"turn:{host}:{server.port}?transport={transport}"


def relay_only(server: Coturn, *urls: str, password: str = PASSWORD) -> Configuration:
    entry = IceServer(urls or (url_of(server),), USERNAME, password, tls=server.authority)
    return Configuration(ice_servers=(entry,), ice_transport_policy="relay")


async def gathered(connection: PeerConnection) -> None:
    await until(lambda: connection.ice_gathering_state is IceGatheringState.COMPLETE)


async def negotiate_when_gathered(a: PeerConnection, b: PeerConnection) -> None:
    """One offer and one answer, with all candidates inside."""
    await a.set_local_description()
    await until(lambda: a.ice_gathering_state is IceGatheringState.COMPLETE)
    assert a.local_description is not None
    await b.set_remote_description(a.local_description)
    await b.set_local_description()
    await until(lambda: b.ice_gathering_state is IceGatheringState.COMPLETE)
    assert b.local_description is not None
    await a.set_remote_description(b.local_description)


async def first_failure(events: EventStream) -> IceServerFailed:
    with fail_after(PATIENCE):
        async for event in events:
            if isinstance(event, IceServerFailed):
                return event
    raise AssertionError("the connection ended")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_messages_travel_through_two_relays(coturn: Coturn, transport: str) -> None:
    configuration = relay_only(coturn, url_of(coturn, transport))
    async with (
        PeerConnection(configuration) as a,
        PeerConnection(configuration) as b,
        b.events() as events,
    ):
        channel = a.create_data_channel("chat")
        await negotiate_when_gathered(a, b)
        with fail_after(PATIENCE):
            await channel.wait_open()
            other = await next_channel(events)
            for number in range(200):
                await channel.send(f"{number} " + "x" * 1000)
            for number in range(200):
                assert await other.receive() == f"{number} " + "x" * 1000


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_relayed_candidate_tells_how_its_server_is_reached(coturn: Coturn, transport: str) -> None:
    url = url_of(coturn, transport)
    async with PeerConnection(relay_only(coturn, url)) as a:
        a.create_data_channel("chat")
        await a.set_local_description()
        await gathered(a)
        relays = [entry for entry in (await a.get_stats()).values() if entry["type"] == "local-candidate"]
        assert {(entry["url"], entry["relayProtocol"], entry["protocol"]) for entry in relays} == {
            (url, transport, "udp")
        }


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_one_side_may_have_a_relay_and_the_other_a_socket(coturn: Coturn, transport: str) -> None:
    async with (
        PeerConnection(relay_only(coturn, url_of(coturn, transport))) as a,
        PeerConnection(Configuration(addresses=("127.0.0.1",))) as b,
        b.events() as events,
    ):
        channel = a.create_data_channel("chat")
        await negotiate_when_gathered(a, b)
        with fail_after(PATIENCE):
            await channel.wait_open()
            other = await next_channel(events)
            await channel.send(b"x" * 200_000)
            assert await other.receive() == b"x" * 200_000
            await other.send("and back")
            assert await channel.receive() == "and back"


async def test_a_relay_has_addresses_of_both_families(coturn: Coturn) -> None:
    async with PeerConnection(relay_only(coturn)) as a:
        a.create_data_channel("chat")
        await a.set_local_description()
        await until(lambda: a.ice_gathering_state is IceGatheringState.COMPLETE)
        hosts = {line.split()[4] for line in candidates_of(a.local_description)}
        assert hosts == {"127.0.0.1", "::1"}


async def test_a_server_is_reached_over_ipv6(coturn: Coturn) -> None:
    configuration = relay_only(coturn, url_of(coturn, host="[::1]"))
    async with connected_pair_when_gathered(configuration) as (a, _):
        assert a.connection_state is ConnectionState.CONNECTED


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_relay_reaches_peers_of_either_family(coturn: Coturn, host: str) -> None:
    async with (
        PeerConnection(relay_only(coturn)) as a,
        PeerConnection(Configuration(addresses=(host,))) as b,
        b.events() as events,
    ):
        channel = a.create_data_channel("chat")
        await negotiate_when_gathered(a, b)
        with fail_after(10):
            await channel.wait_open()
            await channel.send("through the relay")
            assert await (await next_channel(events)).receive() == "through the relay"
        report = await b.get_stats()
        assert host in {entry["address"] for entry in report.values() if entry["type"] == "remote-candidate"}


async def test_relay_only_tells_no_address_of_this_host(coturn: Coturn) -> None:
    async with PeerConnection(relay_only(coturn)) as a, a.events() as events:
        a.create_data_channel("chat")
        await a.set_local_description()
        await until(lambda: a.ice_gathering_state is IceGatheringState.COMPLETE)
        lines = candidates_of(a.local_description)
        assert lines
        for line in lines:
            assert " typ relay raddr 0.0.0.0 rport 9" in line
        assert events is not None
        stats = await a.get_stats()
        assert {entry["candidateType"] for entry in stats.values() if entry["type"] == "local-candidate"} == {"relay"}


async def test_an_allocation_is_given_back_at_the_end(coturn: Coturn) -> None:
    before = coturn.log.count("lifetime=0")
    async with PeerConnection(relay_only(coturn)) as a:
        a.create_data_channel("chat")
        await a.set_local_description()
        await until(lambda: a.ice_gathering_state is IceGatheringState.COMPLETE)
    await until(lambda: coturn.log.count("lifetime=0") > before)


async def test_a_cancelled_connection_gives_its_allocation_back(coturn: Coturn) -> None:
    before = coturn.log.count("lifetime=0")
    with CancelScope() as scope:
        async with PeerConnection(relay_only(coturn)) as a:
            a.create_data_channel("chat")
            await a.set_local_description()
            await until(lambda: a.ice_gathering_state is IceGatheringState.COMPLETE)
            scope.cancel()
            await sleep(10)
    await until(lambda: coturn.log.count("lifetime=0") > before)


async def test_a_wrong_password_is_reported_and_ends_gathering(coturn: Coturn) -> None:
    async with PeerConnection(relay_only(coturn, password="wrong")) as a, a.events() as events:
        a.create_data_channel("chat")
        await a.set_local_description()
        failure = await first_failure(events)
        assert (failure.url, failure.code) == (url_of(coturn), 401)
        await until(lambda: a.ice_gathering_state is IceGatheringState.COMPLETE)


async def test_a_certificate_of_an_unknown_authority_is_refused(coturn: Coturn) -> None:
    server = IceServer(url_of(coturn, "tls"), USERNAME, PASSWORD)
    configuration = Configuration(ice_servers=(server,), ice_transport_policy="relay")
    async with PeerConnection(configuration) as a, a.events() as events:
        a.create_data_channel("chat")
        await a.set_local_description()
        failure = await first_failure(events)
        assert failure.code == 701
        assert "certificate" in failure.reason.lower()


async def test_a_tls_context_of_the_user_is_taken(coturn: Coturn) -> None:
    context = ssl.create_default_context(cafile=str(coturn.authority))
    server = IceServer(url_of(coturn, "tls"), USERNAME, PASSWORD, tls=context)
    async with connected_pair_when_gathered(Configuration(ice_servers=(server,), ice_transport_policy="relay")) as (
        a,
        _,
    ):
        assert a.connection_state is ConnectionState.CONNECTED


async def test_a_redirection_is_followed(odd_servers: dict[str, Coturn]) -> None:
    async with connected_pair_when_gathered(relay_only(odd_servers["redirecting"])) as (a, _):
        assert a.connection_state is ConnectionState.CONNECTED


async def test_a_quota_that_is_used_up_is_reported(odd_servers: dict[str, Coturn]) -> None:
    configuration = relay_only(odd_servers["strict"])
    async with PeerConnection(configuration) as a, PeerConnection(configuration) as b, b.events() as events:
        for connection in (a, b):
            connection.create_data_channel("chat")
            await connection.set_local_description()
            await gathered(connection)
        assert (await first_failure(events)).code == 486


async def test_a_stale_nonce_is_replaced(odd_servers: dict[str, Coturn]) -> None:
    server = odd_servers["fickle"]
    before = server.log.count("lifetime=0")
    configuration = relay_only(server)
    async with PeerConnection(configuration) as a, PeerConnection(configuration) as b, b.events() as events:
        channel = a.create_data_channel("chat")
        await a.set_local_description()
        await b.create_offer()
        await until(lambda: a.ice_gathering_state is IceGatheringState.COMPLETE)
        await sleep(2.1)  # the server's clock has whole seconds
        await negotiate_when_gathered(a, b)
        with fail_after(PATIENCE):
            await channel.wait_open()
            await next_channel(events)
    await until(lambda: server.log.count("lifetime=0") > before)


async def test_a_host_that_the_server_refuses_costs_only_itself(odd_servers: dict[str, Coturn]) -> None:
    both = Configuration(addresses=("127.0.0.9", "127.0.0.1"))
    async with PeerConnection(relay_only(odd_servers["choosy"])) as a, PeerConnection(both) as b:
        channel = a.create_data_channel("chat")
        await negotiate_when_gathered(a, b)
        with fail_after(PATIENCE):
            await channel.wait_open()


async def test_a_dead_server_does_not_delay_the_others(coturn: Coturn) -> None:
    dead = "turn:127.0.0.1:9?transport=udp"
    configuration = relay_only(coturn, dead, url_of(coturn))
    async with PeerConnection(configuration) as a, PeerConnection(configuration) as b:
        channel = a.create_data_channel("chat")
        await a.set_local_description()
        await b_gets_offer(a, b)
        with fail_after(PATIENCE):
            await channel.wait_open()
        assert a.ice_gathering_state is IceGatheringState.GATHERING


async def b_gets_offer(a: PeerConnection, b: PeerConnection) -> None:
    """As soon as both have a relay, whatever the other servers do."""
    await until(lambda: bool(candidates_of(a.local_description)))
    assert a.local_description is not None
    await b.set_remote_description(a.local_description)
    await b.set_local_description()
    await until(lambda: bool(candidates_of(b.local_description)))
    assert b.local_description is not None
    await a.set_remote_description(b.local_description)


async def test_a_server_that_vanishes_does_not_hold_up_the_end() -> None:
    with running() as server:
        coturn = or_skip(server)
        async with PeerConnection(relay_only(coturn)) as a:
            a.create_data_channel("chat")
            await a.set_local_description()
            await until(lambda: a.ice_gathering_state is IceGatheringState.COMPLETE)
            coturn.stop()
            started = time.monotonic()
        assert time.monotonic() - started < AT_ONCE


async def test_a_lost_stream_takes_its_candidate_away() -> None:
    with running() as server:
        coturn = or_skip(server)
        async with PeerConnection(relay_only(coturn, url_of(coturn, "tcp"))) as a, a.events() as events:
            a.create_data_channel("chat")
            await a.set_local_description()
            await until(lambda: a.ice_gathering_state is IceGatheringState.COMPLETE)
            coturn.stop()
            assert (await first_failure(events)).code == 701
            stats = await a.get_stats()
            assert not [entry for entry in stats.values() if entry["type"] == "local-candidate"]


def candidates_of(description: SessionDescription | None) -> list[str]:
    if description is None:
        return []
    return [line for line in description.sdp.splitlines() if line.startswith("a=candidate:")]


@asynccontextmanager
async def connected_pair_when_gathered(
    configuration: Configuration,
) -> AsyncGenerator[tuple[PeerConnection, PeerConnection]]:
    """Two connections with the same configuration that are connected."""
    async with PeerConnection(configuration) as a, PeerConnection(configuration) as b:
        channel = a.create_data_channel("chat")
        await negotiate_when_gathered(a, b)
        with fail_after(PATIENCE):
            await channel.wait_open()
        yield a, b
