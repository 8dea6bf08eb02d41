"""One allocation on one TURN server, and the ports that send through it."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyio import CancelScope, Event, create_task_group, current_time, move_on_after

from peerix.core.turn import Allocated, AllocationFailed, Family, TurnClient, TurnState
from peerix.rtc.interfaces import can_bind
from peerix.rtc.pump import MIN_DELAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.session import Session
    from peerix.rtc.datagram_socket import Address, Received
    from peerix.rtc.ice_url import Transport
    from peerix.rtc.pump import Pump
    from peerix.rtc.server_links import ServerLink

GIVE_BACK_TIMEOUT = 0.3
"""Seconds that the end of a connection waits for the server to confirm that the allocation is deleted."""


@dataclass(slots=True, frozen=True)
class RelayOffer:
    """How the candidates of a relay are signalled.

    :ivar server: the server's address; with `transport` it makes the foundation.
    :ivar url: as it was configured, for the statistics.
    :ivar hides_host: the address that the server sees of us is kept out of the candidate.
    """

    server: str
    url: str
    transport: Transport
    preference: int
    hides_host: bool


class RelayPort:
    """One relayed address: a port of its own for the session."""

    __slots__ = ("_relay", "port_id")

    def __init__(self, port_id: int, relay: Relay) -> None:
        self.port_id = port_id
        self._relay = relay

    @property
    def blocked(self) -> bool:
        """Whether the way to the server had no room for all that was sent."""
        return self._relay.link.blocked

    def send(self, destination: Address, buffer: bytes, segment_size: int) -> None:
        """Have the server send datagrams."""
        self._relay.send(destination, buffer, segment_size)

    def close(self) -> None:
        """The relay ends with its task."""


class Relay:
    """An allocation with its link to the server. `run` is its one task; the link has its own readers.

    :param on_allocated: called once, when the server relays for us, with the families: whether each is IPv6.
    """

    __slots__ = (
        "_armed",
        "_client",
        "_failure",
        "_offer",
        "_on_allocated",
        "_ports",
        "_pump",
        "_session",
        "_stopping",
        "_wake",
        "ended",
        "link",
    )

    def __init__(
        self,
        link: ServerLink,
        username: str,
        password: str,
        offer: RelayOffer,
        session: Session,
        pump: Pump,
        on_allocated: Callable[[set[bool]], None],
    ) -> None:
        self.link = link
        self._client = TurnClient(
            username=username,
            password=password,
            random_bytes=secrets.token_bytes,
            over_stream=offer.transport != "udp",
        )
        self._offer = offer
        self._session = session
        self._pump = pump
        self._on_allocated = on_allocated
        self._ports: dict[bool, RelayPort] = {}
        self._failure: AllocationFailed | None = None
        self._stopping = False
        self._wake = Event()
        self._armed = 0.0
        self.ended = Event()

    async def run(self, family: Family) -> AllocationFailed | None:
        """Allocate, and keep the allocation until it is lost or `stop` is called; tell why it was lost."""
        async with create_task_group() as tasks:
            try:
                self.link.start(tasks, self)
                self._client.allocate(time.monotonic(), family=family)
                self._after(time.monotonic())
                while self._failure is None and not self._stopping:
                    await self._sleep()
                    self._client.handle_timeout(time.monotonic())
                    self._after(time.monotonic())
                if self._failure is None:
                    await self._give_back()
            finally:
                self._forget_ports()
                tasks.cancel_scope.cancel("the relay has ended")
                with CancelScope(shield=True):
                    await self.link.aclose()
                self.ended.set()
        return self._failure

    def stop(self) -> None:
        """Give the allocation back; `run` returns when the server has confirmed it, or soon without that."""
        self._stopping = True
        self._wake.set()

    def follow_network(self, now: float, *, has_slept: bool) -> None:
        """This host's addresses have changed, or it slept: see whether the server is reached, and still knows us."""
        if not can_bind(self.link.local_host):
            self._fail(AllocationFailed(701, "the address from which the server was reached is gone"))
        elif has_slept:
            self._client.refresh(now)
            self._after(now)

    def permit(self, hosts: list[str], now: float) -> None:
        """Have the server let packets of these hosts through, before there is anything to send to them."""
        for host in hosts:
            if (":" in host) in self._ports:
                self._client.permit(host, now)
        self._after(now)

    def send(self, destination: Address, buffer: bytes, segment_size: int) -> None:
        """Have the server send datagrams of `segment_size` bytes each (0: it is one; FRAGMENTABLE)."""
        now = time.monotonic()
        wrapped, size = self._client.wrap_batch(destination, buffer, max(segment_size, 0), now)
        if wrapped:
            self.link.send(wrapped, size if size < len(wrapped) else min(segment_size, 0))
        self._after(now)

    # -- what the link tells

    def receive_from_server(self, messages: list[bytes], now: float) -> None:
        """Take what the server sent."""
        receive = self._client.receive
        batches: dict[bool, list[Received]] = {}
        for message in messages:
            for source, payload in receive(message, now):
                if payload:
                    batches.setdefault(":" in source[0], []).append((source, payload, 0))
        self._after(now)
        for is_ipv6, batch in batches.items():
            port = self._ports.get(is_ipv6)
            if port is not None:
                self._pump.receive_datagrams(port.port_id, batch, now)

    def resume_sending(self) -> None:
        """The link has room again."""
        self._pump.resume_sending()

    def handle_link_lost(self) -> None:
        """The stream to the server has ended, and the allocation with it (RFC 8656 section 3.1)."""
        self._fail(AllocationFailed(701, "the connection to the server was lost"))

    # -- the clock

    async def _sleep(self) -> None:
        deadline = self._client.next_timeout()
        self._armed = float("inf") if deadline is None else deadline
        delay = max(self._armed - time.monotonic(), MIN_DELAY)
        with CancelScope(deadline=current_time() + delay):
            await self._wake.wait()
        self._wake = Event()

    def _after(self, now: float) -> None:
        """After every call of the client: send what it wants to send, hear its news, see to the clock."""
        for message in self._client.data_to_send(now):
            self.link.send(message, 0)
        for event in self._client.poll_events():
            if isinstance(event, Allocated):
                self._announce(event, now)
            elif isinstance(event, AllocationFailed):
                self._fail(event)
        deadline = self._client.next_timeout()
        if deadline is not None and deadline < self._armed:
            self._armed = deadline
            self._wake.set()

    def _fail(self, failure: AllocationFailed) -> None:
        self._failure = self._failure or failure
        self._wake.set()

    async def _give_back(self) -> None:
        self._client.close(time.monotonic())
        self._after(time.monotonic())
        with move_on_after(GIVE_BACK_TIMEOUT):
            while self._client.state is TurnState.CLOSING:
                await self._sleep()
                self._after(time.monotonic())

    # -- the session

    def _announce(self, event: Allocated, now: float) -> None:
        for relayed in event.relayed:
            port = RelayPort(self._pump.new_port_id(), self)
            self._ports[":" in relayed[0]] = port
            self._pump.add_port(port)
            self._session.add_relayed_address(
                relayed,
                None if self._offer.hides_host else event.mapped,
                port.port_id,
                self._offer.preference,
                now,
                server=self._offer.server,
                transport=self._offer.transport,
                url=self._offer.url,
            )
        self.permit([candidate.host for candidate in self._session.transport.ice.remote_candidates], now)
        self._on_allocated(set(self._ports))
        self._pump.finish(now)

    def _forget_ports(self) -> None:
        now = time.monotonic()
        for port in self._ports.values():
            self._pump.remove_port(port.port_id)
            self._session.remove_local_port(port.port_id, now)
        if self._ports:
            self._ports.clear()
            self._pump.finish(now)
