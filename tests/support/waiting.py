"""How long tests wait: they look for an event, and give up only when the machine cannot be that slow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio import fail_after

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60.0
"""Seconds after which a test gives up: a busy machine needs many of them, and a test that passes none."""

AT_ONCE = 4.0
"""Seconds within which something is heard that was said at once, however busy the machine. Nobody who was told nothing
notices before `DISCONNECTED_AFTER`, 5 s."""


CLOSED_WITHIN = 0.2
"""Seconds within which the other side of something cancelled sees it closed, on a machine that has time for it."""

ATTEMPTS = 20
"""How often something is tried that a busy machine may delay: the fastest counts."""


async def until(condition: Callable[[], object], *, within: float = PATIENCE) -> None:
    """Wait for something that events have no name for."""
    with fail_after(within):
        while not condition():
            await anyio.sleep(0.005)
