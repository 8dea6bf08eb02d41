"""The listener of multicast DNS, on the loopback interface and a port of its own."""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING

import pytest
from anyio import CancelScope, create_task_group, fail_after, sleep, wait_readable
from anyio.lowlevel import checkpoint_if_cancelled

from peerix.rtc import Configuration, ConnectionState, PeerConnection, SessionDescription, gatherer, multicast_dns
from peerix.rtc.multicast_dns import MulticastDns
from peerix.rtc.multicast_socket import GROUP, GROUP_IPV6
from tests.support.namespaces import two_hosts
from tests.support.nats_server import free_port
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerix.rtc.multicast_socket import MulticastSocket
    from tests.support.namespaces import Namespace

pytestmark = pytest.mark.anyio

NAME = "3e7f7d8a-0000-4bcf-a596-105139dfd8bf.local"


class Responder:
    """A browser that has given its address a name. It answers questions unless it is `shy`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        loopback = socket.inet_aton("127.0.0.1")
        self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
        self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + loopback)
        self.sock.bind(("", port))
        self.ignores = 0
        self.questions: list[float] = []

    def announce(self) -> None:
        name = b"".join(bytes((len(label),)) + label.encode() for label in NAME.split(".")) + b"\0"
        header = struct.pack("!HHHHHH", 0, 0x8400, 0, 1, 0, 0)
        record = struct.pack("!HHIH", 1, 0x8001, 120, 4) + socket.inet_aton("127.0.0.1")
        self.sock.sendto(header + name + record, (GROUP, self.port))

    async def run(self) -> None:
        while True:
            await wait_readable(self.sock)
            await checkpoint_if_cancelled()
            data = self.sock.recv(9000)
            if not data[2] & 0x80:
                self.questions.append(time.monotonic())
                if len(self.questions) > self.ignores:
                    self.announce()


@pytest.fixture
def responder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Responder]:
    port = free_port()
    monkeypatch.setattr(multicast_dns, "PORT", port)
    monkeypatch.setattr(multicast_dns, "multicast_hosts", lambda adapters: ["127.0.0.1"])
    monkeypatch.setattr(multicast_dns, "multicast_interfaces", lambda adapters: list[int]())
    made = Responder(port)
    yield made
    made.sock.close()


async def until_known(listener: MulticastDns) -> None:
    with fail_after(PATIENCE):
        while not listener.known(NAME):
            await sleep(0.002)


async def test_an_announcement_is_known_without_a_question(responder: Responder) -> None:
    listener = MulticastDns()
    async with create_task_group() as tasks:
        tasks.start_soon(listener.listen)
        await sleep(0.02)
        responder.announce()
        await until_known(listener)
        assert await listener.resolve(NAME) == ["127.0.0.1"]
        tasks.cancel_scope.cancel()


async def test_a_name_that_nobody_announced_is_asked_for(responder: Responder) -> None:
    listener = MulticastDns()
    async with create_task_group() as tasks:
        tasks.start_soon(responder.run)
        tasks.start_soon(listener.listen)
        assert await listener.resolve(NAME.upper()) == ["127.0.0.1"]
        assert len(responder.questions) == 1
        tasks.cancel_scope.cancel()


async def test_a_question_is_asked_again_after_a_second(responder: Responder) -> None:
    responder.ignores = 1
    listener = MulticastDns()
    async with create_task_group() as tasks:
        tasks.start_soon(responder.run)
        tasks.start_soon(listener.listen)
        assert await listener.resolve(NAME) == ["127.0.0.1"]
        first, second = responder.questions[:2]
        assert second - first > 0.9
        tasks.cancel_scope.cancel()


async def test_a_name_without_an_answer_is_given_up(responder: Responder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multicast_dns, "WAITS", (0.05, 0.05, 0.05))
    responder.ignores = 100
    listener = MulticastDns()
    async with create_task_group() as tasks:
        tasks.start_soon(responder.run)
        tasks.start_soon(listener.listen)
        assert await listener.resolve(NAME) == []
        assert len(responder.questions) == 3
        tasks.cancel_scope.cancel()


async def test_another_listener_reads_on_when_the_first_one_ends(responder: Responder) -> None:
    listener = MulticastDns()
    first = CancelScope()

    async def listen_for_a_while() -> None:
        with first:
            await listener.listen()

    async with create_task_group() as tasks:
        tasks.start_soon(listen_for_a_while)
        await sleep(0.02)
        tasks.start_soon(listener.listen)
        await sleep(0.02)
        first.cancel()
        await sleep(0.02)
        responder.announce()
        await until_known(listener)
        tasks.cancel_scope.cancel()
    assert not listener.known(NAME)


async def test_a_port_that_cannot_be_opened_leaves_the_system_to_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(port: int) -> MulticastSocket:
        raise PermissionError

    async def look_up(name: str) -> list[str]:
        return ["127.0.0.9"] if name == NAME else []

    for name in ("Ipv4Multicast", "Ipv6Multicast"):
        monkeypatch.setattr(multicast_dns, name, type(name, (), {"__new__": lambda _, port: refuse(port)}))
    monkeypatch.setattr(multicast_dns, "resolve_host", look_up)
    listener = MulticastDns()
    async with create_task_group() as tasks:
        tasks.start_soon(listener.listen)
        assert await listener.resolve(NAME) == ["127.0.0.9"]
        tasks.cancel_scope.cancel()


def hidden(description: SessionDescription | None) -> SessionDescription:
    """A description whose candidates have a name, as a browser writes them."""
    assert description is not None
    lines = [
        line.replace(" 127.0.0.1 ", f" {NAME} ") if line.startswith("a=candidate") else line
        for line in description.sdp.split("\r\n")
    ]
    return SessionDescription(description.type, "\r\n".join(lines))


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "asked"])
async def test_a_connection_finds_a_peer_behind_a_name(
    responder: Responder,
    monkeypatch: pytest.MonkeyPatch,
    announced: bool,
) -> None:
    monkeypatch.setattr(gatherer.Gatherer, "_may_meet_names", lambda _: True)
    loopback = Configuration(addresses=("127.0.0.1",))
    async with create_task_group() as tasks:
        tasks.start_soon(responder.run)
        async with PeerConnection(loopback) as a, PeerConnection(loopback) as b:
            channel = a.create_data_channel("chat")
            await a.set_local_description()
            await b.set_remote_description(hidden(a.local_description))
            await b.set_local_description()
            await sleep(0.02)
            if announced:
                responder.announce()
            await a.set_remote_description(hidden(b.local_description))
            with fail_after(PATIENCE):
                await channel.wait_open()
            assert a.connection_state is ConnectionState.CONNECTED
        tasks.cancel_scope.cancel()


async def test_a_connection_on_loopback_does_not_listen() -> None:
    async with PeerConnection(Configuration(addresses=("127.0.0.1",))) as a:
        a.create_data_channel("chat")
        await a.set_local_description()
        await sleep(0.02)
        assert multicast_dns.shared_multicast_dns()._sockets == []


class Ipv6Responder:
    """A host that has given its IPv6 address a name, on a network without IPv4."""

    def __init__(self, index: int, address: str) -> None:
        self._index = index
        self._address = address
        self.sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        membership = socket.inet_pton(socket.AF_INET6, GROUP_IPV6) + struct.pack("@I", index)
        self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
        self.sock.bind(("::", multicast_dns.PORT))

    async def run(self) -> None:
        while True:
            await wait_readable(self.sock)
            await checkpoint_if_cancelled()
            query = self.sock.recv(9000)
            name = query[12 : query.index(b"\0", 12) + 1]
            record = struct.pack("!HHIH", 28, 0x8001, 120, 16) + socket.inet_pton(socket.AF_INET6, self._address)
            answer = struct.pack("!HHHHHH", 0, 0x8400, 0, 1, 0, 0) + name + record
            self.sock.sendto(answer, (GROUP_IPV6, multicast_dns.PORT, 0, self._index))


@pytest.fixture
def ipv6_network() -> Iterator[tuple[Namespace, Namespace]]:
    """Two hosts on a cable that have IPv6 addresses only."""
    with two_hosts() as hosts:
        for number, host in enumerate(hosts, 1):
            host.ip("addr", "del", f"10.99.0.{number}/24", "dev", "lan")
        yield hosts


async def test_a_name_is_found_on_a_network_without_ipv4(ipv6_network: tuple[Namespace, Namespace]) -> None:
    here, there = ipv6_network
    with there.inside():
        responder = Ipv6Responder(socket.if_nametoindex("lan"), "fd99::2")
    listener = MulticastDns()
    try:
        async with create_task_group() as tasks:
            tasks.start_soon(responder.run)
            with here.inside():  # the sockets that are opened here belong to that host
                listener._users = 1
                listener.join()
            tasks.start_soon(listener.listen)
            assert await listener.resolve(NAME) == ["fd99::2"]
            tasks.cancel_scope.cancel()
    finally:
        listener._close()
        responder.sock.close()
