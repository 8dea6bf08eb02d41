"""TURN (RFC 8656): relayed addresses, without I/O."""

from __future__ import annotations

from peerix.core.turn.allocation import Family
from peerix.core.turn.client import TurnClient, TurnCounters
from peerix.core.turn.events import Allocated, AllocationFailed, PeerRefused, TurnEvent, TurnState

__all__ = [
    "Allocated",
    "AllocationFailed",
    "Family",
    "PeerRefused",
    "TurnClient",
    "TurnCounters",
    "TurnEvent",
    "TurnState",
]
