"""ICE (RFC 8445): candidates, checks, nomination, consent and restart, without I/O."""

from __future__ import annotations

from peerix.core.ice.agent import IceAgent
from peerix.core.ice.binding import receiving_ufrag
from peerix.core.ice.candidate import (
    Candidate,
    CandidateError,
    host_candidate,
    local_preferences,
    relayed_candidate,
    server_reflexive_candidate,
)
from peerix.core.ice.context import IceCounters, Traffic
from peerix.core.ice.events import (
    CandidateNeedsResolution,
    IceEvent,
    IceState,
    IceStateChanged,
    RoleChanged,
    SendPathChanged,
)
from peerix.core.ice.gathering import GatheringEvent, ReflexiveCandidateFound, ReflexiveGatherer, ServerFailed
from peerix.core.ice.pair import CandidatePair, PairCounters, PairState
from peerix.core.ice.parameters import IceParameters

__all__ = [
    "Candidate",
    "CandidateError",
    "CandidateNeedsResolution",
    "CandidatePair",
    "GatheringEvent",
    "IceAgent",
    "IceCounters",
    "IceEvent",
    "IceParameters",
    "IceState",
    "IceStateChanged",
    "PairCounters",
    "PairState",
    "ReflexiveCandidateFound",
    "ReflexiveGatherer",
    "RoleChanged",
    "SendPathChanged",
    "ServerFailed",
    "Traffic",
    "host_candidate",
    "local_preferences",
    "receiving_ufrag",
    "relayed_candidate",
    "server_reflexive_candidate",
]
