"""Asks the STUN and TURN servers of a configuration: all at once, so that a dead one delays no other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from anyio import Event, move_on_after, sleep

from peerix.core.turn import AllocationFailed
from peerix.rtc.name_resolution import resolve_host
from peerix.rtc.relay import GIVE_BACK_TIMEOUT, Relay
from peerix.rtc.relay_search import UNREACHABLE, RelaySearch

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from peerix.core.session import Session
    from peerix.rtc.configuration import Configuration, IceServer
    from peerix.rtc.ice_url import IceUrl
    from peerix.rtc.pump import Pump

RETRY_AFTER = 0.25
MAX_RETRY_AFTER = 60.0
"""Seconds after which a server is asked anew when an allocation that worked was lost, by a restart of the server or by
a change of this host's network; twice as long each time, up to the second number."""


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

    def follow_network(self, now: float, *, has_slept: bool) -> None:
        """This host's addresses have changed, or it slept: relays end that cannot go on."""
        for relay in list(self._relays):
            relay.follow_network(now, has_slept=has_slept)

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
                await self._keep_relay(url, server)
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
            self._session.add_stun_server(host, url.port, now, url=url.text)
        self._pump.finish(now)

    def _is_stun_server_too(self, url: IceUrl) -> bool:
        """Where no STUN server is given, TURN servers do that too, as for browsers."""
        servers = self._configuration.parsed_servers()
        hides_hosts = self._configuration.ice_transport_policy == "relay"
        return url.transport == "udp" and not hides_hosts and all(other.is_turn for other, _ in servers)

    async def _keep_relay(self, url: IceUrl, server: IceServer) -> None:
        """Have a server relay, and again whenever that is lost, until it refuses."""
        done = self._under_way[url.text]
        pause = RETRY_AFTER
        while True:
            found = await resolve_host(url.host)
            if self._is_stun_server_too(url):
                self._add_stun_server(url, found)
            search = RelaySearch(
                (url, server),
                self._configuration,
                self._session,
                self._pump,
                self._relays,
                lambda: self._finish(done),
            )
            failure = await search.run(found) if found else AllocationFailed(UNREACHABLE, "the name has no address")
            if failure is not None:
                self._report(url, failure)
            if failure is None or not search.has_worked:
                return
            await sleep(pause)
            pause = min(2 * pause, MAX_RETRY_AFTER)

    def _report(self, url: IceUrl, failure: AllocationFailed) -> None:
        self._session.report_server_failure(url.text, failure.code, failure.reason)
        self._pump.finish(time.monotonic())
