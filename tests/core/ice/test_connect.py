"""Two agents find each other."""

from __future__ import annotations

import pytest

from peerix.core.ice import IceState
from tests.core.ice.link import connect, describe, make_link, selected


def test_two_agents_connect_over_a_link() -> None:
    link = make_link()
    connect(link)
    one, two = link.sides
    assert one.agent.state is two.agent.state is IceState.CONNECTED
    assert one.agent.send_path == (1000, ("192.0.2.2", 2000))
    assert two.agent.send_path == (2000, ("192.0.2.1", 1000))


def test_a_set_up_without_loss_needs_no_timer() -> None:
    link = make_link(("127.0.0.1",), ("127.0.0.1",), latency=0.0)
    start = link.now
    connect(link)
    assert link.now == start


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
