"""Local candidates of one connection: where they come from, how they are signalled, and when that is all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.ice import (
    Candidate,
    IceAgent,
    ReflexiveCandidateFound,
    ReflexiveGatherer,
    host_candidate,
    relayed_candidate,
)
from peerix.core.sdp import IceCandidate
from peerix.core.session.events import (
    GatheringNeeded,
    IceGatheringState,
    IceGatheringStateChanged,
    IceServerFailed,
    LocalCandidate,
    SessionEvent,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.jsep import Negotiator

Address = tuple[str, int]

NOWHERE: Address = ("0.0.0.0", 9)  # noqa: S104 - an address in a text, not one that is bound
"""The related address of a candidate that hides it (RFC 8839 section 5.1)."""


@dataclass(frozen=True, slots=True)
class CandidateSource:
    """Which server gave a candidate.

    :ivar url: as the user configured it.
    :ivar relay_protocol: how a relay is reached: "udp", "tcp" or "tls"; None for other candidates.
    """

    url: str
    relay_protocol: str | None = None


class Gathering:
    """Collects local candidates, gives each to ICE and to the other side, and tells when there are no more.

    The layer that has sockets adds host and relayed candidates; STUN servers are asked here. It is complete when that
    layer has called `end_of_sources` and every STUN server has answered or failed.

    :param emit: takes the events.
    :ivar reflexive: asks the STUN servers, over the sockets that were added.
    """

    __slots__ = (
        "_asked_for",
        "_bases",
        "_emit",
        "_ice",
        "_negotiator",
        "_sources",
        "_sources_ended",
        "_stun_urls",
        "_without_mtu",
        "reflexive",
        "state",
    )

    def __init__(
        self,
        ice: IceAgent,
        negotiator: Negotiator,
        random_bytes: Callable[[int], bytes],
        emit: Callable[[SessionEvent], None],
    ) -> None:
        self.state = IceGatheringState.NEW
        self.reflexive = ReflexiveGatherer(random_bytes=random_bytes, salt=random_bytes(8))
        self._ice = ice
        self._negotiator = negotiator
        self._emit = emit
        self._asked_for = ""
        self._bases: dict[int, Candidate] = {}
        self._sources_ended = False
        self._without_mtu: set[int] = set()
        self._stun_urls: dict[Address, str] = {}
        self._sources: dict[Address, CandidateSource] = {}

    def source(self, host: str, port: int) -> CandidateSource | None:
        """Return the server that gave the local candidate with that address; None when no server did."""
        return self._sources.get((host, port))

    def begin(self, now: float) -> None:
        """A local description was set: signal what is known, and ask the layer that has sockets for the rest.

        When it begins an ICE session the STUN servers are asked anew: the network may be another one than last time.
        """
        self._sources_ended = False
        ufrag = self._ice.local_parameters.ufrag
        if self._asked_for not in ("", ufrag):
            self.ask_again(now)
        self._asked_for = ufrag
        self._set_state(IceGatheringState.GATHERING)
        for candidate in self._ice.local_candidates:
            self._signal(candidate)
        self._emit(GatheringNeeded())

    def ask_again(self, now: float) -> None:
        """Ask all STUN servers anew, from every socket."""
        for port, base in self._bases.items():
            self.reflexive.add_port(base, port, now)

    # -- sources

    def add_host(
        self, host: str, port_number: int, port: int, preference: int, now: float, public_host: str | None = None
    ) -> None:
        """A socket is bound to an address: a host candidate, and a question to every STUN server.

        :param public_host: the address that a 1:1 NAT maps the socket's to; it is signalled in its place.
        """
        base = host_candidate(host, port_number, local_preference=preference)
        signalled = base if public_host is None else base.with_host(public_host)
        self._add(signalled, port, base.host, now)
        self._bases[port] = base
        self.reflexive.add_port(base, port, now)

    def add_stun_server(self, host: str, port: int, url: str, now: float) -> None:
        """Ask one more server, given by address; `url` is what the user calls it."""
        self._stun_urls.setdefault((host, port), url)
        self.reflexive.add_server(host, port, now)

    def add_relayed(
        self,
        relayed: Address,
        mapped: Address | None,
        port: int,
        preference: int,
        now: float,
        *,
        server: str,
        transport: str,
        url: str,
    ) -> None:
        """A TURN server relays for us; `port` sends and receives through it.

        :param mapped: what the server sees of us; None keeps it secret.
        """
        candidate = relayed_candidate(
            relayed, mapped or NOWHERE, server=server, local_preference=preference, transport=transport
        )
        self.forbid_path_mtu_discovery(port)
        self._sources[candidate.host, candidate.port] = CandidateSource(url, transport)
        self._add(candidate, port, candidate.host, now)

    def remove_port(self, port: int) -> None:
        """A socket or a relay is gone."""
        self._bases.pop(port, None)
        self._without_mtu.discard(port)
        self.reflexive.remove_port(port)
        for address in self._ice.addresses_of(port):
            self._sources.pop(address, None)

    def end_of_sources(self) -> None:
        """There are no further host or relayed candidates."""
        self._sources_ended = True

    # -- packet size

    def forbid_path_mtu_discovery(self, port: int) -> None:
        """What leaves by a port may be cut into fragments on its way: probes would find what is glued again."""
        self._without_mtu.add(port)

    def can_find_mtu(self, port: int) -> bool:
        """Tell whether a probe that arrives from a port says what its path carries."""
        return port not in self._without_mtu

    # -- progress

    @property
    def is_asking(self) -> bool:
        """Whether STUN servers were asked, or addresses are kept alive."""
        return self.reflexive.next_timeout() is not None

    def advance(self, now: float) -> None:
        """Take what the STUN servers answered, and find out whether gathering is complete."""
        for event in self.reflexive.poll_events():
            if isinstance(event, ReflexiveCandidateFound):
                source = CandidateSource(self._url(event.server))
                self._sources[event.candidate.host, event.candidate.port] = source
                self._add(event.candidate, event.port, None, now)
            else:
                self._emit(IceServerFailed(self._url(event.server), event.code, event.reason))
        if self._sources_ended and self.reflexive.is_finished and self.state is IceGatheringState.GATHERING:
            self._ice.end_of_local_candidates(now)
            self._emit(LocalCandidate(None))
            self._set_state(IceGatheringState.COMPLETE)

    def _url(self, server: Address) -> str:
        host, port = server
        return self._stun_urls.get(server) or f"stun:{f'[{host}]' if ':' in host else host}:{port}"

    def _set_state(self, state: IceGatheringState) -> None:
        if self.state is not state:
            self.state = state
            self._emit(IceGatheringStateChanged(state))

    def _add(self, candidate: Candidate, port: int, base: str | None, now: float) -> None:
        address = candidate.host, candidate.port
        if all((known.host, known.port) != address for known in self._ice.local_candidates):
            self._signal(self._ice.add_local_candidate(candidate, port, now, base=base))

    def _signal(self, candidate: Candidate) -> None:
        mid, index = self._negotiator.transport_section
        ufrag = self._ice.local_parameters.ufrag
        self._emit(LocalCandidate(IceCandidate(candidate.to_sdp(), mid, index, ufrag)))
