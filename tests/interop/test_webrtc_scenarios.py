"""Connections with other WebRTC stacks, in breadth: kinds of channels, sizes, ends, renegotiation."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from anyio import EndOfStream, create_task_group, sleep

from peerix.core.errors import MessageTooLarge
from peerix.rtc import ConnectionState, ReadyState, SignalingState
from tests.support.browser_hosts import BROWSERS, OPEN
from tests.support.foreign import connected, drink, pour, snake_case, trickle, wire
from tests.support.stacks import PROCESSES, can, two_loops
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerix.rtc import DataChannel
    from tests.support.foreign import Offerer
    from tests.support.lossy_sockets import Losses
    from tests.support.stacks import Stack

pytestmark = [pytest.mark.anyio, pytest.mark.slow, two_loops]

STACKS = [*PROCESSES, *OPEN]
EVERYWHERE = [*PROCESSES, *BROWSERS]

everywhere = pytest.mark.parametrize("stack", EVERYWHERE, indirect=True)
either_offers = pytest.mark.parametrize("offerer", ["we", "they"])
either_acts = pytest.mark.parametrize("actor", ["we", "they"])


def is_closed(channel: DataChannel) -> bool:
    return channel.ready_state is ReadyState.CLOSED


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "reliable": ("chat", {}),
    "unordered": ("chat", {"ordered": False}),
    "never sent again": ("chat", {"ordered": False, "maxRetransmits": 0}),
    "sent again three times": ("chat", {"maxRetransmits": 3}),
    "with a life time": ("chat", {"ordered": False, "maxPacketLifeTime": 500}),
    "with a protocol": ("chat", {"protocol": "größe.v1"}),
    "without a label": ("", {}),
    "beyond ASCII": ("Kanal für Grüße 🎉 中文", {}),
    "with a long label": ("ü" * 2000, {}),
}


def channels_to_make() -> Iterator[tuple[str, Offerer, str]]:
    """Whose channel of which kind: those of ours all, those of a stack as it can make them."""
    for stack, kind in product(STACKS, KINDS):
        yield stack, "we", kind
        label, options = KINDS[kind]
        in_ascii = (label + options.get("protocol", "")).isascii()
        if (in_ascii or can(stack, "label lengths in bytes")) and (
            len(options) < 2 or can(stack, "unordered with a limit")
        ):
            yield stack, "they", kind


@either_offers
@pytest.mark.parametrize(("stack", "actor", "kind"), [*channels_to_make()], indirect=["stack"])
async def test_a_channel_is_the_same_on_both_sides(stack: Stack, offerer: Offerer, actor: Offerer, kind: str) -> None:
    label, options = KINDS[kind]
    expected = {"ordered": True, "protocol": "", "maxRetransmits": None, "maxPacketLifeTime": None} | options
    async with connected(stack.agent, stack.configuration, offerer) as (both, _, _):
        ours, theirs = await both.create(label, actor, **options)
        described = await theirs.describe()
        assert (ours.label, described["label"]) == (label, label)
        assert ours.id == described["id"]
        assert {name: getattr(ours, name) for name in snake_case(expected)} == snake_case(expected)
        if actor == "they" or "attributes of our channels" not in stack.cannot:
            assert {name: stack.read(described[name]) for name in expected} == expected
        await ours.send("from us")
        await theirs.send("from them")
        assert (await theirs.receive(), await ours.receive()) == ("from us", "from them")


@everywhere
@either_offers
@pytest.mark.parametrize("channel_id", [0, 1, 500])
async def test_a_channel_with_an_agreed_id_is_open_without_a_word(
    stack: Stack, offerer: Offerer, channel_id: int
) -> None:
    async with wire(stack.agent, stack.configuration) as both:
        ours = both.ours.create_data_channel("agreed", negotiated=True, id=channel_id)
        theirs = await both.theirs.create_channel("agreed", negotiated=True, id=channel_id)
        await both.negotiate(offerer)
        await ours.send("from us")
        assert await theirs.receive() == "from us"
        await theirs.send("from them")
        assert await ours.receive() == "from them"


@either_offers
async def test_ids_follow_the_dtls_role_and_skip_those_in_use(stack: Stack, offerer: Offerer) -> None:
    # The answerer says a=setup:active: it is the client, and has the even ids.
    even, odd = ("they", "we") if offerer == "we" else ("we", "they")
    async with wire(stack.agent, stack.configuration) as both:
        control = both.ours.create_data_channel("", negotiated=True, id=0)
        await both.theirs.create_channel("", negotiated=True, id=0)
        await both.negotiate(offerer)
        await control.wait_open()
        first, _ = await both.create("first", even)  # type: ignore[arg-type]
        second, _ = await both.create("second", odd)  # type: ignore[arg-type]
        assert first.id is not None
        assert second.id is not None
        assert (first.id % 2, second.id % 2) == (0, 1)
        assert first.id != 0


@either_offers
async def test_channels_that_both_sides_open_at_once_do_not_collide(stack: Stack, offerer: Offerer) -> None:
    async with connected(stack.agent, stack.configuration, offerer) as (both, _, _):
        for number in range(10):
            both.ours.create_data_channel(f"ours {number}")
            await both.theirs.create_channel(f"theirs {number}")
        labels = {(await both.next_channel()).label for _ in range(10)}
        described = [await (await both.theirs.next_channel()).describe() for _ in range(10)]
        assert labels == {f"theirs {number}" for number in range(10)}
        assert {each["label"] for each in described} == {f"ours {number}" for number in range(10)}


@either_offers
@pytest.mark.parametrize("size", [1, 1200, 16_384, 65_535, 65_536])
async def test_messages_of_64_kib_arrive_both_ways(stack: Stack, offerer: Offerer, size: int) -> None:
    message = bytes(index % 256 for index in range(size))
    async with connected(stack.agent, stack.configuration, offerer) as (_, ours, theirs):
        await ours.send(message)
        assert await theirs.receive() == message
        await theirs.send(message)
        assert await ours.receive() == message


@either_offers
async def test_the_largest_message_that_they_announce_arrives(stack: Stack, offerer: Offerer) -> None:
    async with connected(stack.agent, stack.configuration, offerer) as (_, ours, theirs):
        size = ours.max_message_size or 262_144
        message = b"x" * min(size, 1 << 20)
        await ours.send(message)
        assert await theirs.receive() == message
        if ours.max_message_size == len(message):  # Firefox announces a gigabyte
            with pytest.raises(MessageTooLarge):
                await ours.send(b"x" * (size + 1))


@either_offers
async def test_a_message_of_256_kib_arrives_from_them(stack: Stack, offerer: Offerer) -> None:
    message = "ü" * (stack.max_message_size // 2)
    async with connected(stack.agent, stack.configuration, offerer) as (_, ours, theirs):
        await theirs.send(message)
        assert await ours.receive() == message


@either_offers
async def test_a_channel_that_we_close_closes_there_after_its_messages(stack: Stack, offerer: Offerer) -> None:
    async with connected(stack.agent, stack.configuration, offerer) as (both, ours, theirs):
        other, their_other = await both.create("other", "we")
        for number in range(50):
            await ours.send(str(number))
        await ours.aclose()
        if "messages before a close" not in stack.cannot:
            assert [await theirs.receive() for _ in range(50)] == [str(number) for number in range(50)]
        await theirs.wait_closed()
        await until(partial(is_closed, ours))
        await other.send("still here")
        assert await their_other.receive() == "still here"


@either_offers
async def test_a_channel_that_they_close_ends_here_after_its_messages(stack: Stack, offerer: Offerer) -> None:
    async with connected(stack.agent, stack.configuration, offerer) as (both, ours, theirs):
        other, their_other = await both.create("other", "they")
        for number in range(50):
            await theirs.send(str(number))
        await theirs.close()
        assert [await ours.receive() for _ in range(50)] == [str(number) for number in range(50)]
        with pytest.raises(EndOfStream):
            await ours.receive()
        await theirs.wait_closed()
        await other.send("still here")
        assert await their_other.receive() == "still here"


@either_acts
async def test_a_label_can_be_opened_again_after_its_channel_was_closed(stack: Stack, actor: Offerer) -> None:
    async with connected(stack.agent, stack.configuration, "they") as (both, _, _):
        for _ in range(3):
            ours, theirs = await both.create("again", actor)
            await ours.send("hello")
            assert await theirs.receive() == "hello"
            await (ours.aclose() if actor == "we" else theirs.close())
            await theirs.wait_closed()
            await until(partial(is_closed, ours))


@everywhere
@either_offers
@either_acts
async def test_another_offer_leaves_the_channels_alone(stack: Stack, offerer: Offerer, actor: Offerer) -> None:
    async with connected(stack.agent, stack.configuration, offerer) as (both, ours, theirs):
        for _ in range(2):
            await both.negotiate(actor, gathered=False)
            assert both.ours.signaling_state is SignalingState.STABLE
            await ours.send("ping")
            assert await theirs.receive() == "ping"
            await theirs.send("pong")
            assert await ours.receive() == "pong"


@pytest.mark.parametrize("stack", [name for name in EVERYWHERE if can(name, "trickle")], indirect=True)
@either_offers
async def test_candidates_may_come_one_by_one(stack: Stack, offerer: Offerer) -> None:
    async with wire(stack.agent, stack.configuration) as both, create_task_group() as tasks:
        tasks.start_soon(trickle, both)
        if offerer == "we":
            ours = both.ours.create_data_channel("chat")
            offer = await both.ours.create_offer()
            await both.ours.set_local_description(offer)
            await both.ours.set_remote_description(await both.theirs.answer(offer, gathered=False))
            theirs = await both.theirs.next_channel()
        else:
            theirs = await both.theirs.create_channel("chat")
            await both.ours.set_remote_description(await both.theirs.offer(gathered=False))
            answer = await both.ours.create_answer()
            await both.ours.set_local_description(answer)
            await both.theirs.accept(answer)
            ours = await both.next_channel()
        await ours.send("hello")
        assert await theirs.receive() == "hello"
        tasks.cancel_scope.cancel()


@everywhere
@either_offers
async def test_megabytes_go_both_ways_at_once(stack: Stack, offerer: Offerer) -> None:
    size, count = 16_384, 256
    async with connected(stack.agent, stack.configuration, offerer) as (_, ours, theirs), create_task_group() as tasks:
        tasks.start_soon(pour, ours, size, count)
        tasks.start_soon(theirs.pour, size, count)
        tasks.start_soon(theirs.drink, size * count)
        await drink(ours, size * count)


@either_offers
async def test_a_lossy_channel_brings_whole_messages(stack: Stack, offerer: Offerer) -> None:
    async with connected(stack.agent, stack.configuration, offerer) as (both, _, _):
        ours, theirs = await both.create("lossy", "we", ordered=False, maxRetransmits=0)
        sent = {f"{number}:".ljust(3000, "x") for number in range(20)}
        for message in sent:
            await ours.send(message)
            await theirs.send(message)
        # Nothing is lost on loopback, but nobody promised an order.
        assert {await theirs.receive() for _ in sent} == sent
        assert {await ours.receive() for _ in sent} == sent


async def say_the_end(sender: Any) -> None:
    """Until somebody has heard it: on a busy machine the system, too, loses what is sent only once."""
    while True:
        await sender.send("the end:")
        await sleep(0.5)


@pytest.mark.parametrize(
    ("stack", "actor"),
    [(name, "we") for name in STACKS] + [(name, "they") for name in STACKS if can(name, "no retransmissions")],
    indirect=["stack"],
)
async def test_an_ordered_channel_goes_on_without_what_is_not_sent_again(
    stack: Stack, actor: Offerer, losses: Losses
) -> None:
    """The receiver has to be told what it need not wait for (RFC 3758)."""
    # Two packets each, so that some lose one half; it may clog those who do not expect it.
    size = 1000 if actor == "we" and "halves of messages" in stack.cannot else 2000
    async with connected(stack.agent, stack.configuration, "we") as (both, _, _):
        ours, theirs = await both.create("lossy", actor, maxRetransmits=0)
        sender, receiver = (ours, theirs) if actor == "we" else (theirs, ours)
        losses.every = 5
        for number in range(100):
            await sender.send(f"{number}:".ljust(size, "x"))
            await sleep(0.001)  # not all in one packet
        losses.every = None
        numbers: list[int] = []
        async with create_task_group() as tasks:
            tasks.start_soon(say_the_end, sender)
            while (message := await receiver.receive()) != "the end:":
                assert isinstance(message, str)
                digits, _, rest = message.partition(":")
                assert (len(message), rest.strip("x")) == (size, "")
                numbers.append(int(digits))
            tasks.cancel_scope.cancel()
        assert numbers == sorted(set(numbers))
        assert losses.count > 0
        assert len(numbers) < 100


@either_acts
async def test_a_reliable_channel_brings_all_that_was_lost(stack: Stack, actor: Offerer, losses: Losses) -> None:
    async with connected(stack.agent, stack.configuration, "they") as (both, _, _):
        ours, theirs = await both.create("reliable", actor, ordered=False)
        losses.every = 10
        sent = {f"{number}:".ljust(2000, "x") for number in range(50)}
        for message in sent:
            await ours.send(message)
            await theirs.send(message)
        assert {await theirs.receive() for _ in sent} == sent
        assert {await ours.receive() for _ in sent} == sent
        assert losses.count > 0


@everywhere
@either_offers
async def test_a_connection_that_we_close_closes_their_channels(stack: Stack, offerer: Offerer) -> None:
    async with connected(stack.agent, stack.configuration, offerer) as (both, _, theirs):
        await both.ours.aclose()
        await theirs.wait_closed()


@everywhere
@either_offers
async def test_a_connection_that_they_close_ends_here(stack: Stack, offerer: Offerer) -> None:
    async with connected(stack.agent, stack.configuration, offerer) as (both, ours, _):
        await both.theirs.end()
        if "goodbye" in stack.cannot:
            await until(lambda: both.ours.connection_state is not ConnectionState.CONNECTED)
            return
        await until(lambda: both.ours.connection_state is ConnectionState.CLOSED)
        await until(partial(is_closed, ours))
