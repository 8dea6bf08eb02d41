"""The candidates of both sides, bounded (RFC 8445 5.1, 7.3.1.3, RFC 8838 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.ice.address import canonical
from peerix.core.ice.candidate import COMPONENT, TYPE_PREFERENCES, Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_REMOTE_CANDIDATES = 100
"""Remote candidates of one session, peer-reflexive ones included."""

MAX_WAITING_CANDIDATES = 100
"""Remote candidates kept for descriptions that have not come."""

MAX_NAMES = 32
"""Names of one session that are handed out for resolution."""


@dataclass(frozen=True, slots=True)
class LocalCandidate:
    """One of our candidates, the socket it belongs to, and the address that socket is bound to."""

    candidate: Candidate
    port: int
    base: str


class LocalCandidates:
    """Our candidates. Checks are sent from sockets, so each socket has one candidate that stands for it in pairs."""

    __slots__ = ("_by_port", "_hosts", "_signalled", "all", "ended")

    def __init__(self) -> None:
        self.all: list[LocalCandidate] = []
        self.ended = False
        self._signalled: tuple[str, list[Candidate]] | None = None
        self._by_port: dict[int, LocalCandidate] = {}
        self._hosts: set[str] = set()

    def add(self, candidate: Candidate, port: int, base: str) -> LocalCandidate | None:
        """Add a candidate; the answer is what to pair, None when its socket is paired already."""
        local = LocalCandidate(candidate, port, base)
        self.all.append(local)
        self._signalled = None
        if candidate.type == "host":
            self._hosts.add(base)
        # A server-reflexive candidate is sent from its base: pairing it too would double every check (RFC
        # 8445 6.1.2.4).
        if port in self._by_port:
            return None
        self._by_port[port] = local
        return local

    def remove_port(self, port: int) -> None:
        """Forget a socket and its candidates."""
        self._by_port.pop(port, None)
        self._signalled = None
        self.all = [local for local in self.all if local.port != port]
        self._hosts = {local.base for local in self.all if local.candidate.type == "host"}

    def signalled(self, ufrag: str) -> list[Candidate]:
        """Our candidates as they are signalled in the session named `ufrag`."""
        if self._signalled is None or self._signalled[0] != ufrag:
            self._signalled = ufrag, [local.candidate.with_ufrag(ufrag) for local in self.all]
        return list(self._signalled[1])

    def bases(self) -> Iterator[LocalCandidate]:
        """One candidate for each socket."""
        return iter(list(self._by_port.values()))

    def base(self, port: int) -> LocalCandidate | None:
        """The candidate that stands for a socket."""
        return self._by_port.get(port)

    def is_on_this_host(self, host: str) -> bool:
        """Tell whether an address is one of this machine's."""
        return host in self._hosts

    def mapped(self, port: int, address: tuple[str, int]) -> Candidate | None:
        """Return our candidate with that address on a socket, as the other side sees it."""
        for local in self.all:
            if local.port == port and (local.candidate.host, local.candidate.port) == address:
                return local.candidate
        return None


class RemoteCandidates:
    """The candidates of the other side in one session, by address."""

    __slots__ = ("_by_address", "_names", "_reflexive_count", "ended")

    def __init__(self) -> None:
        self.ended = False
        self._by_address: dict[tuple[str, int], Candidate] = {}
        self._names: set[tuple[str, int, str | None]] = set()
        self._reflexive_count = 0

    def __iter__(self) -> Iterator[Candidate]:
        return iter(list(self._by_address.values()))

    def add(self, candidate: Candidate) -> bool:
        """Add a candidate. False: it is known already, or there are too many."""
        address = candidate.host, candidate.port
        known = self._by_address.get(address)
        if known is None and len(self._by_address) >= MAX_REMOTE_CANDIDATES and not self._forget_reflexive():
            return False
        # The signalled form of an address that a check made known first tells its type and its foundation.
        if known is not None and (known.type != "prflx" or candidate.type == "prflx"):
            return False
        self._by_address[address] = candidate
        return True

    def add_name(self, candidate: Candidate) -> bool:
        """Note a candidate whose name has to be resolved. False: noted before, or there are too many."""
        name = candidate.host, candidate.port, candidate.ufrag
        if name in self._names or len(self._names) >= MAX_NAMES:
            return False
        self._names.add(name)
        return True

    def learn(self, address: tuple[str, int], priority: int) -> Candidate | None:
        """Return the candidate of an address that a check came from (RFC 8445 7.3.1.3), None over the bound."""
        known = self._by_address.get(address)
        if known is not None:
            return known
        self._reflexive_count += 1
        # RFC 8445 7.3.1.3: a foundation of its own.
        foundation = f"prflx{self._reflexive_count}"
        candidate = Candidate(foundation, COMPONENT, "udp", priority, address[0], address[1], "prflx")
        return candidate if self.add(candidate) else None

    def _forget_reflexive(self) -> bool:
        """Drop the oldest address that only a check made known: a NAT that renumbers makes many in a long session."""
        for address, candidate in self._by_address.items():
            if candidate.type == "prflx":
                del self._by_address[address]
                return True
        return False


class WaitingCandidates:
    """Remote candidates that came before the description they belong to (RFC 8838 10), the oldest dropped first."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Candidate] = []

    def keep(self, candidate: Candidate) -> None:
        """Keep a candidate."""
        self._waiting.append(candidate)
        del self._waiting[:-MAX_WAITING_CANDIDATES]

    def take(self, ufrag: str) -> list[Candidate]:
        """Take out what belongs to the session `ufrag`, and what names no session."""
        taken = [candidate for candidate in self._waiting if candidate.ufrag in {ufrag, None}]
        self._waiting = [candidate for candidate in self._waiting if candidate.ufrag not in {ufrag, None}]
        return taken


def is_usable(candidate: Candidate) -> bool:
    """Tell whether a remote candidate is of a kind that is used.

    TCP, other components and unknown types are left out (RFC 8839 5.1 lets a receiver ignore what it does
    not know).
    """
    return (
        candidate.transport == "udp"
        and candidate.component == COMPONENT
        and candidate.type in TYPE_PREFERENCES
        and candidate.port > 0
    )


def with_canonical_host(candidate: Candidate) -> Candidate | None:
    """Return a candidate with its address in the spelling of sockets, None when it is no address.

    Names outside multicast DNS end here: resolving any name that a peer invents would let it make this host
    ask the DNS.
    """
    host = canonical(candidate.host)
    if host is None or host == candidate.host:
        return None if host is None else candidate
    return candidate.with_host(host)
