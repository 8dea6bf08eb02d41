"""One candidate pair and what is known of it (RFC 8445 6.1.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peerix.core.ice.candidate import Candidate


class PairState(Enum):
    """The states of RFC 8445 6.1.2.6."""

    FROZEN = "frozen"
    WAITING = "waiting"
    IN_PROGRESS = "in-progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(slots=True)
class PairCounters:
    """Plain numbers of one pair, for the statistics (W3C webrtc-stats 8.21). Times are seconds."""

    requests_sent: int = 0
    requests_received: int = 0
    responses_sent: int = 0
    responses_received: int = 0
    consent_requests_sent: int = 0
    total_round_trip_time: float = 0.0
    round_trip_time: float | None = None
    checked_at: float = 0.0
    """When the latest check was started."""
    responded_at: float | None = None
    """When the latest valid response came."""


@dataclass(slots=True, frozen=True)
class RepeatedCheck:
    """A check of the other side that was accepted: the next one of this pair has the same attributes as a rule.

    :ivar attributes: what stands between its header and its signature.
    :ivar controlling: our role when it was accepted; in another one it would be a conflict.
    """

    attributes: bytes
    priority: int
    remote_ufrag: str
    use_candidate: bool
    controlling: bool


@dataclass(slots=True)
class TheirChecks:
    """What is known of the other side's checks of a pair."""

    nomination: bytes | None = None
    """The latest transaction in which it nominated the pair."""
    repeated: RepeatedCheck | None = None
    """The latest check, when it may come so again."""


class CandidatePair:
    """One of our sockets and one remote address.

    RFC 8445 7.2.5.3.2 makes a new "valid pair" out of each pair that was checked, with the mapped address
    as its local candidate. Both send from the same socket to the same address, so here they are one object:
    `local` becomes the mapped candidate when a response tells it.
    """

    __slots__ = (
        "check_id",
        "controlling",
        "counters",
        "is_wanted",
        "local",
        "nominated",
        "port",
        "priority",
        "remote",
        "same_host",
        "state",
        "theirs",
    )

    def __init__(self, port: int, local: Candidate, remote: Candidate, *, controlling: bool, same_host: bool) -> None:
        self.port = port
        self.local = local
        self.remote = remote
        self.same_host = same_host
        self.state = PairState.FROZEN
        self.nominated = False
        self.check_id: bytes | None = None
        """The transaction whose end decides whether the pair failed."""
        self.is_wanted = False
        """The controlling side nominated the pair before our own check of it succeeded (RFC 8445 7.3.1.5)."""
        self.theirs = TheirChecks()
        self.counters = PairCounters()
        self.rank(controlling=controlling)

    @property
    def address(self) -> tuple[str, int]:
        """Where packets of this pair go."""
        return self.remote.host, self.remote.port

    @property
    def foundation(self) -> tuple[str, str]:
        """RFC 8445 6.1.2.6: the foundations of both candidates."""
        return self.local.foundation, self.remote.foundation

    def rank(self, *, controlling: bool) -> None:
        """Find the priority of RFC 8445 6.1.2.3, which depends on who controls: a role conflict changes it."""
        ours, theirs = self.local.priority, self.remote.priority
        offers, answers = (ours, theirs) if controlling else (theirs, ours)
        self.controlling = controlling
        self.priority = (min(ours, theirs) << 32) + 2 * max(ours, theirs) + (offers > answers)

    def take_signalled(self, remote: Candidate) -> None:
        """The other side has signalled the address that its check had told: with its type and its priority, now."""
        self.remote = remote
        self.rank(controlling=self.controlling)

    def take_mapped(self, local: Candidate) -> None:
        """A response has told the address that the other side sees."""
        self.local = local
        self.rank(controlling=self.controlling)

    @property
    def is_host_pair(self) -> bool:
        """Whether no server's address is involved.

        A peer-reflexive remote counts: over a local link the check often overtakes the signalled candidate.
        """
        return self.local.type in {"host", "prflx"} and self.remote.type in {"host", "prflx"}
