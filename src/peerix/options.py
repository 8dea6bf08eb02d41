"""What a peer can be told when it is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

from peerix.core.errors import LocalProtocolError
from peerix.core.rooms.candidates import DEBOUNCE
from peerix.core.rooms.membership import MAX_REMOTES
from peerix.core.rooms.transfer.receiver import READ_TIMEOUT
from peerix.rtc import Configuration

CONNECTION_TIMEOUT = 15.0
"""Seconds that a connection has to come about, or to come back."""

MAX_MESSAGE_SIZE = 64 * 1024 * 1024
"""Bytes of the largest message that can be awaited as a whole."""

MAX_UNREAD = 16 * 1024 * 1024
"""Bytes that one remote peer may have sent and nobody has read."""

MAX_PENDING = 65_536
"""Messages to one remote peer on one label that are not acknowledged."""

MAX_PENDING_BYTES = 64 * 1024 * 1024
"""Bytes of these messages; those of files and iterables, which are read as they are sent, do not count."""

Verify: TypeAlias = Callable[[str, Any], Awaitable[bool] | bool]
"""Whether the remote peer with this id and metadata is let in; sync or async."""


@dataclass(slots=True, frozen=True, kw_only=True)
class SignalingOptions:
    """How the packets of a room travel."""

    encryption: bool = True
    compression: bool = True
    namespace_hashing: bool = True
    candidate_debounce: float = DEBOUNCE

    def __post_init__(self) -> None:
        if self.candidate_debounce < 0:
            raise LocalProtocolError("ice_candidate_debounce must not be negative")


@dataclass(slots=True, frozen=True, kw_only=True)
class Limits:
    """What grows, and how far."""

    max_message_size: int = MAX_MESSAGE_SIZE
    max_unread: int = MAX_UNREAD
    max_pending: int = MAX_PENDING
    max_pending_bytes: int = MAX_PENDING_BYTES
    max_remotes: int = MAX_REMOTES
    read_timeout: float = READ_TIMEOUT

    def __post_init__(self) -> None:
        for each in fields(self):
            if getattr(self, each.name) <= 0:
                raise LocalProtocolError(f"{each.name} must be positive")


@dataclass(slots=True, frozen=True, kw_only=True)
class PeerOptions:
    """The options of a `Peer`, which documents them."""

    connection: Configuration = field(default_factory=Configuration)
    connection_timeout: float = CONNECTION_TIMEOUT
    verify: Verify | None = None
    signaling: SignalingOptions = field(default_factory=SignalingOptions)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.connection_timeout < 0:
            raise LocalProtocolError("connection_timeout must not be negative")
