"""Two agents find each other: trickle, nomination, networks that come and go."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

import pytest

from peerix.core.ice import (
    Candidate,
    CandidateNeedsResolution,
    IceParameters,
    IceState,
    relayed_candidate,
)
from peerix.core.ice.nomination import DIRECT_WAIT, RELAY_WAIT
from peerix.core.ice.session import PATIENCE
from tests.core.ice.link import Address, Link, add_host, connect, describe, make_link, make_side, selected

if TYPE_CHECKING:
    from collections.abc import Callable


def test_two_agents_connect_over_a_link() -> None:
    link = make_link()
    connect(link)
    one, two = link.sides
    assert one.agent.state is two.agent.state is IceState.CONNECTED
    assert one.agent.send_path == (1000, ("192.0.2.2", 2000))
    assert two.agent.send_path == (2000, ("192.0.2.1", 1000))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "192.0.2.1", "fe80::1", "2001:db8::1"])
def test_two_agents_connect_on_one_address(host: str) -> None:
    link = make_link(host, host)
    connect(link)


def test_a_set_up_without_loss_needs_no_timer() -> None:
    link = make_link("127.0.0.1", "127.0.0.1", latency=0.0)
    start = link.now
    connect(link)
    assert link.now == start


def test_a_set_up_over_a_link_takes_the_least_round_trips() -> None:
    link = make_link(latency=0.05)
    start = link.now
    connect(link)
    # One round trip for the check, one for the nominating check.
    assert link.now - start == pytest.approx(0.2)


def test_patience_begins_with_the_description_whatever_the_clock_shows() -> None:
    link = make_link()
    one, two = link.sides
    for side, other in ((one, two), (two, one)):
        side.agent.set_remote_parameters(other.agent.local_parameters, link.now)
        assert IceState.FAILED not in [getattr(event, "state", None) for event in side.agent.poll_events()]
    link.run(PATIENCE / 2)
    assert one.agent.state is two.agent.state is IceState.CHECKING


def test_data_may_flow_before_nomination() -> None:
    link = make_link(latency=0.05)
    one, two = link.sides
    describe(one, two, link.now)
    describe(two, one, link.now)
    start = link.now
    assert link.run(1.0, until=lambda: two.agent.send_path is not None)
    assert link.now - start == pytest.approx(0.1)
    assert two.agent.selected_pair is None
    assert two.agent.state is IceState.CONNECTED


@pytest.mark.parametrize("ended", [False, True])
def test_completed_needs_the_end_of_candidates(ended: bool) -> None:
    link = make_link()
    one, two = link.sides
    describe(one, two, link.now, ended=ended)
    describe(two, one, link.now, ended=ended)
    link.run(2.0)
    assert selected(link)
    assert one.agent.state is (IceState.COMPLETED if ended else IceState.CONNECTED)
    assert one.states[:2] == ["checking", "connected"]


def test_an_answerers_check_before_the_answer_is_answered_and_remembered() -> None:
    link = make_link()
    one, two = link.sides
    describe(one, two, link.now)
    link.run(0.5)
    assert two.agent.send_path == (2000, ("192.0.2.1", 1000))
    assert one.agent.is_known(1000, ("192.0.2.2", 2000))
    assert one.agent.state is IceState.NEW
    describe(two, one, link.now, candidates=False)
    start = link.now
    assert link.run(1.0, until=lambda: selected(link))
    assert link.now - start < 0.05


def test_early_checks_of_another_description_are_forgotten() -> None:
    link = make_link()
    one, two = link.sides
    describe(one, two, link.now)
    link.run(0.5)
    one.agent.set_remote_parameters(IceParameters("other", "x" * 24), link.now)
    assert one.agent.pairs == []


@pytest.mark.parametrize("seed", range(12))
def test_candidates_may_come_in_any_order_and_before_the_description(seed: int) -> None:
    link = make_link(("192.0.2.1", "2001:db8::1"), ("192.0.2.2", "2001:db8::2"))
    one, two = link.sides
    actions: list[Callable[[], object]] = []
    for source, target in ((one, two), (two, one)):
        actions += [
            partial(target.agent.add_remote_candidate, candidate, link.now)
            for candidate in source.agent.local_candidates
        ]
        actions.append(partial(target.agent.set_remote_parameters, source.agent.local_parameters, link.now))
        actions.append(partial(target.agent.end_of_remote_candidates, link.now))
        actions.append(partial(source.agent.end_of_local_candidates, link.now))
    chance = random.Random(seed)
    chance.shuffle(actions)
    for action in actions:
        action()
        if chance.random() < 0.5:
            link.flush()
    assert link.run(3.0, until=lambda: selected(link))


def test_a_local_name_asks_for_resolution_once_and_the_answer_is_used() -> None:
    link = make_link()
    one, two = link.sides
    describe(one, two, link.now, candidates=False)
    describe(two, one, link.now, candidates=False)
    named = Candidate.parse("candidate:1 1 udp 2130706431 0d4e.local 2000 typ host")
    one.agent.add_remote_candidate(named, link.now)
    one.agent.add_remote_candidate(named, link.now)
    assert one.agent.poll_events()[1:] == [CandidateNeedsResolution(named)]
    one.agent.add_remote_candidate(named.with_host("192.0.2.2"), link.now)
    assert link.run(1.0, until=lambda: selected(link))


def test_a_side_whose_candidates_cannot_be_resolved_connects_all_the_same() -> None:
    link = make_link()
    one, two = link.sides
    describe(one, two, link.now)
    describe(two, one, link.now, candidates=False)
    assert link.run(1.0, until=lambda: selected(link))
    assert [candidate.type for candidate in one.agent.remote_candidates] == ["prflx"]


def test_the_signalled_form_of_a_peer_reflexive_candidate_takes_its_place() -> None:
    link = make_link()
    one, two = link.sides
    describe(one, two, link.now)
    describe(two, one, link.now, candidates=False)
    assert link.run(1.0, until=lambda: selected(link))
    one.agent.add_remote_candidate(two.agent.local_candidates[0], link.now)
    assert [candidate.type for candidate in one.agent.remote_candidates] == ["host"]
    assert [pair.remote.type for pair in one.agent.pairs] == ["host"]


def test_a_pair_whose_remote_candidate_is_signalled_late_has_the_priority_that_it_has_for_the_other_side() -> None:
    link = make_link()
    one, two = link.sides
    describe(one, two, link.now)
    describe(two, one, link.now, candidates=False)
    assert link.run(1.0, until=lambda: selected(link))
    assert one.agent.pairs[0].priority != two.agent.pairs[0].priority
    one.agent.add_remote_candidate(two.agent.local_candidates[0], link.now)
    assert one.agent.pairs[0].priority == two.agent.pairs[0].priority


def nat_link() -> Link:
    """Side two sits behind a NAT: its packets come from 198.51.100.2, port 7000."""
    link = make_link("192.0.2.1", "10.0.0.2")
    outside = ("198.51.100.2", 7000)

    def nat(source: Address, _destination: Address) -> Address:
        return outside if source == ("10.0.0.2", 2000) else source

    link.nat = nat
    link.inbound[outside] = ("10.0.0.2", 2000)
    link.drop = lambda _source, destination, _data: destination[0] == "10.0.0.2"
    return link


def test_both_sides_learn_peer_reflexive_candidates_through_a_nat() -> None:
    link = nat_link()
    connect(link)
    one, two = link.sides
    assert one.agent.send_path == (1000, ("198.51.100.2", 7000))
    pair = two.agent.selected_pair
    assert pair is not None
    assert (pair.local.type, pair.local.host, pair.local.related) == ("prflx", "198.51.100.2", ("10.0.0.2", 2000))


def test_a_lost_first_check_costs_a_tenth_of_a_second() -> None:
    link = make_link()
    lost = []

    def drop(source: Address, destination: Address, _data: bytes) -> bool:
        first = (source, destination) not in lost
        lost.append((source, destination))
        return first

    link.drop = drop
    start = link.now
    connect(link)
    assert link.now - start < 0.2


@pytest.mark.parametrize("seed", range(10))
def test_agents_connect_over_a_link_that_loses_a_third(seed: int) -> None:
    link = make_link(("192.0.2.1", "2001:db8::1"), ("192.0.2.2", "2001:db8::2"))
    chance = random.Random(seed)
    link.drop = lambda _source, _destination, _data: chance.random() < 0.33
    connect(link, 10.0)


def relayed(link: Link) -> None:
    """Give side one a relay beside its host candidate."""
    one = link.sides[0]
    one.sockets[1999] = ("203.0.113.1", 1999)
    candidate = relayed_candidate(("203.0.113.1", 1999), ("192.0.2.1", 1000), server="turn")
    one.agent.add_local_candidate(candidate, 1999, link.now)


def test_a_relay_waits_a_little_for_something_better() -> None:
    link = make_link()
    relayed(link)
    link.drop = lambda source, destination, _data: ("192.0.2.1", 1000) in {source, destination}
    start = link.now
    connect(link)
    assert RELAY_WAIT <= link.now - start < RELAY_WAIT + 0.2
    assert link.sides[0].agent.send_path == (1999, ("192.0.2.2", 2000))
    assert link.sides[0].agent.state is IceState.CONNECTED


def test_a_host_pair_that_works_is_nominated_while_others_are_checked() -> None:
    link = make_link(("192.0.2.1", "10.0.0.1"), "192.0.2.2")
    link.drop = lambda source, destination, _data: "10.0.0.1" in {source[0], destination[0]}
    start = link.now
    connect(link)
    assert link.now - start < DIRECT_WAIT


def test_a_direct_path_that_comes_up_later_replaces_the_relay() -> None:
    link = make_link()
    relayed(link)
    opened = link.now + 2.0
    link.drop = lambda source, destination, _data: link.now < opened and ("192.0.2.1", 1000) in {source, destination}
    connect(link)
    link.run(12.0)
    assert link.sides[1].agent.send_path == (2000, ("192.0.2.1", 1000))
    assert link.sides[0].paths[-1] == (1000, ("192.0.2.2", 2000))


def test_a_better_network_that_appears_is_taken_over() -> None:
    one, two = make_side(1, controlling=True), make_side(2, controlling=False)
    link = Link(one, two)
    add_host(one, "10.0.0.1", 1000, link.now, local_preference=100)
    add_host(two, "192.0.2.2", 2000, link.now)
    connect(link)
    link.run(20.0)
    signalled = add_host(one, "192.0.2.1", 1001, link.now, local_preference=65535)
    two.agent.add_remote_candidate(signalled, link.now)
    link.run(1.0)
    assert one.agent.send_path == (1001, ("192.0.2.2", 2000))
    assert two.agent.send_path == (2000, ("192.0.2.1", 1001))
    assert one.agent.state is IceState.CONNECTED


def test_a_network_that_goes_away_is_replaced_by_another() -> None:
    link = make_link(("192.0.2.1", "10.0.0.1"), "192.0.2.2")
    connect(link)
    one, two = link.sides
    link.run(3.0)
    port, _ = one.agent.send_path or (0, ("", 0))
    one.agent.remove_local_port(port, link.now)
    del one.sockets[port]
    link.run(1.0)
    other = 1001 if port == 1000 else 1000
    assert one.agent.send_path == (other, ("192.0.2.2", 2000))
    link.run(8.0)
    assert two.agent.send_path == (2000, one.sockets[other])
    assert one.agent.state is two.agent.state is IceState.CONNECTED


def test_an_agent_without_any_socket_left_is_disconnected_and_then_failed() -> None:
    link = make_link()
    connect(link)
    one, _ = link.sides
    one.agent.remove_local_port(1000, link.now)
    assert one.agent.send_path is None
    link.run(31.0)
    assert one.states[-2:] == ["disconnected", "failed"]


def test_a_network_that_comes_after_all_others_went_saves_the_connection() -> None:
    link = make_link()
    connect(link)
    one, two = link.sides
    link.run(2.0)
    one.agent.remove_local_port(1000, link.now)
    del one.sockets[1000]
    link.run(15.0)
    assert one.states[-1] == two.states[-1] == "disconnected"
    two.agent.add_remote_candidate(add_host(one, "10.0.0.7", 1007, link.now), link.now)
    link.run(2.0)
    assert one.agent.send_path == (1007, ("192.0.2.2", 2000))
    assert two.agent.send_path == (2000, ("10.0.0.7", 1007))
    assert one.states[-1] == two.states[-1] == "connected"


def test_an_ice_lite_peer_makes_us_control() -> None:
    link = make_link()
    one, two = link.sides
    describe(one, two, link.now, candidates=False)
    one.agent.take_role(link.now, controlling=False)
    one.agent.set_remote_parameters(two.agent.local_parameters, link.now, lite=True)
    one.agent.add_remote_candidate(two.agent.local_candidates[0], link.now)
    assert one.agent.controlling
    assert link.run(2.0, until=lambda: selected(link))


@pytest.mark.parametrize("ended", [False, True])
def test_a_session_without_a_path_fails(ended: bool) -> None:
    link = make_link()
    link.drop = lambda _source, _destination, _data: True
    one, two = link.sides
    start = link.now
    describe(one, two, link.now, ended=ended)
    describe(two, one, link.now, ended=ended)
    assert link.run(60.0, until=lambda: one.agent.state is IceState.FAILED)
    assert link.now - start == pytest.approx(9.5 if ended else PATIENCE, abs=0.1)
    assert one.states == ["checking", "failed"]


def test_a_network_that_comes_back_before_the_patience_ends_is_found() -> None:
    link = make_link()
    link.drop = lambda _source, _destination, _data: True
    one, two = link.sides
    describe(one, two, link.now)
    describe(two, one, link.now)
    link.run(9.4)
    link.drop = lambda _source, _destination, _data: False
    assert link.run(3.0, until=lambda: selected(link))


def test_a_session_without_any_candidate_waits_for_the_others_checks() -> None:
    link = make_link()
    one, two = link.sides
    one.agent.set_remote_parameters(two.agent.local_parameters, link.now)
    one.agent.end_of_remote_candidates(link.now)
    one.agent.end_of_local_candidates(link.now)
    link.run(10.0)
    assert one.agent.state is IceState.CHECKING
    describe(one, two, link.now)
    assert link.run(2.0, until=lambda: selected(link))


def test_a_failed_session_comes_back_when_the_other_side_reaches_it() -> None:
    link = make_link()
    one, two = link.sides
    describe(two, one, link.now, candidates=False)
    assert link.run(60.0, until=lambda: one.agent.state is IceState.FAILED)
    describe(one, two, link.now)
    assert link.run(2.0, until=lambda: selected(link))


def test_a_closed_agent_is_silent() -> None:
    link = make_link()
    connect(link)
    one, two = link.sides
    one.agent.close()
    assert one.agent.state is IceState.CLOSED
    assert one.agent.next_timeout() is None
    assert one.agent.send_path is None
    link.run(40.0)
    assert one.states[-1] == "closed"
    assert two.agent.state is IceState.FAILED


def test_a_nominating_check_that_is_lost_for_good_is_made_again() -> None:
    link = make_link()
    one, two = link.sides
    describe(one, two, link.now)
    describe(two, one, link.now)
    assert link.run(1.0, until=lambda: one.agent.send_path is not None)
    # The path works long enough to be found, is gone for as long as the nomination is tried, and comes back.
    link.drop = lambda _source, _destination, _data: True
    link.run(5.5)
    assert one.agent.selected_pair is None
    link.drop = lambda _source, _destination, _data: False
    assert link.run(10.0, until=lambda: selected(link))
