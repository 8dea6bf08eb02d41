"""Connections on loopback: how they come up, what they tell, and how they end."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
from anyio import (
    CancelScope,
    ClosedResourceError,
    EndOfStream,
    create_task_group,
    fail_after,
    get_cancelled_exc_class,
    move_on_after,
    sleep,
    sleep_forever,
)

from peerix.core.errors import IceCandidateError, LocalProtocolError, NegotiationError
from peerix.rtc import (
    Configuration,
    ConnectionState,
    ConnectionStateChanged,
    DataChannelReceived,
    IceCandidate,
    IceConnectionStateChanged,
    IceGatheringState,
    IceServer,
    LocalCandidate,
    NegotiationNeeded,
    PeerConnection,
    SessionDescription,
    SignalingState,
    SignalingStateChanged,
)
from tests.support.connections import LOOPBACK, connected_pair, negotiate, next_channel, trickle
from tests.support.waiting import AT_ONCE, ATTEMPTS, CLOSED_WITHIN, PATIENCE, until

if TYPE_CHECKING:
    from peerix.rtc import EventStream

pytestmark = pytest.mark.anyio


async def test_a_connection_comes_up_over_loopback() -> None:
    async with connected_pair() as (a, b, _, _):
        await until(lambda: a.connection_state is b.connection_state is ConnectionState.CONNECTED)


async def test_candidates_may_travel_apart_from_the_descriptions() -> None:
    async with (
        PeerConnection(LOOPBACK) as a,
        PeerConnection(LOOPBACK) as b,
        a.events() as from_a,
        b.events() as from_b,
        b.events() as events,
        create_task_group() as tasks,
    ):
        channel = a.create_data_channel("chat")
        tasks.start_soon(trickle, from_a, b)
        tasks.start_soon(trickle, from_b, a)
        offer = await a.create_offer()
        assert "a=candidate" not in offer.sdp
        await a.set_local_description(offer)
        await b.set_remote_description(offer)
        answer = await b.create_answer()
        await b.set_local_description(answer)
        await a.set_remote_description(SessionDescription("answer", without_candidates(answer.sdp)))
        with fail_after(PATIENCE):
            await channel.wait_open()
        await next_channel(events)
        tasks.cancel_scope.cancel()


def without_candidates(sdp: str) -> str:
    lines = (line for line in sdp.split("\r\n") if not line.startswith(("a=candidate", "a=end-of-candidates")))
    return "\r\n".join(lines)


async def test_candidates_that_come_before_the_description_are_kept() -> None:
    async with PeerConnection(LOOPBACK) as a, PeerConnection(LOOPBACK) as b, a.events() as events:
        channel = a.create_data_channel("chat")
        await a.set_local_description()
        offer = a.local_description
        assert offer is not None
        with fail_after(PATIENCE):
            async for event in events:
                if isinstance(event, LocalCandidate):
                    await b.add_ice_candidate(event.candidate)
                    if event.candidate is None:
                        break
        await b.set_remote_description(SessionDescription("offer", without_candidates(offer.sdp)))
        await b.set_local_description()
        assert b.local_description is not None
        await a.set_remote_description(b.local_description)
        with fail_after(PATIENCE):
            await channel.wait_open()


async def test_the_local_description_has_the_candidates() -> None:
    async with PeerConnection(LOOPBACK) as a:
        a.create_data_channel("chat")
        await a.set_local_description()
        assert a.ice_gathering_state is IceGatheringState.COMPLETE
        assert a.local_description is not None
        assert " 127.0.0.1 " in a.local_description.sdp


async def test_a_candidate_tells_where_it_belongs() -> None:
    async with PeerConnection(LOOPBACK) as a, a.events() as events:
        a.create_data_channel("chat")
        await a.set_local_description()
        with fail_after(PATIENCE):
            async for event in events:
                if isinstance(event, LocalCandidate) and event.candidate is not None:
                    break
        assert a.local_description is not None
        assert (event.candidate.sdp_mid, event.candidate.sdp_m_line_index) == ("0", 0)  # type: ignore[union-attr]
        assert f"a=ice-ufrag:{event.candidate.username_fragment}\r\n" in a.local_description.sdp  # type: ignore[union-attr]


async def test_a_malformed_candidate_is_refused() -> None:
    async with connected_pair() as (a, _, _, _):
        with pytest.raises(IceCandidateError):
            await a.add_ice_candidate(IceCandidate("nonsense", "0", 0))


async def test_a_malformed_description_is_refused_and_changes_nothing() -> None:
    async with PeerConnection(LOOPBACK) as a:
        with pytest.raises(NegotiationError):
            await a.set_remote_description(SessionDescription("offer", "nonsense"))
        assert a.signaling_state is SignalingState.STABLE


async def test_an_answer_without_an_offer_is_refused() -> None:
    async with PeerConnection(LOOPBACK) as a:
        with pytest.raises((NegotiationError, LocalProtocolError)):
            await a.create_answer()


async def test_the_first_channel_asks_for_a_negotiation_once() -> None:
    async with PeerConnection(LOOPBACK) as a, a.events() as events:
        a.create_data_channel("one")
        a.create_data_channel("two")
        with fail_after(PATIENCE):
            assert isinstance(await events.receive(), NegotiationNeeded)
        with move_on_after(0.05) as scope:
            await events.receive()
        assert scope.cancelled_caught


async def test_every_reader_gets_every_event() -> None:
    async with PeerConnection(LOOPBACK) as a, a.events() as first, a.events() as second:
        a.create_data_channel("chat")
        with fail_after(PATIENCE):
            assert isinstance(await first.receive(), NegotiationNeeded)
            assert isinstance(await second.receive(), NegotiationNeeded)


async def test_states_come_in_their_order() -> None:
    async with PeerConnection(LOOPBACK) as a, PeerConnection(LOOPBACK) as b, a.events() as events:
        channel = a.create_data_channel("chat")
        await negotiate(a, b)
        with fail_after(PATIENCE):
            await channel.wait_open()
        seen: list[Any] = []
        with fail_after(PATIENCE):
            connected = (ConnectionStateChanged, IceConnectionStateChanged)
            while not all(
                any(isinstance(each, kind) and each.state == "connected" for each in seen) for kind in connected
            ):
                seen.append(await events.receive())
    signaling = [event.state for event in seen if isinstance(event, SignalingStateChanged)]
    connection = [event.state for event in seen if isinstance(event, ConnectionStateChanged)]
    ice = [event.state.value for event in seen if isinstance(event, IceConnectionStateChanged)]
    assert signaling == [SignalingState.HAVE_LOCAL_OFFER, SignalingState.STABLE]
    assert connection == [ConnectionState.CONNECTING, ConnectionState.CONNECTED]
    assert ice[:2] == ["checking", "connected"]


async def test_both_sides_may_offer_at_once_when_the_polite_one_rolls_back() -> None:
    async with PeerConnection(LOOPBACK) as polite, PeerConnection(LOOPBACK) as impolite:
        ours = polite.create_data_channel("", negotiated=True, id=0)
        theirs = impolite.create_data_channel("", negotiated=True, id=0)
        await polite.set_local_description()
        await impolite.set_local_description()
        assert impolite.local_description is not None
        await polite.set_remote_description(SessionDescription("rollback"))
        await polite.set_remote_description(impolite.local_description)
        await polite.set_local_description()
        assert polite.local_description is not None
        await impolite.set_remote_description(polite.local_description)
        await ours.send("after the glare")
        with fail_after(PATIENCE):
            assert await theirs.receive() == "after the glare"


async def test_an_offer_rolls_a_pending_one_back_implicitly() -> None:
    async with PeerConnection(LOOPBACK) as polite, PeerConnection(LOOPBACK) as impolite:
        ours = polite.create_data_channel("", negotiated=True, id=0)
        theirs = impolite.create_data_channel("", negotiated=True, id=0)
        await polite.set_local_description()
        await negotiate(impolite, polite)
        await theirs.send("hello")
        with fail_after(PATIENCE):
            assert await ours.receive() == "hello"


async def test_renegotiation_does_not_disturb_what_runs() -> None:
    async with connected_pair() as (a, b, ours, theirs):
        await negotiate(b, a)
        await negotiate(a, b)
        await ours.send("still here")
        with fail_after(PATIENCE):
            assert await theirs.receive() == "still here"


async def test_an_ice_restart_keeps_the_channels() -> None:
    async with connected_pair() as (a, b, ours, theirs), a.events() as events:
        before = a.local_description
        a.restart_ice()
        with fail_after(PATIENCE):
            assert isinstance(await events.receive(), NegotiationNeeded)
        await negotiate(a, b)
        assert before is not None
        assert a.local_description is not None
        assert ufrag(a.local_description.sdp) != ufrag(before.sdp)
        for number in range(20):
            await ours.send(str(number))
            with fail_after(PATIENCE):
                assert await theirs.receive() == str(number)
            await sleep(0.01)


def ufrag(sdp: str) -> str:
    return sdp.partition("a=ice-ufrag:")[2].partition("\r\n")[0]


async def test_a_wrong_fingerprint_fails_the_connection_and_opens_no_channel() -> None:
    async with PeerConnection(LOOPBACK) as a, PeerConnection(LOOPBACK) as b:
        a.create_data_channel("chat")
        await a.set_local_description()
        assert a.local_description is not None
        await b.set_remote_description(a.local_description)
        await b.set_local_description()
        assert b.local_description is not None
        lines = b.local_description.sdp.split("\r\n")
        forged = [
            "a=fingerprint:sha-256 " + ":".join(["00"] * 32) if line.startswith("a=fingerprint") else line
            for line in lines
        ]
        await a.set_remote_description(SessionDescription("answer", "\r\n".join(forged)))
        await until(lambda: a.connection_state is ConnectionState.FAILED)


async def test_leaving_the_block_delivers_what_was_sent_and_closes_the_other_side() -> None:
    async with PeerConnection(LOOPBACK) as b, b.events() as events:
        async with PeerConnection(LOOPBACK) as a:
            channel = a.create_data_channel("chat")
            await negotiate(a, b)
            with fail_after(PATIENCE):
                await channel.wait_open()
            theirs = await next_channel(events)
            await channel.send(b"x" * 200_000)
        with fail_after(PATIENCE):
            assert len(await theirs.receive()) == 200_000
            with pytest.raises(EndOfStream):
                await theirs.receive()
        assert b.connection_state is ConnectionState.CLOSED


async def test_cancelled_from_outside_the_other_side_sees_closed_at_once() -> None:
    async with connected_pair() as (a, _, ours, theirs):
        a.cancel_scope.cancel()
        with fail_after(AT_ONCE), pytest.raises(EndOfStream):
            await theirs.receive()
        with pytest.raises(ClosedResourceError):
            await ours.send("late")


async def test_the_other_side_of_a_cancelled_connection_sees_it_closed_within_200_ms() -> None:
    fastest = PATIENCE
    for _ in range(ATTEMPTS):
        async with connected_pair() as (a, _, _, theirs):
            cancelled_at = monotonic()
            a.cancel_scope.cancel()
            with fail_after(AT_ONCE), pytest.raises(EndOfStream):
                await theirs.receive()
            fastest = min(fastest, monotonic() - cancelled_at)
        if fastest < CLOSED_WITHIN:
            return
    pytest.fail(f"the fastest of {ATTEMPTS} took {fastest:.3f} s")


async def test_a_cancelled_block_closes_at_once() -> None:
    block = CancelScope()

    async def run(b: PeerConnection) -> None:
        with block:
            async with PeerConnection(LOOPBACK) as a:
                a.create_data_channel("chat")
                await negotiate(a, b)
                await sleep_forever()

    async with PeerConnection(LOOPBACK) as b, b.events() as events, create_task_group() as tasks:
        tasks.start_soon(run, b)
        theirs = await next_channel(events)
        block.cancel()
        with fail_after(AT_ONCE), pytest.raises(EndOfStream):
            await theirs.receive()


async def test_cancelling_a_connection_gives_its_users_an_error_and_no_cancellation() -> None:
    async with connected_pair() as (a, _, ours, _theirs), create_task_group() as tasks:
        outcome: list[type[BaseException]] = []

        async def read() -> None:
            try:
                await ours.receive()
            except (ClosedResourceError, get_cancelled_exc_class()) as error:
                outcome.append(type(error))
                if not isinstance(error, ClosedResourceError):
                    raise

        tasks.start_soon(read)
        await sleep(0.01)
        a.cancel_scope.cancel()
        await until(lambda: bool(outcome))
        assert outcome == [ClosedResourceError]
        with pytest.raises(ClosedResourceError):
            a.create_data_channel("late")


async def test_aclose_ends_the_connection_and_its_events() -> None:
    async with connected_pair() as (a, b, _, theirs), a.events() as events:
        await a.aclose()
        assert a.connection_state is ConnectionState.CLOSED
        with fail_after(PATIENCE):
            assert [event async for event in events if isinstance(event, DataChannelReceived)] == []
            with pytest.raises(EndOfStream):
                await theirs.receive()
        await until(lambda: b.connection_state is ConnectionState.CLOSED)


async def test_aclose_before_the_block_is_entered_is_harmless() -> None:
    connection = PeerConnection(LOOPBACK)
    await connection.aclose()
    with pytest.raises(ClosedResourceError):
        async with connection:
            pass


async def test_a_lone_error_of_the_block_leaves_unwrapped() -> None:
    with pytest.raises(ValueError, match="mine"):
        async with connected_pair():
            message = "mine"
            raise ValueError(message)


@pytest.mark.parametrize(
    "call", ["create_offer", "create_answer", "set_local_description", "set_remote_description", "add_ice_candidate"]
)
async def test_every_async_call_can_be_cancelled(call: str) -> None:
    arguments: dict[str, tuple[object, ...]] = {
        "set_remote_description": (SessionDescription("rollback"),),
        "add_ice_candidate": (None,),
    }
    async with PeerConnection(LOOPBACK) as a:
        with move_on_after(1) as scope:
            scope.cancel()
            await getattr(a, call)(*arguments.get(call, ()))
        assert scope.cancelled_caught


async def test_waiting_for_an_event_can_be_cancelled() -> None:
    async with PeerConnection(LOOPBACK) as a, a.events() as events:
        with move_on_after(0.01) as scope:
            await events.receive()
        assert scope.cancelled_caught


async def test_a_closed_event_stream_ends() -> None:
    async with PeerConnection(LOOPBACK) as a:
        stream: EventStream
        async with a.events() as stream:
            await stream.aclose()
            with pytest.raises(EndOfStream):
                await stream.receive()


@pytest.mark.parametrize("url", ["http://example.org", "turn:example.org", "example.org"])
def test_a_wrong_ice_server_is_refused(url: str) -> None:
    with pytest.raises(LocalProtocolError):
        IceServer(url)


def test_an_ice_server_can_be_a_mapping() -> None:
    server = IceServer.from_value({"urls": "turn:localhost", "username": "u", "credential": "c"})
    assert server.url_list == ("turn:localhost",)
    with pytest.raises(LocalProtocolError, match="urls"):
        IceServer.from_value({"url": "stun:localhost"})


def test_a_packet_size_out_of_range_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="16,384"):
        Configuration(max_packet_size=65_536)
