"""Which addresses of this host a peer uses."""

from __future__ import annotations

from typing import Any

import pytest

from peerix import LocalProtocolError, Peer
from tests.support.peers import local_peer, meet, peers_in_room, remote_of

pytestmark = pytest.mark.anyio


def hosts(peer: Peer, other: Peer) -> set[str]:
    """The addresses that a peer has told another one."""
    connection = remote_of(peer, other).connection
    assert connection is not None
    assert connection.local_description is not None
    lines = connection.local_description.sdp.splitlines()
    return {line.split()[4] for line in lines if line.startswith("a=candidate:")}


async def test_a_peer_uses_the_addresses_that_it_was_given_and_no_other() -> None:
    async with peers_in_room(addresses=["127.0.0.2", "127.0.0.3"]) as (a, b):
        assert hosts(a, b) == hosts(b, a) == {"127.0.0.2", "127.0.0.3"}


async def test_an_address_that_this_host_does_not_have_is_passed_over() -> None:
    async with local_peer(addresses=["192.0.2.1", "127.0.0.1"]) as a, local_peer() as b:
        await meet(a, b)
        assert hosts(a, b) == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("addresses", "reason"),
    [
        (["eth0"], "no IP address"),
        (["127.0.0.1:80"], "no IP address"),
        ("127.0.0.1", "sequence"),
        (["0.0.0.0"], "one interface"),
        (["::"], "one interface"),
        (["224.0.0.251"], "one interface"),
    ],
)
def test_what_is_no_local_address_is_refused_at_once(addresses: Any, reason: str) -> None:
    with pytest.raises(LocalProtocolError, match=reason):
        Peer(addresses=addresses)
