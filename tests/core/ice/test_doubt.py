"""A path that may be gone is looked at, and left for another one, before anybody is told."""

from __future__ import annotations

import pytest

from peerix.core.ice import IceState
from peerix.core.ice.consent import DOUBT_PATIENCE
from tests.core.ice.link import Link, add_host, connect, make_link

A, B, NEW = "192.0.2.1", "192.0.2.2", "192.0.2.9"
FAST = DOUBT_PATIENCE + 0.2  # seconds


def move(link: Link, mover: int) -> int:
    """One side changes its address; nothing is signalled."""
    side = link.sides[mover]
    (old,) = side.sockets
    del side.sockets[old]
    side.agent.remove_local_port(old, link.now)
    add_host(side, NEW, 9999, link.now)
    return 9999


@pytest.mark.parametrize("mover", [0, 1], ids=["controlling", "controlled"])
@pytest.mark.parametrize("age", [0.5, 60.0])
def test_a_side_that_moves_is_followed_within_a_second(mover: int, age: float) -> None:
    link = make_link(A, B)
    connect(link)
    link.run(age)
    other = link.sides[1 - mover]
    told = len(other.states)
    move(link, mover)
    assert link.run(FAST, until=lambda: other.agent.send_path is not None and other.agent.send_path[1] == (NEW, 9999))
    link.run(20)
    assert other.agent.send_path is not None
    assert other.agent.send_path[1] == (NEW, 9999)
    assert IceState.DISCONNECTED not in other.states[told:]
    assert link.sides[mover].agent.state is IceState.CONNECTED


def test_a_path_that_answers_is_kept_whatever_was_said_of_it() -> None:
    link = make_link((A, "192.0.2.11"), B)
    connect(link)
    link.run(10)
    one = link.sides[0]
    path, told = one.agent.send_path, len(one.states)
    for _ in range(10):
        one.agent.check_path(link.now)
        link.run(1)
    assert one.agent.send_path == path
    assert one.states[told:] == []


def test_a_doubted_path_gives_way_to_another_one() -> None:
    link = make_link((A, "192.0.2.11"), B)
    connect(link)
    link.run(10)
    one = link.sides[0]
    dead = one.agent.send_path
    assert dead is not None
    host = one.sockets[dead[0]]
    link.drop = lambda source, destination, _: host in (source, destination)
    one.agent.check_path(link.now)
    assert link.run(FAST, until=lambda: one.agent.send_path != dead)
    assert one.agent.state is IceState.CONNECTED


def test_a_doubted_path_without_another_one_is_used_on() -> None:
    link = make_link(A, B)
    connect(link)
    link.run(10)
    one = link.sides[0]
    path, told = one.agent.send_path, len(one.states)
    link.drop = lambda _source, _destination, _data: True
    one.agent.check_path(link.now)
    link.run(1.5)
    assert one.agent.send_path == path
    link.drop = lambda _source, _destination, _data: False
    link.run(5)
    assert (one.agent.send_path, one.states[told:]) == (path, [])


def test_doubts_cost_two_checks_a_second_at_most() -> None:
    link = make_link(A, B)
    connect(link)
    link.run(10)
    one = link.sides[0]
    before = len(one.sent)
    for _ in range(100):
        one.agent.check_path(link.now)
        link.run(0.01)
    assert len(one.sent) - before <= 4  # and an answer to a check of the other side, perhaps
