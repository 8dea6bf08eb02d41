"""The states of an association and the only ways between them (RFC 9260 section 4)."""

from __future__ import annotations

from enum import Enum


class AssociationState(Enum):
    """RFC 9260 section 4; `CLOSED` is both the start and the end."""

    CLOSED = "closed"
    COOKIE_WAIT = "cookie-wait"
    COOKIE_ECHOED = "cookie-echoed"
    ESTABLISHED = "established"
    SHUTDOWN_PENDING = "shutdown-pending"
    SHUTDOWN_SENT = "shutdown-sent"
    SHUTDOWN_RECEIVED = "shutdown-received"
    SHUTDOWN_ACK_SENT = "shutdown-ack-sent"


_S = AssociationState

TRANSITIONS: dict[AssociationState, frozenset[AssociationState]] = {
    _S.CLOSED: frozenset({_S.COOKIE_WAIT, _S.ESTABLISHED}),
    _S.COOKIE_WAIT: frozenset({_S.COOKIE_ECHOED, _S.ESTABLISHED, _S.CLOSED}),
    _S.COOKIE_ECHOED: frozenset({_S.COOKIE_WAIT, _S.ESTABLISHED, _S.CLOSED}),
    _S.ESTABLISHED: frozenset({_S.SHUTDOWN_PENDING, _S.SHUTDOWN_RECEIVED, _S.CLOSED}),
    _S.SHUTDOWN_PENDING: frozenset({_S.SHUTDOWN_SENT, _S.SHUTDOWN_RECEIVED, _S.CLOSED}),
    _S.SHUTDOWN_SENT: frozenset({_S.SHUTDOWN_ACK_SENT, _S.CLOSED}),
    _S.SHUTDOWN_RECEIVED: frozenset({_S.SHUTDOWN_ACK_SENT, _S.CLOSED}),
    _S.SHUTDOWN_ACK_SENT: frozenset({_S.CLOSED}),
}

SENDING = frozenset({_S.ESTABLISHED, _S.SHUTDOWN_PENDING, _S.SHUTDOWN_RECEIVED})
"""States in which queued DATA leaves."""

RECEIVING = frozenset({_S.ESTABLISHED, _S.SHUTDOWN_PENDING, _S.SHUTDOWN_SENT})
"""States in which DATA is taken."""


class Lifecycle:
    """Holds the state of one association.

    :ivar ended: closed for good; a `CLOSED` that never opened is not.
    """

    __slots__ = ("ended", "state")

    def __init__(self) -> None:
        self.state = AssociationState.CLOSED
        self.ended = False

    def move(self, state: AssociationState) -> bool:
        """Go to `state`; return False and stay when no arrow of the RFC's diagram leads there."""
        if self.ended or state not in TRANSITIONS[self.state]:
            return False
        self.state = state
        return True

    def end(self) -> None:
        """Close for good, from any state."""
        self.state = AssociationState.CLOSED
        self.ended = True
