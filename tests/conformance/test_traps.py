"""Traps that others fell into and that are a matter of the whole source, not of one behaviour."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from peerix.core.ice import IceAgent
from peerix.core.mdns import read_records
from peerix.core.sctp import Association
from peerix.core.turn import TurnClient
from tests.support.simnet import Link, Network

CORE = Path(__file__).parents[2] / "src" / "peerix" / "core"
MODULES = sorted(CORE.rglob("*.py"))
CLOCKS = {"time", "datetime", "asyncio", "trio", "anyio"}

# Asserts that say what our own calls made true, and that no bytes of a peer can reach.
OWN_STATE = {
    "dtls/certificate.py",
    "dtls/openssl.py",
    "jsep/negotiator.py",
}


def imported(tree: ast.Module) -> set[str]:
    """The modules that are imported when the program runs: not those for the type checker alone."""
    guarded: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            guarded.update(each for child in node.body for each in ast.walk(child))
    names: set[str] = set()
    for node in ast.walk(tree):
        if node in guarded:
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CORE)))
def test_no_core_reads_a_clock(path: Path) -> None:
    clocks = imported(ast.parse(path.read_text(encoding="utf-8"))) & CLOCKS
    # A certificate has dates in it; the caller says which.
    assert clocks <= ({"datetime"} if path.name == "certificate.py" else set())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CORE)))
def test_peers_cannot_reach_an_assert(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    assert not found or path.relative_to(CORE).as_posix() in OWN_STATE


def test_an_empty_datagram_changes_nothing_anywhere() -> None:
    agent = IceAgent(controlling=True, random_bytes=bytes)
    agent.receive_datagram(0, ("192.0.2.1", 1), b"", 0.0)
    assert agent.counters.malformed == 1
    association = Association(random_bytes=lambda size: b"\1" * size)
    association.receive_packets([b"", b""], 0.0)
    assert association.counters.received.malformed == 2
    relay = TurnClient(username="u", password="p", random_bytes=bytes)
    assert relay.receive(b"", 0.0) == []
    assert read_records(b"") == []


def test_an_empty_datagram_disturbs_no_session() -> None:
    from tests.support.sessions import SimulatedPeer, negotiate

    network = Network(seed=1, default=Link(latency=0.01), tick=0.001)
    a, b = SimulatedPeer(network, "a", ["10.1.0.1"]), SimulatedPeer(network, "b", ["10.2.0.1"])
    a.open("chat")
    negotiate(a, b)
    for _ in range(100):
        for peer in (a, b):
            peer.session.receive_datagrams(0, [(("192.0.2.9", 1), b"", 0)], network.now)
            peer.session.receive_datagrams(0, [(("10.1.0.1", 5000), b"", 0)], network.now)
        network.run(0.01)
    assert network.run(10, lambda: "chat" in b.channels)
