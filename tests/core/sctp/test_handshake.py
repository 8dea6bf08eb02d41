"""Opening an association, from one side or both, over paths that lose and repeat."""

from __future__ import annotations

import itertools

import pytest

from peerix.core.errors import LocalProtocolError
from peerix.core.sctp import (
    Association,
    AssociationClosed,
    AssociationEstablished,
    AssociationState,
    SctpConfig,
)
from peerix.core.sctp.chunks import INIT, INIT_ACK
from peerix.core.sctp.state import TRANSITIONS, Lifecycle
from tests.core.sctp.pairs import START, Pair, association, connected, exchange, received
from tests.support.simnet import Link

COMMON_HEADER = 12
"""Bytes in front of the first chunk, whose type is its first byte."""


def test_both_sides_open_at_once() -> None:
    a, b = association(1), association(2)
    a.connect(START)
    b.connect(START)
    exchange(a, b)
    assert a.poll_events() == [AssociationEstablished(1024, 1024)]
    assert b.poll_events() == [AssociationEstablished(1024, 1024)]


def test_one_side_is_enough() -> None:
    a, b = association(1), association(2)
    a.connect(START)
    exchange(a, b)
    assert a.state is b.state is AssociationState.ESTABLISHED


def test_connecting_after_the_peer_did_changes_nothing() -> None:
    a, b = association(1), association(2)
    a.connect(START)
    exchange(a, b)
    b.connect(START)
    assert b.packets_to_send(START, 8) == []
    assert b.state is AssociationState.ESTABLISHED


def asked() -> tuple[Association, Association]:
    """An association that has sent an INIT, and one that has got it before it connected."""
    a, b = association(1), association(2)
    a.connect(START)
    b.receive_packets(a.packets_to_send(START, 8), START)
    b.connect(START)
    return a, b


def test_whoever_answers_an_init_before_it_connects_sends_none() -> None:
    a, b = asked()
    (answer,) = b.packets_to_send(START, 8)
    assert answer[COMMON_HEADER] == INIT_ACK
    a.receive_packets([answer], START)
    exchange(a, b)
    assert a.state is b.state is AssociationState.ESTABLISHED


def test_an_init_that_was_held_back_leaves_when_no_cookie_comes() -> None:
    _, b = asked()
    b.packets_to_send(START, 8)
    due = b.next_timeout()
    assert due is not None
    b.handle_timeout(due)
    (init,) = b.packets_to_send(due, 8)
    assert init[COMMON_HEADER] == INIT


@pytest.mark.parametrize("lost", list(itertools.combinations(range(8), 2)))
def test_any_two_of_the_first_packets_may_be_lost(lost: tuple[int, int]) -> None:
    a, b = association(1), association(2)
    a.connect(START)
    b.connect(START)
    count, now = 0, START
    while now < START + 5:
        for here, there in ((a, b), (b, a)):
            for packet in here.packets_to_send(now, 8):
                if count not in lost:
                    there.receive_packets([packet], now)
                count += 1
        now += 0.05
        for end in (a, b):
            deadline = end.next_timeout()
            if deadline is not None and deadline <= now:
                end.handle_timeout(now)
    assert a.state is b.state is AssociationState.ESTABLISHED
    a.send_message(0, 53, b"hello", now=now)
    exchange(a, b, now)
    assert [message.data for message in received(b)] == [b"hello"]


@pytest.mark.parametrize("seed", range(20))
def test_a_terrible_path_delays_it_only(seed: int) -> None:
    link = Link(latency=0.05, jitter=0.2, loss=0.4, duplication=0.3)
    Pair(link, seed=seed).connect(seconds=120)


def test_messages_queued_before_it_leave_after_it() -> None:
    a, b = association(1), association(2)
    a.send_message(3, 51, b"early", now=START)
    a.connect(START)
    exchange(a, b)
    assert [(message.stream_id, message.ppid, message.data) for message in received(b)] == [(3, 51, b"early")]


def test_without_an_answer_it_is_given_up() -> None:
    pair = Pair(Link(down=True))
    pair.a.association.connect(pair.now)
    pair.run(120)
    assert pair.a.events == [AssociationClosed("the peer does not answer", by_peer=False)]
    assert pair.a.association.next_timeout() is None


def test_retransmissions_back_off() -> None:
    a = association()
    a.connect(START)
    a.packets_to_send(START, 8)
    waits: list[float] = []
    now = START
    for _ in range(4):
        deadline = a.next_timeout()
        assert deadline is not None
        waits.append(deadline - now)
        now = deadline
        a.handle_timeout(now)
        assert len(a.packets_to_send(now, 8)) == 1
    assert waits == pytest.approx([0.5, 1.0, 2.0, 4.0])


def test_another_port_of_the_peer_is_learnt_from_its_init() -> None:
    a, b = association(1), association(2)
    b.remote_port = 5000
    a_other = type(a)(random_bytes=lambda size: bytes([7]) * size, local_port=6000)
    a_other.remote_port = 5000
    a_other.connect(START)
    exchange(a_other, b)
    assert b.state is AssociationState.ESTABLISHED
    assert b.remote_port == 6000


@pytest.mark.parametrize(("ours", "theirs"), [(True, True), (True, False), (False, True), (False, False)])
def test_interleaving_is_used_when_both_want_it(ours: bool, theirs: bool) -> None:
    a, b = connected(SctpConfig(interleaving=ours), SctpConfig(interleaving=theirs))
    assert a.interleaving is b.interleaving is (ours and theirs)
    a.send_message(0, 53, bytes(5000), now=START)
    exchange(a, b)
    assert len(received(b)) == 1


@pytest.mark.parametrize(("ours", "theirs"), [(True, True), (True, False), (False, True), (False, False)])
def test_checksums_are_left_out_when_the_peer_takes_that(ours: bool, theirs: bool) -> None:
    a, b = connected(SctpConfig(zero_checksum=ours), SctpConfig(zero_checksum=theirs))
    a.send_message(0, 53, b"hello", now=START)
    packet = a.packets_to_send(START, 8)[0]
    assert (packet[8:12] == bytes(4)) is (ours and theirs)
    b.receive_packets([packet], START)
    assert len(received(b)) == 1


def test_init_and_cookie_echo_always_have_a_checksum() -> None:
    a, b = association(1), association(2)
    a.connect(START)
    init = a.packets_to_send(START, 8)[0]
    b.receive_packets([init], START)
    a.receive_packets(b.packets_to_send(START, 8), START)
    cookie_echo = a.packets_to_send(START, 8)[0]
    assert bytes(4) not in (init[8:12], cookie_echo[8:12])


def test_a_forged_cookie_establishes_nothing() -> None:
    a, b, other = association(1), association(2), association(3)
    a.connect(START)
    other.receive_packets(a.packets_to_send(START, 8), START)
    a.receive_packets(other.packets_to_send(START, 8), START)
    b.receive_packets(a.packets_to_send(START, 8), START)
    assert b.state is AssociationState.CLOSED


def test_a_cookie_that_is_too_old_is_refused_and_the_handshake_begins_again() -> None:
    a, b = association(1), association(2)
    a.connect(START)
    b.receive_packets(a.packets_to_send(START, 8), START)
    a.receive_packets(b.packets_to_send(START, 8), START)
    late = a.packets_to_send(START, 8)
    b.receive_packets(late, START + 61)
    assert b.poll_events() == []
    exchange(a, b, START + 61)
    assert a.state is b.state is AssociationState.ESTABLISHED


def test_a_repeated_cookie_echo_is_acknowledged_again() -> None:
    a, b = association(1), association(2)
    a.connect(START)
    b.receive_packets(a.packets_to_send(START, 8), START)
    a.receive_packets(b.packets_to_send(START, 8), START)
    cookie_echo = a.packets_to_send(START, 8)
    b.receive_packets(cookie_echo, START)
    b.packets_to_send(START, 8)
    b.receive_packets(cookie_echo, START)
    a.receive_packets(b.packets_to_send(START, 8), START)
    assert a.state is AssociationState.ESTABLISHED
    assert len(b.poll_events()) == 1


def test_an_association_with_another_tag_does_not_take_the_place_of_the_first() -> None:
    a, b = connected()
    stranger = association(9)
    stranger.connect(START)
    exchange(stranger, b)
    assert stranger.state is not AssociationState.ESTABLISHED
    a.send_message(0, 53, b"still here", now=START)
    exchange(a, b)
    assert [message.data for message in received(b)] == [b"still here"]


@pytest.mark.parametrize("old", AssociationState)
@pytest.mark.parametrize("new", AssociationState)
def test_states_follow_the_table_and_nothing_else(old: AssociationState, new: AssociationState) -> None:
    lifecycle = Lifecycle()
    lifecycle.state = old
    allowed = new in TRANSITIONS[old]
    assert lifecycle.move(new) is allowed
    assert lifecycle.state is (new if allowed else old)


@pytest.mark.parametrize("state", AssociationState)
def test_nothing_leads_out_of_the_end(state: AssociationState) -> None:
    lifecycle = Lifecycle()
    lifecycle.end()
    assert not lifecycle.move(state)


def test_messages_that_cannot_be_sent_are_refused() -> None:
    a, _ = connected()
    with pytest.raises(LocalProtocolError):
        a.send_message(0, 53, b"", now=START)
    with pytest.raises(LocalProtocolError):
        a.send_message(1024, 53, b"x", now=START)
    a.abort("done", START)
    with pytest.raises(LocalProtocolError):
        a.send_message(0, 53, b"x", now=START)
