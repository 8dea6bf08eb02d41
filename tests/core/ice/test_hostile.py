"""Bytes from strangers: dropped, counted, bounded, and without effect."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerix.core.ice import Candidate, IceState, host_candidate, receiving_ufrag
from peerix.core.ice.candidates import MAX_NAMES, MAX_REMOTE_CANDIDATES
from peerix.core.ice.check_list import MAX_PAIRS
from peerix.core.ice.context import MAX_KNOWN_SOURCES
from peerix.core.ice.session import MAX_EARLY_CHECKS
from peerix.core.ice.transactions import MAX_TRANSACTIONS
from peerix.core.stun import Message, MessageClass, Method, parse, request, response_to
from peerix.core.stun.attributes import (
    ERROR_CODE,
    ICE_CONTROLLED,
    ICE_CONTROLLING,
    PRIORITY,
    UNKNOWN_ATTRIBUTES,
    USE_CANDIDATE,
    USERNAME,
    XOR_MAPPED_ADDRESS,
    ErrorCode,
)
from peerix.core.stun.credentials import short_term_key
from tests.core.ice.link import Address, Link, connect, describe, make_agent, make_link

STRANGER = ("198.51.100.66", 666)


def check(link: Link, *, seed: int = 1, **changes: object) -> Message:
    """A check that side one might send to side two, before it is signed."""
    one, two = link.sides
    names = changes.get("username", f"{two.agent.local_parameters.ufrag}:{one.agent.local_parameters.ufrag}")
    message = request(Method.BINDING, random.Random(seed).randbytes).add(USERNAME, str(names))
    if changes.get("priority", True):
        message.add(PRIORITY, 1862270975)
    message.add(ICE_CONTROLLING, 1)
    return message


def key(link: Link) -> bytes:
    return short_term_key(link.sides[1].agent.local_parameters.pwd)


def test_random_bytes_are_counted_and_change_nothing() -> None:
    link = make_link()
    connect(link)
    one = link.sides[0]
    chance = random.Random(1)
    for length in range(200):
        one.agent.receive_datagram(1000, STRANGER, chance.randbytes(length), link.now)
    assert one.agent.counters.malformed == 200
    assert one.agent.datagrams_to_send(link.now) == []
    assert one.agent.state is IceState.CONNECTED


@settings(max_examples=150)
@given(st.integers(0, 40), st.integers(0, 200), st.integers(0, 255), st.booleans())
def test_a_changed_byte_in_any_packet_raises_nothing(which: int, at: int, value: int, replay: bool) -> None:
    link = make_link()
    one, two = link.sides
    packets: list[tuple[Address, Address, bytes]] = []

    def drop(source: Address, destination: Address, data: bytes) -> bool:
        packets.append((source, destination, data))
        return False

    link.drop = drop
    describe(one, two, link.now)
    link.run(0.05)
    describe(two, one, link.now)
    link.run(1.0)
    source, destination, data = packets[which % len(packets)]
    at %= len(data)
    changed = data if replay else data[:at] + bytes([value]) + data[at + 1 :]
    link.inject(source, destination, changed)
    link.inject(STRANGER, destination, changed)
    link.run(2.0)
    assert one.agent.state is two.agent.state is IceState.CONNECTED
    assert one.agent.send_path == (1000, ("192.0.2.2", 2000))


@pytest.mark.parametrize(
    ("username", "password"),
    [("nobody:one", "right"), ("right", "wrong"), ("missing separator", "right"), ("right", "none")],
)
def test_a_check_without_valid_credentials_gets_no_answer(username: str, password: str) -> None:
    link = make_link()
    connect(link)
    two = link.sides[1]
    message = check(link) if username == "right" else check(link, username=username)
    keys = {"right": key(link), "wrong": b"wrong", "none": None}
    two.agent.receive_datagram(2000, STRANGER, message.to_bytes(key=keys[password]), link.now)
    assert two.agent.counters.unauthenticated == 1
    assert two.agent.datagrams_to_send(link.now) == []
    assert not two.agent.is_known(2000, STRANGER)


def test_a_check_with_another_remote_name_gets_no_answer() -> None:
    link = make_link()
    connect(link)
    two = link.sides[1]
    message = check(link, username=f"{two.agent.local_parameters.ufrag}:other")
    two.agent.receive_datagram(2000, STRANGER, message.to_bytes(key=key(link)), link.now)
    assert two.agent.datagrams_to_send(link.now) == []


def answer_to(link: Link, message: Message) -> Message:
    two = link.sides[1]
    two.agent.receive_datagram(2000, ("192.0.2.1", 1000), message.to_bytes(key=key(link)), link.now)
    (_, _, data) = two.agent.datagrams_to_send(link.now)[0]
    return parse(data)


def test_a_check_without_priority_is_a_bad_request() -> None:
    link = make_link()
    connect(link)
    answer = answer_to(link, check(link, priority=False))
    assert answer.get(ERROR_CODE) == ErrorCode(400, "Bad Request")
    assert answer.is_signed_with(key(link))


def test_an_attribute_that_must_be_understood_is_named_in_the_answer() -> None:
    link = make_link()
    connect(link)
    message = check(link)
    message.attributes.append((0x7001, b""))
    answer = answer_to(link, message)
    assert answer.get(ERROR_CODE) == ErrorCode(420, "Unknown Attribute")
    assert answer.get(UNKNOWN_ATTRIBUTES) == (0x7001,)


def test_browsers_optional_attributes_are_ignored() -> None:
    link = make_link()
    connect(link)
    message = check(link)
    message.attributes += [(0xC057, bytes(4)), (0xC001, bytes(4))]
    assert answer_to(link, message).get(XOR_MAPPED_ADDRESS) == ("192.0.2.1", 1000)


def test_a_binding_indication_is_silently_taken() -> None:
    link = make_link()
    connect(link)
    two = link.sides[1]
    two.agent.receive_datagram(2000, STRANGER, Message(1, MessageClass.INDICATION, bytes(12)).to_bytes(), link.now)
    assert two.agent.datagrams_to_send(link.now) == []
    assert two.agent.counters.malformed == 0


def test_another_method_is_dropped() -> None:
    link = make_link()
    two = link.sides[1]
    data = request(Method.ALLOCATE, random.Random(1).randbytes).to_bytes()
    two.agent.receive_datagram(2000, STRANGER, data, link.now)
    assert two.agent.counters.malformed == 1


def first_check(link: Link) -> Message:
    """Side one's first check, in flight."""
    one, two = link.sides
    describe(two, one, link.now)
    return parse(one.agent.datagrams_to_send(link.now)[0][2])


def test_an_answer_from_another_address_does_not_count() -> None:
    link = make_link()
    message = first_check(link)
    one = link.sides[0]
    answer = response_to(message).add(XOR_MAPPED_ADDRESS, ("192.0.2.1", 1000)).to_bytes(key=key(link))
    one.agent.receive_datagram(1000, STRANGER, answer, link.now)
    assert (one.agent.counters.unmatched, one.agent.send_path) == (1, None)
    one.agent.receive_datagram(1000, ("192.0.2.2", 2000), answer, link.now)
    link.flush()
    assert one.agent.send_path == (1000, ("192.0.2.2", 2000))


def test_an_answer_is_taken_once() -> None:
    link = make_link()
    message = first_check(link)
    one = link.sides[0]
    answer = response_to(message).add(XOR_MAPPED_ADDRESS, ("192.0.2.1", 1000)).to_bytes(key=key(link))
    for _ in range(3):
        one.agent.receive_datagram(1000, ("192.0.2.2", 2000), answer, link.now)
    assert one.agent.counters.unmatched == 2


@pytest.mark.parametrize("signature", [None, b"wrong"])
def test_an_answer_without_a_valid_signature_does_not_count(signature: bytes | None) -> None:
    link = make_link()
    message = first_check(link)
    one = link.sides[0]
    answer = response_to(message).add(XOR_MAPPED_ADDRESS, ("192.0.2.1", 1000)).to_bytes(key=signature)
    one.agent.receive_datagram(1000, ("192.0.2.2", 2000), answer, link.now)
    error = response_to(message, error=True).add(ERROR_CODE, ErrorCode(487, "")).to_bytes(key=signature)
    one.agent.receive_datagram(1000, ("192.0.2.2", 2000), error, link.now)
    assert one.agent.counters.unauthenticated == 2
    assert one.agent.send_path is None
    assert one.agent.controlling


def test_an_answer_without_a_mapped_address_does_not_count() -> None:
    link = make_link()
    message = first_check(link)
    one = link.sides[0]
    one.agent.receive_datagram(1000, ("192.0.2.2", 2000), response_to(message).to_bytes(key=key(link)), link.now)
    assert one.agent.counters.malformed == 1
    assert one.agent.send_path is None


def test_an_error_answer_fails_the_pair() -> None:
    link = make_link()
    message = first_check(link)
    one = link.sides[0]
    error = response_to(message, error=True).add(ERROR_CODE, ErrorCode(500, "")).to_bytes(key=key(link))
    one.agent.end_of_local_candidates(link.now)
    one.agent.end_of_remote_candidates(link.now)
    one.agent.receive_datagram(1000, ("192.0.2.2", 2000), error, link.now)
    link.flush()
    assert [pair.state.value for pair in one.agent.pairs] == ["failed"]
    assert one.agent.state is IceState.FAILED


def flood(link: Link, count: int, *, nominate: bool = False) -> None:
    """Signed checks from ever new addresses: a peer, or a replaying stranger, behind a NAT that renumbers."""
    two = link.sides[1]
    for index in range(count):
        message = check(link, seed=index)
        if nominate:
            message.add(USE_CANDIDATE, True)
        source = f"198.51.{index // 200}.{1 + index % 200}", 1000 + index
        two.agent.receive_datagram(2000, source, message.to_bytes(key=key(link)), link.now)


def test_checks_from_ever_new_addresses_are_bounded() -> None:
    link = make_link()
    connect(link)
    flood(link, 600)
    two = link.sides[1]
    assert len(two.agent.remote_candidates) <= MAX_REMOTE_CANDIDATES
    assert len(two.agent.pairs) <= MAX_PAIRS
    assert len(two.agent._context.transactions) <= MAX_TRANSACTIONS
    assert len(two.agent._context._known) <= MAX_KNOWN_SOURCES
    two.agent.datagrams_to_send(link.now)
    link.run(20.0)
    assert two.agent.send_path == (2000, ("192.0.2.1", 1000))
    assert two.agent.state is IceState.CONNECTED


def test_each_check_of_the_other_side_causes_at_most_an_answer_and_a_check() -> None:
    link = make_link()
    connect(link)
    two = link.sides[1]
    link.run(1.0)
    flood(link, 50)
    assert len(two.agent.datagrams_to_send(link.now)) <= 100 + 1  # one of the path in use: is it gone?


def test_early_checks_are_bounded() -> None:
    link = make_link()
    flood(link, 100)
    two = link.sides[1]
    two.agent.set_remote_parameters(link.sides[0].agent.local_parameters, link.now)
    assert len(two.agent.pairs) == MAX_EARLY_CHECKS


def test_names_to_resolve_are_bounded() -> None:
    agent = make_agent(1, controlling=True)
    for index in range(200):
        line = f"candidate:1 1 udp 1 {index}.local 5 typ host"
        agent.add_remote_candidate(Candidate.parse(line), 0.0)
    assert len(agent.poll_events()) == MAX_NAMES


def test_a_nominated_stranger_does_not_take_the_path() -> None:
    link = make_link()
    connect(link)
    link.run(5.0)
    flood(link, 20, nominate=True)
    link.run(20.0)
    assert link.sides[1].agent.send_path == (2000, ("192.0.2.1", 1000))


def test_a_replayed_check_from_another_address_does_not_take_the_path() -> None:
    link = make_link()
    recorded: list[bytes] = []

    def record(_source: Address, destination: Address, data: bytes) -> bool:
        if destination == ("192.0.2.2", 2000):
            recorded.append(data)
        return False

    link.drop = record
    connect(link)
    link.run(5.0)
    two = link.sides[1]
    for data in recorded:
        two.agent.receive_datagram(2000, STRANGER, data, link.now)
    link.run(20.0)
    assert two.agent.send_path == (2000, ("192.0.2.1", 1000))
    assert two.agent.state is IceState.CONNECTED


def test_a_role_conflict_cannot_be_forged() -> None:
    link = make_link()
    connect(link)
    two = link.sides[1]
    message = request(Method.BINDING, random.Random(1).randbytes)
    names = f"{two.agent.local_parameters.ufrag}:{link.sides[0].agent.local_parameters.ufrag}"
    message.add(USERNAME, names).add(PRIORITY, 1).add(ICE_CONTROLLED, 0)
    two.agent.receive_datagram(2000, STRANGER, message.to_bytes(key=b"wrong"), link.now)
    assert not two.agent.controlling


def test_an_early_nomination_selects_the_pair_once_it_is_checked() -> None:
    link = make_link()
    one, two = link.sides
    message = check(link).add(USE_CANDIDATE, True)
    two.agent.receive_datagram(2000, ("192.0.2.1", 1000), message.to_bytes(key=key(link)), link.now)
    describe(one, two, link.now)
    link.run(0.5)
    assert two.agent.selected_pair is not None
    assert one.agent.selected_pair is None


def test_a_shared_port_finds_the_agent_that_a_check_is_for() -> None:
    link = make_link()
    message = check(link)
    assert receiving_ufrag(message.to_bytes(key=b"unverified")) == link.sides[1].agent.local_parameters.ufrag
    assert receiving_ufrag(response_to(message).to_bytes()) is None
    assert receiving_ufrag(request(Method.BINDING, random.Random(1).randbytes).to_bytes()) is None
    assert receiving_ufrag(b"\x00\x01") is None


def test_only_a_socket_of_ours_makes_pairs() -> None:
    link = make_link()
    connect(link)
    two = link.sides[1]
    two.agent.receive_datagram(777, STRANGER, check(link).to_bytes(key=key(link)), link.now)
    assert len(two.agent.pairs) == 1


def test_an_address_of_another_scope_makes_no_pair() -> None:
    link = make_link()
    connect(link)
    two = link.sides[1]
    two.agent.receive_datagram(2000, ("127.0.0.1", 5), check(link).to_bytes(key=key(link)), link.now)
    assert len(two.agent.pairs) == 1


def test_a_local_candidate_that_comes_late_is_paired_with_all_remote_ones() -> None:
    agent = make_agent(1, controlling=True)
    link = make_link()
    agent.set_remote_parameters(link.sides[1].agent.local_parameters, 0.0)
    agent.add_remote_candidate(link.sides[1].agent.local_candidates[0], 0.0)
    agent.add_local_candidate(host_candidate("192.0.2.1", 1), 1, 0.0)
    assert [pair.address for pair in agent.pairs] == [("192.0.2.2", 2000)]
    assert agent.next_timeout() == 0.0


def test_the_path_in_use_is_known_however_many_addresses_others_show() -> None:
    link = make_link()
    connect(link)
    two = link.sides[1]
    assert two.agent.send_path is not None
    flood(link, 2 * MAX_KNOWN_SOURCES)
    assert two.agent.is_known(*two.agent.send_path)


def repeated_checks(link: Link) -> list[bytes]:
    """Let the path be checked a few times and give the requests that side one sent."""
    link.sides[0].sent.clear()
    link.run(30.0)
    return [data for _, _, _, data in link.sides[0].sent if parse(data).message_class is MessageClass.REQUEST]


def test_a_check_like_the_one_before_needs_a_signature_of_its_own() -> None:
    link = make_link()
    connect(link)
    two = link.sides[1]
    data = repeated_checks(link)[-1]
    forged = data[:8] + bytes(12) + data[20:]
    two.agent.receive_datagram(2000, ("192.0.2.1", 1000), forged, link.now)
    assert two.agent.datagrams_to_send(link.now) == []


def test_a_check_like_the_one_before_is_answered_and_counted() -> None:
    link = make_link()
    connect(link)
    two = link.sides[1]
    before = two.agent.pairs[0].counters.requests_received
    checks = repeated_checks(link)
    assert len(checks) > 3
    assert two.agent.pairs[0].counters.requests_received == before + len(checks)
    two.agent.receive_datagram(2000, ("192.0.2.1", 1000), checks[-1], link.now)
    (answer,) = two.agent.datagrams_to_send(link.now)
    assert parse(answer[2]).get(XOR_MAPPED_ADDRESS) == ("192.0.2.1", 1000)
    assert parse(answer[2]).is_signed_with(key(link))


def test_a_check_like_the_one_before_from_another_address_is_a_new_pair() -> None:
    link = make_link()
    connect(link)
    two = link.sides[1]
    two.agent.receive_datagram(2000, STRANGER, repeated_checks(link)[-1], link.now)
    assert STRANGER in {pair.address for pair in two.agent.pairs}


def test_an_answer_that_is_expected_but_for_its_signature_does_not_count() -> None:
    link = make_link()
    connect(link)
    link.run(1.0)
    one = link.sides[0]
    answers: list[bytes] = []

    def spoil(source: Address, destination: Address, data: bytes) -> bool:
        if parse(data).message_class is MessageClass.SUCCESS and destination == ("192.0.2.1", 1000):
            answers.append(data)
            return True
        return False

    link.drop = spoil
    link.run(6.5)
    before = one.agent.pairs[0].counters.responses_received
    for data in answers:
        one.agent.receive_datagram(1000, ("192.0.2.2", 2000), data[:-9] + bytes([data[-9] ^ 1]) + data[-8:], link.now)
    assert answers
    assert one.agent.pairs[0].counters.responses_received == before
