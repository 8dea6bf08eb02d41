"""Signalling through a nats-server."""

from __future__ import annotations

from peerix.drivers.nats.driver import NatsDriver

__all__ = ["NatsDriver"]
