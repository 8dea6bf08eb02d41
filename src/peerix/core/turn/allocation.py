"""The control side of TURN: the requests that make, keep and end an allocation (RFC 8656 6 to 12)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from peerix.core.deadlines import earliest
from peerix.core.stun import Message, MessageClass, Method, request
from peerix.core.stun.attributes import (
    ADDITIONAL_ADDRESS_FAMILY,
    ALTERNATE_DOMAIN,
    ALTERNATE_SERVER,
    CHANNEL_NUMBER,
    ERROR_CODE,
    FAMILY_IPV6,
    LIFETIME,
    REQUESTED_ADDRESS_FAMILY,
    REQUESTED_TRANSPORT,
    XOR_MAPPED_ADDRESS,
    XOR_PEER_ADDRESS,
    XOR_RELAYED_ADDRESS,
    ErrorCode,
)
from peerix.core.stun.requests import PendingRequests, Schedule
from peerix.core.turn.events import Allocated, AllocationFailed, PeerRefused, TurnEvent, TurnState
from peerix.core.turn.peers import CHANNEL_LIFETIME, PERMISSION_LIFETIME, Channel, Peers, Permission

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.turn.credentials import Credentials

Address = tuple[str, int]

UDP_SCHEDULE = Schedule(rto=0.25, transmissions=7, max_rto=1.6, last_wait=2.0)
"""A request goes out at 0, 0.25, 0.75, 1.75, 3.35, 4.95 and 6.55 s, and has failed after 8.55 s."""

STREAM_SCHEDULE = Schedule(rto=10.0, transmissions=1, max_rto=10.0, last_wait=10.0)
"""A stream repeats by itself. RFC 8489 6.2.2 would wait 39.5 s; nobody wants to wait so long for a relay."""

LIFETIME_WANTED = 600
"""Seconds. RFC 8656 3.2: the default."""

MIN_LIFETIME = 20.0
MAX_LIFETIME = 3600.0
"""Bounds of what is believed when a server tells a lifetime."""

MAX_ATTEMPTS = 4
"""How often one request is made because of 401 and 438 answers: a server with ever new nonces gets no loop."""

RETRY_AFTER = 5.0
"""Seconds after which a refresh that had no answer is tried again."""

MAX_RELAYED_ADDRESSES = 2
"""RFC 8656 7.3: one of each family."""

UDP = 17
"""REQUESTED-TRANSPORT (RFC 8656 18.7)."""

NO_ANSWER = 701
"""W3C RTCPeerConnectionIceErrorEvent: the server did not answer."""

TRY_ALTERNATE = 300
ALLOCATION_MISMATCH = 437


class Family(Enum):
    """Which relayed addresses are asked for."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    BOTH = "both"


class _Kind(Enum):
    ALLOCATE = Method.ALLOCATE
    REFRESH = Method.REFRESH
    PERMIT = Method.CREATE_PERMISSION
    BIND = Method.CHANNEL_BIND


@dataclass(frozen=True, slots=True)
class _Purpose:
    """What a request in flight is for."""

    kind: _Kind
    permission: Permission | None = None
    channel: Channel | None = None
    attempt: int = 1

    def again(self) -> _Purpose:
        return _Purpose(self.kind, self.permission, self.channel, self.attempt + 1)


@dataclass(slots=True)
class _Lease:
    """How long the allocation lives."""

    expires_at: float
    refresh_at: float


class Allocation:
    """One allocation: its state, its lease, and the requests in flight.

    `send` queues a message for the server; `deliver` is given what was held for a host when the server permits it.
    """

    def __init__(
        self,
        credentials: Credentials,
        peers: Peers,
        random_bytes: Callable[[int], bytes],
        send: Callable[[bytes], None],
        deliver: Callable[[Address, bytes], None],
        *,
        over_stream: bool,
    ) -> None:
        self._credentials = credentials
        self._peers = peers
        self._random_bytes = random_bytes
        self._send = send
        self._deliver = deliver
        self._requests: PendingRequests[_Purpose] = PendingRequests(STREAM_SCHEDULE if over_stream else UDP_SCHEDULE)
        self._lease: _Lease | None = None
        self.state = TurnState.NEW
        self.family = Family.IPV4
        self.events: list[TurnEvent] = []

    def begin(self, family: Family, now: float) -> None:
        """Ask for the allocation."""
        self.family = family
        self.state = TurnState.ALLOCATING
        self._ask(_Purpose(_Kind.ALLOCATE), now)

    def end(self, now: float) -> None:
        """Give the allocation back (RFC 8656 8)."""
        held = self.state is TurnState.ALLOCATED
        self._requests.clear()
        self._lease = None
        if held:
            self.state = TurnState.CLOSING
            self._ask(_Purpose(_Kind.REFRESH), now)
        elif self.state is not TurnState.FAILED:
            self.state = TurnState.CLOSED

    def refresh(self, now: float) -> None:
        """Renew the lease now; nothing happens where there is none."""
        if self._lease is not None:
            self._lease.refresh_at = now

    def ask_permission(self, permission: Permission, now: float) -> None:
        """Have a host permitted. Before there is an allocation nobody can be asked; it is made up for then."""
        if self.state is TurnState.ALLOCATED and not (permission.is_asked or permission.is_refused):
            permission.is_asked = True
            self._ask(_Purpose(_Kind.PERMIT, permission=permission), now)

    def ask_channel(self, channel: Channel, now: float) -> None:
        """Have a channel bound."""
        if self.state is TurnState.ALLOCATED and not (channel.is_asked or channel.is_refused):
            channel.is_asked = True
            self._ask(_Purpose(_Kind.BIND, channel=channel), now)

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` has something to do."""
        deadlines = [self._requests.next_timeout()]
        if self._lease is not None:
            deadlines += [self._lease.refresh_at, self._peers.next_timeout()]
        return earliest(deadlines)

    def handle_timeout(self, now: float) -> None:
        """Repeat, refresh and give up what is due."""
        again, failed = self._requests.due(now)
        for item in again:
            self._send(item.data)
        for item in failed:
            self._handle_error(item.context, ErrorCode(NO_ANSWER, "no answer"), now)
        if self._lease is None:
            return
        if now >= self._lease.expires_at:
            self.fail(NO_ANSWER, "the allocation could not be refreshed")
            return
        if now >= self._lease.refresh_at:
            self._lease.refresh_at = self._lease.expires_at
            self._ask(_Purpose(_Kind.REFRESH), now)
        for permission in self._peers.due_permissions(now):
            self.ask_permission(permission, now)
        for channel in self._peers.due_channels(now):
            self.ask_channel(channel, now)

    def receive_answer(self, message: Message, now: float) -> bool:
        """Take an answer of the server; False when it is none to a request in flight, or not signed.

        Errors count unsigned too: the server cannot sign a 401, and only who sees our requests knows their ids.
        """
        pending = self._requests.get(message.transaction_id)
        key = self._credentials.key
        is_success = message.message_class is MessageClass.SUCCESS
        if pending is None or message.unknown_attributes:
            return False
        if is_success and key is not None and not message.is_signed_with(key):
            return False
        self._requests.remove(message.transaction_id)
        purpose = pending.context
        if is_success:
            self._handle_success(purpose, message, now)
        elif purpose.attempt < MAX_ATTEMPTS and self._credentials.learn(message):
            self._ask(purpose.again(), now)
        else:
            error = message.get(ERROR_CODE) or ErrorCode(400, "an error without a code")
            self._handle_error(purpose, error, now, message)
        return True

    def fail(self, code: int, reason: str, message: Message | None = None) -> None:
        """The allocation is lost, or never came to be."""
        self.state = TurnState.FAILED
        self._lease = None
        self._requests.clear()
        alternate = domain = None
        if message is not None and code == TRY_ALTERNATE:
            alternate, domain = message.get(ALTERNATE_SERVER), message.get(ALTERNATE_DOMAIN)
        self.events.append(AllocationFailed(code, reason, alternate, domain))

    def _ask(self, purpose: _Purpose, now: float) -> None:
        message = request(purpose.kind.value, self._random_bytes)
        if purpose.kind is _Kind.ALLOCATE:
            self._fill_allocate(message)
        elif purpose.kind is _Kind.REFRESH:
            message.add(LIFETIME, 0 if self.state is TurnState.CLOSING else LIFETIME_WANTED)
        elif purpose.permission is not None:
            message.add(XOR_PEER_ADDRESS, (purpose.permission.host, 0))
        elif purpose.channel is not None:
            message.add(CHANNEL_NUMBER, purpose.channel.number).add(XOR_PEER_ADDRESS, purpose.channel.address)
        data = self._credentials.sign(message)
        self._requests.add(message.transaction_id, data, purpose, now)
        self._send(data)

    def _fill_allocate(self, message: Message) -> None:
        message.add(REQUESTED_TRANSPORT, UDP).add(LIFETIME, LIFETIME_WANTED)
        if self.family is Family.IPV6:
            message.add(REQUESTED_ADDRESS_FAMILY, FAMILY_IPV6)
        elif self.family is Family.BOTH:
            message.add(ADDITIONAL_ADDRESS_FAMILY, FAMILY_IPV6)

    def _handle_success(self, purpose: _Purpose, message: Message, now: float) -> None:
        if self.state is TurnState.CLOSING:
            self.state = TurnState.CLOSED
        elif purpose.kind is _Kind.ALLOCATE:
            self._handle_allocated(message, now)
        elif purpose.kind is _Kind.REFRESH:
            self._renew(message, now)
        elif purpose.permission is not None:
            self._handle_permitted(purpose.permission, now)
        elif purpose.channel is not None:
            channel = purpose.channel
            channel.is_asked = False
            channel.expires_at = now + CHANNEL_LIFETIME
            permission = self._peers.permissions.get(channel.address[0])
            if permission is not None:
                # RFC 8656 12.2: binding a channel renews the permission too.
                self._handle_permitted(permission, now)

    def _handle_allocated(self, message: Message, now: float) -> None:
        told = message.get_all(XOR_RELAYED_ADDRESS)[:MAX_RELAYED_ADDRESSES]
        relayed = [address for address in told if _is_unicast(address)]
        mapped = message.get(XOR_MAPPED_ADDRESS)
        if not relayed or mapped is None:
            self.fail(400, "an allocation without a usable address")
            return
        self.state = TurnState.ALLOCATED
        self._renew(message, now)
        self.events.append(Allocated(tuple(relayed), mapped))
        for permission in list(self._peers.permissions.values()):
            self.ask_permission(permission, now)

    def _renew(self, message: Message, now: float) -> None:
        told = message.get(LIFETIME)
        lifetime = min(max(LIFETIME_WANTED if told is None else told, MIN_LIFETIME), MAX_LIFETIME)
        self._lease = _Lease(now + lifetime, now + max(lifetime - 60.0, lifetime / 2))

    def _handle_permitted(self, permission: Permission, now: float) -> None:
        permission.is_asked = False
        permission.expires_at = now + PERMISSION_LIFETIME
        held, permission.held = permission.held, []
        for destination, payload in held:
            self._deliver(destination, payload)

    def _handle_error(self, purpose: _Purpose, error: ErrorCode, now: float, message: Message | None = None) -> None:
        if self.state is TurnState.CLOSING:
            self.state = TurnState.CLOSED
        elif purpose.kind is _Kind.ALLOCATE or error.code == ALLOCATION_MISMATCH:
            self.fail(error.code, error.reason, message)
        elif purpose.kind is _Kind.REFRESH:
            self._handle_refresh_error(error, now)
        elif purpose.permission is not None:
            self._handle_refused(purpose.permission, error)
        elif purpose.channel is not None:
            purpose.channel.is_asked = False
            purpose.channel.is_refused = error.code != NO_ANSWER

    def _handle_refresh_error(self, error: ErrorCode, now: float) -> None:
        if error.code != NO_ANSWER:
            self.fail(error.code, error.reason)
        elif self._lease is not None:
            self._lease.refresh_at = min(now + RETRY_AFTER, self._lease.expires_at)

    def _handle_refused(self, permission: Permission, error: ErrorCode) -> None:
        permission.is_asked = False
        permission.held.clear()
        if error.code != NO_ANSWER:
            permission.is_refused = True
            self.events.append(PeerRefused(permission.host, error.code, error.reason))


def _is_unicast(address: Address) -> bool:
    """Whether others can send to an address: servers that are badly set up tell 0.0.0.0."""
    host = ip_address(address[0])
    is_mapped = isinstance(host, IPv6Address) and host.ipv4_mapped is not None
    is_for_many = host.is_multicast or host.is_unspecified or host == IPv4Address("255.255.255.255")
    return address[1] > 0 and not (is_mapped or is_for_many)
