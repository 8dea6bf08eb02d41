"""The WebRTC stacks that `peerix.rtc` has to get along with, and what each of them can do."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.agents import INTEROP, ProcessAgent, start_aiortc
from tests.support.components import require_program
from tests.support.connections import LOOPBACK
from tests.support.npm import install_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from peerix.rtc import Configuration
    from tests.support.agents import Agent
    from tests.support.namespaces import Namespace


two_loops = pytest.mark.parametrize(
    "anyio_backend",
    [pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"), pytest.param(("trio", {}), id="trio")],
    indirect=True,
)
"""What is tried in breadth is tried on asyncio and trio; uvloop has its part in what `make test` runs."""


LACKS: dict[str, dict[str, str]] = {
    "aiortc": {
        "trickle": "it gathers all candidates before it shows a description",
        "label lengths in bytes": "it counts characters where RFC 8832 wants bytes",
        "halves of messages": "it throws whole messages away that lie behind half of one that it need not wait for",
        "VP9": "it has VP8 and H.264 only",
        "AV1": "it has VP8 and H.264 only",
        "statistics": "its getStats has little of W3C's",
        "sections that are off": "it refuses an offer that turns a section off, since that has no ICE credentials",
    },
    "werift": {
        "label lengths in bytes": "it counts characters where RFC 8832 wants bytes",
        "empty messages": "it sends none",
        "unordered with a limit": "it announces an ordered channel",
        "no retransmissions": "it takes a limit of 0 for none",
        "halves of messages": "it throws whole messages away that lie behind half of one that it need not wait for",
        "goodbye": "it closes a connection without a word",
    },
    "wrtc": {
        "H264": "its npm package is built without OpenH264",
        "AV1": "its npm package is built without an encoder for it",
    },
    "firefox": {
        "H264": "it would download OpenH264, which Debian does not ship",
        "Web Audio": "its AudioContext does not run without a sound device",
    },
    "node-datachannel": {
        "attributes of our channels": "its W3C objects show them with default values",
        "messages before a close": "its W3C objects may lose what came right before it",
        "goodbye": "it closes the channels, but not the connection",
    },
}
"""What a stack does not do, or not as the standards want, and how it is instead."""


def can(stack: str, *abilities: str) -> bool:
    """Whether a stack can do all of this."""
    return LACKS.get(stack, {}).keys().isdisjoint(abilities)


@dataclass(slots=True, frozen=True)
class Stack:
    """A stack that runs.

    :param configuration: how our side has to be to reach it.
    :param network: the network that our side has to be in, where it is not this machine's.
    :param cannot: see `LACKS`.
    :param max_message_size: the largest message that it can send, in bytes.
    :param absent: what its channels say for a limit that they do not have.
    """

    agent: Agent
    configuration: Configuration = LOOPBACK
    network: Namespace | None = None
    cannot: frozenset[str] = frozenset()
    max_message_size: int = 262_144
    absent: object = None

    def read(self, value: object) -> object:
        """An attribute of a channel, with None for what the stack says where there is nothing."""
        return None if value == self.absent else value


@contextmanager
def run_aiortc(folder: Path) -> Iterator[Stack]:
    """Start aiortc."""
    agent = start_aiortc(folder / "stderr")
    try:
        yield Stack(agent, cannot=frozenset(LACKS["aiortc"]))
    finally:
        agent.stop()


@contextmanager
def run_npm_package(folder: Path, *, package: str, **traits: Any) -> Iterator[Stack]:
    """Start Node with a package that brings RTCPeerConnection."""
    install_packages(INTEROP)
    command = [require_program("node"), str(INTEROP / "agents" / "node_agent.mjs"), package]
    agent = ProcessAgent(command, folder / "stderr")
    try:
        yield Stack(agent, **traits)
    finally:
        agent.stop()


WITH_MEDIA = ("chromium", "aiortc", "wrtc", "firefox")
"""Stacks that have codecs: werift brings packets only, node-datachannel no media at all."""

VIDEO = ("VP8", "VP9", "H264", "AV1")
"""Codecs that are tried with every stack that has them."""

PROCESSES: dict[str, Callable[[Path], AbstractContextManager[Stack]]] = {
    "aiortc": run_aiortc,
    "werift": partial(run_npm_package, package="werift", cannot=frozenset(LACKS["werift"])),
    "wrtc": partial(run_npm_package, package="@roamhq/wrtc", cannot=frozenset(LACKS["wrtc"]), absent=65535),
    "node-datachannel": partial(
        run_npm_package,
        package="node-datachannel",
        configuration=LOOPBACK,
        cannot=frozenset(LACKS["node-datachannel"]),
    ),
}
"""Stacks that are a process of their own."""
