"""What a peer can be told when it is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from peerix.core.errors import LocalProtocolError
from peerix.core.rooms.candidates import DEBOUNCE
from peerix.core.rooms.membership import MAX_REMOTES
from peerix.core.rooms.transfer.receiver import READ_TIMEOUT
from peerix.rtc.configuration import Configuration, IceServer, IceTransportPolicy

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
class PeerOptions:
    """The options of a `Peer`; it documents them."""

    ice_servers: Sequence[IceServer | Mapping[str, object]] = ()
    ice_transport_policy: IceTransportPolicy = "all"
    connection_timeout: float = CONNECTION_TIMEOUT
    ice_candidate_debounce: float = DEBOUNCE
    namespace_hashing: bool = True
    signaling_compression: bool = True
    signaling_encryption: bool = True
    verify: Verify | None = None
    max_message_size: int = MAX_MESSAGE_SIZE
    max_unread: int = MAX_UNREAD
    max_pending: int = MAX_PENDING
    max_pending_bytes: int = MAX_PENDING_BYTES
    max_remotes: int = MAX_REMOTES
    read_timeout: float = READ_TIMEOUT

    def __post_init__(self) -> None:
        for name in ("connection_timeout", "ice_candidate_debounce"):
            if getattr(self, name) < 0:
                raise LocalProtocolError(f"{name} must not be negative")
        for name in (
            "max_message_size",
            "max_unread",
            "max_pending",
            "max_pending_bytes",
            "max_remotes",
            "read_timeout",
        ):
            if getattr(self, name) <= 0:
                raise LocalProtocolError(f"{name} must be positive")
        self.configuration()

    def configuration(self) -> Configuration:
        """The configuration of each connection.

        :raises LocalProtocolError: an ICE server or the policy is wrong
        """
        return Configuration(
            ice_servers=tuple(self.ice_servers),
            ice_transport_policy=self.ice_transport_policy,
            receive_limit=self.max_unread,
        )
