"""What every driver does, whatever carries its packets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.lowlevel import checkpoint

from peerix.core.errors import LocalProtocolError, SignalingError
from tests.api.drivers.conftest import maker, pair
from tests.api.drivers.inbox import PATIENCE, Inbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.drivers import Driver

    Make = Callable[[], Driver]

pytestmark = pytest.mark.anyio


async def test_a_packet_reaches_the_subscriber_of_its_namespace(make_driver: Make) -> None:
    inbox = Inbox()
    async with pair(make_driver) as (one, other):
        await one.subscribe("room", inbox.put)
        await other.publish("room", b"hello")
        assert await inbox.wait(1) == [b"hello"]


async def test_a_packet_of_another_namespace_does_not_arrive(make_driver: Make) -> None:
    inbox = Inbox()
    async with pair(make_driver) as (one, other):
        await one.subscribe("room", inbox.put)
        await other.publish("elsewhere", b"no")
        await other.publish("room", b"yes")
        assert await inbox.wait(1) == [b"yes"]


async def test_packets_go_both_ways(make_driver: Make) -> None:
    first, second = Inbox(), Inbox()
    async with pair(make_driver) as (one, other):
        await one.subscribe("first", first.put)
        await other.subscribe("second", second.put)
        await one.publish("second", b"to the second")
        await other.publish("first", b"to the first")
        assert await first.wait(1) == [b"to the first"]
        assert await second.wait(1) == [b"to the second"]


async def test_packets_arrive_in_order(make_driver: Make) -> None:
    inbox = Inbox()
    packets = [str(number).encode() for number in range(500)]
    async with pair(make_driver) as (one, other):
        await one.subscribe("room", inbox.put)
        for packet in packets:
            await other.publish("room", packet)
        assert await inbox.wait(len(packets)) == packets


async def test_every_byte_value_arrives_as_it_was(make_driver: Make) -> None:
    inbox = Inbox()
    packets = [bytes(range(256)), b"\r\n", b"\x00", b""]
    async with pair(make_driver) as (one, other):
        await one.subscribe("room", inbox.put)
        for packet in packets:
            await other.publish("room", packet)
        assert await inbox.wait(len(packets)) == packets


async def test_a_packet_of_256_kib_arrives(make_driver: Make) -> None:
    inbox = Inbox()
    packet = bytes(range(256)) * 1024
    async with pair(make_driver) as (one, other):
        await one.subscribe("room", inbox.put)
        await other.publish("room", packet)
        assert await inbox.wait(1) == [packet]


async def test_two_handlers_of_a_namespace_both_get_a_packet(make_driver: Make) -> None:
    first, second = Inbox(), Inbox()
    async with pair(make_driver) as (one, other):
        await one.subscribe("room", first.put)
        await one.subscribe("room", second.put)
        await other.publish("room", b"hello")
        assert await first.wait(1) == await second.wait(1) == [b"hello"]


async def test_a_handler_that_subscribed_twice_gets_a_packet_once(make_driver: Make) -> None:
    inbox, last = Inbox(), Inbox()
    async with pair(make_driver) as (one, other):
        await one.subscribe("room", inbox.put)
        await one.subscribe("room", inbox.put)
        await one.subscribe("room", last.put)
        await other.publish("room", b"hello")
        await last.wait(1)
        assert inbox.packets == [b"hello"]


async def test_after_unsubscribing_nothing_arrives(make_driver: Make) -> None:
    inbox, witness = Inbox(), Inbox()
    async with pair(make_driver) as (one, other):
        await one.subscribe("room", inbox.put)
        await one.subscribe("room", witness.put)
        await one.unsubscribe("room", inbox.put)
        await other.publish("room", b"hello")
        await witness.wait(1)
        assert inbox.packets == []


async def test_unsubscribing_the_last_handler_and_subscribing_again_works(make_driver: Make) -> None:
    inbox = Inbox()
    async with pair(make_driver) as (one, other):
        await one.subscribe("room", inbox.put)
        await one.unsubscribe("room", inbox.put)
        await one.subscribe("room", inbox.put)
        await other.publish("room", b"hello")
        assert await inbox.wait(1) == [b"hello"]


async def test_unsubscribing_what_was_never_subscribed_does_nothing(make_driver: Make) -> None:
    async with make_driver() as driver:
        await driver.unsubscribe("room", Inbox().put)


async def test_a_handler_may_be_taken_away_while_a_packet_is_delivered(make_driver: Make) -> None:
    inbox = Inbox()
    async with pair(make_driver) as (one, other):

        def take_away(_: bytes) -> None:
            one.remove_handler("room", inbox.put)

        await one.subscribe("room", take_away)
        await one.subscribe("room", inbox.put)
        await one.subscribe("done", inbox.put)
        await other.publish("room", b"hello")
        await other.publish("done", b"end")
        assert await inbox.wait(1) == [b"end"]


async def test_a_driver_is_active_while_it_is_entered(make_driver: Make) -> None:
    driver = make_driver()
    seen = [driver.active]
    async with driver:
        seen.append(driver.active)
    assert [*seen, driver.active] == [False, True, False]


async def test_leaving_ends_the_streams_of_changes_with_inactive(make_driver: Make) -> None:
    async with make_driver() as driver:
        changes = driver.watch_active()
    async with changes:
        assert [active async for active in changes] == [False]


async def test_publishing_while_inactive_drops_the_packet(make_driver: Make) -> None:
    inbox = Inbox()
    async with pair(make_driver) as (one, other):
        await one.subscribe("room", inbox.put)
        gone = make_driver()
        if gone is not one:
            await gone.publish("room", b"lost")
        await other.publish("room", b"hello")
        assert await inbox.wait(1) == [b"hello"]


async def test_subscribing_outside_of_the_block_is_an_error(make_driver: Make) -> None:
    with pytest.raises(LocalProtocolError, match="async with"):
        await make_driver().subscribe("room", Inbox().put)


async def test_unsubscribing_and_publishing_after_leaving_do_nothing(make_driver: Make) -> None:
    inbox = Inbox()
    async with make_driver() as driver:
        await driver.subscribe("room", inbox.put)
    await driver.unsubscribe("room", inbox.put)
    await driver.publish("room", b"late")
    assert inbox.packets == []


async def test_what_was_published_just_before_leaving_arrives(make_driver: Make) -> None:
    inbox = Inbox()
    async with make_driver() as stays:
        await stays.subscribe("room", inbox.put)
        async with make_driver() as leaves:
            await leaves.publish("room", b"goodbye")
        assert await inbox.wait(1) == [b"goodbye"]


async def test_a_driver_can_be_entered_again_after_it_was_left(make_driver: Make) -> None:
    inbox = Inbox()
    first = make_driver()
    async with first:
        await first.subscribe("room", Inbox().put)
    async with first, make_driver() as other:
        await first.subscribe("room", inbox.put)
        await other.publish("room", b"again")
        assert await inbox.wait(1) == [b"again"]


async def test_cancelling_the_entering_leaves_nothing(make_driver: Make) -> None:
    entered = False
    with anyio.CancelScope() as scope:
        scope.cancel()
        async with make_driver():
            entered = True
    assert not entered


async def test_cancelling_inside_the_block_leaves_nothing(make_driver: Make) -> None:
    driver = make_driver()
    with anyio.fail_after(PATIENCE), anyio.CancelScope() as scope:
        async with driver:
            await driver.subscribe("room", Inbox().put)
            scope.cancel()
            await checkpoint()
    assert scope.cancelled_caught
    assert not driver.active


@pytest.mark.parametrize("method", ["subscribe", "unsubscribe", "publish"])
async def test_every_method_can_be_cancelled(make_driver: Make, method: str) -> None:
    inbox = Inbox()
    async with make_driver() as driver:
        await driver.subscribe("other", inbox.put)
        with anyio.CancelScope() as scope:
            scope.cancel()
            if method == "subscribe":
                await driver.subscribe("room", inbox.put)
            elif method == "unsubscribe":
                await driver.unsubscribe("other", inbox.put)
            else:
                await driver.publish("room", b"")
        assert scope.cancelled_caught


async def test_an_error_of_the_block_leaves_as_it_is(make_driver: Make) -> None:
    with pytest.raises(KeyError):
        async with make_driver():
            raise KeyError("mine")


@pytest.mark.parametrize("kind", ["broadcast", "loopback", "nats"])
async def test_a_packet_that_is_too_large_is_refused_clearly(kind: str, request: pytest.FixtureRequest) -> None:
    async with maker(kind, request)() as driver:
        with pytest.raises(SignalingError, match="too large"):
            await driver.publish("room", bytes(1_100_000))
