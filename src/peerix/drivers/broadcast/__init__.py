"""Signalling between the processes of one machine, without a server."""

from __future__ import annotations

from peerix.drivers.broadcast.driver import BroadcastDriver

__all__ = ["BroadcastDriver"]
