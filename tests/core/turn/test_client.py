"""The TURN client: allocation, permissions, channels, refresh, and servers that misbehave."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.errors import LocalProtocolError, RemoteProtocolError
from peerix.core.stun import Method, parse, response_to
from peerix.core.stun.attributes import (
    ADDITIONAL_ADDRESS_FAMILY,
    ALTERNATE_DOMAIN,
    ALTERNATE_SERVER,
    ERROR_CODE,
    REQUESTED_ADDRESS_FAMILY,
    REQUESTED_TRANSPORT,
    XOR_RELAYED_ADDRESS,
    ErrorCode,
)
from peerix.core.turn import Allocated, AllocationFailed, Family, PeerRefused, TurnClient, TurnState
from peerix.core.turn.allocation import MAX_ATTEMPTS, NO_ANSWER
from peerix.core.turn.framing import StreamFramer, channel_data
from peerix.core.turn.peers import MAX_CHANNELS, MAX_HELD, MAX_PERMISSIONS
from tests.core.turn.server import KEY, MAPPED, PEER, RELAYED, World

CHECK = b"\x00check"
DATA = b"\x17data"


def make_client(*, over_stream: bool = False) -> TurnClient:
    return TurnClient(
        username="user", password="pass", random_bytes=random.Random(1).randbytes, over_stream=over_stream
    )


def test_an_allocation_is_made_after_a_challenge() -> None:
    world = World()
    world.client.allocate(world.now)
    world.run()
    assert world.events == [Allocated((RELAYED,), MAPPED)]
    assert world.names() == ["ALLOCATE", "ALLOCATE"]
    assert world.state() is TurnState.ALLOCATED


def test_an_allocation_is_made_once() -> None:
    world = World()
    world.allocate()
    with pytest.raises(LocalProtocolError):
        world.client.allocate(world.now)


@pytest.mark.parametrize("family", list(Family))
def test_the_family_of_the_relayed_address_is_asked_for(family: Family) -> None:
    client = make_client()
    client.allocate(0.0, family=family)
    message = parse(client.data_to_send(0.0)[0])
    assert message.get(REQUESTED_TRANSPORT) == 17
    assert message.get(REQUESTED_ADDRESS_FAMILY) == (2 if family is Family.IPV6 else None)
    assert message.get(ADDITIONAL_ADDRESS_FAMILY) == (2 if family is Family.BOTH else None)


def test_a_wrong_password_fails_without_a_loop() -> None:
    world = World()
    world.client = TurnClient(username="user", password="wrong", random_bytes=random.Random(1).randbytes)
    world.client.allocate(world.now)
    world.run(20.0)
    assert world.events == [AllocationFailed(401, "challenge")]
    assert world.names() == ["ALLOCATE", "ALLOCATE"]


def test_a_server_with_ever_new_nonces_is_given_up() -> None:
    world = World()
    world.server.is_fickle = True
    world.client.allocate(world.now)
    world.run(20.0)
    assert len(world.names()) == MAX_ATTEMPTS
    assert [event.code for event in world.events if isinstance(event, AllocationFailed)] == [438]


@pytest.mark.parametrize("code", [403, 437, 440, 441, 442, 486, 508])
def test_a_refused_allocation_is_told_with_its_code(code: int) -> None:
    world = World()
    world.server.refuse[Method.ALLOCATE] = ErrorCode(code, "no")
    world.client.allocate(world.now)
    world.run()
    assert world.events == [AllocationFailed(code, "no")]
    assert world.state() is TurnState.FAILED
    assert world.client.next_timeout() is None


def test_an_alternate_server_is_told() -> None:
    client = make_client()
    client.allocate(0.0)
    asked = parse(client.data_to_send(0.0)[0])
    answer = response_to(asked, error=True).add(ERROR_CODE, ErrorCode(300, "Try Alternate"))
    answer.add(ALTERNATE_SERVER, ("203.0.113.7", 3479)).add(ALTERNATE_DOMAIN, "turn.example")
    client.receive(answer.to_bytes(), 0.1)
    assert client.poll_events() == [AllocationFailed(300, "Try Alternate", ("203.0.113.7", 3479), "turn.example")]


def test_a_dead_server_is_given_up_after_nine_seconds() -> None:
    world = World()
    world.server.is_dead = True
    world.client.allocate(world.now)
    world.run(8.5)
    assert world.events == []
    world.run(0.5)
    assert world.events == [AllocationFailed(NO_ANSWER, "no answer")]
    assert len(world.names()) == 7


def test_over_a_stream_a_request_is_sent_once() -> None:
    world = World(over_stream=True)
    world.server.is_dead = True
    world.client.allocate(world.now)
    world.run(20.0)
    assert len(world.names()) == 1
    assert world.state() is TurnState.FAILED


def test_the_first_payload_waits_for_the_permission_and_is_not_lost() -> None:
    world = World()
    world.allocate()
    assert world.send(CHECK) is None
    world.run()
    assert world.names() == ["CREATE_PERMISSION"]
    assert world.server.relayed == [(PEER, CHECK)]


def test_a_host_can_be_permitted_ahead_even_before_the_allocation() -> None:
    world = World()
    world.client.permit(PEER[0], world.now)
    world.allocate()
    assert PEER[0] in world.server.permissions
    assert world.send(CHECK) is not None
    assert world.server.relayed == [(PEER, CHECK)]


def test_checks_get_no_channel_and_data_does() -> None:
    world = World()
    world.client.permit(PEER[0], world.now)
    world.allocate()
    for _ in range(5):
        world.send(CHECK)
        world.run(0.1)
    assert "CHANNEL_BIND" not in world.names()
    world.send(DATA)
    world.run(0.1)
    assert world.names() == ["CHANNEL_BIND"]
    assert world.send(DATA) == channel_data(0x4000, DATA, padded=False)
    assert world.server.relayed[-2:] == [(PEER, DATA)] * 2


def test_payloads_come_in_by_indication_and_by_channel() -> None:
    world = World()
    world.allocate()
    assert world.client.receive(world.server.relay_in(PEER, b"one"), world.now) == [(PEER, b"one")]
    world.client.permit(PEER[0], world.now)
    world.run(0.1)
    world.send(DATA)
    world.run(0.1)
    assert world.client.receive(world.server.relay_in(PEER, b"two"), world.now) == [(PEER, b"two")]
    assert world.client.counters.payloads_received == 2


def test_a_batch_of_equal_payloads_stays_a_batch_of_equal_messages() -> None:
    world = World()
    world.client.permit(PEER[0], world.now)
    world.allocate()
    world.send(DATA)
    world.run(0.1)
    data, size = world.client.wrap_batch(PEER, b"a" * 100 + b"b" * 100 + b"c" * 30, 100, world.now)
    assert size == 104
    assert [data[at : at + size][4:] for at in range(0, len(data), size)] == [b"a" * 100, b"b" * 100, b"c" * 30]
    assert world.client.wrap_batch(PEER, b"single", 0, world.now) == (channel_data(0x4000, b"single", padded=False), 10)
    assert world.client.wrap_batch(PEER, b"", 0, world.now) == (b"", 0)


def test_an_allocation_is_refreshed_until_it_is_closed() -> None:
    world = World()
    world.allocate()
    world.run(3000.0)
    assert world.names() == ["REFRESH"] * 5
    assert world.state() is TurnState.ALLOCATED
    world.client.close(world.now)
    world.run()
    assert world.server.asked[-1][1:] == ("REFRESH", 0)
    assert world.state() is TurnState.CLOSED
    assert not world.server.is_allocated
    assert world.client.next_timeout() is None


def test_a_stale_nonce_is_renewed_without_notice() -> None:
    world = World()
    world.allocate()
    for number in range(5):
        world.server.nonce = f"renewed {number}".encode()
        world.run(600.0)
    assert world.state() is TurnState.ALLOCATED
    world.server.nonce = b"at the end"
    world.client.close(world.now)
    world.run()
    assert not world.server.is_allocated


def test_permissions_and_channels_in_use_are_refreshed_and_others_are_not() -> None:
    world = World()
    world.client.permit(PEER[0], world.now)
    world.client.permit("192.0.2.99", world.now)
    world.allocate()
    for _ in range(200):
        world.send(DATA)
        world.run(10.0)
    assert world.client.counters.payloads_refused == 0
    binds = [at for at, name, _ in world.server.asked if name == "CHANNEL_BIND"]
    gaps = [later - earlier for earlier, later in pairwise(binds)]
    assert len(binds) == 4
    assert max(gaps) < 600
    permissions = world.names().count("CREATE_PERMISSION")
    assert 5 <= permissions <= 10
    world.server.asked.clear()
    world.run(3000.0)
    assert world.names().count("CREATE_PERMISSION") <= 1
    assert world.names().count("CHANNEL_BIND") <= 1


def test_a_lost_refresh_is_tried_again_and_then_the_allocation_is_lost() -> None:
    world = World()
    world.allocate()
    world.server.is_dead = True
    world.run(545.0)
    world.server.is_dead = False
    world.run(60.0)
    assert world.state() is TurnState.ALLOCATED
    world.server.is_dead = True
    world.run(700.0)
    assert world.state() is TurnState.FAILED
    assert isinstance(world.events[-1], AllocationFailed)


@pytest.mark.parametrize("method", [Method.REFRESH, Method.CREATE_PERMISSION])
def test_an_allocation_that_the_server_forgot_is_lost(method: Method) -> None:
    world = World()
    world.allocate()
    world.server.refuse[method] = ErrorCode(437, "Allocation Mismatch")
    world.send(CHECK)
    world.run(700.0)
    assert world.events[-1] == AllocationFailed(437, "Allocation Mismatch")


@pytest.mark.parametrize("code", [403, 443, 400])
def test_a_refused_host_is_told_once_and_costs_nothing_more(code: int) -> None:
    world = World()
    world.allocate()
    world.server.refuse[Method.CREATE_PERMISSION] = ErrorCode(code, "no")
    world.send(CHECK)
    world.run()
    assert world.events[-1] == PeerRefused(PEER[0], code, "no")
    for _ in range(10):
        assert world.send(CHECK) is None
    world.run()
    assert world.names() == ["CREATE_PERMISSION"]
    assert world.client.counters.payloads_refused == 10
    assert world.state() is TurnState.ALLOCATED


def test_a_refused_channel_leaves_the_indications() -> None:
    world = World()
    world.client.permit(PEER[0], world.now)
    world.allocate()
    world.server.refuse[Method.CHANNEL_BIND] = ErrorCode(400, "no")
    for _ in range(5):
        world.send(DATA)
        world.run()
    assert world.names() == ["CHANNEL_BIND"]
    assert world.server.relayed == [(PEER, DATA)] * 5


def test_hosts_channels_and_waiting_payloads_are_bounded() -> None:
    world = World()
    world.allocate()
    for index in range(300):
        world.client.wrap((f"192.0.2.{index % 250}", index), CHECK, world.now)
        world.client.permit(f"198.51.{index // 200}.{index % 200}", world.now)
    world.run()
    assert len(world.server.permissions) <= MAX_PERMISSIONS
    for _ in range(3):
        for index in range(100):
            world.send(DATA, ("192.0.2.1", index))
            world.run(0.05)
    assert len(world.server.channels) == MAX_CHANNELS
    world.server.relayed.clear()
    quiet = World()
    quiet.allocate()
    for _ in range(100):
        quiet.send(CHECK)
    quiet.run()
    assert len(quiet.server.relayed) == MAX_HELD


def test_a_payload_without_an_allocation_is_refused() -> None:
    client = make_client()
    assert client.wrap(PEER, DATA, 0.0) is None
    client.allocate(0.0)
    assert client.wrap(PEER, DATA, 0.0) is None
    assert client.counters.payloads_refused == 2


def test_an_unsigned_success_does_not_count() -> None:
    world = World()
    client = make_client()
    client.allocate(0.0)
    challenged = parse(client.data_to_send(0.0)[0])
    client.receive(world.server.challenge(challenged, 401), 0.0)
    asked = parse(client.data_to_send(0.0)[0])
    answer = response_to(asked).add(XOR_RELAYED_ADDRESS, ("203.0.113.66", 1))
    client.receive(answer.to_bytes(), 0.0)
    client.receive(answer.to_bytes(key=b"wrong"), 0.0)
    assert client.counters.unmatched == 2
    assert client.poll_events() == []
    client.receive(answer.to_bytes(key=KEY), 0.0)
    # Signed, but without a mapped address.
    assert client.state is TurnState.FAILED


def test_closing_before_the_allocation_asks_for_nothing() -> None:
    client = make_client()
    client.allocate(0.0)
    client.close(0.0)
    assert client.data_to_send(0.0) == []
    assert client.state is TurnState.CLOSED


@given(st.binary(max_size=100))
def test_random_datagrams_raise_nothing(data: bytes) -> None:
    world = World()
    world.allocate()
    world.client.receive(data, world.now)
    assert world.state() is TurnState.ALLOCATED


@given(st.binary(max_size=200))
def test_random_streams_raise_nothing(data: bytes) -> None:
    client = make_client(over_stream=True)
    client.allocate(0.0)
    for at in range(0, len(data), 7):
        client.receive(data[at : at + 7], 0.0)


@given(st.lists(st.binary(max_size=60), max_size=8), st.integers(1, 50))
def test_a_stream_is_cut_into_its_messages_however_it_comes(payloads: list[bytes], step: int) -> None:
    world = World()
    messages = [
        channel_data(0x4000, payload, padded=True) if index % 2 else world.server.relay_in(PEER, payload)
        for index, payload in enumerate(payloads)
    ]
    stream = b"".join(messages)
    framer = StreamFramer()
    found: list[bytes] = []
    for at in range(0, len(stream), step):
        found += framer.receive(stream[at : at + step])
    assert found == messages


def test_a_stream_without_framing_ends_the_allocation() -> None:
    framer = StreamFramer()
    with pytest.raises(RemoteProtocolError):
        framer.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n".replace(b"H", b"\x90"))
    client = make_client(over_stream=True)
    client.allocate(0.0)
    client.receive(b"\x90\x00\x00\x00", 0.0)
    assert client.state is TurnState.FAILED
