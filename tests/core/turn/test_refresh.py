"""An allocation whose server does not answer for a while (RFC 8656 8)."""

from __future__ import annotations

from peerix.core.turn import TurnState
from tests.core.turn.server import World


def test_a_refresh_that_had_no_answer_is_tried_again() -> None:
    world = World()
    world.allocate()
    world.server.is_dead = True
    world.run(550.0)  # a refresh was sent at 540 s, and given up at 548.55 s
    world.server.is_dead = False
    world.run(100.0)
    assert world.state() is TurnState.ALLOCATED


def test_a_server_that_is_dead_for_longer_than_the_allocation_loses_it() -> None:
    world = World()
    world.allocate()
    world.server.is_dead = True
    world.run(650.0)
    assert world.state() is TurnState.FAILED
