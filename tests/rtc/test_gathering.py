"""Where candidates come from: addresses of this host, STUN servers, and what the configuration says."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from anyio import fail_after

from peerix.core.errors import LocalProtocolError
from peerix.rtc import (
    Configuration,
    IceGatheringState,
    IceServer,
    IceServerFailed,
    LocalCandidate,
    PeerConnection,
    SessionDescription,
    interfaces,
    name_resolution,
)
from tests.support.connections import connected_pair, negotiate
from tests.support.stun_server import stun_server
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerix.rtc import EventStream

pytestmark = pytest.mark.anyio


def configured(*urls: str, hosts: tuple[str, ...] = ("127.0.0.1",)) -> Configuration:
    return Configuration(addresses=hosts, ice_servers=[IceServer(url) for url in urls])


def candidates_of(description: SessionDescription | None, kind: str) -> list[str]:
    assert description is not None
    return [line for line in description.sdp.splitlines() if f" typ {kind}" in line]


async def offering(connection: PeerConnection) -> None:
    connection.create_data_channel("chat")
    await connection.set_local_description()


async def complete(connection: PeerConnection) -> None:
    await until(lambda: connection.ice_gathering_state is IceGatheringState.COMPLETE)


async def next_candidate(events: EventStream) -> LocalCandidate:
    async for event in events:
        if isinstance(event, LocalCandidate):
            return event
    raise AssertionError("the connection ended")


async def test_what_a_stun_server_sees_becomes_a_candidate() -> None:
    async with stun_server("127.0.0.77") as server, PeerConnection(configured(f"stun:127.0.0.1:{server.port}")) as a:
        await offering(a)
        await complete(a)
        (line,) = candidates_of(a.local_description, "srflx")
        assert line.split()[4] == "127.0.0.77"
        assert " raddr 127.0.0.1 " in line
        assert "a=end-of-candidates" in (a.local_description or SessionDescription("offer")).sdp


async def test_host_candidates_are_signalled_before_any_server_answers() -> None:
    async with stun_server("127.0.0.77") as server, PeerConnection(configured(f"stun:127.0.0.1:{server.port}")) as a:
        async with a.events() as events:
            await offering(a)
            assert candidates_of(a.local_description, "host")
            assert a.ice_gathering_state is IceGatheringState.GATHERING
            with fail_after(PATIENCE):
                found = [await next_candidate(events) for _ in range(3)]
        kinds = [event.candidate and event.candidate.candidate.split()[7] for event in found]
        assert kinds == ["host", "srflx", None]


async def test_several_servers_are_asked_at_once() -> None:
    async with (
        stun_server("127.0.0.77") as one,
        stun_server("127.0.0.78") as two,
        PeerConnection(configured(f"stun:127.0.0.1:{one.port}", f"stun:127.0.0.1:{two.port}")) as a,
    ):
        await offering(a)
        await complete(a)
        hosts = {line.split()[4] for line in candidates_of(a.local_description, "srflx")}
        assert hosts == {"127.0.0.77", "127.0.0.78"}


async def test_a_server_is_asked_over_ipv6() -> None:
    async with (
        stun_server("::1", host="::1") as server,
        PeerConnection(configured(f"stun:[::1]:{server.port}", hosts=("::1",))) as a,
    ):
        await offering(a)
        await complete(a)
        assert server.questions == 1


async def test_a_dead_first_server_delays_no_connection() -> None:
    async with stun_server(None) as dead, stun_server("127.0.0.77") as good:
        configuration = configured(f"stun:127.0.0.1:{dead.port}", f"stun:127.0.0.1:{good.port}")
        async with connected_pair(configuration) as (a, _, _, _):
            assert a.ice_gathering_state is IceGatheringState.GATHERING


async def test_a_silent_server_is_given_up_and_reported() -> None:
    async with stun_server(None) as dead, PeerConnection(configured(f"stun:127.0.0.1:{dead.port}")) as a:
        async with a.events() as events:
            await offering(a)
            with fail_after(PATIENCE):
                async for event in events:
                    if isinstance(event, IceServerFailed):
                        assert (event.url, event.code) == (f"stun:127.0.0.1:{dead.port}", 701)
                        break
        await complete(a)


@pytest.fixture
def hanging_look_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A DNS server that does not answer as long as the test runs, and nobody who gives it up before."""
    end = threading.Event()

    def look_up(name: str) -> list[str]:
        end.wait(2 * PATIENCE)
        return []

    monkeypatch.setattr(name_resolution, "RESOLVE_TIMEOUT", PATIENCE)

    monkeypatch.setattr(name_resolution, "_look_up", look_up)
    yield
    end.set()


@pytest.mark.usefixtures("hanging_look_up")
async def test_a_look_up_that_hangs_delays_no_connection_and_no_end() -> None:
    started = time.monotonic()
    async with connected_pair(configured("stun:stun.example")):
        pass
    assert time.monotonic() - started < PATIENCE / 2


@pytest.mark.usefixtures("hanging_look_up")
async def test_a_look_up_that_hangs_is_given_up_after_3_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_resolution, "RESOLVE_TIMEOUT", 0.2)
    async with PeerConnection(configured("stun:stun.example")) as a, a.events() as events:
        await offering(a)
        await complete(a)
        with fail_after(PATIENCE):
            async for event in events:
                if isinstance(event, IceServerFailed):
                    assert event.code == 701
                    break


async def test_a_name_is_looked_up_off_the_loop() -> None:
    async with stun_server("127.0.0.77") as server, PeerConnection(configured(f"stun:localhost:{server.port}")) as a:
        await offering(a)
        await complete(a)
        assert candidates_of(a.local_description, "srflx")


async def test_ipv6_and_ipv4_take_turns_in_the_order_of_preference() -> None:
    async with PeerConnection(configured(hosts=("127.0.0.1", "127.0.0.2", "::1"))) as a:
        await offering(a)
        lines = candidates_of(a.local_description, "host")
        hosts = [line.split()[4] for line in sorted(lines, key=lambda line: -int(line.split()[3]))]
        assert hosts == ["::1", "127.0.0.1", "127.0.0.2"]


async def test_ports_are_taken_from_the_range() -> None:
    configuration = Configuration(addresses=("127.0.0.1", "127.0.0.2"), port_range=(42_000, 42_019))
    async with PeerConnection(configuration) as a, PeerConnection(configuration) as b:
        for connection in (a, b):
            await offering(connection)
            for line in candidates_of(connection.local_description, "host"):
                assert 42_000 <= int(line.split()[5]) <= 42_019


async def test_a_range_that_is_used_up_leaves_the_address_out() -> None:
    configuration = Configuration(addresses=("127.0.0.1",), port_range=(42_100, 42_100))
    async with PeerConnection(configuration) as a, PeerConnection(configuration) as b:
        await offering(a)
        await offering(b)
        assert candidates_of(a.local_description, "host")
        assert not candidates_of(b.local_description, "host")


def test_a_port_range_has_an_order() -> None:
    with pytest.raises(LocalProtocolError, match="port_range"):
        Configuration(port_range=(5000, 4000))


async def test_the_public_address_of_a_1_to_1_nat_takes_the_place_of_the_local_one() -> None:
    public = Configuration(addresses=("127.0.0.1",), public_addresses={"127.0.0.1": "127.0.0.5"})
    async with PeerConnection(public) as a:
        await offering(a)
        (line,) = candidates_of(a.local_description, "host")
        assert line.split()[4] == "127.0.0.5"
        assert "127.0.0.1" not in (a.local_description or SessionDescription("offer")).sdp.replace(
            "IN IP4 127.0.0.1", ""
        )


async def test_a_1_to_1_nat_connects() -> None:
    # 127.0.0.1 stands for its own public address: the packets arrive as they would through the NAT.
    public = Configuration(addresses=("127.0.0.1",), public_addresses={"127.0.0.1": "127.0.0.1"})
    async with PeerConnection(public) as a, PeerConnection(public) as b:
        channel = a.create_data_channel("chat")
        await negotiate(a, b)
        with fail_after(PATIENCE):
            await channel.wait_open()


def test_interfaces_are_chosen_by_name() -> None:
    assert interfaces.host_addresses(Configuration(interfaces=("lo",)))[:1] != []
    assert all(
        host.startswith("127.") or host == "::1"
        for host in interfaces.host_addresses(Configuration(interfaces=("lo",)))
    )
    assert interfaces.host_addresses(Configuration(interfaces=())) == []


def test_interfaces_are_chosen_by_a_function() -> None:
    asked: list[str] = []

    def admit(name: str) -> bool:
        asked.append(name)
        return name == "lo"

    assert interfaces.host_addresses(Configuration(interfaces=admit))
    assert "lo" in asked


@pytest.mark.parametrize(
    "url",
    ["stun:", "turn:host:0", "stun:host:99999", "http://host", "stun:[::zz]", "turn:host?transport=sctp", "stun:a b"],
)
def test_malformed_urls_are_refused(url: str) -> None:
    with pytest.raises(LocalProtocolError):
        IceServer(url, "user", "secret")
