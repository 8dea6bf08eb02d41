"""What a TURN client reports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

Address = tuple[str, int]


class TurnState(Enum):
    """Where an allocation is. FAILED and CLOSED are final."""

    NEW = "new"
    ALLOCATING = "allocating"
    ALLOCATED = "allocated"
    FAILED = "failed"
    CLOSING = "closing"
    CLOSED = "closed"


@dataclass(slots=True)
class Allocated:
    """The server relays for us.

    `relayed` are our addresses there, at most one of each family; `mapped` is the address that the server sees of us.
    """

    relayed: tuple[Address, ...]
    mapped: Address


@dataclass(slots=True)
class AllocationFailed:
    """There is no allocation, or it was lost.

    `code` is the server's error code, 701 when it did not answer. With 300 `alternate` is the server to ask instead,
    and `domain` the name in its certificate; with 437 another local port may help.
    """

    code: int
    reason: str
    alternate: Address | None = None
    domain: str | None = None


@dataclass(slots=True)
class PeerRefused:
    """The server does not relay to that host (403 and others)."""

    host: str
    code: int
    reason: str


TurnEvent = Allocated | AllocationFailed | PeerRefused
