"""Small networks out of namespaces: hosts, switches, NATs and a TURN server, and peers that live in them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import fail_after

from tests.support.agents import ProcessAgent
from tests.support.components import require_program
from tests.support.coturn import PASSWORD, USERNAME, Coturn
from tests.support.namespaces import new_namespace, require_namespaces

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.namespaces import Namespace

SERVER = "203.0.113.1"
MASQUERADE = """
table ip nat {
    chain post {
        type nat hook postrouting priority 100
        oifname "wan" masquerade %s
    }
}
table ip filter {
    chain forward {
        type filter hook forward priority 0
        iifname "wan" ct state != { established, related } drop
    }
    chain input {
        type filter hook input priority 0
        iifname "wan" ct state != { established, related } drop
    }
}
"""
"""As home routers do it. Without the last chain what nobody asked for would be remembered as a connection to the router
itself, and take the port away from the host behind it."""


class Host:
    """One namespace, with what its routers and hosts need."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self.ip = namespace.ip
        self.command = namespace.command

    @property
    def name(self) -> str:
        """What `ip netns` calls it."""
        return self._namespace.name

    def load_rules(self, rules: str) -> None:
        """Load rules of nftables."""
        subprocess.run(self.command(require_program("nft"), "-f", "-"), input=rules, text=True, check=True)

    def forward(self) -> None:
        """Make it a router."""
        self._namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1")

    def add_address(self, device: str, address: str) -> None:
        """Give an interface an address; an IPv6 one is not tried out first."""
        self.ip("address", "add", address, "dev", device, *(["nodad"] if ":" in address else []))


class Lab:
    """Some namespaces and the cables between them."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.hosts: list[Host] = []

    def host(self) -> Host:
        """Add a namespace."""
        made = Host(self._stack.enter_context(new_namespace()))
        self.hosts.append(made)
        return made

    def cable(self, a: Host, a_device: str, b: Host, b_device: str) -> None:
        """Connect two namespaces by a pair of interfaces."""
        a.ip("link", "add", a_device, "type", "veth", "peer", "name", b_device, "netns", b.name)
        a.ip("link", "set", a_device, "up")
        b.ip("link", "set", b_device, "up")

    def switch(self, *hosts: Host, device: str = "eth0") -> Host:
        """Connect namespaces by a switch, which is one itself."""
        switch = self.host()
        switch.ip("link", "add", "br0", "type", "bridge", "stp_state", "0")
        switch.ip("link", "set", "br0", "up")
        for number, host in enumerate(hosts):
            self.cable(switch, f"p{number}", host, device)
            switch.ip("link", "set", f"p{number}", "master", "br0")
        return switch


@contextmanager
def lab() -> Iterator[Lab]:
    """A lab for one test or one module. Skips where there are no namespaces, as `require_namespaces` says."""
    require_namespaces()
    require_program("nft")
    with ExitStack() as stack:
        yield Lab(stack)


def two_homes(made: Lab, *masquerading: str) -> tuple[list[Host], Host]:
    """Two hosts, each behind a NAT of its own, and a server in the internet between them.

    :param masquerading: how each NAT chooses ports: "" keeps the port for all destinations where it can, and lets in
        only what answers; "fully-random" takes another one for each destination (a symmetric NAT).
    """
    homes: list[Host] = []
    routers: list[Host] = []
    for number, flags in enumerate(masquerading, 1):
        home, router = made.host(), made.host()
        made.cable(router, "lan", home, "eth0")
        router.add_address("lan", f"10.{number}.0.1/24")
        home.add_address("eth0", f"10.{number}.0.2/24")
        home.ip("route", "add", "default", "via", f"10.{number}.0.1")
        router.forward()
        router.load_rules(MASQUERADE % flags)
        homes.append(home)
        routers.append(router)
    net = made.switch(*routers, device="wan")
    net.add_address("br0", f"{SERVER}/24")
    # Packets for private addresses get lost in the internet; coturn gives a session up that no route is there for.
    net.ip("link", "add", "void", "type", "bridge")
    net.ip("link", "set", "void", "up")
    net.ip("route", "add", "default", "dev", "void")
    for number, router in enumerate(routers, 1):
        router.add_address("wan", f"203.0.113.{10 + number}/24")
    return homes, net


@contextmanager
def coturn_in(host: Host, address: str = SERVER) -> Iterator[dict[str, Any]]:
    """A STUN and TURN server in a namespace; the value is its entry in `ice_servers`."""
    program = require_program("turnserver")
    with tempfile.TemporaryDirectory(prefix="coturn-") as folder:
        server = Coturn(program, Path(folder), hosts=(address,), prefix=host.command())
        server.start()
        try:
            yield {
                "urls": [f"stun:{address}:{server.port}", f"turn:{address}:{server.port}"],
                "username": USERNAME,
                "credential": PASSWORD,
            }
        finally:
            server.stop()


@contextmanager
def peers_in(hosts: Sequence[Host], backend: object, **options: object) -> Iterator[list[ProcessAgent]]:
    """A peer in each of some namespaces, with the configuration `options`."""
    name = "asyncio"
    if isinstance(backend, tuple):
        name = backend[0] + ("+uvloop" if backend[1].get("use_uvloop") else "")
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        started: list[ProcessAgent] = []
        try:
            for number, host in enumerate(hosts):
                program = [sys.executable, "-m", "tests.support.lab_peer", name, json.dumps(options)]
                started.append(ProcessAgent(host.command(*program), Path(folder) / f"{number}"))
            yield started
        finally:
            for peer in started:
                peer.stop()


async def connect(offerer: ProcessAgent, answerer: ProcessAgent) -> None:
    """One offer and one answer, candidates inside; then a message each way."""
    offer = await offerer.request("offer")
    answer = await answerer.request("answer", sdp=offer)
    await offerer.request("accept", sdp=answer)
    await talk(offerer, answerer, "hello")
    await talk(answerer, offerer, "hello yourself")


async def talk(sender: ProcessAgent, receiver: ProcessAgent, text: str) -> float:
    """Send a message; return how long it took to arrive."""
    started = time.monotonic()
    await sender.request("send", text=text)
    assert await receiver.request("receive") == text
    return time.monotonic() - started


async def selected_types(peer: ProcessAgent) -> tuple[str, str]:
    """The types of the local and the remote candidate in use, once a pair is nominated: data may flow before that."""
    stats: dict[str, Any] = {}
    with fail_after(10):
        while "selectedCandidatePairId" not in stats.get("T0", ()):
            stats = {entry["id"]: entry for entry in await peer.request("stats")}
    pair = stats[stats["T0"]["selectedCandidatePairId"]]
    return stats[pair["localCandidateId"]]["candidateType"], stats[pair["remoteCandidateId"]]["candidateType"]
