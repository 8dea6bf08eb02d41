"""The stacks that are measured, each behind the same small interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from benchmarks.peers.base import Endpoint
    from benchmarks.peers.foreign import Agent

FOREIGN = ("wrtc", "node-datachannel", "chromium")
"""Stacks in programs of their own, with loops of their own."""

STACKS = ("aiortc", *FOREIGN, "peerix")
"""In the order of the tables' rows."""


def open_endpoint(
    stack: str, packet_size: int | None, congestion_control: str | None = None
) -> AbstractAsyncContextManager[Endpoint]:
    """Make one end of a connection with the named stack; only that stack is imported."""
    if stack == "peerix":
        from benchmarks.peers.peerix_peer import PeerixEndpoint

        return PeerixEndpoint.open(packet_size, congestion_control)
    from benchmarks.peers.aiortc_peer import AiortcEndpoint

    return AiortcEndpoint.open()


def open_agent(stack: str) -> AbstractAsyncContextManager[Agent]:
    """Start the program of a foreign stack; both ends of a connection may live in it."""
    from benchmarks.peers.programs import open_chromium, open_node

    return open_chromium() if stack == "chromium" else open_node(stack)
