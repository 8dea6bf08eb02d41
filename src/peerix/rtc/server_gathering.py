"""Asks the STUN and TURN servers of a configuration: all at once, so that a dead one delays no other."""

from __future__ import annotations

import ssl
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from anyio import Event, fail_after, move_on_after, to_thread

from peerix.core.turn import AllocationFailed, Family
from peerix.rtc.interfaces import open_socket, source_address
from peerix.rtc.name_resolution import resolve_host
from peerix.rtc.relay import GIVE_BACK_TIMEOUT, Relay, RelayOffer
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


class ServerGathering:
    """The servers of one connection.

    :param on_progress: called when a server is done: has given a candidate, or failed.
    """

    __slots__ = ("_configuration", "_on_progress", "_pump", "_relays", "_session", "_tasks", "_under_way", "waiting")

    def __init__(
        self, session: Session, pump: Pump, configuration: Configuration, on_progress: Callable[[], None]
    ) -> None:
        self.waiting = 0
        self._session = session
        self._pump = pump
        self._configuration = configuration
        self._on_progress = on_progress
        self._relays: set[Relay] = set()
        self._under_way: dict[str, Event] = {}
        self._tasks: TaskGroup | None = None

    def wanted(self) -> list[tuple[IceUrl, IceServer]]:
        """The URLs that are to be asked and are not under way."""
        servers = self._configuration.parsed_servers()
        if self._configuration.ice_transport_policy == "relay":
            servers = [entry for entry in servers if entry[0].is_turn]
        return [entry for entry in servers if entry[0].text not in self._under_way]

    def start(self, tasks: TaskGroup) -> None:
        """Ask every server that is not under way."""
        self._tasks = tasks
        for url, server in self.wanted():
            self.waiting += 1
            self._under_way[url.text] = Event()
            tasks.start_soon(self._ask, url, server, name=f"ICE server {url.text}")

    def permit(self, now: float) -> None:
        """Have the relays let the remote candidates known so far through."""
        if self._relays:
            hosts = [candidate.host for candidate in self._session.transport.ice.remote_candidates]
            for relay in self._relays:
                relay.permit(hosts, now)

    async def aclose(self) -> None:
        """Give all allocations back; bounded."""
        for relay in self._relays:
            relay.stop()
        with move_on_after(2 * GIVE_BACK_TIMEOUT):
            for relay in list(self._relays):
                await relay.ended.wait()

    async def _ask(self, url: IceUrl, server: IceServer) -> None:
        done = self._under_way[url.text]
        is_known = False
        try:
            if url.transport == "dtls" or (url.transport != "udp" and not url.is_turn):
                self._report(url, AllocationFailed(UNREACHABLE, "this transport is not supported"))
            elif url.is_turn:
                await self._ask_turn(url, server)
            else:
                is_known = await self._ask_stun(url)
        finally:
            if not is_known:
                del self._under_way[url.text]
            self._finish(done)

    def _finish(self, done: Event) -> None:
        """A server has done what it can for gathering to be complete."""
        if not done.is_set():
            done.set()
            self.waiting -= 1
            self._on_progress()

    async def _ask_stun(self, url: IceUrl) -> bool:
        """Have the session ask a server; tell whether it has an address."""
        found = await resolve_host(url.host)
        if found:
            self._add_stun_server(url, found)
        else:
            self._report(url, AllocationFailed(UNREACHABLE, "the name has no address"))
        return bool(found)

    def _add_stun_server(self, url: IceUrl, hosts: list[str]) -> None:
        now = time.monotonic()
        for host in hosts:
            self._session.add_stun_server(host, url.port, now)
        self._pump.finish(now)

    def _is_stun_server_too(self, url: IceUrl) -> bool:
        """Where no STUN server is given, TURN servers do that too, as for browsers."""
        servers = self._configuration.parsed_servers()
        hides_hosts = self._configuration.ice_transport_policy == "relay"
        return url.transport == "udp" and not hides_hosts and all(other.is_turn for other, _ in servers)

    async def _ask_turn(self, url: IceUrl, server: IceServer) -> None:
        found = await resolve_host(url.host)
        if self._is_stun_server_too(url):
            self._add_stun_server(url, found)
        targets = deque(_Target(host, url.port, url.host) for host in found)
        failure: AllocationFailed | None = AllocationFailed(UNREACHABLE, "the name has no address")
        for _ in range(MAX_TRIES):
            if not targets:
                break
            target = targets.popleft()
            failure = await self._relay(url, server, target)
            if failure is None or self._under_way[url.text].is_set():
                break
            targets.extendleft(_after_failure(target, failure))
        if failure is not None:
            self._report(url, failure)

    async def _relay(self, url: IceUrl, server: IceServer, target: _Target) -> AllocationFailed | None:
        try:
            link = await self._connect(url, server, target)
        except (OSError, TimeoutError) as error:
            return AllocationFailed(UNREACHABLE, str(error) or "the server was not reached in time")
        relay = Relay(
            link,
            server.username or "",
            server.credential or "",
            RelayOffer(
                target.host,
                url.transport,
                _HIGHEST_PREFERENCE - 256 * _RANKS[url.transport],
                self._configuration.ice_transport_policy == "relay",
            ),
            self._session,
            self._pump,
            lambda families: self._handle_allocated(url, server, target, families),
        )
        self._relays.add(relay)
        try:
            return await relay.run(target.family)
        finally:
            self._relays.discard(relay)

    def _handle_allocated(self, url: IceUrl, server: IceServer, target: _Target, families: set[bool]) -> None:
        """Ask for an IPv6 address apart where the server did not understand that both were wanted."""
        if target.family is Family.BOTH and True not in families and self._tasks is not None:
            target = replace(target, family=Family.IPV6)
            self._tasks.start_soon(self._relay_ipv6, url, server, target, name=f"IPv6 relay {url.text}")
        else:
            self._finish(self._under_way[url.text])

    async def _relay_ipv6(self, url: IceUrl, server: IceServer, target: _Target) -> None:
        # A server without IPv6 says so; that is nothing to report when it has relayed IPv4.
        done = self._under_way[url.text]
        await self._relay(url, server, target)
        self._finish(done)

    async def _connect(self, url: IceUrl, server: IceServer, target: _Target) -> ServerLink:
        local = source_address((target.host, target.port), self._configuration)
        if local is None:
            message = "no address of this host reaches the server"
            raise OSError(message)
        if url.transport == "udp":
            return UdpLink(open_socket(local, self._configuration.port_range), (target.host, target.port))
        with fail_after(CONNECT_TIMEOUT):
            context = await to_thread.run_sync(_tls_context, server.tls) if url.transport == "tls" else None
            return await StreamLink.connect((target.host, target.port), local, context, target.name)

    def _report(self, url: IceUrl, failure: AllocationFailed) -> None:
        self._session.report_server_failure(url.text, failure.code, failure.reason)
        self._pump.finish(time.monotonic())


def _after_failure(target: _Target, failure: AllocationFailed) -> list[_Target]:
    """What to try next, best last."""
    if failure.code == TRY_ALTERNATE and failure.alternate and target.redirections < MAX_REDIRECTIONS:
        host, port = failure.alternate
        return [
            replace(
                target, host=host, port=port, name=failure.domain or target.name, redirections=target.redirections + 1
            )
        ]
    if failure.code == ALLOCATION_MISMATCH:
        return [target]  # another local port is not in use there
    if failure.code in _FAMILY_REFUSED and target.family is Family.BOTH:
        return [replace(target, family=Family.IPV4)]
    return []


def _tls_context(trust: ssl.SSLContext | str | object | None) -> ssl.SSLContext:
    if isinstance(trust, ssl.SSLContext):
        return trust
    return ssl.create_default_context(cafile=None if trust is None else str(trust))
