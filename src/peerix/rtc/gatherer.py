"""Finds local candidates: opens sockets on this host's addresses, and resolves the names in remote candidates."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from anyio import move_on_after, to_thread

from peerix.core.errors import IceCandidateError
from peerix.rtc.datagram_socket import DatagramSocket
from peerix.rtc.interfaces import host_addresses

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from peerix.core.ice import Candidate
    from peerix.core.session import Session
    from peerix.rtc.configuration import Configuration
    from peerix.rtc.pump import Pump

RESOLVE_TIMEOUT = 3.0
"""Seconds after which a name look-up is abandoned: the only thread that may outlive its connection."""

MAX_RESOLUTIONS = 16
"""Name look-ups of one connection: the names come from the other side."""

_HIGHEST_PREFERENCE = 65_535


class Gatherer:
    """Opens the ports of one connection. `owner` is the task group in which names are looked up."""

    __slots__ = ("_configuration", "_pump", "_resolutions", "_session", "owner")

    def __init__(self, session: Session, pump: Pump, configuration: Configuration) -> None:
        self.owner: TaskGroup | None = None
        self._session = session
        self._pump = pump
        self._configuration = configuration
        self._resolutions = 0

    def gather(self) -> None:
        """Open a port on every address that has none yet, and announce it as a host candidate.

        Binding a socket does not wait, so all candidates are known when this returns.
        """
        now = time.monotonic()
        bound = {port.socket.address[0] for port in self._pump.ports}
        addresses = self._configuration.addresses
        if self._configuration.ice_transport_policy == "relay":
            addresses = ()
        for host in host_addresses() if addresses is None else addresses:
            if host not in bound:
                self._open(host)
        self._session.end_of_gathering(now)

    def _open(self, host: str) -> None:
        try:
            sock = DatagramSocket(host)
        except OSError:
            return  # the address went away since it was listed
        port = self._pump.open_port(sock)
        preference = _HIGHEST_PREFERENCE - port.port_id
        self._session.add_local_address(host, sock.address[1], port.port_id, preference, time.monotonic())
        if not sock.can_find_mtu:
            self._session.forbid_path_mtu_discovery(port.port_id)

    def resolve(self, candidate: Candidate) -> None:
        """Look up the name in a remote candidate, and hand the candidate back with the address."""
        if self.owner is not None and self._resolutions < MAX_RESOLUTIONS:
            self._resolutions += 1
            self.owner.start_soon(self._resolve, candidate, name=f"resolve {candidate.host}")

    async def _resolve(self, candidate: Candidate) -> None:
        found: list[str] = []
        with move_on_after(RESOLVE_TIMEOUT):
            found = await to_thread.run_sync(_look_up, candidate.host, abandon_on_cancel=True)
        now = time.monotonic()
        for host in found:
            try:
                self._session.add_resolved_candidate(candidate, host, now)
            except IceCandidateError:
                continue
        self._pump.finish(now)


def _look_up(name: str) -> list[str]:
    try:
        entries = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))
