from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import fail_after

from peerix import DataChannelError, LocalProtocolError, MessageTooLarge, TransferAborted
from tests.support.peers import Log, entered_peers, meet, peers_in_room, remote_of
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from peerix import Peer

pytestmark = pytest.mark.anyio


async def test_a_label_that_one_side_opens_is_open_on_both() -> None:
    async with peers_in_room(label=None) as (a, b):
        for label, opener in (("by a", a), ("by b", b)):
            await opener.open(label)
            with fail_after(PATIENCE):
                await a.wait_open(label)
                await b.wait_open(label)


async def test_a_label_that_both_sides_open_is_one_channel() -> None:
    async with peers_in_room(label=None) as (a, b):
        logs = [Log(a, "channel"), Log(b, "channel")]
        await a.open("chat")
        await b.open("chat")
        await a.wait_open("chat")
        await b.wait_open("chat")
        assert await a.send("x", "chat") == (b.id,)
        assert await b.send("y", "chat") == (a.id,)
        for log in logs:
            assert [len(log.of(name)) for name in ("channel:new", "channel:open", "channel:close")] == [1, 1, 0]


async def test_a_label_that_was_open_before_is_opened_with_those_who_come_later() -> None:
    async with entered_peers(3) as (a, b, c):
        await a.open("chat")
        await meet(a, b)
        await c.join("room")
        with fail_after(PATIENCE):
            await a.wait_open("chat", remotes=2)


async def test_a_label_survives_leaving_and_joining() -> None:
    async with peers_in_room() as (a, _b):
        await a.leave()
        await a.join("room")
        with fail_after(PATIENCE):
            await a.wait_open("chat")


async def test_a_label_that_only_the_other_side_opened_is_not_opened_with_third_peers() -> None:
    async with entered_peers(3) as (a, b, c):
        await a.open("chat")
        await meet(a, b)
        await b.wait_open("chat")
        await a.leave()
        await c.join("room")
        await until(lambda: b.remotes and c.remotes)
        await until(lambda: remote_of(b, c).state == "connected")
        await anyio.sleep(0.1)
        assert not remote_of(b, c).channels


@pytest.mark.parametrize(
    "label", ["Grüße", "🌍" * 20, "x" * 1000, " ", "a/b\n"], ids=["umlaut", "emoji", "long", "space", "odd"]
)
async def test_any_text_is_a_label(label: str) -> None:
    async with peers_in_room(label=label) as (a, b):
        log = Log(b, "channel:message")
        await a.send("x", label)
        assert (await log.wait("channel:message")).label == label


async def test_the_empty_label_is_refused() -> None:
    async with entered_peers(1) as (peer,):
        with pytest.raises(LocalProtocolError, match="label"):
            await peer.open("")


async def test_options_that_contradict_each_other_are_refused() -> None:
    async with entered_peers(1) as (peer,):
        with pytest.raises(LocalProtocolError):
            await peer.open("x", max_retransmits=1, max_packet_life_time=1)


async def test_closing_a_label_closes_it_on_both_sides() -> None:
    async with peers_in_room() as (a, b):
        logs = [Log(a, "channel:close"), Log(b, "channel:close")]
        await a.close("chat")
        for log in logs:
            await log.wait("channel:close")
        assert not remote_of(a, b).channels
        assert not remote_of(b, a).channels


async def test_a_label_can_be_opened_again_after_closing() -> None:
    async with peers_in_room() as (a, b):
        for _ in range(3):
            closed = [Log(a, "channel:close"), Log(b, "channel:close")]
            await a.close("chat")
            for log in closed:
                await log.wait("channel:close")
            await a.open("chat")
            with fail_after(PATIENCE):
                assert await a.send("x", "chat") == (b.id,)


async def test_closing_one_label_leaves_the_others_open() -> None:
    async with peers_in_room() as (a, b):
        await a.open("other")
        await a.wait_open("other")
        log = Log(a, "channel:close")
        await a.close("other")
        await log.wait("channel:close")
        assert await a.send("x", "chat") == (b.id,)


async def test_closing_a_label_fails_what_waits_for_it() -> None:
    async with peers_in_room(label=None) as (a, _):
        transfer = a.send("x", "later")
        await a.close("later")
        with pytest.raises(TransferAborted):
            await transfer


async def test_a_channel_of_one_remote_peer_only() -> None:
    async with peers_in_room(3, label=None) as (a, b, c):
        await remote_of(a, b).open("private")
        await b.wait_open("private")
        assert await a.send("x", "private", to=b.id) == (b.id,)
        assert "private" not in remote_of(a, c).channels
        await remote_of(a, b).close("private")
        await until(lambda: "private" not in remote_of(a, b).channels)


async def test_wait_open_waits_for_as_many_as_it_is_told() -> None:
    async with entered_peers(3) as (a, b, c):
        await a.open("chat")
        await meet(a, b)
        with anyio.move_on_after(0.2) as scope:
            await a.wait_open("chat", remotes=2)
        assert scope.cancelled_caught
        await c.join("room")
        with fail_after(PATIENCE):
            await a.wait_open("chat", remotes=2)


async def test_a_channel_tells_its_label_state_and_options() -> None:
    async with peers_in_room() as (a, b):
        channel = remote_of(a, b).channels["chat"]
        assert (channel.label, channel.state, channel.ordered, channel.protocol, channel.raw) == (
            "chat",
            "open",
            True,
            "",
            False,
        )
        assert channel.remote is remote_of(a, b)


async def test_a_channel_counts_messages_and_bytes() -> None:
    async with peers_in_room() as (a, b):
        await a.send("hello", "chat")
        sent = remote_of(a, b).channels["chat"].statistics
        received = remote_of(b, a).channels["chat"].statistics
        assert (sent.messages_sent, received.messages_received) == (1, 1)
        assert sent.bytes_sent == received.bytes_received > 5


async def test_channel_new_and_open_come_before_the_first_message() -> None:
    async with entered_peers(2) as (a, b):
        log = Log(b, "channel")
        await a.open("chat")
        await meet(a, b)
        await a.send("x", "chat")
        # The acknowledgement may be here before the handlers of the other side have had their turn.
        await until(lambda: len(log.names) == 3)
        assert log.names == ["channel:new", "channel:open", "channel:message"]


async def test_channel_events_carry_remote_channel_and_label() -> None:
    async with entered_peers(2) as (a, b):
        log = Log(b, "channel:open")
        await a.open("chat")
        await meet(a, b)
        event = await log.wait("channel:open")
        assert (event.remote.id, event.label) == (a.id, "chat")
        assert event.channel is remote_of(b, a).channels["chat"]


async def test_cancelling_a_channel_closes_it_on_both_sides_and_no_other() -> None:
    async with peers_in_room() as (a, b):
        await a.open("other")
        await a.wait_open("other")
        await b.wait_open("other")
        log = Log(b, "channel:close")
        remote_of(a, b).channels["other"].cancel_scope.cancel()
        assert (await log.wait("channel:close")).label == "other"
        assert await a.send("x", "chat") == (b.id,)


RAW = [{"ordered": False}, {"protocol": "mine"}, {"ordered": False, "max_retransmits": 0}]


@pytest.mark.parametrize("options", RAW, ids=str)
async def test_raw_channels_carry_frames(options: dict[str, Any]) -> None:
    async with peers_in_room(label=None) as (a, b):
        await a.open("raw", **options)
        await a.wait_open("raw")
        await b.wait_open("raw")
        received: list[object] = []

        async def collect(event: Any) -> None:
            received.append((await event.data, event.raw, event.info))

        b.on("channel:message", collect)
        assert await a.send("text", "raw") == (b.id,)
        assert await a.send(b"bytes", "raw") == (b.id,)
        await until(lambda: len(received) == 2)
        assert received == [("text", True, None), (b"bytes", True, None)]


async def test_both_sides_know_that_a_channel_is_raw() -> None:
    async with peers_in_room(label=None) as (a, b):
        for label, opener in (("by a", a), ("by b", b)):
            await opener.open(label, ordered=False, protocol="p")
            await a.wait_open(label)
            await b.wait_open(label)
            for channel in (remote_of(a, b).channels[label], remote_of(b, a).channels[label]):
                assert (channel.raw, channel.ordered, channel.protocol) == (True, False, "p")


async def raw_pair(a: Peer, b: Peer) -> None:
    await a.open("raw", ordered=False)
    await a.wait_open("raw")
    await b.wait_open("raw")


async def test_a_raw_channel_refuses_what_is_no_frame() -> None:
    async with peers_in_room(label=None) as (a, b):
        await raw_pair(a, b)
        with pytest.raises(TypeError, match="raw"):
            await a.send({"a": 1}, "raw")


async def test_a_frame_that_is_too_large_for_the_other_side_fails() -> None:
    async with peers_in_room(label=None) as (a, b):
        await raw_pair(a, b)
        with pytest.raises(MessageTooLarge):
            await a.send(bytes(1_000_000), "raw")


async def test_many_frames_wait_for_room() -> None:
    async with peers_in_room(label=None) as (a, b):
        await raw_pair(a, b)
        received: list[int] = []
        b.on("channel:message", lambda event: received.append(1))
        with fail_after(PATIENCE):
            for transfer in [a.send(bytes(50_000), "raw") for _ in range(200)]:
                await transfer
        await until(lambda: len(received) == 200)


async def test_a_binary_frame_that_is_no_packet_is_a_channel_error() -> None:
    async with peers_in_room() as (a, b):
        log = Log(b, "channel:error")
        connection = remote_of(a, b).connection
        assert connection is not None
        # A second channel of the same protocol, opened below the room: its other end speaks no packets.
        channel = connection.create_data_channel("low")
        await channel.send(b"\xff\xff\xff")
        assert isinstance((await log.wait("channel:error")).error, DataChannelError)


async def test_a_text_frame_on_an_ordered_channel_is_a_raw_message() -> None:
    async with peers_in_room() as (a, b):
        log = Log(b, "channel:message")
        connection = remote_of(a, b).connection
        assert connection is not None
        channel = connection.create_data_channel("low")
        await channel.send("text")
        event = await log.wait("channel:message")
        assert (event.raw, event.label) == (True, "low")
        assert await event.data == "text"
