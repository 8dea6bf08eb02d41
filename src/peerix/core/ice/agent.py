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

from peerix.core.errors import LocalProtocolError
from peerix.core.ice.address import canonical, is_multicast_dns_name
from peerix.core.ice.binding import (
    BAD_REQUEST,
    ROLE_CONFLICT,
    UNKNOWN_ATTRIBUTE,
    build_error,
    build_success,
    read_check,
    resolve_role,
    split_username,
)
from peerix.core.ice.candidates import WaitingCandidates, is_usable, with_canonical_host
from peerix.core.ice.consent import Liveness
from peerix.core.ice.context import Context, Datagram, IceCounters
from peerix.core.ice.events import (
    CandidateNeedsResolution,
    IceEvent,
    IceState,
    IceStateChanged,
    RoleChanged,
    SendPathChanged,
)
from peerix.core.ice.pair import CandidatePair, PairState
from peerix.core.ice.parameters import IceParameters
from peerix.core.ice.session import IceSession
from peerix.core.stun import Message, MessageClass, Method, StunError, parse
from peerix.core.stun.attributes import ERROR_CODE, XOR_MAPPED_ADDRESS
from peerix.core.stun.credentials import short_term_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.ice.candidate import Candidate
    from peerix.core.ice.transactions import Transaction

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
        self._session = IceSession(self._context, IceParameters.generate(random_bytes))
        self._previous: IceSession | None = None
        self._waiting = WaitingCandidates()
        self._state = IceState.NEW
        self._path: tuple[int, tuple[str, int]] | None = None
        self._now = 0.0
        self._deadline: float | None = None

    # --- What can be read
    # -------------------------------------------------------------------------------------------

    @property
    def state(self) -> IceState:
        """The W3C iceConnectionState."""
        return self._state

    @property
    def local_parameters(self) -> IceParameters:
        """Our user name fragment and password, for the description."""
        return self._session.local_parameters

    @property
    def remote_parameters(self) -> IceParameters | None:
        """The other side's, once they were set for the session in progress."""
        return self._session.remote_parameters

    @property
    def local_candidates(self) -> list[Candidate]:
        """Our candidates as they are signalled in the session in progress."""
        ufrag = self.local_parameters.ufrag
        return [local.candidate.with_ufrag(ufrag) for local in self._context.local.all]

    @property
    def remote_candidates(self) -> list[Candidate]:
        """The other side's candidates, those that only its checks made known included."""
        return list(self._session.remote)

    @property
    def pairs(self) -> list[CandidatePair]:
        """The pairs of the session in progress, best first."""
        return list(self._session.check_list)

    @property
    def selected_pair(self) -> CandidatePair | None:
        """The nominated pair that carries data."""
        carrier = self._carrier()
        return carrier.selection.pair if carrier is not None else None

    @property
    def send_path(self) -> tuple[int, tuple[str, int]] | None:
        """The UDP port and the address that data goes to now; None while there is no valid pair."""
        carrier = self._carrier()
        pair = carrier.path if carrier is not None else None
        return None if pair is None else (pair.port, pair.address)

    @property
    def counters(self) -> IceCounters:
        """Plain numbers, live."""
        return self._context.counters

    def is_known(self, port: int, source: tuple[str, int]) -> bool:
        """Tell whether a check or an answer with a valid signature came from `source`: its DTLS may be read."""
        return self._context.is_known(port, source)

    # --- Our side
    # ---------------------------------------------------------------------------------------------------

    @property
    def controlling(self) -> bool:
        """Our role. Setting it is for offer and answer; a role conflict changes it too (`RoleChanged`)."""
        return self._context.role.controlling

    @controlling.setter
    def controlling(self, value: bool) -> None:
        if value != self._context.role.controlling:
            self._context.role.switch(controlling=value)
            self._session.handle_role_switch()

    def add_local_candidate(self, candidate: Candidate, port: int, *, base: str | None = None) -> Candidate:
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
            self._session.add_local(local)
        return candidate.with_ufrag(self.local_parameters.ufrag)

    def remove_local_port(self, port: int, now: float) -> None:
        """Forget a UDP port and its candidates: its socket is gone."""
        self._enter(now)
        self._context.local.remove_port(port)
        for session in self._sessions():
            session.remove_port(port, now)
        self._advance(now)

    def end_of_local_candidates(self, now: float) -> None:
        """Gathering is complete."""
        self._enter(now)
        self._context.local.ended = True
        self._advance(now)

    def restart(self, now: float) -> IceParameters:
        """Begin an ICE restart (RFC 8445 9): a new session with new parameters, which are returned.

        The selected pair of the old session carries data, and is watched, until the new session has
        selected its own. Our candidates stay; the other side's are signalled anew with its new parameters.
        """
        self._enter(now)
        if self._session.path is not None:
            self._drop_previous()
            self._previous = self._session
        else:
            self._context.transactions.remove_session(self.local_parameters.ufrag)
        self._session = IceSession(self._context, IceParameters.generate(self._context.random_bytes))
        self._advance(now)
        return self.local_parameters

    def cancel_restart(self, now: float) -> None:
        """Take a restart back whose answer never came (a rollback), when there is an old session to go back to."""
        self._enter(now)
        if self._previous is not None and not self._session.progress.is_started:
            self._session, self._previous = self._previous, None
        self._advance(now)

    def check_path(self, now: float) -> None:
        """Check the path at once: the machine was asleep, or a network went away or came."""
        self._enter(now)
        for session in self._sessions():
            session.consent.check_at_once(now)
        self._advance(now)

    def close(self) -> None:
        """Stop. Nothing is sent any more."""
        self._drop_previous()
        self._context.transactions.remove_session(self.local_parameters.ufrag)
        self._context.take_outbox()
        self._set_state(IceState.CLOSED)

    # --- The other side's description
    # -------------------------------------------------------------------------------

    def set_remote_parameters(self, parameters: IceParameters, *, lite: bool = False) -> None:
        """Take the other side's user name fragment and password; the checks start.

        The same ones again change nothing. An ICE-lite peer never controls (RFC 8445 6.1.1), so we do.

        :raises LocalProtocolError: when the session has other ones already: `restart` comes first.
        """
        if self._state is IceState.CLOSED or parameters == self._session.remote_parameters:
            return
        if self._session.remote_parameters is not None:
            raise LocalProtocolError("new remote ICE parameters need an ICE restart")
        if lite:
            self._switch_role(controlling=True)
        for candidate in self._waiting.take(parameters.ufrag):
            self._session.add_remote(candidate)
        self._session.set_remote_parameters(parameters)
        self._update_state()

    def add_remote_candidate(self, candidate: Candidate, now: float) -> None:
        """Add a candidate of the other side; it may come at any time and in any order.

        One that names its session (`ufrag`) waits for the description of that session. One whose host is a
        `.local` name gives a `CandidateNeedsResolution`; kinds that are not used are counted and left out.
        """
        self._enter(now)
        if not is_usable(candidate):
            self._context.counters.ignored_candidates += 1
        elif is_multicast_dns_name(candidate.host):
            if self._session.remote.add_name(candidate):
                self._context.events.append(CandidateNeedsResolution(candidate))
        else:
            self._take_remote_candidate(candidate)
        self._advance(now)

    def _take_remote_candidate(self, candidate: Candidate) -> None:
        known = with_canonical_host(candidate)
        parameters = self._session.remote_parameters
        if known is None:
            self._context.counters.ignored_candidates += 1
        elif parameters is None or known.ufrag not in {None, parameters.ufrag}:
            self._waiting.keep(known)
        else:
            self._session.add_remote(known)

    def end_of_remote_candidates(self, now: float) -> None:
        """The other side has no more candidates (RFC 8838 8.2, 13)."""
        self._enter(now)
        self._session.remote.ended = True
        self._advance(now)

    # --- Packets and time
    # -------------------------------------------------------------------------------------------

    def receive_datagram(self, port: int, source: tuple[str, int], data: bytes, now: float) -> None:
        """Take a STUN datagram (first byte 0 to 3) that came to `port`."""
        self._enter(now)
        if self._state is IceState.CLOSED:
            return
        try:
            message = parse(data)
        except StunError:
            self._context.counters.malformed += 1
            return
        if message.method != Method.BINDING:
            self._context.counters.malformed += 1
        elif message.message_class is MessageClass.REQUEST:
            self._receive_request(port, source, message, now)
        elif message.message_class is not MessageClass.INDICATION:
            self._receive_response(port, source, message, now)
        self._advance(now)

    def datagrams_to_send(self, now: float) -> list[Datagram]:
        """Do what is due and return what is to be sent: (UDP port, destination, payload)."""
        self._enter(now)
        self._advance(now)
        return self._context.take_outbox()

    def handle_timeout(self, now: float) -> None:
        """Do what is due. Being called late costs the path nothing: see `STARVATION_TOLERANCE`."""
        self._enter(now)
        self._advance(now)

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` has something to do, None when only packets and calls can change something."""
        if self._state is IceState.CLOSED:
            return None
        deadlines = [self._session.next_timeout(self._now), self._context.transactions.next_timeout()]
        if self._previous is not None:
            deadlines.append(self._previous.consent.next_timeout())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def poll_events(self) -> list[IceEvent]:
        """Return what happened since the last call."""
        return self._context.take_events()

    # --- Requests
    # ---------------------------------------------------------------------------------------------------

    def _receive_request(self, port: int, source: tuple[str, int], message: Message, now: float) -> None:
        """RFC 8445 7.3. Without a valid signature nothing is answered: an error would only help who tries passwords."""
        names = split_username(message)
        session = self._session_of(names[0]) if names is not None else None
        if names is None or session is None or not self._is_from_peer(session, names[1], message):
            self._context.counters.unauthenticated += 1
            return
        local = session.local_parameters
        check = read_check(message, names[1])
        refusal = self._refusal(message)
        if check is None:
            refusal = BAD_REQUEST, "Bad Request"
        if check is None or refusal is not None:
            self._context.counters.refused_requests += 1
            code, reason = refusal or (BAD_REQUEST, "Bad Request")
            self._context.send(port, source, build_error(message, code, reason, local))
            return
        self._context.remember(port, source)
        self._context.send(port, source, build_success(message, source, local))
        session.handle_check(port, source, check, now)

    def _is_from_peer(self, session: IceSession, remote_ufrag: str, message: Message) -> bool:
        remote = session.remote_parameters
        if remote is not None and remote.ufrag != remote_ufrag:
            return False
        return message.is_signed_with(short_term_key(session.local_parameters.pwd))

    def _refusal(self, message: Message) -> tuple[int, str] | None:
        if message.unknown_attributes:
            return UNKNOWN_ATTRIBUTE, "Unknown Attribute"
        refuses, switches = resolve_role(message, self._context.role)
        if refuses or switches:
            self._context.counters.role_conflicts += 1
        if switches:
            self._switch_role(controlling=not self.controlling)
        return (ROLE_CONFLICT, "Role Conflict") if refuses else None

    def _switch_role(self, *, controlling: bool, new_tie_breaker: bool = False) -> None:
        if controlling != self.controlling:
            self._context.role.switch(controlling=controlling, new_tie_breaker=new_tie_breaker)
            self._session.handle_role_switch()
            self._context.events.append(RoleChanged(controlling))

    # --- Responses
    # --------------------------------------------------------------------------------------------------

    def _receive_response(self, port: int, source: tuple[str, int], message: Message, now: float) -> None:
        """RFC 8445 7.2.5. An answer counts only from where its request went, and with its session's signature."""
        transaction = self._context.transactions.get(message.transaction_id)
        if transaction is None or (port, source) != (transaction.pair.port, transaction.pair.address):
            self._context.counters.unmatched += 1
            return
        if not message.is_signed_with(transaction.key):
            self._context.counters.unauthenticated += 1
            return
        session = self._session_of(transaction.session)
        mapped = message.get(XOR_MAPPED_ADDRESS)
        is_error = message.message_class is MessageClass.ERROR
        if session is None or message.unknown_attributes or (mapped is None and not is_error):
            self._context.counters.malformed += 1
            return
        self._context.remember(port, source)
        self._context.transactions.remove(transaction)
        if mapped is not None and not is_error:
            session.handle_success(transaction, mapped, now)
        else:
            self._receive_error(session, transaction, message)

    def _receive_error(self, session: IceSession, transaction: Transaction, message: Message) -> None:
        error = message.get(ERROR_CODE)
        if error is None or error.code != ROLE_CONFLICT:
            session.handle_failure(transaction)
            return
        self._context.counters.role_conflicts += 1
        # The role may have changed since the request was sent; then the conflict is over (RFC 8445 7.2.5.1).
        if transaction.controlling == self.controlling:
            self._switch_role(controlling=not transaction.controlling, new_tie_breaker=True)
        session.handle_role_switch(transaction)

    # --- State
    # ------------------------------------------------------------------------------------------------------

    def _sessions(self) -> list[IceSession]:
        return [self._session] if self._previous is None else [self._session, self._previous]

    def _session_of(self, local_ufrag: str) -> IceSession | None:
        for session in self._sessions():
            if session.local_parameters.ufrag == local_ufrag:
                return session
        return None

    def _carrier(self) -> IceSession | None:
        """The session whose path carries data."""
        if self._state is IceState.CLOSED:
            return None
        previous = self._previous
        if previous is None or self._session.selection.pair is not None:
            return self._session
        if previous.consent.liveness is Liveness.ALIVE or self._session.path is None:
            return previous
        return self._session

    def _drop_previous(self) -> None:
        if self._previous is not None:
            self._context.transactions.remove_session(self._previous.local_parameters.ufrag)
            self._previous = None

    def _enter(self, now: float) -> None:
        """Note the time, and find out whether this process was kept from running."""
        late = 0.0 if self._deadline is None else now - self._deadline
        if late > STARVATION_TOLERANCE:
            self._context.counters.starved_seconds += late
            self._context.transactions.delay(late)
            for session in self._sessions():
                session.delay(late)
            self._deadline = None
        self._now = now

    def _advance(self, now: float) -> None:
        if self._state is IceState.CLOSED:
            return
        again, ended = self._context.transactions.due(now)
        for transaction in again:
            transaction.pair.counters.requests_sent += 1
            self._context.send(transaction.pair.port, transaction.pair.address, transaction.data)
        for transaction in ended:
            session = self._session_of(transaction.session)
            if session is not None:
                session.handle_failure(transaction)
        self._session.advance(now)
        if self._previous is not None and (
            not self._previous.keep_alive(now) or self._session.selection.pair is not None
        ):
            self._drop_previous()
        self._update_path()
        self._update_state()
        self._deadline = self.next_timeout()

    def _update_path(self) -> None:
        path = self.send_path
        if path is not None and path != self._path:
            self._context.events.append(SendPathChanged(*path))
        self._path = path

    def _update_state(self) -> None:
        self._set_state(self._compute_state())

    def _set_state(self, state: IceState) -> None:
        if state is not self._state:
            self._state = state
            self._context.events.append(IceStateChanged(state))

    def _compute_state(self) -> IceState:
        session, previous = self._session, self._previous
        if self._state is IceState.CLOSED:
            return IceState.CLOSED
        if session.progress.was_connected:
            return self._connected_state(session)
        if previous is not None and previous.consent.liveness is Liveness.ALIVE:
            return IceState.CONNECTED
        if previous is not None and not session.progress.is_started:
            return IceState.DISCONNECTED
        if session.progress.gave_up and previous is None:
            return IceState.FAILED
        started = session.progress.is_started or self._state is not IceState.NEW
        return IceState.CHECKING if started else IceState.NEW

    def _connected_state(self, session: IceSession) -> IceState:
        if session.consent.liveness is Liveness.EXPIRED:
            return IceState.FAILED
        if session.consent.liveness is Liveness.SILENT:
            return IceState.DISCONNECTED
        selected = session.selection.pair
        if selected is None or not (session.remote.ended and self._context.local.ended):
            return IceState.CONNECTED
        unfinished = any(
            pair.priority > selected.priority and pair.state not in {PairState.SUCCEEDED, PairState.FAILED}
            for pair in session.check_list
        )
        return IceState.CONNECTED if unfinished else IceState.COMPLETED
