"""Connections as W3C WebRTC section 4 describes them, one sentence each: negotiationneeded, rollback, close."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from anyio import ClosedResourceError, EndOfStream, fail_after, move_on_after

from peerix.core.errors import LocalProtocolError, NegotiationError
from peerix.rtc import (
    Certificate,
    Configuration,
    ConnectionState,
    IceGatheringState,
    IceState,
    LocalCandidate,
    NegotiationNeeded,
    PeerConnection,
    ReadyState,
    SessionDescription,
    SignalingState,
)
from tests.support.connections import LOOPBACK, connected_pair, negotiate
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from peerix.rtc import EventStream

pytestmark = pytest.mark.anyio

ROLLBACK = SessionDescription("rollback")


async def asks(events: EventStream) -> int:
    """Count how often a negotiation was asked for, in what is there and comes in a moment."""
    count = 0
    with move_on_after(0.05):
        async for event in events:
            count += isinstance(event, NegotiationNeeded)
    return count


# -- negotiationneeded


async def test_a_new_connection_needs_nothing() -> None:
    async with PeerConnection(LOOPBACK) as a, a.events() as events:
        assert await asks(events) == 0


async def test_another_channel_on_a_connection_with_channels_needs_no_negotiation() -> None:
    async with connected_pair() as (a, b, _, _), a.events() as events, b.events() as theirs:
        a.create_data_channel("another")
        b.create_data_channel("one more")
        assert await asks(events) == 0
        assert await asks(theirs) == 0


async def test_what_is_wanted_during_a_negotiation_is_asked_for_after_it() -> None:
    async with connected_pair() as (a, b, _, _), a.events() as events:
        await b.set_local_description()
        assert b.local_description is not None
        await a.set_remote_description(b.local_description)
        a.restart_ice()
        assert await asks(events) == 0
        await a.set_remote_description(ROLLBACK)
        assert a.signaling_state is SignalingState.STABLE
        assert await asks(events) == 1


async def test_what_the_negotiation_brought_is_not_asked_for_again() -> None:
    async with PeerConnection(LOOPBACK) as a, PeerConnection(LOOPBACK) as b, a.events() as events:
        a.create_data_channel("chat")
        assert await asks(events) == 1
        await negotiate(a, b)
        assert await asks(events) == 0


async def test_a_channel_that_is_made_while_the_offer_is_out_is_in_it() -> None:
    async with PeerConnection(LOOPBACK) as a, PeerConnection(LOOPBACK) as b, a.events() as events:
        a.create_data_channel("chat")
        await a.set_local_description()
        late = a.create_data_channel("late")
        assert a.local_description is not None
        await b.set_remote_description(a.local_description)
        await b.set_local_description()
        assert b.local_description is not None
        await a.set_remote_description(b.local_description)
        with fail_after(PATIENCE):
            await late.wait_open()
        assert await asks(events) == 1


async def test_a_rollback_asks_for_the_negotiation_again() -> None:
    async with PeerConnection(LOOPBACK) as a, a.events() as events:
        a.create_data_channel("chat")
        await a.set_local_description()
        assert await asks(events) == 1
        await a.set_local_description(ROLLBACK)
        assert await asks(events) == 1


async def test_nothing_is_needed_on_a_closed_connection() -> None:
    async with PeerConnection(LOOPBACK) as a, a.events() as events:
        await a.aclose()
        with pytest.raises(ClosedResourceError):
            a.create_data_channel("late")
        with pytest.raises(ClosedResourceError):
            a.restart_ice()
        assert await asks(events) == 0


# -- offer and answer


async def test_an_answer_that_nobody_asked_for_is_refused() -> None:
    async with connected_pair() as (a, b, ours, theirs):
        assert b.local_description is not None
        with pytest.raises(NegotiationError):
            await a.set_remote_description(b.local_description)
        assert a.signaling_state is SignalingState.STABLE
        await ours.send("still here")
        with fail_after(PATIENCE):
            assert await theirs.receive() == "still here"


async def test_candidates_that_come_before_the_description_are_used() -> None:
    async with PeerConnection(LOOPBACK) as a, PeerConnection(LOOPBACK) as b, a.events() as events:
        a.create_data_channel("chat")
        offer = await a.create_offer()
        assert "a=candidate" not in offer.sdp
        await a.set_local_description(offer)
        with fail_after(PATIENCE):
            async for event in events:
                if isinstance(event, LocalCandidate):
                    await b.add_ice_candidate(event.candidate)
                    if event.candidate is None:
                        break
        await b.set_remote_description(offer)
        report = (await b.get_stats()).values()
    assert [entry["candidateType"] for entry in report if entry["type"] == "remote-candidate"] == ["host"]


# -- rollback


async def test_a_rollback_without_an_offer_is_refused() -> None:
    async with PeerConnection(LOOPBACK) as a:
        with pytest.raises(LocalProtocolError):
            await a.set_local_description(ROLLBACK)
        with pytest.raises(NegotiationError):
            await a.set_remote_description(ROLLBACK)
        assert a.signaling_state is SignalingState.STABLE


async def test_a_rollback_leaves_no_description() -> None:
    async with PeerConnection(LOOPBACK) as a:
        a.create_data_channel("chat")
        await a.set_local_description()
        offered = a.signaling_state
        await a.set_local_description(ROLLBACK)
        assert (offered, a.signaling_state) == (SignalingState.HAVE_LOCAL_OFFER, SignalingState.STABLE)
        assert a.local_description is None


@pytest.mark.parametrize("whose", ["ours", "theirs"])
async def test_after_a_rollback_the_next_negotiation_connects(whose: str) -> None:
    async with PeerConnection(LOOPBACK) as a, PeerConnection(LOOPBACK) as b:
        channel = a.create_data_channel("chat")
        if whose == "ours":
            await a.set_local_description()
            await a.set_local_description(ROLLBACK)
        else:
            b.create_data_channel("back")
            await b.set_local_description()
            assert b.local_description is not None
            await a.set_remote_description(b.local_description)
            await a.set_remote_description(ROLLBACK)
            await b.set_local_description(ROLLBACK)
        await negotiate(a, b)
        with fail_after(PATIENCE):
            await channel.wait_open()


async def test_a_rollback_on_a_connection_leaves_its_channels_alone() -> None:
    async with connected_pair() as (a, b, ours, theirs):
        a.restart_ice()
        await a.set_local_description()
        await a.set_local_description(ROLLBACK)
        await ours.send("still here")
        with fail_after(PATIENCE):
            assert await theirs.receive() == "still here"
        assert a.connection_state is b.connection_state is ConnectionState.CONNECTED


async def test_a_description_that_was_changed_is_refused() -> None:
    async with PeerConnection(LOOPBACK) as a:
        a.create_data_channel("chat")
        offer = await a.create_offer()
        with pytest.raises(LocalProtocolError):
            await a.set_local_description(SessionDescription("offer", offer.sdp.replace("s=-", "s=mine")))
        assert a.signaling_state is SignalingState.STABLE


# -- the certificate


async def test_a_certificate_that_is_given_is_the_one_that_is_announced() -> None:
    certificate = Certificate.generate(dt.datetime.now(dt.UTC))
    configuration = Configuration(addresses=("127.0.0.1",), certificate=certificate)
    async with PeerConnection(configuration) as a, PeerConnection(LOOPBACK) as b:
        channel = a.create_data_channel("chat")
        await negotiate(a, b)
        assert a.local_description is not None
        assert f"a=fingerprint:sha-256 {certificate.fingerprints[0].value}\r\n" in a.local_description.sdp
        with fail_after(PATIENCE):
            await channel.wait_open()


# -- the transport policy


async def test_relay_only_without_servers_has_no_candidate() -> None:
    configuration = Configuration(addresses=("127.0.0.1",), ice_transport_policy="relay")
    async with PeerConnection(configuration) as a, a.events() as events:
        a.create_data_channel("chat")
        await a.set_local_description()
        with fail_after(PATIENCE):
            while a.ice_gathering_state is not IceGatheringState.COMPLETE:
                await events.receive()
        assert a.local_description is not None
        assert "a=candidate" not in a.local_description.sdp
        assert "127.0.0.1" not in a.local_description.sdp.partition("s=-")[2]
        assert [entry for entry in (await a.get_stats()).values() if entry["type"] == "udp-port"] == []


# -- close


async def test_a_closed_connection_has_all_its_states_and_channels_closed() -> None:
    async with connected_pair() as (a, _, ours, _):
        await a.aclose()
        assert a.signaling_state is SignalingState.CLOSED
        assert a.connection_state is ConnectionState.CLOSED
        assert a.ice_connection_state is IceState.CLOSED
        assert ours.ready_state is ReadyState.CLOSED


CALLS: list[Callable[[PeerConnection], Awaitable[object]]] = [
    lambda connection: connection.create_offer(),
    lambda connection: connection.create_answer(),
    lambda connection: connection.set_local_description(),
    lambda connection: connection.set_remote_description(SessionDescription("offer", "v=0")),
    lambda connection: connection.add_ice_candidate(None),
]


@pytest.mark.parametrize("call", CALLS, ids=["offer", "answer", "local", "remote", "candidate"])
async def test_every_method_of_a_closed_connection_is_refused(
    call: Callable[[PeerConnection], Awaitable[object]],
) -> None:
    async with PeerConnection(LOOPBACK) as a:
        await a.aclose()
        with pytest.raises(ClosedResourceError):
            await call(a)


async def test_a_connection_may_be_closed_twice() -> None:
    async with connected_pair() as (a, _, ours, _):
        await a.aclose()
        await a.aclose()
        assert ours.ready_state is ReadyState.CLOSED


async def test_the_descriptions_of_a_closed_connection_can_still_be_read() -> None:
    async with connected_pair() as (a, _, _, _):
        await a.aclose()
        assert a.local_description is not None
        assert a.remote_description is not None
        assert (await a.get_stats())["T0"]["iceState"] == "closed"


async def test_the_events_of_a_closed_connection_end() -> None:
    async with PeerConnection(LOOPBACK) as a, a.events() as events:
        await a.aclose()
        with fail_after(PATIENCE), pytest.raises(EndOfStream):
            while True:
                await events.receive()
