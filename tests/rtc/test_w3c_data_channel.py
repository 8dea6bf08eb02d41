"""Data channels as W3C WebRTC section 6 describes them, one sentence each."""

from __future__ import annotations

import pytest
from anyio import ClosedResourceError, EndOfStream, fail_after, sleep

from peerix.core.errors import LocalProtocolError
from peerix.rtc import PeerConnection, ReadyState
from tests.support.connections import LOOPBACK, connected_pair, negotiate, next_channel
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.anyio


async def test_the_id_is_unknown_until_the_role_is() -> None:
    async with PeerConnection(LOOPBACK) as a, PeerConnection(LOOPBACK) as b:
        channel = a.create_data_channel("chat")
        assert channel.id is None
        await negotiate(a, b)
        assert channel.id is not None


async def test_ids_follow_the_dtls_role_and_not_the_offer() -> None:
    async with connected_pair() as (_, b, of_offerer, _):
        of_answerer = b.create_data_channel("back")
        with fail_after(PATIENCE):
            await of_answerer.wait_open()
        # The answerer is the DTLS client: it took the active part.
        assert of_answerer.id is not None
        assert of_offerer.id is not None
        assert (of_answerer.id % 2, of_offerer.id % 2) == (0, 1)


async def test_an_id_that_is_in_use_is_refused() -> None:
    async with PeerConnection(LOOPBACK) as a:
        a.create_data_channel("one", negotiated=True, id=7)
        with pytest.raises(LocalProtocolError):
            a.create_data_channel("two", negotiated=True, id=7)


async def test_an_id_without_negotiated_is_refused() -> None:
    async with PeerConnection(LOOPBACK) as a:
        with pytest.raises(LocalProtocolError):
            a.create_data_channel("chat", id=7)


async def test_the_id_1024_is_refused() -> None:
    async with PeerConnection(LOOPBACK) as a:
        with pytest.raises(LocalProtocolError):
            a.create_data_channel("chat", negotiated=True, id=1024)


async def test_both_limits_of_reliability_together_are_refused() -> None:
    async with PeerConnection(LOOPBACK) as a:
        with pytest.raises(LocalProtocolError):
            a.create_data_channel("chat", max_retransmits=1, max_packet_life_time=1)


@pytest.mark.parametrize("label", ["", "ü€", "\U0001f600" * 100, "a\0b"])
async def test_any_label_arrives_as_it_was_given(label: str) -> None:
    async with connected_pair() as (a, b, _, _), b.events() as events:
        a.create_data_channel(label, protocol=label)
        channel = await next_channel(events)
        assert (channel.label, channel.protocol) == (label, label)


async def test_the_buffered_amount_grows_by_the_bytes_of_each_message_at_once() -> None:
    async with PeerConnection(LOOPBACK) as a, PeerConnection(LOOPBACK) as b:
        channel = a.create_data_channel("chat")
        await negotiate(a, b)
        with fail_after(PATIENCE):
            await channel.wait_open()
        await channel.drained()
        # The first message is on its way at once; what follows waits for its acknowledgement, and is seen here.
        channel.send_nowait(bytes(200_000))
        before = channel.buffered_amount
        channel.send_nowait("ü")
        assert channel.buffered_amount == before + 2
        channel.send_nowait(b"abc")
        assert channel.buffered_amount == before + 5


async def test_the_buffered_amount_of_a_new_channel_is_zero() -> None:
    async with connected_pair() as (a, _, ours, _):
        assert ours.buffered_amount == 0
        assert a.create_data_channel("another").buffered_amount == 0


async def test_the_buffered_amount_falls_to_zero_when_all_has_left() -> None:
    async with connected_pair() as (_, _, ours, theirs):
        ours.send_nowait(bytes(200_000))
        assert ours.buffered_amount > 0
        with fail_after(PATIENCE):
            await theirs.receive()
            await ours.wait_buffered(0)
        assert ours.buffered_amount == 0


async def test_sending_on_a_closed_channel_raises_and_buffers_nothing() -> None:
    async with connected_pair() as (_, _, ours, theirs):
        ours.close()
        with pytest.raises(ClosedResourceError):
            ours.send_nowait("late")
        assert ours.buffered_amount == 0
        with fail_after(PATIENCE), pytest.raises(EndOfStream):
            await theirs.receive()


async def test_closing_twice_is_as_closing_once() -> None:
    async with connected_pair() as (_, _, ours, theirs):
        states = []
        for _ in range(2):
            ours.close()
            states.append(ours.ready_state)
        assert states == [ReadyState.CLOSING, ReadyState.CLOSING]
        await ours.aclose()
        with fail_after(PATIENCE):
            while not ours.ready_state is theirs.ready_state is ReadyState.CLOSED:
                await sleep(0.002)
        ours.close()
        assert ours.ready_state is ReadyState.CLOSED


async def test_a_channel_that_is_closed_while_connecting_never_opens() -> None:
    async with PeerConnection(LOOPBACK) as a, PeerConnection(LOOPBACK) as b, b.events() as events:
        gone = a.create_data_channel("gone")
        kept = a.create_data_channel("kept")
        gone.close()
        assert gone.ready_state is ReadyState.CLOSED
        await negotiate(a, b)
        with fail_after(PATIENCE):
            await kept.wait_open()
        assert (await next_channel(events)).label == "kept"
        assert gone.ready_state is ReadyState.CLOSED


async def test_messages_that_came_before_the_close_can_be_read_after_it() -> None:
    async with connected_pair() as (_, _, ours, theirs):
        await ours.send("last words")
        ours.close()
        with fail_after(PATIENCE):
            while theirs.ready_state is not ReadyState.CLOSED:
                await sleep(0.002)
            assert await theirs.receive() == "last words"
            with pytest.raises(EndOfStream):
                await theirs.receive()


async def test_an_empty_text_and_no_bytes_are_messages() -> None:
    async with connected_pair() as (_, _, ours, theirs):
        await ours.send("")
        await ours.send(b"")
        with fail_after(PATIENCE):
            assert [await theirs.receive(), await theirs.receive()] == ["", b""]


async def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    async with connected_pair() as (_, _, ours, theirs):
        await ours.send("\ud800!")
        with fail_after(PATIENCE):
            assert await theirs.receive() == "\ufffd!"
