"""Python peers and pages in one room, in breadth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import create_task_group, fail_after, to_thread

from peerix import MessageTooLarge, TransferAborted
from tests.support.browser_hosts import BROWSERS
from tests.support.browser_peers import browser_peer, deliver, join_both, met, python_peer, wait_open
from tests.support.foreign import pattern
from tests.support.peers import Log, is_connected
from tests.support.stacks import two_loops
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.broken_network import Network
    from tests.support.browser_hosts import BrowserHost
    from tests.support.browsers import Browser
    from tests.support.nats_server import WebSocketNatsServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow, two_loops]

either_first = pytest.mark.parametrize("first", ["python", "page"])
everywhere = pytest.mark.parametrize("host", BROWSERS, indirect=True)
either_opens = pytest.mark.parametrize("opener", ["python", "page", "both"])

LENGTH = 16 * 1024 * 1024
BINARY = bytes(range(256)) * 200


# -- messages


@pytest.mark.parametrize("message", ["größer 🎉", {"a": [1, 2.5, None, "ü"]}, 0, False, [], BINARY, "", b""])
async def test_what_python_sends_arrives_as_what_it_is(
    browser: Browser, nats: WebSocketNatsServer, message: object
) -> None:
    async with met(browser, nats) as (peer, page):
        assert await deliver(peer, message, info={"name": "größe"}) == (page.id,)
        received = await page.receive()
        assert (received.value, received.info, received.label) == (message, {"name": "größe"}, "chat")


@pytest.mark.parametrize("message", ["größer 🎉", {"a": [1, 2.5, None, "ü"]}, 0, False, [], BINARY])
async def test_what_the_page_sends_arrives_as_what_it_is(
    browser: Browser, nats: WebSocketNatsServer, message: object
) -> None:
    async with met(browser, nats) as (peer, page), peer.events("channel:message") as messages:
        assert await page.send(message, "chat", info={"name": "größe"}) == [peer.id]
        with fail_after(PATIENCE):
            event = await messages.receive()
            assert (await event.data, event.info, event.label) == (message, {"name": "größe"}, "chat")


async def test_many_messages_arrive_in_order_both_ways(browser: Browser, nats: WebSocketNatsServer) -> None:
    async with met(browser, nats) as (peer, page), peer.events("channel:message") as messages:

        async def send_from_page() -> None:
            for number in range(100):
                await page.send(number, "chat")

        async with create_task_group() as tasks:
            tasks.start_soon(send_from_page)
            transfers = [peer.send(number, "chat") for number in range(200)]
            assert [(await page.receive()).value for _ in range(200)] == list(range(200))
            with fail_after(PATIENCE):
                assert [await (await messages.receive()).data for _ in range(100)] == list(range(100))
                for transfer in transfers:
                    await transfer


async def test_sixteen_megabytes_go_both_ways_at_once_and_tell_their_progress(
    browser: Browser, nats: WebSocketNatsServer
) -> None:
    async with met(browser, nats) as (peer, page), peer.events("channel:message") as messages:
        sending = await page.start_sending("chat", LENGTH)
        transfer = peer.send(pattern(LENGTH), "chat")
        steps: list[int] = []
        started = anyio.current_time()

        async def watch() -> None:
            steps.extend([progress.current async for progress in transfer])

        with fail_after(6 * PATIENCE):
            async with create_task_group() as tasks:
                tasks.start_soon(watch)
                event = await messages.receive()
                assert await event.data == pattern(LENGTH)
                assert await transfer == (page.id,)
            delivery = await page.finish_sending(sending)
            assert (delivery.result, delivery.last) == ("delivered", {"current": LENGTH, "total": LENGTH})
        seconds = anyio.current_time() - started
        print(f"\n{LENGTH * 8 / seconds / 1e6:.0f} Mbit/s each way, both ways at once")
        assert (await page.receive()).value == LENGTH
        assert steps == sorted(steps)
        assert steps[-1] == LENGTH


async def test_a_message_may_be_for_one_page_only(browser: Browser, nats: WebSocketNatsServer) -> None:
    async with met(browser, nats) as (peer, page), browser_peer(browser, nats) as other:
        await other.join()
        await other.wait_open("chat", 1)
        with fail_after(PATIENCE):
            await peer.wait_open("chat", remotes=2)
        assert await deliver(peer, "for one", to=other.id) == (other.id,)
        assert set(await deliver(peer, "for both")) == {page.id, other.id}
        assert (await other.receive()).value == "for one"
        assert (await page.receive()).value == "for both"


# -- aborts


async def test_a_message_that_python_aborts_fails_in_the_page_and_the_channel_goes_on(
    browser: Browser, nats: WebSocketNatsServer
) -> None:
    async with met(browser, nats) as (peer, page):
        transfer = peer.send(pattern(LENGTH), "chat")
        with fail_after(PATIENCE):
            async for progress in transfer:
                if progress.current > 100_000:
                    transfer.abort()
                    break
        assert (await page.receive()).failed == "Aborted by sender"
        await deliver(peer, "next")
        assert (await page.receive()).value == "next"


async def test_a_message_that_the_page_aborts_fails_here_and_the_channel_goes_on(
    browser: Browser, nats: WebSocketNatsServer
) -> None:
    async with met(browser, nats) as (peer, page), peer.events("channel:message") as messages:
        sending = await page.start_sending("chat", LENGTH)
        with fail_after(PATIENCE):
            event = await messages.receive()
            await page.abort_sending(sending, 1_000_000)
            with pytest.raises(TransferAborted):
                await event.data
        assert (await page.finish_sending(sending)).result == "Aborted by the user"
        await page.send("next", "chat")
        with fail_after(PATIENCE):
            assert await (await messages.receive()).data == "next"


async def test_a_message_that_the_page_cancels_fails_here_and_the_channel_goes_on(
    browser: Browser, nats: WebSocketNatsServer
) -> None:
    async with met(browser, nats) as (peer, page):
        await page.cancel_next(500_000)
        with fail_after(PATIENCE), pytest.raises(TransferAborted):
            await peer.send(pattern(LENGTH), "chat")
        assert (await page.receive()).failed == "Cancelled"
        await deliver(peer, "next")
        assert (await page.receive()).value == "next"


async def test_a_message_that_python_does_not_want_fails_in_the_page_at_its_end(
    browser: Browser, nats: WebSocketNatsServer
) -> None:
    """A page that sends does not listen to a cancellation before it waits for the acknowledgement."""
    async with (
        met(browser, nats, max_message_size=1_000_000) as (peer, page),
        peer.events("channel:message") as messages,
    ):
        sending = await page.start_sending("chat", LENGTH // 4)
        with fail_after(PATIENCE):
            event = await messages.receive()
            with pytest.raises(MessageTooLarge):
                await event.data
            assert (await page.finish_sending(sending)).result == "Aborted by receiver"
        await page.send("next", "chat")
        with fail_after(PATIENCE):
            assert await (await messages.receive()).data == "next"


# -- channels


@everywhere
@either_first
@either_opens
async def test_a_label_is_one_channel_whoever_opens_it(
    browser: Browser, nats: WebSocketNatsServer, first: str, opener: str
) -> None:
    async with browser_peer(browser, nats) as page, python_peer(nats) as peer:
        log = Log(peer)
        if opener != "page":
            await peer.open("chat")
        if opener != "python":
            await page.open("chat")
        await join_both(peer, page, first)
        await wait_open(peer, page, "chat")
        await deliver(peer, "hello")
        assert (await page.receive()).value == "hello"
        (remote,) = (await page.remotes()).values()
        assert [each["label"] for each in remote["channels"]] == ["chat"]
        assert len(log.of("channel:open")) == 1
        assert len(await page.events("channel:open")) == 1


@either_opens
async def test_a_channel_may_be_opened_while_connected(
    browser: Browser, nats: WebSocketNatsServer, opener: str
) -> None:
    async with met(browser, nats, label=None) as (peer, page):
        if opener != "page":
            await peer.open("late")
        if opener != "python":
            await page.open("late")
        await wait_open(peer, page, "late")
        await page.send("hello", "late")


@pytest.mark.parametrize("closer", ["python", "page"])
async def test_a_label_that_was_closed_can_be_opened_again(
    browser: Browser, nats: WebSocketNatsServer, closer: str
) -> None:
    async with met(browser, nats) as (peer, page):
        log = Log(peer)
        for round_ in range(1, 4):
            await (peer.close("chat") if closer == "python" else page.close("chat"))
            await log.wait("channel:close", round_)
            await page.wait_event("channel:close", round_)
            await (peer.open("chat") if closer == "page" else page.open("chat"))
            await wait_open(peer, page, "chat")
            await deliver(peer, "again")
            assert (await page.receive()).value == "again"


@pytest.mark.parametrize("opener", ["python", "page"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"ordered": False}, {"ordered": False, "maxRetransmits": None}),
        ({"ordered": False, "maxRetransmits": 0}, {"ordered": False, "maxRetransmits": 0}),
        ({"maxPacketLifeTime": 300, "ordered": False}, {"ordered": False, "maxPacketLifeTime": 300}),
        ({"protocol": "größe"}, {"ordered": True, "protocol": "größe"}),
    ],
)
async def test_frames_of_other_channels_arrive_as_they_are(
    browser: Browser, nats: WebSocketNatsServer, opener: str, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    names = {"maxRetransmits": "max_retransmits", "maxPacketLifeTime": "max_packet_life_time"}
    async with met(browser, nats, label=None) as (peer, page), peer.events("channel:message") as messages:
        if opener == "python":
            await peer.open("raw", **{names.get(name, name): value for name, value in options.items()})
        else:
            await page.open("raw", **options)
        await wait_open(peer, page, "raw")
        (remote,) = (await page.remotes()).values()
        assert remote["channels"][0].items() >= expected.items()
        for frame in ("größe", b"\0\1\2"):
            await deliver(peer, frame, "raw")
            received = await page.receive()
            assert (received.value, received.raw) == (frame, True)
            await page.send_raw(frame, "raw")
            with fail_after(PATIENCE):
                event = await messages.receive()
                assert (await event.data, event.raw) == (frame, True)


async def test_a_lossy_channel_may_be_reliable_in_its_framing(browser: Browser, nats: WebSocketNatsServer) -> None:
    """A limit on retransmissions does not make a channel raw: only the lack of order or a protocol does."""
    async with met(browser, nats, label=None) as (peer, page):
        await peer.open("lossy", max_retransmits=3)
        await wait_open(peer, page, "lossy")
        assert await deliver(peer, {"a": 1}, "lossy") == (page.id,)
        assert (await page.receive()).value == {"a": 1}


@pytest.mark.parametrize("label", ["Grüße 🎉 中文", "x" * 3000])
@pytest.mark.parametrize("opener", ["python", "page"])
async def test_any_label_will_do(browser: Browser, nats: WebSocketNatsServer, opener: str, label: str) -> None:
    async with met(browser, nats, label=None) as (peer, page):
        await (peer.open(label) if opener == "python" else page.open(label))
        await wait_open(peer, page, label)
        await deliver(peer, "hello", label)
        assert (await page.receive()).label == label


# -- rooms


@either_first
@pytest.mark.parametrize("room", ["Büro 🎉", "x" * 500, " "])
async def test_any_name_of_a_room_and_any_metadata_will_do(
    browser: Browser, nats: WebSocketNatsServer, room: str, first: str
) -> None:
    ours, theirs = {"name": "Zoë 🌍", "nested": [{"a": None}]}, ["x" * 2000, 1.5]
    async with browser_peer(browser, nats, room) as page, python_peer(nats) as peer:
        for joining in ("python", "page") if first == "python" else ("page", "python"):
            await (peer.join(room, ours) if joining == "python" else page.join(theirs))
        await until(lambda: is_connected(peer, 1))
        await page.wait_connected()
        assert [remote.metadata for remote in peer.remotes.values()] == [theirs]
        assert [remote["metadata"] for remote in (await page.remotes()).values()] == [ours]


@either_first
@pytest.mark.parametrize("encryption", [True, False])
@pytest.mark.parametrize("compression", [True, False])
@pytest.mark.parametrize("hashing", [True, False])
async def test_encryption_compression_and_hashing_may_be_on_or_off(
    browser: Browser, nats: WebSocketNatsServer, first: str, encryption: bool, compression: bool, hashing: bool
) -> None:
    theirs = {"encryption": encryption, "compression": compression, "hashing": hashing}
    ours = {
        "signaling_encryption": encryption,
        "signaling_compression": not compression,  # each packet says it of itself
        "namespace_hashing": hashing,
    }
    room = f"room/{encryption}/{hashing}"
    async with browser_peer(browser, nats, room, **theirs) as page, python_peer(nats, **ours) as peer:
        await peer.open("chat")
        for joining in ("python", "page") if first == "python" else ("page", "python"):
            await (peer.join(room, {"name": "Python"}) if joining == "python" else page.join())
        await wait_open(peer, page, "chat")
        assert await deliver(peer, "hello") == (page.id,)


async def test_who_does_not_encrypt_is_not_let_in(browser: Browser, nats: WebSocketNatsServer) -> None:
    async with browser_peer(browser, nats, encryption=False) as page, python_peer(nats) as peer:
        log = Log(peer, "error")
        await peer.join("room")
        await page.join()
        await log.wait("error")
        assert not peer.remotes


@either_first
async def test_a_page_that_python_refuses_stays_outside(
    browser: Browser, nats: WebSocketNatsServer, first: str
) -> None:
    asked: list[object] = []

    async def verify(_: str, metadata: object) -> bool:
        asked.append(metadata)
        return False

    async with browser_peer(browser, nats, timeout=1.5) as page, python_peer(nats, verify=verify) as peer:
        for joining in ("python", "page") if first == "python" else ("page", "python"):
            await (peer.join("room") if joining == "python" else page.join({"name": "Page"}))
        await until(lambda: asked == [{"name": "Page"}])
        assert not peer.remotes
        if first == "python":
            await page.wait_event("connection:failed")


@either_first
async def test_python_is_not_let_in_by_a_page_that_refuses(
    browser: Browser, nats: WebSocketNatsServer, first: str
) -> None:
    async with browser_peer(browser, nats, verify=False) as page, python_peer(nats, connection_timeout=1.5) as peer:
        log = Log(peer)
        for joining in ("python", "page") if first == "python" else ("page", "python"):
            await (peer.join("room") if joining == "python" else page.join())
        if first == "page":
            await log.wait("connection:failed")
        else:
            await anyio.sleep(0.5)
        assert await page.remotes() == {}
        assert not log.of("connection:connected")


@everywhere
async def test_three_in_a_room_of_two_pages_and_python(browser: Browser, nats: WebSocketNatsServer) -> None:
    async with met(browser, nats) as (peer, page), browser_peer(browser, nats) as other:
        await other.join()
        await wait_open(peer, page, "chat", 1)
        await other.wait_connected(2)
        await page.wait_connected(2)
        with fail_after(PATIENCE):
            await peer.wait_open("chat", remotes=2)
        await other.wait_open("chat", 1)
        assert set(await deliver(peer, "to both")) == {page.id, other.id}
        assert {(await page.receive()).value, (await other.receive()).value} == {"to both"}


@everywhere
async def test_three_in_a_room_of_two_pythons_and_a_page(browser: Browser, nats: WebSocketNatsServer) -> None:
    async with met(browser, nats) as (peer, page), python_peer(nats) as other:
        await other.join("room")
        await until(lambda: is_connected(peer, 2) and is_connected(other, 2))
        await page.open("chat")
        await page.wait_open("chat", 2)
        with fail_after(PATIENCE):
            await peer.wait_open("chat", remotes=2)
            await other.wait_open("chat", remotes=2)
        assert set(await page.send("to both", "chat")) == {peer.id, other.id}
        assert set(await deliver(other, "to both")) == {peer.id, page.id}


async def test_who_is_in_another_room_is_not_met(browser: Browser, nats: WebSocketNatsServer) -> None:
    async with (
        browser_peer(browser, nats) as page,
        python_peer(nats) as stranger,
        python_peer(nats) as peer,
    ):
        await stranger.join("another room")
        await join_both(peer, page)
        assert list(await page.remotes()) == [peer.id]
        assert not stranger.remotes


@everywhere
@pytest.mark.parametrize("leaver", ["python", "page"])
async def test_who_leaves_is_gone_and_may_come_back(browser: Browser, nats: WebSocketNatsServer, leaver: str) -> None:
    async with met(browser, nats) as (peer, page):
        for _ in range(3):
            before = (peer.id, page.id)
            await (peer.leave() if leaver == "python" else page.leave())
            await page.wait_connected(0)
            await until(lambda: not peer.remotes)
            await (peer.join("room") if leaver == "python" else page.join())
            await wait_open(peer, page, "chat")
            assert (peer.id, page.id) != before
            assert await deliver(peer, "again") == (page.id,)
            assert (await page.receive()).value == "again"


@everywhere
async def test_a_tab_that_is_closed_is_noticed(browser: Browser, nats: WebSocketNatsServer, network: Network) -> None:
    async with met(browser, nats) as (peer, page):
        log = Log(peer)
        await page.page.close()
        network.notice_soon(peer, give_up_after=1.0)
        await until(lambda: log.of("connection:closed"))
        assert not peer.remotes


@pytest.fixture
def own_nats(host: BrowserHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSocketNatsServer]:
    """A server that the test may stop and start again."""
    server = host.nats_server(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop()


@pytest.mark.usefixtures("nats")
async def test_a_restart_of_the_server_does_not_part_them_and_newcomers_find_both(
    browser: Browser, own_nats: WebSocketNatsServer
) -> None:
    async with met(browser, own_nats) as (peer, page):
        await to_thread.run_sync(own_nats.stop)
        assert await deliver(peer, "no server") == (page.id,)
        await to_thread.run_sync(own_nats.start)
        async with python_peer(own_nats) as newcomer:
            await newcomer.join("room")
            await until(lambda: is_connected(newcomer, 2))
            assert set(newcomer.remotes) == {peer.id, page.id}


@pytest.mark.usefixtures("nats")
async def test_those_who_joined_without_a_server_meet_when_it_is_back(
    browser: Browser, own_nats: WebSocketNatsServer
) -> None:
    async with browser_peer(browser, own_nats) as page, python_peer(own_nats) as peer:
        await page.join()
        await to_thread.run_sync(own_nats.stop)
        await anyio.sleep(0.5)
        with anyio.move_on_after(2):
            await peer.join("room")
        await to_thread.run_sync(own_nats.start)
        started = anyio.current_time()
        await until(lambda: is_connected(peer, 1))
        print(f"\nafter {anyio.current_time() - started:.1f} s")
        await page.wait_connected()
