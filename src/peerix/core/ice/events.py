"""What the ICE agent reports: its states and its events (W3C WebRTC section 5.6, RFC 8445)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from peerix.core.ice.candidate import Candidate


class IceState(StrEnum):
    """The W3C `RTCIceConnectionState` values."""

    NEW = "new"
    CHECKING = "checking"
    CONNECTED = "connected"
    COMPLETED = "completed"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(slots=True)
class IceStateChanged:
    """The agent's state is now `state`."""

    state: IceState


@dataclass(slots=True)
class SendPathChanged:
    """Data goes out through the UDP port `port` to `address` from now on.

    It comes for the first valid pair, before nomination (RFC 8445 12.1), and whenever the path changes after
    that.
    """

    port: int
    address: tuple[str, int]


@dataclass(slots=True)
class RoleChanged:
    """A role conflict or an ICE-lite peer changed our role (RFC 8445 7.3.1.1)."""

    controlling: bool


@dataclass(slots=True)
class CandidateNeedsResolution:
    """A remote candidate names its host by multicast DNS (`.local`).

    Resolve the name and call `add_remote_candidate` with the same candidate and the address as `host`; when
    the name has no answer, nothing needs to be done.
    """

    candidate: Candidate


IceEvent = IceStateChanged | SendPathChanged | RoleChanged | CandidateNeedsResolution
