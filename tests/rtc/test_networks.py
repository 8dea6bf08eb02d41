"""Connections through real NATs and on changing networks, between hosts that are network namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.network_lab import (
    SERVER,
    connect,
    coturn_in,
    lab,
    peers_in,
    selected_types,
    talk,
    two_homes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tests.support.agents import ProcessAgent
    from tests.support.network_lab import Host, Lab

pytestmark = pytest.mark.anyio


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop", marks=pytest.mark.slow),
        pytest.param(("trio", {}), id="trio", marks=pytest.mark.slow),
    ],
)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """The event loop of the test and of its peers, which are processes of their own and take seconds to start."""
    return request.param


@pytest.fixture(
    scope="module",
    params=[
        ("", ""),
        ("fully-random", "fully-random"),
        pytest.param(("", "fully-random"), marks=pytest.mark.slow),
    ],
    ids=["preserving", "symmetric", "mixed"],
)
def homes_of_module(request: pytest.FixtureRequest) -> Iterator[tuple[list[Host], dict[str, Any]]]:
    """Two homes, and the entry of the server between them."""
    with lab() as made:
        homes, net = two_homes(made, *request.param)
        with coturn_in(net) as server:
            yield homes, {"server": server, "natting": request.param}


async def test_hosts_behind_nats_connect_directly_where_the_nats_allow_it_and_by_relay_where_not(
    homes_of_module: tuple[list[Host], dict[str, Any]], anyio_backend: object
) -> None:
    homes, facts = homes_of_module
    with peers_in(homes, anyio_backend, ice_servers=[facts["server"]]) as (a, b):
        await connect(a, b)
        used = {*await selected_types(a), *await selected_types(b)}
        if facts["natting"] == ("", ""):
            assert used <= {"srflx", "prflx"}
        else:
            assert "relay" in used


@pytest.fixture
def neighbours() -> Iterator[tuple[Lab, Host, Host]]:
    """Two hosts on a switch."""
    with lab() as made:
        a, b = made.host(), made.host()
        made.switch(a, b)
        yield made, a, b


@pytest.mark.parametrize("offering", [True, False], ids=["offerer moves", "answerer moves"])
async def test_a_connection_survives_the_move_to_another_address(
    neighbours: tuple[Lab, Host, Host], anyio_backend: object, offering: bool
) -> None:
    _, a, b = neighbours
    a.add_address("eth0", "10.0.0.1/24")
    b.add_address("eth0", "10.0.0.2/24")
    with peers_in((a, b), anyio_backend) as (mover, other):
        await (connect(mover, other) if offering else connect(other, mover))
        a.ip("address", "del", "10.0.0.1/24", "dev", "eth0")
        a.add_address("eth0", "10.0.0.3/24")
        # Nothing is signalled: the checks from the new address say it all.
        await talk(mover, other, "I have moved")
        await talk(other, mover, "so I hear")
        # The one who stayed has another way before anybody is told that the old one is gone.
        assert await other.request("states") == ["connecting", "connected"]
        assert (await mover.request("states"))[-1] == "connected"


@pytest.mark.slow
async def test_a_connection_on_a_shared_port_survives_the_move_to_another_address(
    neighbours: tuple[Lab, Host, Host], anyio_backend: object
) -> None:
    _, a, b = neighbours
    a.add_address("eth0", "10.0.0.1/24")
    b.add_address("eth0", "10.0.0.2/24")
    with peers_in((a, b), anyio_backend, share_port=True) as (mover, other):
        await connect(mover, other)
        [before] = await sockets_of(mover)
        a.ip("address", "del", "10.0.0.1/24", "dev", "eth0")
        a.add_address("eth0", "10.0.0.3/24")
        await talk(mover, other, "I have moved")
        await talk(other, mover, "so I hear")
        assert await sockets_of(mover) == [("10.0.0.3", before[1])]


async def sockets_of(peer: ProcessAgent) -> list[tuple[str, int]]:
    """Address and port of each of its sockets, without those of link-local addresses."""
    entries = [entry for entry in await peer.request("stats") if entry["type"] == "udp-port"]
    sockets = [(entry["address"], entry["port"]) for entry in entries]
    return [(address, port) for address, port in sockets if not address.startswith("fe80:")]


async def test_a_connection_goes_on_by_another_interface_when_one_is_unplugged(
    neighbours: tuple[Lab, Host, Host], anyio_backend: object
) -> None:
    made, a, b = neighbours
    a.add_address("eth0", "10.0.0.1/24")
    b.add_address("eth0", "10.0.0.2/24")
    with peers_in((a, b), anyio_backend) as (mover, other):
        await connect(mover, other)
        made.cable(a, "eth1", b, "eth1")
        a.add_address("eth1", "10.9.0.1/24")
        b.add_address("eth1", "10.9.0.2/24")
        found = await other.request("candidate_of", host="10.9.0.2")
        await mover.request("add_candidate", candidate=found)
        a.ip("link", "delete", "eth0")
        await talk(mover, other, "by the other cable")
        await talk(other, mover, "so I hear")


@pytest.mark.parametrize(
    "kind",
    [
        "link-local",
        pytest.param("unique local", marks=pytest.mark.slow),
        pytest.param("link-local IPv4", marks=pytest.mark.slow),
    ],
)
async def test_hosts_with_one_kind_of_address_connect(
    neighbours: tuple[Lab, Host, Host], anyio_backend: object, kind: str
) -> None:
    _, a, b = neighbours
    for number, host in enumerate((a, b), 1):
        host.ip("address", "flush", "dev", "eth0")
        prefix = {"unique local": "fd00::", "link-local": "fe80::", "link-local IPv4": "169.254.3."}[kind]
        host.add_address("eth0", f"{prefix}{number}/{24 if '.' in prefix else 64}")
    with peers_in((a, b), anyio_backend) as (one, two):
        await connect(one, two)


async def test_a_relay_is_asked_for_anew_from_a_new_address(
    neighbours: tuple[Lab, Host, Host], anyio_backend: object
) -> None:
    made, a, b = neighbours
    server = made.hosts[-1]
    server.add_address("br0", f"{SERVER}/24")
    a.add_address("eth0", "203.0.113.21/24")
    b.add_address("eth0", "203.0.113.22/24")
    with coturn_in(server) as entry:
        options = {"ice_servers": [entry], "ice_transport_policy": "relay"}
        with peers_in((a, b), anyio_backend, **options) as (mover, other):
            await connect(mover, other)
            a.ip("address", "del", "203.0.113.21/24", "dev", "eth0")
            a.add_address("eth0", "203.0.113.23/24")
            await talk(mover, other, "I have moved")
            await talk(other, mover, "so I hear")
