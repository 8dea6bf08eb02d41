"""What the sessions of one agent share: the role, our candidates, the requests in flight, and what leaves the agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.ice.binding import Role
from peerix.core.ice.candidates import LocalCandidates
from peerix.core.ice.transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.ice.events import IceEvent
    from peerix.core.ice.transactions import Transaction

MAX_KNOWN_SOURCES = 256
"""Sources that have shown that they know a password. The oldest is forgotten first."""

Datagram = tuple[int, tuple[str, int], bytes]
"""The UDP port to send from, the destination, the payload."""


@dataclass(slots=True)
class IceCounters:
    """Plain numbers of an agent. What was dropped is counted by its reason."""

    malformed: int = 0
    """Datagrams that are not well-formed STUN."""
    unauthenticated: int = 0
    """Messages with an unknown user name, or a wrong or missing signature."""
    unmatched: int = 0
    """Responses to no request in flight, or from another address than the request went to."""
    refused_requests: int = 0
    """Requests answered by an error."""
    role_conflicts: int = 0
    path_changes: int = 0
    """How often data went another way than before, the first time included."""
    ignored_candidates: int = 0
    """Remote candidates of a kind that is not used, known already, or over a bound."""
    starved_seconds: float = 0.0
    """Time in which this process did not run when it should have, and which was not counted against the path."""


@dataclass(slots=True)
class Traffic:
    """What went between a UDP port and an address beside connectivity checks; whoever moves it counts it here."""

    packets_sent: int = 0
    packets_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


class Context:
    """Shared by the sessions of one agent; the agent owns it."""

    __slots__ = (
        "_known",
        "counters",
        "events",
        "local",
        "outbox",
        "path",
        "random_bytes",
        "role",
        "timers_changed",
        "transactions",
    )

    def __init__(self, random_bytes: Callable[[int], bytes], *, controlling: bool) -> None:
        self.random_bytes = random_bytes
        self.role = Role(random_bytes, controlling=controlling)
        self.local = LocalCandidates()
        self.transactions = Transactions()
        self.counters = IceCounters()
        self.outbox: list[Datagram] = []
        self.events: list[IceEvent] = []
        self.path: tuple[int, tuple[str, int]] | None = None
        """The UDP port and the address that data goes to."""
        self.timers_changed = False
        """Something else is due next than was found last."""
        self._known: dict[tuple[int, tuple[str, int]], Traffic] = {}

    def send(self, port: int, address: tuple[str, int], data: bytes) -> None:
        """Queue a datagram."""
        self.outbox.append((port, address, data))

    def send_request(self, transaction: Transaction) -> None:
        """Queue a request, for the first time or again."""
        pair = transaction.pair
        pair.counters.requests_sent += 1
        self.send(pair.port, pair.address, transaction.data)

    def take_outbox(self) -> list[Datagram]:
        """Return what is to be sent and forget it."""
        if not self.outbox:
            return []
        outbox, self.outbox = self.outbox, []
        return outbox

    def take_events(self) -> list[IceEvent]:
        """Return what happened and forget it."""
        events, self.events = self.events, []
        return events

    def remove_port(self, port: int) -> None:
        """Forget a socket, and what was to be sent from it."""
        self.local.remove_port(port)
        self.outbox = [datagram for datagram in self.outbox if datagram[0] != port]

    def remember(self, port: int, source: tuple[str, int]) -> None:
        """Note that `source` knows a password. The one heard of longest ago is forgotten when there are too many."""
        traffic = self._known.pop((port, source), None)
        self._known[port, source] = Traffic() if traffic is None else traffic
        if len(self._known) > MAX_KNOWN_SOURCES:
            # Whoever repeats the other side's checks from ever new addresses must not displace the path in use.
            del self._known[next(known for known in self._known if known != self.path)]

    def traffic(self, port: int, source: tuple[str, int]) -> Traffic | None:
        """Return the counters of a source that has shown that it knows a password; None for others."""
        return self._known.get((port, source))
