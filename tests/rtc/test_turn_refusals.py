"""What connections make of TURN servers that refuse, send on, lie or say nothing."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from anyio import create_task_group, fail_after, sleep

from peerix.core.stun import Method
from peerix.core.stun.attributes import ErrorCode
from peerix.rtc import (
    Configuration,
    IceGatheringState,
    IceServer,
    IceServerFailed,
    LocalCandidate,
    PeerConnection,
    network_watch,
    relay_search,
    server_gathering,
)
from tests.support.turn_script import turn_script
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.anyio


class Outcome:
    """What gathering came to."""

    def __init__(self) -> None:
        self.relays: list[tuple[str, int]] = []
        self.failures: list[IceServerFailed] = []
        self.first_relay_after = 0.0


@asynccontextmanager
async def gathering(*urls: str, complete: bool = True) -> AsyncGenerator[Outcome]:
    """Gather from servers, until that is complete or there is a relay; the connection lives until the end."""
    servers = [IceServer(url, "user", "pass") for url in urls]
    outcome = Outcome()
    started = time.monotonic()
    async with (
        PeerConnection(Configuration(ice_servers=servers, ice_transport_policy="relay")) as a,
        a.events() as events,
        create_task_group() as tasks,
    ):

        async def note() -> None:
            async for event in events:
                if isinstance(event, IceServerFailed):
                    outcome.failures.append(event)
                elif isinstance(event, LocalCandidate) and event.candidate is not None:
                    words = event.candidate.candidate.split()
                    outcome.first_relay_after = outcome.first_relay_after or time.monotonic() - started
                    outcome.relays.append((words[4], int(words[5])))

        tasks.start_soon(note)
        a.create_data_channel("chat")
        await a.set_local_description()
        with fail_after(15):
            while a.ice_gathering_state is not IceGatheringState.COMPLETE and (complete or not outcome.relays):
                await sleep(0.005)
        await sleep(0.02)
        yield outcome
        tasks.cancel_scope.cancel()


def codes(outcome: Outcome) -> list[int]:
    return [failure.code for failure in outcome.failures]


async def test_an_allocation_that_is_in_use_there_is_tried_from_another_port() -> None:
    async with turn_script() as server:
        server.refusals.append((437, None))
        async with gathering(server.url) as outcome:
            assert outcome.relays
            assert codes(outcome) == []
            assert len(server.clients) >= 2


async def test_a_server_that_always_says_437_is_given_up() -> None:
    async with turn_script() as server:
        server.refusals.append((437, None))
        server.refuses_all = True
        async with gathering(server.url) as outcome:
            assert (outcome.relays, codes(outcome)) == ([], [437])
            assert server.allocations == relay_search.MAX_TRIES


async def test_a_server_may_send_us_to_another_one() -> None:
    async with turn_script() as first, turn_script("127.0.0.2") as second:
        first.refusals.append((300, (second.host, second.port)))
        async with gathering(first.url) as outcome:
            assert {host for host, _ in outcome.relays} == {"127.0.0.2"}
            assert codes(outcome) == []


async def test_servers_that_send_us_round_in_circles_are_given_up() -> None:
    async with turn_script() as first, turn_script("127.0.0.2") as second:
        for here, there in ((first, second), (second, first)):
            here.refusals.append((300, (there.host, there.port)))
            here.refuses_all = True
        async with gathering(first.url) as outcome:
            assert (outcome.relays, codes(outcome)) == ([], [300])
            assert first.allocations + second.allocations == 1 + relay_search.MAX_REDIRECTIONS


@pytest.mark.parametrize("code", [403, 441, 486, 508])
async def test_a_refusal_is_reported_with_its_code_and_other_servers_are_used(code: int) -> None:
    async with turn_script() as strict, turn_script("127.0.0.2") as good:
        strict.refusals.append((code, None))
        strict.refuses_all = True
        async with gathering(strict.url, good.url) as outcome:
            assert {host for host, _ in outcome.relays} == {"127.0.0.2"}
            assert [(failure.url, failure.code) for failure in outcome.failures] == [(strict.url, code)]


async def test_a_server_that_knows_one_family_only_is_asked_for_that() -> None:
    async with turn_script() as server:
        server.refusals.append((440, None))
        async with gathering(server.url) as outcome:
            assert outcome.relays


@pytest.mark.parametrize("lie", [("0.0.0.0", 5000), ("224.0.0.1", 5000), ("127.0.0.1", 0), ("::ffff:127.0.0.1", 5000)])
async def test_a_relayed_address_that_is_none_is_a_refusal(lie: tuple[str, int]) -> None:
    async with turn_script() as liar:
        liar.relayed = lie
        async with gathering(liar.url) as outcome:
            assert (outcome.relays, codes(outcome)) == ([], [400])


async def test_a_dead_first_address_of_a_server_costs_a_quarter_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(name: str) -> list[str]:
        return ["127.0.0.66", "127.0.0.1"]

    monkeypatch.setattr(server_gathering, "resolve_host", resolve)
    async with turn_script() as server, turn_script("127.0.0.66", server.port) as dead:
        dead.is_silent = True
        async with gathering(f"turn:server.example:{server.port}") as outcome:
            assert {host for host, _ in outcome.relays} == {"127.0.0.1"}
            assert codes(outcome) == []
            assert outcome.first_relay_after < 2.0  # one after the other it would be 8.5 s
            assert dead.clients


async def test_a_dead_first_server_delays_no_relay() -> None:
    async with turn_script() as good, turn_script("127.0.0.2") as dead:
        dead.is_silent = True
        times = {"with": [0.0] * 3, "without": [0.0] * 3}
        for number in range(3):
            for name, urls in (("with", (dead.url, good.url)), ("without", (good.url,))):
                async with gathering(*urls, complete=False) as outcome:
                    times[name][number] = outcome.first_relay_after
        assert min(times["with"]) < min(times["without"]) + 0.5  # one after the other it would be 8.5 s


async def test_a_relay_that_the_server_forgot_is_asked_for_anew_when_the_machine_wakes_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept = [0.0]
    looks: list[float] = []

    def seconds_asleep() -> float:
        looks.append(slept[0])
        return slept[0]

    monkeypatch.setattr(network_watch, "_open_news", lambda: None)
    monkeypatch.setattr(network_watch, "LOOK_INTERVAL", 0.01)
    monkeypatch.setattr(network_watch, "seconds_asleep", seconds_asleep)
    async with turn_script() as server, gathering(server.url) as outcome:
        await until(lambda: looks)
        first = list(outcome.relays)
        for client in server.clients.values():
            client.refuse[Method.REFRESH] = ErrorCode(437, "who are you?")
        slept[0] = 100.0
        with fail_after(10):
            while len(outcome.relays) == len(first):
                await sleep(0.005)
        assert codes(outcome) == [437]
