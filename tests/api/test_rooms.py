from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import create_task_group, fail_after

from peerix import ConnectionState, LocalProtocolError
from peerix.drivers import MemoryDriver
from tests.support.peers import Log, entered_peers, is_connected, local_peer, meet, peers_in_room, remote_of
from tests.support.waiting import AT_ONCE, PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.anyio


async def test_two_peers_in_one_room_are_connected() -> None:
    async with entered_peers(2) as (a, b):
        await meet(a, b)
        assert list(a.remotes) == [b.id]
        assert list(b.remotes) == [a.id]


async def test_peers_without_a_driver_meet() -> None:
    async with local_peer() as a, local_peer() as b:
        await meet(a, b)


async def test_peers_in_different_rooms_do_not_meet() -> None:
    async with entered_peers(3) as (a, b, c):
        await c.join("another")
        await meet(a, b)
        assert not c.remotes


async def test_three_peers_are_all_connected() -> None:
    async with entered_peers(3) as peers:
        await meet(*peers)


async def test_join_gives_the_local_id() -> None:
    async with entered_peers(1) as (peer,):
        assert await peer.join() == peer.id


async def test_a_new_join_has_a_new_id() -> None:
    async with entered_peers(1) as (peer,):
        first = await peer.join()
        await peer.leave()
        assert await peer.join() != first


async def test_the_default_room_is_called_default() -> None:
    async with entered_peers(1) as (peer,):
        await peer.join()
        assert peer.room == "default"


async def test_a_peer_outside_a_room_has_no_id() -> None:
    async with entered_peers(1) as (peer,):
        await peer.join(metadata={"name": "x"})
        await peer.leave()
        assert (peer.id, peer.room, peer.metadata, peer.active, dict(peer.remotes)) == (None, None, None, False, {})


async def test_a_second_join_raises() -> None:
    async with entered_peers(1) as (peer,):
        await peer.join("a")
        with pytest.raises(LocalProtocolError, match="'a'"):
            await peer.join("b")


async def test_join_outside_the_block_raises() -> None:
    with pytest.raises(anyio.ClosedResourceError):
        await local_peer().join()


async def test_metadata_that_json_cannot_hold_is_refused() -> None:
    async with entered_peers(1) as (peer,):
        with pytest.raises(TypeError):
            await peer.join(metadata=object())
        assert not peer.active


@pytest.mark.parametrize("metadata", [{"name": "Zoë 🌍"}, "text", [1, 2.5, None], 0, False])
async def test_remote_peers_show_their_metadata(metadata: object) -> None:
    async with entered_peers(2) as (a, b):
        await a.join("room", metadata)
        await b.join("room", metadata)
        await until(lambda: is_connected(a, 1) and is_connected(b, 1))
        assert [remote_of(a, b).metadata, remote_of(b, a).metadata] == [metadata, metadata]


async def test_metadata_that_nobody_gave_is_none() -> None:
    async with entered_peers(2) as (a, b):
        await meet(a, b)
        assert [remote_of(a, b).metadata, remote_of(b, a).metadata] == [None, None]


async def test_the_own_metadata_can_be_read() -> None:
    async with entered_peers(1) as (peer,):
        await peer.join(metadata={"a": 1})
        assert peer.metadata == {"a": 1}


async def test_leave_closes_the_connections_on_both_sides() -> None:
    async with entered_peers(2) as (a, b):
        log = Log(b)
        await meet(a, b)
        await a.leave()
        assert not a.remotes
        await log.wait("connection:closed")
        assert not b.remotes


async def test_leave_without_a_room_does_nothing() -> None:
    async with entered_peers(1) as (peer,):
        await peer.leave()


async def test_leaving_and_joining_the_same_room_ten_times_works() -> None:
    async with peers_in_room(2) as (a, b):
        for _ in range(10):
            await b.leave()
            await until(lambda: not a.remotes)
            await b.join("room")
            await until(lambda: is_connected(a, 1) and is_connected(b, 1))
            with fail_after(PATIENCE):
                await b.wait_open("chat")
                assert await a.send("again", "chat") == (b.id,)


async def test_leaving_right_after_joining_works() -> None:
    async with entered_peers(2) as (a, b):
        await a.join("room")
        for _ in range(5):
            await b.join("room")
            await b.leave()
        await until(lambda: not a.remotes)


async def test_two_peers_that_join_in_the_same_instant_are_connected() -> None:
    for _ in range(5):
        async with entered_peers(2) as (a, b):
            async with create_task_group() as tasks:
                tasks.start_soon(a.join, "room")
                tasks.start_soon(b.join, "room")
            await until(lambda: is_connected(a, 1) and is_connected(b, 1))


async def test_five_peers_that_join_in_the_same_instant_are_all_connected() -> None:
    async with entered_peers(5) as peers:
        async with create_task_group() as tasks:
            for peer in peers:
                tasks.start_soon(peer.join, "room")
        await until(lambda: all(is_connected(peer, 4) for peer in peers))


async def test_a_glare_keeps_one_connection_and_one_channel() -> None:
    async with entered_peers(2) as (a, b):
        logs = [Log(a), Log(b)]
        await a.open("chat")
        await b.open("chat")
        async with create_task_group() as tasks:
            tasks.start_soon(a.join, "room")
            tasks.start_soon(b.join, "room")
        await a.wait_open("chat")
        await b.wait_open("chat")
        await anyio.sleep(0.2)
        for log in logs:
            assert [len(log.of(name)) for name in ("connection:new", "connection:closed", "channel:open")] == [1, 0, 1]


async def test_the_states_of_a_connection_come_in_order() -> None:
    async with entered_peers(2) as (a, b):
        log = Log(a, "connection")
        await meet(a, b)
        await b.leave()
        await log.wait("connection:closed")
        assert log.names == [f"connection:{state}" for state in ("new", "connecting", "connected", "closed")]


async def test_connection_events_carry_remote_and_state() -> None:
    async with entered_peers(2) as (a, b):
        log = Log(a, "connection:connected")
        await meet(a, b)
        event = await log.wait("connection:connected")
        assert (event.remote.id, event.state) == (b.id, ConnectionState.CONNECTED)


async def test_cancelling_a_remote_peer_closes_its_connection_and_no_other() -> None:
    async with entered_peers(3) as (a, b, c):
        await meet(a, b, c)
        remote_of(a, b).cancel_scope.cancel()
        await until(lambda: is_connected(a, 1) and is_connected(b, 1))
        assert is_connected(c, 2)


async def test_the_other_side_of_a_cancelled_remote_peer_sees_it_closed_at_once() -> None:
    async with entered_peers(2) as (a, b):
        log = Log(b)
        await meet(a, b)
        remote_of(a, b).cancel_scope.cancel()
        await until(lambda: "connection:closed" in log.names, within=AT_ONCE)


async def test_a_cancelled_remote_peer_does_not_come_back_by_itself() -> None:
    async with entered_peers(2) as (a, b):
        await meet(a, b)
        remote_of(a, b).cancel_scope.cancel()
        await anyio.sleep(0.3)
        assert not a.remotes


async def test_remotes_is_read_only() -> None:
    async with entered_peers(1) as (peer,):
        await peer.join()
        remotes: Mapping[str, object] = peer.remotes
        with pytest.raises(TypeError):
            remotes["x"] = None  # type: ignore[index]


async def test_a_remote_peer_has_its_webrtc_connection() -> None:
    async with entered_peers(2) as (a, b):
        await meet(a, b)
        connection = remote_of(a, b).connection
        assert connection is not None
        assert connection.connection_state == "connected"


@pytest.mark.parametrize(
    "options",
    [
        {"signaling_encryption": False},
        {"signaling_compression": False},
        {"namespace_hashing": False},
        {"signaling_encryption": False, "signaling_compression": False, "namespace_hashing": False},
    ],
    ids=str,
)
async def test_peers_meet_with_signalling_options_off(options: dict[str, bool]) -> None:
    async with entered_peers(2, **options) as (a, b):
        await a.join("ein Raum ü", {"name": "A"})
        await b.join("ein Raum ü", {"name": "B"})
        await until(lambda: is_connected(a, 1) and is_connected(b, 1))
        assert remote_of(a, b).metadata == {"name": "B"}


async def test_peers_that_disagree_about_encryption_get_an_error_event() -> None:
    async with (
        MemoryDriver() as driver,
        local_peer(driver=driver) as a,
        local_peer(driver=driver, signaling_encryption=False) as b,
    ):
        log = Log(a, "error")
        await a.join("room")
        await b.join("room", {"name": "plain"})
        event = await log.wait("error")
        assert event.error.code == "SIGNALING_ERROR"


async def test_garbage_from_the_driver_is_an_error_event() -> None:
    async with MemoryDriver() as driver, local_peer(driver=driver, namespace_hashing=False) as peer:
        log = Log(peer, "error")
        await peer.join("room")
        await driver.publish("room", b"\xff\x00garbage")
        event = await log.wait("error")
        assert event.code == "SIGNALING_ERROR"


async def test_a_driver_that_is_not_entered_makes_join_raise() -> None:
    async with local_peer(driver=MemoryDriver()) as peer:
        with pytest.raises(LocalProtocolError, match="not entered"):
            await peer.join()
        assert not peer.active
