"""What a member of the room can do to another one: little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from peerix import SignalingError
from peerix.core.rooms.channels import MAX_CHANNELS
from peerix.core.rooms.control import ChannelOptions, write_request, write_signal
from peerix.core.rooms.protobuf import CONTROL_SCHEMA, encode
from tests.support.peers import Log, peers_in_room, remote_of
from tests.support.waiting import until

if TYPE_CHECKING:
    from peerix import Peer

pytestmark = pytest.mark.anyio


def send_control(sender: Peer, receiver: Peer, frame: bytes) -> None:
    """Send any bytes on the control channel."""
    remote_of(sender, receiver)._link.channels.send_control(frame)


def control(event: int, payload: bytes) -> bytes:
    return encode(CONTROL_SCHEMA, {"event": event, "payload": payload})


@pytest.mark.parametrize(
    "frame",
    [
        control(1, b"not json"),
        control(1, b"[]"),
        control(1, b"[null]"),
        control(1, b"{}"),
        control(1, b'[{"type":"offer"}]'),
        control(2, b'{"label":"x","maxRetransmits":-1}'),
        control(1, b"[" * 100_000),
    ],
    ids=lambda frame: repr(frame[:30]),
)
async def test_a_bad_control_message_is_an_error_event_and_the_connection_lives_on(frame: bytes) -> None:
    async with peers_in_room() as (a, b):
        log = Log(b, "error")
        send_control(a, b, frame)
        event = await log.wait("error")
        assert isinstance(event.error, SignalingError)
        assert event.remote is remote_of(b, a)
        assert await a.send("x", "chat") == (b.id,)


@pytest.mark.parametrize("frame", [b"\xff\xff", b"", control(9, b"[]"), control(2, b"{}"), control(2, b"[]")], ids=repr)
async def test_a_control_message_of_no_kind_is_ignored(frame: bytes) -> None:
    async with peers_in_room() as (a, b):
        log = Log(b, "error")
        send_control(a, b, frame)
        assert await a.send("x", "chat") == (b.id,)
        assert not log.events


@pytest.mark.parametrize("sdp", ["", "v=0", "v=0\r\nm=application 9 x\r\n", "\x00" * 1000], ids=repr)
async def test_a_bad_description_is_an_error_event_and_the_connection_lives_on(sdp: str) -> None:
    async with peers_in_room() as (a, b):
        log = Log(b, "error")
        send_control(a, b, write_signal([{"type": "offer", "sdp": sdp}, {}]))
        event = await log.wait("error")
        assert event.code == "NEGOTIATION_ERROR"
        assert await a.send("x", "chat") == (b.id,)


async def test_an_answer_that_nobody_asked_for_is_an_error_event(anyio_backend: object) -> None:
    async with peers_in_room() as (a, b):
        log = Log(b, "error")
        connection = remote_of(a, b).connection
        assert connection is not None
        assert connection.local_description is not None
        send_control(a, b, write_signal([{"type": "answer", "sdp": connection.local_description.sdp}]))
        assert (await log.wait("error")).code == "NEGOTIATION_ERROR"
        assert await a.send("x", "chat") == (b.id,)


async def test_a_bad_candidate_is_an_error_event() -> None:
    async with peers_in_room() as (a, b):
        log = Log(b, "error")
        candidate = {"candidate": "candidate:nonsense", "sdpMid": "0", "sdpMLineIndex": 0}
        send_control(a, b, write_signal([candidate]))
        assert (await log.wait("error")).code == "ICECANDIDATE_ERROR"
        assert await a.send("x", "chat") == (b.id,)


async def test_a_member_cannot_bring_about_any_number_of_channels() -> None:
    async with peers_in_room() as peers:
        # The impolite side creates what the polite one asks for.
        polite, impolite = sorted(peers, key=lambda peer: peer.id or "", reverse=True)
        for number in range(MAX_CHANNELS + 20):
            send_control(polite, impolite, write_request(f"label {number}", ChannelOptions()))
        log = Log(impolite, "error")
        send_control(polite, impolite, control(1, b"not json"))
        await log.wait("error")  # control messages come in order: all requests were handled
        await until(lambda: len(remote_of(impolite, polite).channels) >= MAX_CHANNELS)
        assert len(remote_of(impolite, polite).channels) == MAX_CHANNELS


async def test_ever_new_labels_leave_nothing_behind() -> None:
    async with peers_in_room(label=None) as (a, b):
        channels: Any = remote_of(b, a)._link.channels
        for number in range(20):
            log = Log(b, "channel:close")
            await a.open(str(number))
            await a.wait_open(str(number))
            await a.close(str(number))
            await log.wait("channel:close")
        assert not channels._outboxes
        assert not channels._runs
