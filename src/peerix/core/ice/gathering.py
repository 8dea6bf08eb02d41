"""Server-reflexive candidates: what STUN servers see of our sockets (RFC 8445 5.1.1, RFC 8489).

Every socket asks every server of its family, all at once: a server that is dead, slow or lying delays nobody, since
each candidate is reported as soon as its answer comes. Servers are given by address; whoever resolves their names adds
them when it has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.ice.address import can_reach, canonical
from peerix.core.ice.candidate import Candidate, server_reflexive_candidate
from peerix.core.stun import Message, MessageClass, Method, StunError, parse, request
from peerix.core.stun.attributes import ALTERNATE_SERVER, ERROR_CODE, MAPPED_ADDRESS, XOR_MAPPED_ADDRESS
from peerix.core.stun.requests import PendingRequests, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable

Address = tuple[str, int]

SERVER_SCHEDULE = Schedule(rto=0.25, transmissions=5, max_rto=1.0, last_wait=1.25)
"""A server is asked at 0, 0.25, 0.75, 1.75 and 2.75 s, and has failed after 4 s."""

KEEPALIVE_PERIOD = 15.0
"""Seconds between the indications that keep the address translation of a candidate alive until it is used
(RFC 8445 5.1.1.4, 11)."""

MAX_REDIRECTIONS = 2
"""How often a server may send us on to another one (RFC 8489 10)."""

MAX_SERVERS = 16
MAX_REFLEXIVE_PER_PORT = 8
"""Servers that each tell another address would otherwise make as many candidates as there are servers."""

TRY_ALTERNATE = 300
NO_ANSWER = 701
"""W3C RTCPeerConnectionIceErrorEvent: no answer from the server."""


@dataclass(slots=True)
class ReflexiveCandidateFound:
    """The server at `server` told the public address of the UDP port `port`."""

    port: int
    candidate: Candidate
    server: Address


@dataclass(slots=True)
class ServerFailed:
    """A server gave no usable answer to the UDP port `port`; `code` is a STUN error code, or 701 for silence."""

    port: int
    server: Address
    code: int
    reason: str


GatheringEvent = ReflexiveCandidateFound | ServerFailed


@dataclass(frozen=True, slots=True)
class _Question:
    """What a request asked: which socket, which server, sent on how often."""

    base: Candidate
    port: int
    server: Address
    redirections: int = 0


class ReflexiveGatherer:
    """Asks STUN servers for the public addresses of our sockets, and keeps those alive."""

    def __init__(self, *, random_bytes: Callable[[int], bytes], salt: bytes = b"") -> None:
        self._random_bytes = random_bytes
        self._salt = salt
        self._servers: list[Address] = []
        self._bases: dict[int, Candidate] = {}
        self._pending: PendingRequests[_Question] = PendingRequests(SERVER_SCHEDULE)
        self._found: dict[int, dict[Address, Address]] = {}
        self._keepalive_at: float | None = None
        self._outbox: list[tuple[int, Address, bytes]] = []
        self._events: list[GatheringEvent] = []

    @property
    def is_finished(self) -> bool:
        """Whether every question so far has its answer."""
        return not len(self._pending)

    def add_server(self, host: str, port: int, now: float) -> None:
        """Ask one more server, from all sockets. Addresses that are none, or known, are left out."""
        address = canonical(host)
        if address is None or (address, port) in self._servers or len(self._servers) >= MAX_SERVERS:
            return
        self._servers.append((address, port))
        for port_id, base in self._bases.items():
            self._ask(_Question(base, port_id, (address, port)), now)

    def add_port(self, base: Candidate, port: int, now: float) -> None:
        """Ask all servers from one more socket, whose host candidate is `base`."""
        self._bases[port] = base
        for server in self._servers:
            self._ask(_Question(base, port, server), now)

    def remove_port(self, port: int) -> None:
        """Forget a socket."""
        self._bases.pop(port, None)
        self._found.pop(port, None)
        self._outbox = [datagram for datagram in self._outbox if datagram[0] != port]

    def stop(self) -> None:
        """Ask no more, and keep nothing alive: a path was found, or the connection ends."""
        self._bases.clear()
        self._found.clear()
        self._pending.clear()
        self._outbox.clear()
        self._keepalive_at = None

    def receive_datagram(self, port: int, source: Address, data: bytes, now: float) -> bool:
        """Take a STUN datagram; tell whether it was an answer to a question of ours (others are for the ICE agent)."""
        question = self._question_of(data, port, source)
        if question is None:
            return False
        try:
            message = parse(data)
        except StunError:
            return True
        self._pending.remove(message.transaction_id)
        if message.message_class is MessageClass.SUCCESS and not message.unknown_attributes:
            self._handle_answer(question, message, now)
        else:
            self._handle_error(question, message, now)
        return True

    def _question_of(self, data: bytes, port: int, source: Address) -> _Question | None:
        # The id is looked up before anything is parsed: nearly all of what comes in is for the ICE agent.
        pending = self._pending.get(data[8:20]) if len(data) >= 20 and data[0] & 1 else None
        if pending is None or (pending.context.port, pending.context.server) != (port, source):
            return None
        return pending.context

    def datagrams_to_send(self, now: float) -> list[tuple[int, Address, bytes]]:
        """Do what is due and return what is to be sent: (UDP port, destination, payload)."""
        self.handle_timeout(now)
        outbox, self._outbox = self._outbox, []
        return outbox

    def handle_timeout(self, now: float) -> None:
        """Ask again, give up, keep alive: whatever is due."""
        again, failed = self._pending.due(now)
        for item in again:
            if item.context.port in self._bases:
                self._outbox.append((item.context.port, item.context.server, item.data))
        for item in failed:
            if item.context.port in self._bases:
                self._fail(item.context, NO_ANSWER, "no answer")
        if self._keepalive_at is not None and now >= self._keepalive_at:
            self._keep_alive(now)

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` has something to do."""
        requests = self._pending.next_timeout()
        if requests is None or self._keepalive_at is None:
            return self._keepalive_at if requests is None else requests
        return min(requests, self._keepalive_at)

    def poll_events(self) -> list[GatheringEvent]:
        """Return what happened since the last call."""
        events, self._events = self._events, []
        return events

    def _ask(self, question: _Question, now: float) -> None:
        if not can_reach(question.base.host, question.server[0]):
            return
        message = request(Method.BINDING, self._random_bytes)
        data = message.to_bytes()
        self._pending.add(message.transaction_id, data, question, now)
        self._outbox.append((question.port, question.server, data))

    def _handle_answer(self, question: _Question, message: Message, now: float) -> None:
        if question.port not in self._bases:
            return
        mapped = message.get(XOR_MAPPED_ADDRESS) or message.get(MAPPED_ADDRESS)
        host = canonical(mapped[0]) if mapped is not None else None
        if mapped is None or host is None or not mapped[1] or not can_reach(question.base.host, host):
            self._fail(question, 400, "the answer has no usable address")
            return
        found = self._found.setdefault(question.port, {})
        address = host, mapped[1]
        # RFC 8445 5.1.3: the address of the socket itself, or one that another server told already, is redundant.
        if address in found or address == (question.base.host, question.base.port):
            return
        if len(found) < MAX_REFLEXIVE_PER_PORT:
            found[address] = question.server
            server = f"{question.server[0]}:{question.server[1]}"
            candidate = server_reflexive_candidate(address, question.base, server=server, salt=self._salt)
            self._events.append(ReflexiveCandidateFound(question.port, candidate, question.server))
            self._keepalive_at = self._keepalive_at or now + KEEPALIVE_PERIOD

    def _handle_error(self, question: _Question, message: Message, now: float) -> None:
        error = message.get(ERROR_CODE)
        alternate = message.get(ALTERNATE_SERVER)
        if error is not None and error.code == TRY_ALTERNATE and alternate is not None:
            host = canonical(alternate[0])
            if host is not None and question.redirections < MAX_REDIRECTIONS:
                next_server = host, alternate[1]
                self._ask(_Question(question.base, question.port, next_server, question.redirections + 1), now)
                return
        self._fail(question, error.code if error else 400, error.reason if error else "a malformed answer")

    def _fail(self, question: _Question, code: int, reason: str) -> None:
        self._events.append(ServerFailed(question.port, question.server, code, reason))

    def _keep_alive(self, now: float) -> None:
        for port, found in self._found.items():
            for server in found.values():
                message = Message(Method.BINDING, MessageClass.INDICATION, self._random_bytes(12))
                self._outbox.append((port, server, message.to_bytes()))
        self._keepalive_at = now + KEEPALIVE_PERIOD if any(self._found.values()) else None
