"""The watch of this host's network, and what connections do when it changes."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from anyio import create_task_group, fail_after, sleep

from peerix.rtc import Configuration, PeerConnection, UdpMux, gatherer, network_watch, udp_mux
from peerix.rtc.interfaces import InterfaceAddress
from peerix.rtc.network_watch import NetworkWatch
from tests.support.connections import LOOPBACK, connected_pair, negotiate, next_channel
from tests.support.stun_server import stun_server
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

pytestmark = pytest.mark.anyio


class Machine:
    """What the watch sees of the machine."""

    def __init__(self) -> None:
        self.addresses = [InterfaceAddress("eth0", "192.0.2.1")]
        self.slept = 0.0
        self.looks = 0

    async def looked_at(self) -> None:
        """Wait for the next look."""
        looks = self.looks
        await until(lambda: self.looks > looks)

    def list_addresses(self) -> list[InterfaceAddress]:
        self.looks += 1
        return list(self.addresses)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(network_watch, "list_addresses", made.list_addresses)
    monkeypatch.setattr(network_watch, "seconds_asleep", lambda: made.slept)
    monkeypatch.setattr(network_watch, "_open_news", lambda: None)
    monkeypatch.setattr(network_watch, "LOOK_INTERVAL", 0.01)
    monkeypatch.setattr(network_watch, "SETTLE_TIME", 0.001)
    return made


async def test_an_address_that_comes_and_one_that_goes_are_noticed(machine: Machine) -> None:
    watch = NetworkWatch()
    for addresses in ([*machine.addresses, InterfaceAddress("wlan0", "192.0.2.7")], []):
        async with create_task_group() as tasks:
            tasks.start_soon(watch.changed)
            await machine.looked_at()
            machine.addresses = addresses


async def test_one_looks_for_all(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_watch, "LOOK_INTERVAL", 0.5)
    watch = NetworkWatch()
    async with create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(watch.changed)
        await machine.looked_at()
        assert machine.looks == 1
        machine.addresses.clear()


async def test_another_one_goes_on_when_the_one_that_looks_is_cancelled(machine: Machine) -> None:
    watch = NetworkWatch()
    async with create_task_group() as others:
        async with create_task_group() as first:
            first.start_soon(watch.changed)
            await machine.looked_at()
            others.start_soon(watch.changed)
            await machine.looked_at()
            first.cancel_scope.cancel()
        await machine.looked_at()
        machine.addresses.clear()


async def test_what_changed_while_nobody_looked_is_noticed(machine: Machine) -> None:
    watch = NetworkWatch()
    async with create_task_group() as tasks:
        tasks.start_soon(watch.changed)
        await machine.looked_at()
        tasks.cancel_scope.cancel()
    machine.addresses.clear()
    with fail_after(PATIENCE):
        await watch.changed()


@pytest.mark.parametrize(("here", "noticed"), [("192.0.2.1", False), ("127.0.0.1", True)])
async def test_link_local_addresses_matter_where_there_is_nothing_better(
    machine: Machine, here: str, noticed: bool
) -> None:
    machine.addresses = [InterfaceAddress("eth0", here)]
    watch = NetworkWatch()
    heard: list[bool] = []

    async def listen() -> None:
        heard.append(await watch.changed())

    async with create_task_group() as tasks:
        tasks.start_soon(listen)
        await machine.looked_at()
        machine.addresses.append(InterfaceAddress("veth7", "fe80::7%veth7"))
        looks = machine.looks
        await until(lambda: bool(heard) or machine.looks > looks + 3)
        assert heard == ([False] if noticed else [])
        tasks.cancel_scope.cancel()


async def test_an_address_that_is_not_for_a_connection_costs_it_nothing(machine: Machine) -> None:
    async with connected_pair() as (a, _, _, _):
        before = await consent_checks(a)
        machine.addresses.append(InterfaceAddress("docker7", "192.0.2.7"))
        looks = machine.looks
        await until(lambda: machine.looks > looks + 3)
        assert await consent_checks(a) == before


@pytest.mark.parametrize(("slept", "noticed"), [(1.0, False), (60.0, True)])
async def test_a_long_sleep_is_noticed_and_a_short_one_is_not(machine: Machine, slept: float, noticed: bool) -> None:
    watch = NetworkWatch()
    heard: list[bool] = []

    async def listen(task_status: TaskStatus[None]) -> None:
        task_status.started()
        await watch.changed()
        heard.append(True)

    async with create_task_group() as tasks:
        await tasks.start(listen)
        await machine.looked_at()
        machine.slept = slept
        looks = machine.looks
        await until(lambda: bool(heard) or machine.looks > looks + 3)
        assert bool(heard) is noticed
        tasks.cancel_scope.cancel()


def test_a_machine_that_is_awake_does_not_sleep_on() -> None:
    before = network_watch.seconds_asleep()
    assert network_watch.seconds_asleep() - before == pytest.approx(0.0, abs=0.5)


async def test_the_path_is_checked_at_once_when_the_machine_wakes_up(machine: Machine) -> None:
    async with connected_pair() as (a, _, _, _):
        before = await consent_checks(a)
        await machine.looked_at()
        machine.slept = 100.0
        with fail_after(3):  # the next check by itself would come 4 to 6 s after the last
            while await consent_checks(a) == before:
                await sleep(0.005)


async def consent_checks(connection: PeerConnection) -> int:
    stats = await connection.get_stats()
    return sum(int(str(entry["consentRequestsSent"])) for entry in stats.values() if entry["type"] == "candidate-pair")


async def test_stun_servers_are_asked_anew_when_the_machine_wakes_up(machine: Machine) -> None:
    async with stun_server("127.0.0.77") as server:
        servers = [f"stun:127.0.0.1:{server.port}"]
        configuration = Configuration(addresses=("127.0.0.1",), ice_servers=[{"urls": servers}])
        async with connected_pair(configuration):
            await until(lambda: server.questions == 2)
            await machine.looked_at()
            machine.slept = 100.0
            await until(lambda: server.questions == 4)


async def test_an_address_that_comes_is_signalled_and_one_that_went_is_forgotten(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = ["127.0.0.1"]
    monkeypatch.setattr(gatherer, "host_addresses", lambda configuration: list(hosts))
    monkeypatch.setattr(gatherer, "can_bind", lambda host: host in hosts)
    async with PeerConnection() as a, PeerConnection() as b:
        channel = a.create_data_channel("chat")
        await negotiate(a, b)
        with fail_after(PATIENCE):
            await channel.wait_open()
        await machine.looked_at()
        hosts[:] = ["127.0.0.2"]
        machine.addresses.clear()

        async def used() -> set[object]:
            stats = await a.get_stats()
            return {entry["address"] for entry in stats.values() if entry["type"] == "udp-port"}

        with fail_after(PATIENCE):
            while await used() != {"127.0.0.2"}:
                await sleep(0.005)
        await channel.send("still here")


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a shared port finds on this machine."""
    found = ["127.0.0.1"]
    monkeypatch.setattr(udp_mux, "interface_addresses", lambda: list(found))
    monkeypatch.setattr(udp_mux, "can_bind", lambda host: host in found)
    return found


async def test_a_shared_port_follows_its_host_with_its_connections(machine: Machine, hosts: list[str]) -> None:
    async with (
        UdpMux() as mux,
        PeerConnection(Configuration(udp_mux=mux)) as a,
        PeerConnection(LOOPBACK) as b,
        b.events() as events,
    ):
        channel = a.create_data_channel("chat")
        await negotiate(a, b)
        with fail_after(PATIENCE):
            await channel.wait_open()
            theirs = await next_channel(events)
        await machine.looked_at()
        hosts[:] = ["127.0.0.2"]
        machine.addresses.clear()

        async def used() -> set[tuple[object, object]]:
            stats = await a.get_stats()
            return {(entry["address"], entry["port"]) for entry in stats.values() if entry["type"] == "udp-port"}

        with fail_after(PATIENCE):
            while await used() != {("127.0.0.2", mux.port)}:
                await sleep(0.005)
            await channel.send("still here")
            assert await theirs.receive() == "still here"


async def test_a_shared_port_follows_its_host_when_nobody_uses_it(machine: Machine, hosts: list[str]) -> None:
    async with UdpMux() as mux:
        await machine.looked_at()
        hosts[:] = ["127.0.0.1", "127.0.0.2"]
        machine.addresses.clear()
        await until(lambda: mux.hosts == ["127.0.0.1", "127.0.0.2"])
        hosts.remove("127.0.0.1")
        machine.addresses.append(InterfaceAddress("eth0", "192.0.2.7"))
        await until(lambda: mux.hosts == ["127.0.0.2"])


async def test_a_shared_port_leaves_an_address_to_the_program_that_has_the_port_there(hosts: list[str]) -> None:
    async with UdpMux() as mux:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.2", mux.port))
            hosts.append("127.0.0.2")
            mux.follow_network()
            assert mux.hosts == ["127.0.0.1"]
        mux.follow_network()
        assert mux.hosts == ["127.0.0.1", "127.0.0.2"]
