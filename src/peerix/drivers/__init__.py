"""Signalling drivers: how the members of a room find each other before they are connected.

The drivers are loaded when they are first asked for, so that importing peerix loads no client library of any
broker.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peerix.drivers.activity import ActiveChanges
    from peerix.drivers.base import Driver, Handler
    from peerix.drivers.broadcast import BroadcastDriver
    from peerix.drivers.memory import MemoryDriver
    from peerix.drivers.nats import NatsDriver
    from peerix.drivers.urls import from_url

__all__ = ["ActiveChanges", "BroadcastDriver", "Driver", "Handler", "MemoryDriver", "NatsDriver", "from_url"]

_HOMES = {
    "ActiveChanges": "activity",
    "BroadcastDriver": "broadcast",
    "Driver": "base",
    "Handler": "base",
    "MemoryDriver": "memory",
    "NatsDriver": "nats",
    "from_url": "urls",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
