"""Server-reflexive candidates: several servers at once; dead and lying ones delay nothing."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.ice import ReflexiveCandidateFound, ReflexiveGatherer, ServerFailed, host_candidate
from peerix.core.ice.gathering import (
    KEEPALIVE_PERIOD,
    MAX_REFLEXIVE_PER_PORT,
    MAX_SERVERS,
    NO_ANSWER,
)
from peerix.core.stun import Message, MessageClass, parse, response_to
from peerix.core.stun.attributes import ALTERNATE_SERVER, ERROR_CODE, MAPPED_ADDRESS, XOR_MAPPED_ADDRESS, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.ice import GatheringEvent

Address = tuple[str, int]
Server = "Callable[[Address, Message], bytes | None]"

BASE = ("192.0.2.1", 5000)
PUBLIC = ("198.51.100.1", 6000)


def honest(_source: Address, message: Message) -> bytes | None:
    return response_to(message).add(XOR_MAPPED_ADDRESS, PUBLIC).to_bytes()


def old(_source: Address, message: Message) -> bytes | None:
    return response_to(message).add(MAPPED_ADDRESS, PUBLIC).to_bytes()


def dead(_source: Address, _message: Message) -> bytes | None:
    return None


class Net:
    """A gatherer with one socket, and servers that answer after 20 ms."""

    def __init__(self, **servers: Callable[[Address, Message], bytes | None]) -> None:
        self.gatherer = ReflexiveGatherer(random_bytes=random.Random(1).randbytes)
        self.now = 10.0
        self.servers: dict[Address, Callable[[Address, Message], bytes | None]] = {}
        self.events: list[tuple[float, GatheringEvent]] = []
        self.sent: list[tuple[float, Address, Message]] = []
        self._answers: list[tuple[float, Address, bytes]] = []
        for index, server in enumerate(servers.values()):
            self.servers[f"203.0.113.{index + 1}", 3478] = server
        self.gatherer.add_port(host_candidate(*BASE), 7, self.now)
        for host, port in self.servers:
            self.gatherer.add_server(host, port, self.now)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            for _, destination, data in self.gatherer.datagrams_to_send(self.now):
                message = parse(data)
                self.sent.append((self.now, destination, message))
                server = self.servers.get(destination, dead)
                answer = server(BASE, message) if message.message_class is MessageClass.REQUEST else None
                if answer is not None:
                    self._answers.append((self.now + 0.02, destination, answer))
            self.events += [(self.now, event) for event in self.gatherer.poll_events()]
            deadlines = [end, *(item[0] for item in self._answers)]
            timeout = self.gatherer.next_timeout()
            self.now = max(self.now, min([*deadlines, end if timeout is None else timeout]))
            for item in [item for item in self._answers if item[0] <= self.now]:
                self._answers.remove(item)
                assert self.gatherer.receive_datagram(7, item[1], item[2], self.now)
        self.events += [(self.now, event) for event in self.gatherer.poll_events()]

    def found(self) -> list[Address]:
        events = [event for _, event in self.events if isinstance(event, ReflexiveCandidateFound)]
        return [(event.candidate.host, event.candidate.port) for event in events]

    def failed(self) -> list[ServerFailed]:
        return [event for _, event in self.events if isinstance(event, ServerFailed)]


@pytest.mark.parametrize("server", [honest, old])
def test_a_server_tells_the_public_address(server: Callable[[Address, Message], bytes | None]) -> None:
    net = Net(one=server)
    net.run(1.0)
    (_, event) = net.events[0]
    assert isinstance(event, ReflexiveCandidateFound)
    assert (event.port, event.candidate.type) == (7, "srflx")
    assert (event.candidate.host, event.candidate.port) == PUBLIC
    assert event.candidate.related == BASE
    assert net.gatherer.is_finished


def test_a_dead_first_server_delays_nothing() -> None:
    net = Net(one=dead, two=honest)
    net.run(10.0)
    at, event = net.events[0]
    assert isinstance(event, ReflexiveCandidateFound)
    assert at == pytest.approx(10.02)


def test_a_dead_server_is_given_up_after_four_seconds() -> None:
    net = Net(one=dead)
    net.run(20.0)
    assert [(at, event.code) for at, event in net.events if isinstance(event, ServerFailed)] == [(14.0, NO_ANSWER)]
    assert len(net.sent) == 5
    assert net.gatherer.next_timeout() is None


def test_a_lost_question_is_asked_again() -> None:
    lost: list[bytes] = []

    def lossy(source: Address, message: Message) -> bytes | None:
        lost.append(message.transaction_id)
        return honest(source, message) if len(lost) > 1 else None

    net = Net(one=lossy)
    net.run(1.0)
    assert net.found() == [PUBLIC]
    assert len(set(lost)) == 1


def test_two_servers_with_the_same_answer_make_one_candidate() -> None:
    net = Net(one=honest, two=honest)
    net.run(1.0)
    assert net.found() == [PUBLIC]


def test_a_socket_with_a_public_address_has_no_reflexive_candidate() -> None:
    net = Net(one=lambda source, message: response_to(message).add(XOR_MAPPED_ADDRESS, source).to_bytes())
    net.run(1.0)
    assert net.events == []
    assert net.gatherer.is_finished


@pytest.mark.parametrize("lie", ["127.0.0.1", "0.0.0.0", "224.0.0.1", "2001:db8::1"])
def test_a_lying_server_is_reported_and_the_honest_one_used(lie: str) -> None:
    net = Net(
        one=lambda _source, message: response_to(message).add(XOR_MAPPED_ADDRESS, (lie, 1)).to_bytes(), two=honest
    )
    net.run(1.0)
    assert net.found() == [PUBLIC]
    assert [event.code for event in net.failed()] == [400]


def test_servers_that_all_tell_another_address_are_bounded() -> None:
    net = Net()
    count = 0

    def other(_source: Address, message: Message) -> bytes | None:
        nonlocal count
        count += 1
        return response_to(message).add(XOR_MAPPED_ADDRESS, ("198.51.100.1", 1000 + count)).to_bytes()

    for index in range(40):
        net.servers[f"203.0.113.{index + 1}", 3478] = other
        net.gatherer.add_server(f"203.0.113.{index + 1}", 3478, net.now)
    net.run(1.0)
    assert len(net.found()) == MAX_REFLEXIVE_PER_PORT
    assert count == MAX_SERVERS


def test_a_server_that_comes_later_is_asked_from_all_sockets() -> None:
    net = Net(one=dead)
    net.run(1.0)
    net.servers["203.0.113.9", 3478] = honest
    net.gatherer.add_server("203.0.113.9", 3478, net.now)
    net.run(1.0)
    assert net.found() == [PUBLIC]


def test_a_server_of_the_other_family_is_not_asked() -> None:
    net = Net()
    net.gatherer.add_server("2001:db8::1", 3478, net.now)
    net.gatherer.add_server("127.0.0.1", 3478, net.now)
    net.gatherer.add_server("stun.example", 3478, net.now)
    assert net.gatherer.datagrams_to_send(net.now) == []
    assert net.gatherer.is_finished


def test_a_server_may_send_on_to_another() -> None:
    def redirect(_source: Address, message: Message) -> bytes | None:
        answer = response_to(message, error=True).add(ERROR_CODE, ErrorCode(300, "Try Alternate"))
        return answer.add(ALTERNATE_SERVER, ("203.0.113.2", 3478)).to_bytes()

    net = Net(one=redirect)
    net.servers["203.0.113.2", 3478] = honest
    net.run(1.0)
    assert net.found() == [PUBLIC]


def test_redirections_end() -> None:
    def redirect(_source: Address, message: Message) -> bytes | None:
        answer = response_to(message, error=True).add(ERROR_CODE, ErrorCode(300, "Try Alternate"))
        return answer.add(ALTERNATE_SERVER, ("203.0.113.1", 3478)).to_bytes()

    net = Net(one=redirect)
    net.run(5.0)
    assert [event.code for event in net.failed()] == [300]
    assert len(net.sent) == 3


def test_the_translation_is_kept_alive_until_stopped() -> None:
    net = Net(one=honest)
    net.run(3 * KEEPALIVE_PERIOD + 1)
    indications = [at for at, _, message in net.sent if message.message_class is MessageClass.INDICATION]
    assert len(indications) == 3
    net.gatherer.stop()
    assert net.gatherer.next_timeout() is None
    assert net.gatherer.datagrams_to_send(net.now + 100) == []


def test_a_socket_that_is_gone_is_forgotten() -> None:
    net = Net(one=honest)
    net.gatherer.remove_port(7)
    net.run(10.0)
    assert net.events == []
    assert net.sent == []


def test_answers_to_nobodys_question_are_left_to_the_agent() -> None:
    net = Net(one=dead)
    (_, server, data) = net.gatherer.datagrams_to_send(net.now)[0]
    answer = response_to(parse(data)).add(XOR_MAPPED_ADDRESS, PUBLIC)
    forged = Message(1, MessageClass.SUCCESS, bytes(12)).add(XOR_MAPPED_ADDRESS, PUBLIC)
    gatherer = net.gatherer
    assert not gatherer.receive_datagram(7, server, forged.to_bytes(), net.now)
    assert not gatherer.receive_datagram(7, ("203.0.113.66", 3478), answer.to_bytes(), net.now)
    assert not gatherer.receive_datagram(8, server, answer.to_bytes(), net.now)
    assert not gatherer.receive_datagram(7, server, data, net.now)
    assert gatherer.receive_datagram(7, server, answer.to_bytes(), net.now)
    assert not gatherer.receive_datagram(7, server, answer.to_bytes(), net.now)
    assert len(gatherer.poll_events()) == 1


@given(st.integers(20, 39), st.integers(0, 255))
def test_a_malformed_answer_raises_nothing(at: int, value: int) -> None:
    net = Net(one=dead)
    (_, server, data) = net.gatherer.datagrams_to_send(net.now)[0]
    answer = bytearray(honest(BASE, parse(data)) or b"")
    answer[at] = value
    assert net.gatherer.receive_datagram(7, server, bytes(answer), net.now)


@given(st.binary(max_size=60))
def test_random_bytes_are_left_to_the_agent(data: bytes) -> None:
    net = Net(one=dead)
    net.gatherer.datagrams_to_send(net.now)
    assert not net.gatherer.receive_datagram(7, ("203.0.113.1", 3478), data, net.now)
