"""The ICE agent (RFC 8445, 8838, 7675): finds a path to the other side and watches it.

It is sans-I/O and owns no socket: a UDP port is an opaque int that names one of the caller's. Whatever the
caller does, afterwards it sends `datagrams_to_send(now)`, reads `poll_events()` and arms a timer for
`next_timeout()`.

How a path is found over a link without loss, without any timer: the candidates of both sides make pairs
(`add_local_candidate`, `set_remote_parameters`, `add_remote_candidate`); the next `datagrams_to_send` has a
check for the first pair of each foundation; its answer makes the pair valid and data may flow
(`SendPathChanged`); the controlling side then nominates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.deadlines import earliest
from peerix.core.errors import LocalProtocolError
from peerix.core.ice.address import canonical, is_multicast_dns_name
from peerix.core.ice.candidates import WaitingCandidates, is_usable, with_canonical_host
from peerix.core.ice.context import Context, Datagram, IceCounters, Traffic
from peerix.core.ice.events import CandidateNeedsResolution, IceEvent, IceState, IceStateChanged, SendPathChanged
from peerix.core.ice.receiver import Receiver
from peerix.core.ice.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.ice.candidate import Candidate
    from peerix.core.ice.pair import CandidatePair
    from peerix.core.ice.parameters import IceParameters

STARVATION_TOLERANCE = 0.25
"""Seconds that a timer may be late. When it is later, this process did not run, and the time is not counted
against the path: answers may be waiting in the socket's buffer."""


class IceAgent:
    """Finds, selects and watches the path to one peer.

    `controlling` is the role to start with (the offerer's, RFC 8445 6.1.1); `random_bytes(n)` gives n
    random bytes. The agent never raises for bytes from the network, and nothing in it grows because of the
    peer beyond the named bounds of its modules.
    """

    def __init__(self, *, controlling: bool, random_bytes: Callable[[int], bytes]) -> None:
        self._context = Context(random_bytes, controlling=controlling)
        self._sessions = Sessions(self._context)
        self._receiver = Receiver(self._context, self._sessions)
        self._waiting = WaitingCandidates()
        self._state = IceState.NEW
        self._now = 0.0
        self._deadline: float | None = None
        self._has_news = False
        """Something changed since the last turn, so that the deadline is not known."""

    @property
    def state(self) -> IceState:
        """The W3C iceConnectionState."""
        return self._state

    @property
    def local_parameters(self) -> IceParameters:
        """Our user name fragment and password, for the description."""
        return self._sessions.current.local_parameters

    @property
    def remote_parameters(self) -> IceParameters | None:
        """The other side's, once they were set for the session in progress."""
        return self._sessions.current.remote_parameters

    @property
    def local_candidates(self) -> list[Candidate]:
        """Our candidates as they are signalled in the session in progress."""
        return self._context.local.signalled(self.local_parameters.ufrag)

    @property
    def remote_candidates(self) -> list[Candidate]:
        """The other side's candidates, those that only its checks made known included."""
        return list(self._sessions.current.remote)

    @property
    def pairs(self) -> list[CandidatePair]:
        """The pairs of the session in progress, best first."""
        return list(self._sessions.current.check_list)

    @property
    def selected_pair(self) -> CandidatePair | None:
        """The nominated pair that carries data."""
        return None if self._state is IceState.CLOSED else self._sessions.carrier().selection.pair

    @property
    def send_path(self) -> tuple[int, tuple[str, int]] | None:
        """The UDP port and the address that data goes to now; None while there is no valid pair."""
        return self._context.path

    @property
    def counters(self) -> IceCounters:
        """Plain numbers, live."""
        return self._context.counters

    def is_known(self, port: int, source: tuple[str, int]) -> bool:
        """Tell whether a check or an answer with a valid signature came from `source`: its DTLS may be read."""
        return self._context.traffic(port, source) is not None

    def traffic(self, port: int, source: tuple[str, int]) -> Traffic | None:
        """Return where to count what goes between a port and an address; None for an address that is not known."""
        return self._context.traffic(port, source)

    @property
    def controlling(self) -> bool:
        """Our role."""
        return self._context.role.controlling

    def take_role(self, now: float, *, controlling: bool) -> None:
        """Take the role that offer and answer give us; a role conflict changes it too (`RoleChanged`)."""
        if controlling != self._context.role.controlling:
            self._enter(now)
            self._context.role.switch(controlling=controlling)
            self._sessions.current.handle_role_switch()
            self._has_news = True

    def add_local_candidate(self, candidate: Candidate, port: int, now: float, *, base: str | None = None) -> Candidate:
        """Add one of our candidates, which belongs to the UDP port `port`; return it as it is signalled.

        `base` is the address that the port is bound to, when the candidate does not tell it: the mapped
        address of a 1:1 NAT or a `.local` name as host. A relay is a port of its own.

        :raises LocalProtocolError: when the address that the port is bound to is unknown.
        """
        if base is None:
            related = candidate.related_address if candidate.type in {"srflx", "prflx"} else None
            base = related or candidate.host
        bound = canonical(base)
        if bound is None:
            raise LocalProtocolError(f"a candidate needs the address of its socket, {base!r} is none")
        local = self._context.local.add(candidate, port, bound)
        if local is not None:
            self._enter(now)
            self._sessions.current.add_local(local)
            self._has_news = True
        return candidate.with_ufrag(self.local_parameters.ufrag)

    def addresses_of(self, port: int) -> list[tuple[str, int]]:
        """Return the addresses of our candidates that belong to a UDP port."""
        return [(local.candidate.host, local.candidate.port) for local in self._context.local.all if local.port == port]

    def remove_local_port(self, port: int, now: float) -> None:
        """Forget a UDP port and its candidates: its socket is gone."""
        self._enter(now)
        self._context.remove_port(port)
        for session in self._sessions.all():
            session.remove_port(port, now)
        self._advance(now)

    def end_of_local_candidates(self, now: float) -> None:
        """Gathering is complete."""
        self._enter(now)
        self._context.local.ended = True
        self._has_news = True

    def restart(self, now: float) -> IceParameters:
        """Begin an ICE restart (RFC 8445 9): a new session with new parameters, which are returned.

        The selected pair of the old session carries data, and is watched, until the new session has
        selected its own. Our candidates stay; the other side's are signalled anew with its new parameters.
        """
        self._enter(now)
        self._sessions.restart()
        self._advance(now)
        return self.local_parameters

    def cancel_restart(self, now: float) -> None:
        """Take a restart back whose answer never came (a rollback), when there is an old session to go back to."""
        self._enter(now)
        self._sessions.cancel_restart()
        self._advance(now)

    def check_path(self, now: float) -> None:
        """Check the path at once: the machine was asleep, or a network went away or came."""
        self._enter(now)
        for session in self._sessions.all():
            session.consent.doubt(now)
        self._advance(now)

    def close(self) -> None:
        """Stop. Nothing is sent any more."""
        for session in self._sessions.all():
            self._context.transactions.remove_session(session.local_parameters.ufrag)
        self._context.take_outbox()
        self._context.path = self._deadline = None
        self._has_news = self._context.timers_changed = False
        self._set_state(IceState.CLOSED)

    def set_remote_parameters(self, parameters: IceParameters, now: float, *, lite: bool = False) -> None:
        """Take the other side's user name fragment and password; the checks start.

        The same ones again change nothing. An ICE-lite peer never controls (RFC 8445 6.1.1), so we do.

        :raises LocalProtocolError: when the session has other ones already: `restart` comes first.
        """
        if self._state is IceState.CLOSED or parameters == self._sessions.current.remote_parameters:
            return
        if self._sessions.current.remote_parameters is not None:
            raise LocalProtocolError("new remote ICE parameters need an ICE restart")
        self._enter(now)
        if lite:
            self._sessions.switch_role(controlling=True)
        for candidate in self._waiting.take(parameters.ufrag):
            self._sessions.current.add_remote(candidate)
        self._sessions.current.set_remote_parameters(parameters)
        self._has_news = True
        self._set_state(self._sessions.state(self._state))

    def add_remote_candidate(self, candidate: Candidate, now: float) -> None:
        """Add a candidate of the other side; it may come at any time and in any order.

        One that names its session (`ufrag`) waits for the description of that session. One whose host is a
        `.local` name gives a `CandidateNeedsResolution`; kinds that are not used are counted and left out.
        """
        self._enter(now)
        if not is_usable(candidate):
            self._context.counters.ignored_candidates += 1
        elif is_multicast_dns_name(candidate.host):
            if self._sessions.current.remote.add_name(candidate):
                self._context.events.append(CandidateNeedsResolution(candidate))
        else:
            self._take_remote_candidate(candidate)
        self._has_news = True

    def _take_remote_candidate(self, candidate: Candidate) -> None:
        known = with_canonical_host(candidate)
        parameters = self._sessions.current.remote_parameters
        if known is None:
            self._context.counters.ignored_candidates += 1
        elif parameters is None or known.ufrag not in {None, parameters.ufrag}:
            self._waiting.keep(known)
        else:
            self._sessions.current.add_remote(known)

    def end_of_remote_candidates(self, now: float) -> None:
        """The other side has no more candidates (RFC 8838 8.2, 13)."""
        self._enter(now)
        self._sessions.current.remote.ended = True
        self._has_news = True

    def receive_datagram(self, port: int, source: tuple[str, int], data: bytes, now: float) -> bool:
        """Take a STUN datagram (first byte 0 to 3) that came to `port`; tell whether it may have changed anything."""
        self._enter(now)
        if self._state is not IceState.CLOSED and self._receiver.receive(port, source, data, now):
            self._has_news = True
        return self._has_news

    def datagrams_to_send(self, now: float) -> list[Datagram]:
        """Do what is due and return what is to be sent: (UDP port, destination, payload)."""
        self.handle_timeout(now)
        return self._context.take_outbox()

    def handle_timeout(self, now: float) -> None:
        """Do what is due. Being called late costs the path nothing: see `STARVATION_TOLERANCE`."""
        # Called for every flush of the data path, and almost never with anything to do: 0.3 us instead of 19.
        if self._has_news or ((deadline := self._find_deadline()) is not None and now >= deadline):
            self._enter(now)
            self._advance(now)

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` has something to do, None when only packets and calls can change something."""
        return self._now if self._has_news else self._find_deadline()

    def poll_events(self) -> list[IceEvent]:
        """Return what happened since the last call."""
        if self._has_news:
            self._advance(self._now)
        return self._context.take_events()

    def _enter(self, now: float) -> None:
        """Note the time, and find out whether this process was kept from running."""
        if now == self._now:
            return  # another call of the same wake-up
        deadline = self._find_deadline()
        late = 0.0 if deadline is None else now - deadline
        if late > STARVATION_TOLERANCE:
            self._context.counters.starved_seconds += late
            self._context.transactions.delay(late)
            for session in self._sessions.all():
                session.delay(late)
            self._has_news = True
        self._now = now

    def _advance(self, now: float) -> None:
        if self._state is IceState.CLOSED:
            return
        again, ended = self._context.transactions.due(now)
        for transaction in again:
            self._context.send_request(transaction)
        for transaction in ended:
            session = self._sessions.find(transaction.session)
            if session is not None:
                session.handle_failure(transaction)
        self._sessions.advance(now)
        self._update_path()
        self._set_state(self._sessions.state(self._state))
        self._has_news = False
        self._context.timers_changed = True

    def _find_deadline(self) -> float | None:
        context = self._context
        if context.timers_changed:
            context.timers_changed = False
            self._deadline = earliest((self._sessions.next_timeout(self._now), context.transactions.next_timeout()))
        return self._deadline

    def _update_path(self) -> None:
        pair = self._sessions.carrier().path
        path = None if pair is None else (pair.port, pair.address)
        if path is not None and path != self._context.path:
            self._context.events.append(SendPathChanged(*path))
            self._context.counters.path_changes += 1
        self._context.path = path

    def _set_state(self, state: IceState) -> None:
        if state is not self._state:
            self._state = state
            self._context.events.append(IceStateChanged(state))
