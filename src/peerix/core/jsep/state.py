"""The signalling state.

One table says which description may follow which (RFC 9429 3.2, W3C WebRTC 4.3.3).
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peerix.core.sdp import SdpType


class SignalingState(StrEnum):
    """`RTCSignalingState`: whose offer is waiting for whose answer."""

    STABLE = "stable"
    HAVE_LOCAL_OFFER = "have-local-offer"
    HAVE_REMOTE_OFFER = "have-remote-offer"
    HAVE_LOCAL_PRANSWER = "have-local-pranswer"
    HAVE_REMOTE_PRANSWER = "have-remote-pranswer"
    CLOSED = "closed"


class Side(Enum):
    """Who wrote a description."""

    LOCAL = "local"
    REMOTE = "remote"


_S = SignalingState

TRANSITIONS: dict[tuple[SignalingState, Side, SdpType], SignalingState] = {
    (_S.STABLE, Side.LOCAL, "offer"): _S.HAVE_LOCAL_OFFER,
    (_S.STABLE, Side.REMOTE, "offer"): _S.HAVE_REMOTE_OFFER,
    (_S.HAVE_LOCAL_OFFER, Side.LOCAL, "offer"): _S.HAVE_LOCAL_OFFER,
    (_S.HAVE_LOCAL_OFFER, Side.REMOTE, "answer"): _S.STABLE,
    (_S.HAVE_LOCAL_OFFER, Side.REMOTE, "pranswer"): _S.HAVE_REMOTE_PRANSWER,
    # The implicit rollback of perfect negotiation: our offer is withdrawn, theirs takes its place.
    (_S.HAVE_LOCAL_OFFER, Side.REMOTE, "offer"): _S.HAVE_REMOTE_OFFER,
    (_S.HAVE_LOCAL_OFFER, Side.LOCAL, "rollback"): _S.STABLE,
    (_S.HAVE_LOCAL_OFFER, Side.REMOTE, "rollback"): _S.STABLE,
    (_S.HAVE_REMOTE_OFFER, Side.REMOTE, "offer"): _S.HAVE_REMOTE_OFFER,
    (_S.HAVE_REMOTE_OFFER, Side.LOCAL, "answer"): _S.STABLE,
    (_S.HAVE_REMOTE_OFFER, Side.LOCAL, "pranswer"): _S.HAVE_LOCAL_PRANSWER,
    (_S.HAVE_REMOTE_OFFER, Side.LOCAL, "rollback"): _S.STABLE,
    (_S.HAVE_REMOTE_OFFER, Side.REMOTE, "rollback"): _S.STABLE,
    (_S.HAVE_LOCAL_PRANSWER, Side.LOCAL, "pranswer"): _S.HAVE_LOCAL_PRANSWER,
    (_S.HAVE_LOCAL_PRANSWER, Side.LOCAL, "answer"): _S.STABLE,
    (_S.HAVE_REMOTE_PRANSWER, Side.REMOTE, "pranswer"): _S.HAVE_REMOTE_PRANSWER,
    (_S.HAVE_REMOTE_PRANSWER, Side.REMOTE, "answer"): _S.STABLE,
}
"""State, writer and type of a description, and the state it leads to; what is not here is not allowed."""


def next_state(state: SignalingState, side: Side, type_: SdpType) -> SignalingState | None:
    """Give the state that a description leads to, None when it is not allowed now."""
    return TRANSITIONS.get((state, side, type_))
