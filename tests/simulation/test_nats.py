"""Which sessions behind which NATs connect, and how, in virtual time."""

from __future__ import annotations

import pytest

from peerix.core.session import ConnectionState
from tests.support.nat import KINDS, Nat
from tests.support.natted_peers import IceServers, LyingServer, NattedPeer, introduce, types_in_use
from tests.support.simnet import Link, Network

OPEN = "open"
ALL = (OPEN, *KINDS)
LATENCY = 0.02
OTHER_SERVER = ("203.0.113.66", 3478)


def nat_of(kind: str, number: int, **options: bool | float) -> Nat:
    mapping, filtering = KINDS[kind]
    inside = frozenset({f"10.{number}.0.1", f"10.{number}.0.2"})
    return Nat(f"198.51.100.{number}", inside, mapping, filtering, **options)  # type: ignore[arg-type]


def world(*kinds: str, **options: bool) -> tuple[Network, NattedPeer, NattedPeer]:
    """Two peers behind NATs of these kinds, and a server outside."""
    network = Network(default=Link(latency=LATENCY), tick=0.001)
    IceServers(network)
    peers: list[NattedPeer] = []
    for number, kind in enumerate(kinds, 1):
        if kind != OPEN:
            network.nats.append(nat_of(kind, number))
        host = f"192.0.2.{number}" if kind == OPEN else f"10.{number}.0.1"
        peers.append(NattedPeer(network, "ab"[number - 1], host, **options))
    return network, *peers  # type: ignore[return-value]


def is_connected(a: NattedPeer, b: NattedPeer) -> bool:
    return all(peer.session.connection_state is ConnectionState.CONNECTED for peer in (a, b))


def is_settled(a: NattedPeer, b: NattedPeer) -> bool:
    return is_connected(a, b) and all("chat" in peer.channels and types_in_use(peer) != ("", "") for peer in (a, b))


def says_hello(network: Network, a: NattedPeer, b: NattedPeer) -> bool:
    count = len(b.messages.get("chat", ()))
    a.send("chat", "hello")
    return network.run(20, lambda: len(b.messages.get("chat", ())) > count)


def is_hopeless(one: str, two: str) -> bool:
    """A symmetric NAT takes another port for each destination; whoever only admits known ports never hears it."""
    return (one == "symmetric" and two in ("symmetric", "port-restricted")) or (
        two == "symmetric" and one in ("symmetric", "port-restricted")
    )


@pytest.mark.parametrize("one", ALL)
@pytest.mark.parametrize("two", ALL)
def test_with_a_stun_server_all_connect_whose_nats_allow_it(one: str, two: str) -> None:
    network, a, b = world(one, two)
    introduce(a, b)
    if is_hopeless(one, two):
        assert network.run(60, lambda: a.session.connection_state is ConnectionState.FAILED)
        return
    assert network.run(5, lambda: is_settled(a, b)), (a.states, b.states)
    assert says_hello(network, a, b)
    used = {*types_in_use(a), *types_in_use(b)}
    if one == two == OPEN:
        assert used == {"host"}
    elif "symmetric" in (one, two):
        assert "prflx" in used  # the address that the server saw is not the one that the other side sees


@pytest.mark.parametrize("one", ALL)
@pytest.mark.parametrize("two", ALL)
def test_with_a_turn_server_everybody_connects_and_the_relay_is_the_last_resort(one: str, two: str) -> None:
    network, a, b = world(one, two, turn=True)
    introduce(a, b)
    assert network.run(10, lambda: is_settled(a, b)), (a.states, b.states)
    assert says_hello(network, a, b)
    assert says_hello(network, b, a)
    network.run(5)
    assert ("relay" in {*types_in_use(a), *types_in_use(b)}) is is_hopeless(one, two)


@pytest.mark.parametrize("turn", [False, True])
def test_a_dead_or_lying_first_server_costs_no_time(turn: bool) -> None:
    times: list[float] = []
    for other in ("none", "dead", "lying"):
        network, a, b = world("port-restricted", "port-restricted", turn=turn)
        if other == "lying":
            LyingServer(network, OTHER_SERVER, ("198.51.100.99", 9))
        for peer in (a, b) if other != "none" else ():
            peer.session.add_stun_server(*OTHER_SERVER, network.now)
        introduce(a, b)
        assert network.run(5, lambda a=a, b=b: is_settled(a, b))  # type: ignore[misc]
        times.append(network.now)
    assert times[0] == times[1] == times[2]


def test_nobody_needs_a_server_to_reach_an_open_host() -> None:
    network, a, b = world("symmetric", OPEN, stun=False)
    introduce(a, b)
    assert network.run(5, lambda: is_settled(a, b))
    assert types_in_use(b) == ("host", "prflx")


def test_relay_only_uses_nothing_else_and_tells_nothing_else() -> None:
    network, a, b = world("full cone", "full cone", relay_only=True)
    introduce(a, b)
    assert network.run(5, lambda: is_settled(a, b))
    assert says_hello(network, a, b)
    assert types_in_use(a) == types_in_use(b) == ("relay", "relay")
    texts = [event.candidate.candidate for event in a.candidates if event.candidate is not None]
    assert {text.split()[7] for text in texts} == {"relay"}
    sources = {source for source, _ in network.states if isinstance(source, tuple)}
    assert all(port == 7000 for host, port in sources if host.startswith("10."))


def test_neighbours_behind_one_nat_talk_directly() -> None:
    network = Network(default=Link(latency=LATENCY), nats=[nat_of("symmetric", 1)])
    IceServers(network)
    a, b = NattedPeer(network, "a", "10.1.0.1"), NattedPeer(network, "b", "10.1.0.2")
    introduce(a, b)
    assert network.run(5, lambda: is_settled(a, b))
    assert types_in_use(a) == ("host", "host")


@pytest.mark.parametrize("hairpin", [True, False])
def test_isolated_neighbours_need_a_nat_that_turns_their_packets_round(hairpin: bool) -> None:
    network = Network(default=Link(latency=LATENCY), nats=[nat_of("port-restricted", 1, hairpin=hairpin)])
    IceServers(network)
    a, b = NattedPeer(network, "a", "10.1.0.1", turn=True), NattedPeer(network, "b", "10.1.0.2", turn=True)
    network.connect(a.ports[0], b.ports[0], Link(down=True))
    introduce(a, b)
    assert network.run(10, lambda: is_settled(a, b))
    network.run(5)
    assert ("relay" in types_in_use(a)) is not hairpin


def test_consent_checks_keep_mappings_alive_that_are_soon_forgotten() -> None:
    network, a, b = world("port-restricted", "port-restricted")
    for nat in network.nats:
        nat.timeout = 10.0
    introduce(a, b)
    assert network.run(5, lambda: is_settled(a, b))
    network.run(600)
    assert a.states == b.states == ["connecting", "connected"]
    assert says_hello(network, a, b)


def test_a_reflexive_address_is_kept_alive_until_it_is_used() -> None:
    network, a, b = world("full cone", "full cone")
    network.nats[0].timeout = 20.0
    network.nats[1].timeout = 20.0
    a.session.set_local_description(None, network.now)
    a.open("chat")
    a.session.set_local_description(None, network.now)
    a.take_events(network.now)
    network.run(1)
    mapped = network.nats[0].translate_in(("192.0.2.99", 1), network.nats[0].next_port - 1, network.now)
    assert mapped == a.ports[0]
    network.run(100)  # people take their time to answer a call
    assert network.nats[0].translate_in(("192.0.2.99", 1), network.nats[0].next_port - 1, network.now) == a.ports[0]
    assert b.states == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_nat_that_starts_anew_does_not_end_a_connection_to_an_open_host(kind: str) -> None:
    network, a, b = world(kind, OPEN)
    introduce(a, b)
    assert network.run(5, lambda: is_settled(a, b))
    network.run(10)
    network.nats[0].forget()
    assert says_hello(network, a, b)
    assert says_hello(network, b, a)
    assert "failed" not in (*a.states, *b.states)


def test_a_relay_saves_a_connection_whose_direct_path_dies() -> None:
    network, a, b = world("port-restricted", "port-restricted", turn=True)
    introduce(a, b)
    assert network.run(5, lambda: is_settled(a, b))
    network.run(10)
    for peer in (a, b):
        pair = peer.session.transport.ice.selected_pair
        assert pair is not None
        assert "relay" not in types_in_use(peer)
        network.links[peer.ports[0], pair.address] = Link(down=True)
    assert says_hello(network, a, b)
    assert says_hello(network, b, a)
    assert "relay" in types_in_use(a)
    assert "failed" not in (*a.states, *b.states)


def test_the_same_world_runs_the_same_way() -> None:
    runs: list[object] = []
    for _ in range(2):
        network, a, b = world("symmetric", "port-restricted", turn=True)
        introduce(a, b)
        assert network.run(10, lambda a=a, b=b: is_settled(a, b))  # type: ignore[misc]
        runs.append((network.now, sorted((str(key), state.sent) for key, state in network.states.items())))
    assert runs[0] == runs[1]
