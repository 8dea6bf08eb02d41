"""The WebRTC stacks that `peerix.rtc` has to get along with, and what each of them can do."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.agents import start_aiortc
from tests.support.connections import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from peerix.rtc import Configuration
    from tests.support.agents import Agent


@dataclass(slots=True, frozen=True)
class Stack:
    """A stack that runs.

    :param configuration: how our side has to be to reach it.
    :param cannot: what it has no means for: "trickle", "close", ...
    :param max_message_size: the largest message that it can send, in bytes.
    :param absent: what its channels say for a limit that they do not have.
    """

    agent: Agent
    configuration: Configuration = LOOPBACK
    cannot: frozenset[str] = frozenset()
    max_message_size: int = 262_144
    absent: object = None

    def read(self, value: object) -> object:
        """An attribute of a channel, with None for what the stack says where there is nothing."""
        return None if value == self.absent else value


@contextmanager
def aiortc(folder: Path) -> Iterator[Stack]:
    """Start aiortc, which gathers all candidates before it shows a description."""
    agent = start_aiortc(folder / "stderr")
    try:
        yield Stack(agent, cannot=frozenset({"trickle", "label lengths in bytes"}))
    finally:
        agent.stop()


STACKS: dict[str, Callable[[Path], AbstractContextManager[Stack]]] = {"aiortc": aiortc}
