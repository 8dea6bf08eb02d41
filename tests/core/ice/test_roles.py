"""Role conflicts, restarts, and nominations of peers that nominate in other ways."""

from __future__ import annotations

import random

import pytest

from peerix.core.ice import IceAgent, IceState, RoleChanged
from peerix.core.ice.selection import AGGRESSIVE_WINDOW
from peerix.core.stun import Method, request
from peerix.core.stun.attributes import ICE_CONTROLLING, PRIORITY, USE_CANDIDATE, USERNAME
from peerix.core.stun.credentials import short_term_key
from tests.core.ice.link import Link as SimulatedLink
from tests.core.ice.link import Side, add_host, connect, describe, make_link, make_side, selected


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("controlling", [True, False])
def test_a_role_conflict_leaves_one_side_controlling(seed: int, controlling: bool) -> None:
    one = make_side(100 + seed, "192.0.2.1", controlling=controlling)
    two = make_side(200 + seed, "192.0.2.2", controlling=controlling)
    link = SimulatedLink(one, two)
    connect(link)
    assert one.agent.controlling != two.agent.controlling
    changes = [event for side in (one, two) for event in side.events if isinstance(event, RoleChanged)]
    assert len(changes) == 1
    pairs = [side.agent.selected_pair for side in (one, two)]
    assert [pair.priority for pair in pairs if pair] == [pairs[0].priority if pairs[0] else 0] * 2


@pytest.mark.parametrize("seed", range(6))
def test_a_role_conflict_is_solved_when_packets_are_lost(seed: int) -> None:
    one = make_side(100 + seed, "192.0.2.1", controlling=True)
    two = make_side(200 + seed, "192.0.2.2", controlling=True)
    link = SimulatedLink(one, two)
    chance = random.Random(seed)
    link.drop = lambda _source, _destination, _data: chance.random() < 0.3
    connect(link, 15.0)
    link.run(1.0)
    assert one.agent.controlling != two.agent.controlling


def test_equal_tie_breakers_are_no_dead_end() -> None:
    one, two = (Side(IceAgent(controlling=True, random_bytes=random.Random(7).randbytes)) for _ in range(2))
    two.agent.restart(0.0)
    for side, host, port in ((one, "192.0.2.1", 1000), (two, "192.0.2.2", 2000)):
        add_host(side, host, port, 0.0)
    connect(SimulatedLink(one, two), 15.0)


def restart(link: SimulatedLink) -> None:
    for side in link.sides:
        side.events.clear()
        side.agent.restart(link.now)


def test_a_restart_keeps_the_state_and_the_path() -> None:
    link = make_link()
    connect(link)
    restart(link)
    one, two = link.sides
    assert one.agent.send_path == (1000, ("192.0.2.2", 2000))
    link.run(20.0)
    describe(one, two, link.now)
    describe(two, one, link.now)
    link.run(2.0)
    assert all(side.states == [] and side.paths == [] for side in link.sides)
    assert all(len(side.agent.pairs) == 1 and side.agent.pairs[0].nominated for side in link.sides)


def test_a_restart_changes_the_parameters() -> None:
    link = make_link()
    agent = link.sides[0].agent
    before = agent.local_parameters
    assert agent.restart(link.now) == agent.local_parameters
    assert agent.local_parameters.ufrag != before.ufrag
    assert agent.local_candidates[0].ufrag == agent.local_parameters.ufrag
    assert agent.remote_parameters is None


def test_the_old_path_is_watched_while_the_restart_waits() -> None:
    link = make_link()
    connect(link)
    restart(link)
    link.drop = lambda _source, _destination, _data: True
    link.run(20.0)
    assert link.sides[0].states == ["disconnected"]


def test_a_restart_saves_a_path_that_died() -> None:
    link = make_link(("192.0.2.1", "10.0.0.1"), "192.0.2.2")
    connect(link)
    one, two = link.sides
    dead = one.sockets[(one.agent.send_path or (0, ()))[0]]
    link.drop = lambda source, destination, _data: dead in {source, destination}
    link.run(1.0)
    restart(link)
    describe(one, two, link.now)
    describe(two, one, link.now)
    start = link.now
    assert link.run(10.0, until=lambda: all(side.paths for side in link.sides))
    assert link.now - start < 1.0
    assert one.sockets[one.paths[-1][0]] != dead
    assert two.agent.state is IceState.CONNECTED


def test_a_failed_agent_can_be_restarted() -> None:
    link = make_link()
    connect(link)
    link.drop = lambda _source, _destination, _data: True
    link.run(40.0)
    link.drop = lambda _source, _destination, _data: False
    restart(link)
    one, two = link.sides
    describe(one, two, link.now)
    describe(two, one, link.now)
    assert link.run(2.0, until=lambda: selected(link))
    assert one.states == ["checking", "connected"]


def test_a_restart_can_be_taken_back() -> None:
    link = make_link()
    connect(link)
    one = link.sides[0]
    before = one.agent.local_parameters
    one.agent.restart(link.now)
    one.agent.cancel_restart(link.now)
    assert one.agent.local_parameters == before
    link.run(60.0)
    assert one.agent.state is IceState.CONNECTED


def test_a_restart_of_a_restart_keeps_the_path() -> None:
    link = make_link()
    connect(link)
    one, two = link.sides
    for _ in range(3):
        one.agent.restart(link.now)
    assert one.agent.send_path is not None
    two.agent.restart(link.now)
    describe(one, two, link.now)
    describe(two, one, link.now)
    link.run(2.0)
    assert one.agent.pairs[0].nominated
    assert one.agent.state is IceState.CONNECTED


def test_answers_of_the_old_session_still_count_for_it() -> None:
    link = make_link()
    connect(link)
    link.sides[0].agent.restart(link.now)
    link.run(100.0)
    assert link.sides[0].agent.state is IceState.CONNECTED
    assert link.sides[1].agent.state is IceState.CONNECTED


def nominate(link: SimulatedLink, source: tuple[str, int], seed: int) -> None:
    """Let a nomination of side one arrive at side two from `source`."""
    one, two = link.sides
    remote = two.agent.local_parameters
    message = request(Method.BINDING, random.Random(seed).randbytes)
    message.add(USERNAME, f"{remote.ufrag}:{one.agent.local_parameters.ufrag}").add(PRIORITY, 1862270975)
    message.add(ICE_CONTROLLING, 1).add(USE_CANDIDATE, True)
    two.agent.receive_datagram(2000, source, message.to_bytes(key=short_term_key(remote.pwd)), link.now)


def two_paths() -> SimulatedLink:
    """Side one has two networks, the first one better; side two has both paths checked."""
    link = make_link((), "192.0.2.2")
    add_host(link.sides[0], "192.0.2.1", 1000, link.now, local_preference=65535)
    add_host(link.sides[0], "10.0.0.1", 1001, link.now, local_preference=100)
    connect(link)
    assert link.sides[1].agent.send_path == (2000, ("192.0.2.1", 1000))
    return link


def test_of_an_aggressive_peers_nominations_the_best_one_counts() -> None:
    link = two_paths()
    nominate(link, ("10.0.0.1", 1001), 1)
    link.run(0.5)
    assert link.sides[1].agent.send_path == (2000, ("192.0.2.1", 1000))


def test_later_the_controlling_sides_last_word_counts() -> None:
    link = two_paths()
    link.run(AGGRESSIVE_WINDOW + 0.1)
    nominate(link, ("10.0.0.1", 1001), 1)
    link.run(0.5)
    assert link.sides[1].agent.send_path == (2000, ("10.0.0.1", 1001))


def test_a_repeated_nomination_changes_nothing() -> None:
    link = two_paths()
    link.run(AGGRESSIVE_WINDOW + 0.1)
    nominate(link, ("10.0.0.1", 1001), 1)
    nominate(link, ("192.0.2.1", 1000), 2)
    nominate(link, ("10.0.0.1", 1001), 1)
    link.run(0.1)
    assert link.sides[1].agent.send_path == (2000, ("192.0.2.1", 1000))
