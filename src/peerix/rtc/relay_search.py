"""Has one URL's server relay: over whichever of its addresses answers first, and wherever it sends us."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from anyio import CancelScope, Event, create_task_group, fail_after, move_on_after, to_thread

from peerix.core.turn import AllocationFailed, Family
from peerix.rtc.interfaces import open_socket, source_address
from peerix.rtc.relay import Relay, RelayOffer
from peerix.rtc.server_links import ServerLink, StreamLink, UdpLink

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from peerix.core.session import Session
    from peerix.rtc.configuration import Configuration, IceServer
    from peerix.rtc.ice_url import IceUrl
    from peerix.rtc.pump import Pump

CONNECT_TIMEOUT = 5.0
"""Seconds for the TCP and TLS handshakes with a server."""

ATTEMPT_DELAY = 0.25
"""Seconds after which the next address of a server is tried beside the one before (RFC 8305 section 5)."""

MAX_TRIES = 6
"""Allocations that are tried for one URL: its addresses, and where it sends us."""

MAX_REDIRECTIONS = 2
"""How often 300 (Try Alternate) is followed: servers may send us round in circles."""

UNREACHABLE = 701
TRY_ALTERNATE = 300
ALLOCATION_MISMATCH = 437
_FAMILY_REFUSED = (400, 420, 440, 442)
"""What servers answer that know one address family only: RFC 8656 section 19 has 440; older ones dislike the
attribute."""

_RANKS = {"udp": 0, "tcp": 1, "tls": 2, "dtls": 3}
_HIGHEST_PREFERENCE = 65_535


@dataclass(slots=True, frozen=True)
class _Target:
    """Where an allocation is tried; `name` is what the certificate has to be for."""

    host: str
    port: int
    name: str
    family: Family = Family.BOTH
    redirections: int = 0


class RelaySearch:
    """The attempts at one URL.

    :param relays: gets every relay while it lives.
    :param on_settled: called when the server has given what it gives for now; perhaps more than once.
    :ivar has_worked: the server relayed.
    """

    __slots__ = (
        "_configuration",
        "_failure",
        "_on_settled",
        "_own",
        "_pump",
        "_relays",
        "_seeking",
        "_session",
        "_tries_left",
        "_turn",
        "_url",
        "has_worked",
    )

    def __init__(
        self,
        url: tuple[IceUrl, IceServer],
        configuration: Configuration,
        session: Session,
        pump: Pump,
        relays: set[Relay],
        on_settled: Callable[[], None],
    ) -> None:
        self.has_worked = False
        self._url = url
        self._configuration = configuration
        self._session = session
        self._pump = pump
        self._relays = relays
        self._on_settled = on_settled
        self._own: set[Relay] = set()
        self._seeking: set[CancelScope] = set()
        self._failure: AllocationFailed | None = None
        self._tries_left = MAX_TRIES
        self._turn = Event()

    async def run(self, hosts: list[str]) -> AllocationFailed | None:
        """Try the addresses of the server until one relays; return when that is over, with the reason."""
        url, _ = self._url
        async with create_task_group() as tasks:
            for host in hosts:
                self._turn = Event()
                tasks.start_soon(self._try, _Target(host, url.port, url.host), tasks, name=f"TURN server {host}")
                with move_on_after(ATTEMPT_DELAY):
                    await self._turn.wait()
                if self.has_worked:
                    break
        return self._failure

    async def _try(self, target: _Target, tasks: TaskGroup) -> None:
        targets = [target]
        with CancelScope() as scope:
            self._seeking.add(scope)
            while targets and self._tries_left and scope in self._seeking:
                self._tries_left -= 1
                target = targets.pop()
                failure = await self._relay(target, scope, tasks)
                if failure is None:
                    break
                if self._failure is None or failure.code != UNREACHABLE:
                    self._failure = failure
                targets += _after_failure(target, failure)
        if scope not in self._seeking:
            for relay in self._own:  # an IPv6 relay of the same server
                relay.stop()
        self._seeking.discard(scope)
        self._turn.set()

    async def _relay(self, target: _Target, scope: CancelScope | None, tasks: TaskGroup) -> AllocationFailed | None:
        try:
            link = await self._connect(target)
        except (OSError, TimeoutError) as error:
            return AllocationFailed(UNREACHABLE, str(error) or "the server was not reached in time")
        url, server = self._url
        relay = Relay(
            link,
            server.username or "",
            server.credential or "",
            RelayOffer(
                target.host,
                url.text,
                url.transport,
                _HIGHEST_PREFERENCE - 256 * _RANKS[url.transport],
                self._configuration.ice_transport_policy == "relay",
            ),
            self._session,
            self._pump,
            lambda families: self._handle_allocated(target, scope, families, tasks),
        )
        self._relays.add(relay)
        self._own.add(relay)
        try:
            return await relay.run(target.family)
        finally:
            self._relays.discard(relay)
            self._own.discard(relay)

    def _handle_allocated(
        self, target: _Target, scope: CancelScope | None, families: set[bool], tasks: TaskGroup
    ) -> None:
        self.has_worked = True
        self._failure = None
        if scope is not None:
            self._seeking.discard(scope)
        for other in self._seeking:
            other.cancel("another address of the server relays")
        self._turn.set()
        if target.family is Family.BOTH and True not in families:
            # The server did not understand that both were wanted: the IPv6 address is asked for apart.
            tasks.start_soon(self._relay_ipv6, replace(target, family=Family.IPV6), tasks, name="IPv6 relay")
        else:
            self._on_settled()

    async def _relay_ipv6(self, target: _Target, tasks: TaskGroup) -> None:
        # A server without IPv6 says so; that is nothing to report when it has relayed IPv4.
        await self._relay(target, None, tasks)
        self._on_settled()

    async def _connect(self, target: _Target) -> ServerLink:
        url, server = self._url
        local = source_address((target.host, target.port), self._configuration)
        if local is None:
            message = "no address of this host reaches the server"
            raise OSError(message)
        if url.transport == "udp":
            return UdpLink(open_socket(local, self._configuration.port_range), (target.host, target.port))
        with fail_after(CONNECT_TIMEOUT):
            context = await to_thread.run_sync(_tls_context, server.tls) if url.transport == "tls" else None
            return await StreamLink.connect((target.host, target.port), local, context, target.name)


def _after_failure(target: _Target, failure: AllocationFailed) -> list[_Target]:
    """What to try next."""
    if failure.code == TRY_ALTERNATE and failure.alternate and target.redirections < MAX_REDIRECTIONS:
        host, port = failure.alternate
        name = failure.domain or target.name
        return [replace(target, host=host, port=port, name=name, redirections=target.redirections + 1)]
    if failure.code == ALLOCATION_MISMATCH:
        return [target]  # another local port is not in use there
    if failure.code in _FAMILY_REFUSED and target.family is Family.BOTH:
        return [replace(target, family=Family.IPV4)]
    return []


def _tls_context(trust: ssl.SSLContext | str | object | None) -> ssl.SSLContext:
    if isinstance(trust, ssl.SSLContext):
        return trust
    return ssl.create_default_context(cafile=None if trust is None else str(trust))
