"""Finds local candidates: opens sockets on this host's addresses, and has servers asked; resolves remote names."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from anyio import ClosedResourceError

from peerix.core.errors import IceCandidateError
from peerix.core.ice import local_preferences
from peerix.rtc.interfaces import can_bind, host_addresses, is_loopback, open_socket
from peerix.rtc.multicast_dns import shared_multicast_dns
from peerix.rtc.network_watch import shared_network_watch
from peerix.rtc.server_gathering import ServerGathering
from peerix.rtc.udp_mux import MuxPort
from peerix.rtc.udp_port import UdpPort

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from peerix.core.ice import Candidate
    from peerix.core.session import Session
    from peerix.rtc.configuration import Configuration
    from peerix.rtc.pump import Pump
    from peerix.rtc.udp_mux import UdpMux

MAX_RESOLUTIONS = 16
"""Name look-ups of one connection: the names come from the other side."""


class Gatherer:
    """Opens the ports of one connection and owns the tasks that ask servers and look up names.

    Host candidates are known at once; whatever has to be waited for comes later, and nobody waits for it.
    """

    __slots__ = ("_configuration", "_listening", "_pump", "_resolutions", "_servers", "_session", "_tasks", "_wanted")

    def __init__(self, session: Session, pump: Pump, configuration: Configuration) -> None:
        self._session = session
        self._pump = pump
        self._configuration = configuration
        self._servers = ServerGathering(session, pump, configuration, self._finish)
        self._resolutions = 0
        self._tasks: TaskGroup | None = None
        self._wanted = False
        self._listening = False

    @property
    def udp_ports(self) -> list[UdpPort | MuxPort]:
        """The sockets of this connection, and its parts of shared ones."""
        return [port for port in self._pump.ports if isinstance(port, UdpPort | MuxPort)]

    async def run(self, tasks: TaskGroup) -> None:
        """Work in `tasks` until cancelled."""
        self._tasks = tasks
        if self._wanted:
            self._start(tasks)
        await self._follow_network(tasks)

    async def _follow_network(self, tasks: TaskGroup) -> None:
        """Move with this host: ports on addresses that came, none on those that went, and a look at the path."""
        watch = shared_network_watch()
        while True:
            has_slept = await watch.changed()
            if not self._wanted or self._session.closed:
                continue
            now = time.monotonic()
            before = set(self.udp_ports)
            if self._configuration.udp_mux is not None:
                self._configuration.udp_mux.follow_network()
            self._close_lost_ports(now)
            with suppress(ClosedResourceError):  # the block of the shared port has ended
                self.open_ports()
            self._servers.follow_network(now, has_slept=has_slept)
            shared_multicast_dns().join()
            self._start(tasks)
            if has_slept or before != set(self.udp_ports):
                self._session.check_path(now)
            self._pump.finish(now)

    def _close_lost_ports(self, now: float) -> None:
        for port in self.udp_ports:
            # A shared port is its owner's; an address that is only not used any more, for another one, still works.
            if port.closed if isinstance(port, MuxPort) else not can_bind(port.socket.address[0]):
                self._pump.remove_port(port.port_id)
                self._session.remove_local_port(port.port_id, now)

    async def aclose(self) -> None:
        """Give the allocations on TURN servers back; bounded."""
        await self._servers.aclose()

    def gather(self) -> None:
        """Open a port on every address that has none yet, and ask the servers.

        Binding a socket does not wait, so all host candidates are known when this returns.
        """
        self.open_ports()
        self._wanted = True
        if self._tasks is not None:
            self._start(self._tasks)
        self._progress()

    def _start(self, tasks: TaskGroup) -> None:
        self._servers.start(tasks)
        if not self._listening and self._may_meet_names():
            self._listening = True
            tasks.start_soon(shared_multicast_dns().listen, name="multicast DNS listener")

    def _may_meet_names(self) -> bool:
        """Whether a `.local` candidate of the other side could be reached: a neighbour's, from this host's network."""
        hosts = [port.socket.address[0] for port in self.udp_ports]
        return self._configuration.multicast_dns and not all(map(is_loopback, hosts))

    def open_ports(self) -> None:
        """Open a port on every address that has none yet."""
        if self._configuration.ice_transport_policy == "relay":
            return
        if self._configuration.udp_mux is not None:
            self._share_ports(self._configuration.udp_mux)
            return
        hosts = host_addresses(self._configuration)
        bound = {port.socket.address[0] for port in self.udp_ports}
        for host, preference in zip(hosts, local_preferences(hosts), strict=True):
            if host not in bound:
                self._open(host, preference)

    def _open(self, host: str, preference: int) -> None:
        try:
            sock = open_socket(host, self._configuration.port_range)
        except OSError:
            return  # the address went away since it was listed, or all ports of the range are taken
        self._announce(self._pump.open_port(sock), preference)

    def _share_ports(self, mux: UdpMux) -> None:
        ice = self._session.transport.ice
        bound = {port.socket.address[0] for port in self.udp_ports}
        preferences = dict(zip(mux.hosts, local_preferences(mux.hosts), strict=True))
        for port in mux.attach(self._pump, ice.is_known, bound):
            self._pump.add_port(port)
            self._announce(port, preferences[port.socket.address[0]])
        for shared in self.udp_ports:
            if isinstance(shared, MuxPort):
                shared.take_ufrag(ice.local_parameters.ufrag)

    def _announce(self, port: UdpPort | MuxPort, preference: int) -> None:
        host, number = port.socket.address
        if not port.socket.can_find_mtu:
            self._session.forbid_path_mtu_discovery(port.port_id)
        public_host = self._configuration.public_addresses.get(host)
        now = time.monotonic()
        self._session.add_local_address(host, number, port.port_id, preference, now, public_host=public_host)

    def _progress(self) -> None:
        """Tell the session when there is nothing more to come from here."""
        now = time.monotonic()
        if not self._servers.waiting and (self._tasks is not None or not self._servers.wanted()):
            self._session.end_of_gathering(now)

    def _finish(self) -> None:
        self._progress()
        self._pump.finish(time.monotonic())

    def permit(self, now: float) -> None:
        """There are new remote candidates: relays let them through."""
        self._servers.permit(now)

    def resolve(self, candidate: Candidate) -> None:
        """Look up the name in a remote candidate, and hand the candidate back with the address."""
        if not self._listening:
            return
        if found := shared_multicast_dns().known(candidate.host):
            self._add(candidate, found)
        elif self._tasks is not None and self._resolutions < MAX_RESOLUTIONS:
            self._resolutions += 1
            self._tasks.start_soon(self._resolve, candidate, name=f"resolve {candidate.host}")

    async def _resolve(self, candidate: Candidate) -> None:
        self._add(candidate, await shared_multicast_dns().resolve(candidate.host))
        self.permit(time.monotonic())
        self._pump.finish(time.monotonic())

    def _add(self, candidate: Candidate, hosts: list[str]) -> None:
        for host in hosts:
            with suppress(IceCandidateError):
                self._session.add_resolved_candidate(candidate, host, time.monotonic())
