"""What is particular about connections with browsers: DTLS, hidden addresses, media in its offers, new paths, speed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from anyio import create_task_group

from peerix.rtc import ConnectionState
from tests.support.browser_hosts import HIDING, OPEN
from tests.support.foreign import Foreign, connected, drink, pour, wire
from tests.support.stacks import two_loops
from tests.support.waiting import until

if TYPE_CHECKING:
    from tests.support.foreign import Offerer, Wire
    from tests.support.stacks import Stack

pytestmark = [pytest.mark.anyio, pytest.mark.slow, two_loops]

either_offers = pytest.mark.parametrize("offerer", ["we", "they"])
in_browsers = pytest.mark.parametrize("stack", OPEN, indirect=True)
hiding = pytest.mark.parametrize("stack", HIDING, indirect=True)


async def transport_of(theirs: Foreign) -> dict[str, Any]:
    return next(each for each in await theirs.statistics() if each["type"] == "transport")


@in_browsers
@either_offers
async def test_the_answerer_is_the_dtls_client(stack: Stack, offerer: Offerer) -> None:
    async with connected(stack.agent, stack.configuration, offerer) as (both, _, _):
        transport = await transport_of(both.theirs)
        assert transport["dtlsRole"] == ("client" if offerer == "we" else "server")
        assert transport["dtlsState"] == "connected"


@hiding
async def test_names_of_mdns_are_all_that_a_hiding_browser_offers(stack: Stack) -> None:
    async with wire(stack.agent, stack.configuration) as both:
        await both.theirs.create_channel("chat")
        offer = await both.theirs.offer()
        candidates = [line.split() for line in offer.sdp.splitlines() if line.startswith("a=candidate:")]
        assert candidates
        assert all(candidate[4].endswith(".local") for candidate in candidates)


@hiding
@either_offers
async def test_a_hiding_browser_connects_with_every_address_of_ours(stack: Stack, offerer: Offerer) -> None:
    async with connected(stack.agent, stack.configuration, offerer) as (_, ours, theirs):
        await ours.send("hello")
        assert await theirs.receive() == "hello"


@in_browsers
@either_offers
async def test_sections_for_media_do_not_disturb_the_channels(stack: Stack, offerer: Offerer) -> None:
    """They come first in the offer: the refused ones must not take the transport with them."""
    async with connected(stack.agent, stack.configuration, offerer) as (both, ours, theirs):
        await both.theirs.add_transceiver("audio", "recvonly")
        await both.theirs.add_transceiver("video", "recvonly")
        for _ in range(2):
            await both.negotiate("they")
            await ours.send("ping")
            assert await theirs.receive() == "ping"


@in_browsers
async def test_an_offer_that_begins_with_media_brings_its_channels_up(stack: Stack) -> None:
    async with wire(stack.agent, stack.configuration) as both:
        await both.theirs.add_transceiver("audio", "recvonly")
        theirs = await both.theirs.create_channel("chat")
        offer = await both.theirs.offer()
        assert offer.sdp.index("m=audio") < offer.sdp.index("m=application")
        await both.ours.set_remote_description(offer)
        await both.ours.set_local_description()
        assert both.ours.local_description is not None
        await both.theirs.accept(both.ours.local_description)
        ours = await both.next_channel()
        await ours.send("hello")
        assert await theirs.receive() == "hello"


def ufrag(sdp: str) -> str:
    return next(line for line in sdp.splitlines() if line.startswith("a=ice-ufrag:"))


@in_browsers
@either_offers
async def test_a_new_path_can_be_had_while_messages_flow(stack: Stack, offerer: Offerer) -> None:
    async with (
        connected(stack.agent, stack.configuration, "we") as (both, ours, theirs),
        create_task_group() as tasks,
    ):
        before = both.ours.local_description
        assert before is not None
        tasks.start_soon(pour, ours, 16_384, 128)
        tasks.start_soon(theirs.drink, 16_384 * 128)
        if offerer == "we":
            both.ours.restart_ice()
            await both.negotiate("we")
        else:
            await both.ours.set_remote_description(await both.theirs.offer(iceRestart=True))
            await both.ours.set_local_description()
            assert both.ours.local_description is not None
            await both.theirs.accept(both.ours.local_description)
        after = both.ours.local_description
        assert after is not None
        assert ufrag(before.sdp) != ufrag(after.sdp)
        await until(lambda: both.ours.connection_state is ConnectionState.CONNECTED)
        await theirs.send("over the new path")
        assert await ours.receive() == "over the new path"


@in_browsers
@either_offers
@pytest.mark.parametrize("size", [16_384])
async def test_sixteen_megabytes_arrive_each_way(stack: Stack, offerer: Offerer, size: int) -> None:
    length = 16 * 1024 * 1024
    async with connected(stack.agent, stack.configuration, offerer) as (_, ours, theirs):
        from_them = to_them = 0.0
        async with create_task_group() as tasks:
            tasks.start_soon(theirs.pour, size, length // size)
            from_them = await drink(ours, length)
        async with create_task_group() as tasks:
            tasks.start_soon(pour, ours, size, length // size)
            to_them = await theirs.drink(length)
        for way, seconds in (("from", from_them), ("to", to_them)):
            print(f"\n{length * 8 / seconds / 1e6:.0f} Mbit/s {way} Chromium in messages of {size} bytes")


@in_browsers
async def test_a_connection_that_is_cancelled_closes_the_channels_of_the_page(stack: Stack) -> None:
    async with connected(stack.agent, stack.configuration, "we") as (both, _, theirs):
        both.ours.cancel_scope.cancel()
        await theirs.wait_closed()


async def closed_channel(both: Wire) -> None:
    ours, theirs = await both.create("short", "they")
    await theirs.close()
    await until(lambda: ours.ready_state.value == "closed")


@in_browsers
async def test_a_hundred_channels_can_come_and_go(stack: Stack) -> None:
    async with connected(stack.agent, stack.configuration, "they") as (both, ours, theirs):
        for _ in range(100):
            await closed_channel(both)
        await ours.send("hello")
        assert await theirs.receive() == "hello"
