"""One UDP port for many connections: what arrives is told apart by the user name of checks, then by its source."""

from __future__ import annotations

from collections import OrderedDict, deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from anyio import AsyncContextManagerMixin, ClosedResourceError

from peerix.core.errors import LocalProtocolError
from peerix.core.ice import receiving_ufrag
from peerix.rtc.datagram_socket import DatagramSocket
from peerix.rtc.interfaces import can_bind, interface_addresses
from peerix.rtc.network_watch import shared_network_watch
from peerix.rtc.udp_port import UdpPort
from peerix.task_groups import owned_task_group

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Sequence
    from typing import Self

    from anyio.abc import TaskGroup

    from peerix.rtc.datagram_socket import Address, Received
    from peerix.rtc.pump import Pump

MAX_TRANSACTIONS = 4096
"""STUN requests of all connections on a socket whose answers are awaited; the oldest is forgotten first."""

MAX_ADDRESSES = 64
"""Sources of one connection; each has proved itself by a signed check. The oldest is forgotten first."""

MAX_UFRAGS = 4
"""ICE sessions of one connection whose checks are taken: a restart has two at a time."""

_STUN_LAST = 3
_STUN_HEADER = 20


class UdpMux(AsyncContextManagerMixin):
    """UDP sockets with one port number, on one or more addresses, that many connections share.

    They follow this host: an address that comes gets a socket, if the port is free there; the one of an address that
    went is closed.

    For servers behind a firewall with one open port: enter it, and give it to `Configuration(udp_mux=...)` of every
    connection; all of them live inside its block. Two connections between the same two muxes cannot be told apart once
    data flows: only one of the two sides may be a mux then.

    :param port: the port number; 0 takes a free one, which is the same on all addresses.
    :param addresses: the addresses to bind; those of all interfaces when absent.
    :raises OSError: (when entered) an address or the port cannot be bound.
    """

    def __init__(self, port: int = 0, addresses: Sequence[str] | None = None) -> None:
        self._wanted = addresses
        self._sockets: dict[str, MuxSocket] = {}
        self._tasks: TaskGroup | None = None
        self.port = port

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        if self._tasks is not None:
            message = "a UdpMux is entered once at a time"
            raise LocalProtocolError(message)
        async with owned_task_group() as tasks:
            self._tasks = tasks
            try:
                for host in self._addresses():
                    self._open(host, tasks)
                tasks.start_soon(self._watch_network, name="network watch of a shared port")
                yield self
            finally:
                for shared in self._sockets.values():
                    shared.close()
                self._sockets.clear()
                self._tasks = None
                tasks.cancel_scope.cancel("the shared port is closed")

    @property
    def hosts(self) -> list[str]:
        """The addresses that have a socket now."""
        return list(self._sockets)

    def _addresses(self) -> Sequence[str]:
        return interface_addresses() if self._wanted is None else self._wanted

    def _open(self, host: str, tasks: TaskGroup) -> None:
        sock = DatagramSocket(host, self.port)
        self.port = sock.address[1]
        shared = self._sockets[host] = MuxSocket(sock)
        shared.port.start(tasks)

    async def _watch_network(self) -> None:
        watch = shared_network_watch()
        while True:
            await watch.changed()
            self.follow_network()

    def follow_network(self) -> None:
        """Look which addresses this host has; connections that hear of a change before the mux does call it, too."""
        if self._tasks is None:
            return
        for host in self.hosts:
            if not can_bind(host):
                self._sockets.pop(host).close()
        for host in self._addresses():
            if host not in self._sockets:
                with suppress(OSError):  # it went away since it was listed, or another program has the port there
                    self._open(host, self._tasks)

    def attach(
        self, pump: Pump, is_known: Callable[[int, Address], bool], attached: Collection[str] = ()
    ) -> list[MuxPort]:
        """Give a connection its part of every socket.

        :param is_known: tells whether a signed check or answer came to the port from a source.
        :param attached: addresses of sockets that it has a part of already.
        :raises ClosedResourceError: the mux is not entered.
        """
        if self._tasks is None:
            raise ClosedResourceError
        return [
            MuxPort(pump.new_port_id(), shared, pump, is_known)
            for host, shared in self._sockets.items()
            if host not in attached
        ]


class MuxPort:
    """A connection's part of a shared socket: a port of its own for the session."""

    __slots__ = ("_is_known", "_pump", "_shared", "_ufrags", "_waits", "port_id", "sources")

    def __init__(self, port_id: int, shared: MuxSocket, pump: Pump, is_known: Callable[[int, Address], bool]) -> None:
        self.port_id = port_id
        self.sources: dict[Address, None] = {}
        self._shared = shared
        self._pump = pump
        self._is_known = is_known
        self._ufrags: deque[str] = deque()
        self._waits = False

    @property
    def socket(self) -> DatagramSocket:
        """The shared socket."""
        return self._shared.port.socket

    @property
    def closed(self) -> bool:
        """Whether the address of the socket is gone."""
        return self._shared.closed

    @property
    def blocked(self) -> bool:
        """Whether the system had no room for all that was sent."""
        return self._shared.port.blocked

    def take_ufrag(self, ufrag: str) -> None:
        """An ICE session begins: checks with this user name are for this connection."""
        if ufrag not in self._ufrags:
            self._ufrags.append(ufrag)
            self._shared.by_ufrag[ufrag] = self
            if len(self._ufrags) > MAX_UFRAGS:
                del self._shared.by_ufrag[self._ufrags.popleft()]

    def send(self, destination: Address, buffer: bytes, segment_size: int) -> None:
        """Send datagrams; a STUN request is remembered, so that its answer comes back here."""
        if self._shared.closed:
            return
        if buffer[0] <= _STUN_LAST and _is_request(buffer):
            self._shared.expect(buffer[8:20], self)
        port = self._shared.port
        port.send(destination, buffer, segment_size)
        self._waits = port.blocked

    def deliver(self, batch: list[Received], now: float) -> None:
        """Take what arrived for this connection, and note which sources have proved themselves."""
        self._pump.receive_datagrams(self.port_id, batch, now)
        for source, data, _ in batch:
            if data[0] <= _STUN_LAST and self._is_known(self.port_id, source):
                self._shared.own(source, self)

    def resume_sending(self) -> None:
        """The socket has room again."""
        if self._waits:
            self._waits = False
            self._pump.resume_sending()

    def close(self) -> None:
        """Leave the socket to the others."""
        self._shared.forget(self, self._ufrags)


class MuxSocket:
    """One socket of a mux, and who shares it.

    :ivar closed: its address is gone; those who share it have not noticed yet.
    """

    __slots__ = ("_by_source", "_by_transaction", "by_ufrag", "closed", "port")

    def __init__(self, sock: DatagramSocket) -> None:
        self.port = UdpPort(0, sock, self)
        self.by_ufrag: dict[str, MuxPort] = {}
        self._by_source: dict[Address, MuxPort] = {}
        self._by_transaction: OrderedDict[bytes, MuxPort] = OrderedDict()
        self.closed = False

    def close(self) -> None:
        """Nothing is sent or received any more."""
        self.closed = True
        self.port.close()

    def receive_datagrams(self, port: int, batch: list[Received], now: float) -> None:
        """Hand every connection its datagrams; what is for none is dropped."""
        del port
        batches: dict[MuxPort, list[Received]] = {}
        for received in batch:
            source, data, segment_size = received
            if data[0] > _STUN_LAST:
                if member := self._by_source.get(source):
                    batches.setdefault(member, []).append(received)
                continue
            step = segment_size or len(data)
            for at in range(0, len(data), step):
                datagram = data[at : at + step]
                if member := self._member_for(source, datagram):
                    batches.setdefault(member, []).append((source, datagram, 0))
        for member, items in batches.items():
            member.deliver(items, now)

    def resume_sending(self) -> None:
        """There is room again for those who had none."""
        for member in set(self.by_ufrag.values()):
            member.resume_sending()

    def expect(self, transaction_id: bytes, member: MuxPort) -> None:
        """The answer to a request is for `member`."""
        self._by_transaction[transaction_id] = member
        if len(self._by_transaction) > MAX_TRANSACTIONS:
            self._by_transaction.popitem(last=False)

    def own(self, source: Address, member: MuxPort) -> None:
        """What comes from a source is for `member`."""
        owner = self._by_source.get(source)
        if owner is member:
            return
        if owner is not None:
            del owner.sources[source]
        self._by_source[source] = member
        member.sources[source] = None
        if len(member.sources) > MAX_ADDRESSES:
            oldest = next(iter(member.sources))
            del member.sources[oldest], self._by_source[oldest]

    def forget(self, member: MuxPort, ufrags: Sequence[str]) -> None:
        """A connection is gone."""
        for ufrag in ufrags:
            self.by_ufrag.pop(ufrag, None)
        for source in member.sources:
            self._by_source.pop(source, None)
        member.sources.clear()
        for transaction_id in [key for key, owner in self._by_transaction.items() if owner is member]:
            del self._by_transaction[transaction_id]

    def _member_for(self, source: Address, datagram: bytes) -> MuxPort | None:
        if datagram[0] > _STUN_LAST or len(datagram) < _STUN_HEADER:
            return self._by_source.get(source)
        if not _is_request(datagram):
            return self._by_transaction.pop(datagram[8:20], None) or self._by_source.get(source)
        ufrag = receiving_ufrag(datagram)
        return None if ufrag is None else self.by_ufrag.get(ufrag)


def _is_request(datagram: bytes) -> bool:
    """Tell a STUN request by the two class bits of its type (RFC 8489 section 5)."""
    return len(datagram) >= _STUN_HEADER and not datagram[0] & 1 and not datagram[1] & 0x10
