"""A TURN client: one allocation on one server (RFC 8656), over UDP or a stream.

It is sans-I/O: the caller owns the socket to the server, gives every datagram (or the stream's bytes) that comes from
there to `receive`, and sends `data_to_send(now)`. `wrap` turns a payload for a peer into what is sent to the server.

Payloads go as Send indications until their path carries more than connectivity checks; then it gets a channel, which
costs four bytes a packet. A host is permitted when the first payload for it comes, or ahead of it by `permit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.errors import LocalProtocolError, RemoteProtocolError
from peerix.core.stun import Message, MessageClass, Method, StunError, parse
from peerix.core.stun.attributes import DATA, XOR_PEER_ADDRESS
from peerix.core.turn.allocation import Allocation, Family
from peerix.core.turn.credentials import Credentials
from peerix.core.turn.events import TurnEvent, TurnState
from peerix.core.turn.framing import StreamFramer, channel_data, is_channel_data, read_channel_data
from peerix.core.turn.peers import Peers

if TYPE_CHECKING:
    from collections.abc import Callable

Address = tuple[str, int]

_LAST_STUN_BYTE = b"\x03"
"""RFC 7983: the first byte of STUN is 0 to 3."""


@dataclass(slots=True)
class TurnCounters:
    """Plain numbers of a client."""

    malformed: int = 0
    unmatched: int = 0
    """Answers to no request in flight, and success answers without a valid signature."""
    payloads_sent: int = 0
    payloads_received: int = 0
    payloads_refused: int = 0
    """Dropped: the server does not relay to that host, there are too many hosts, or there is no allocation."""


class TurnClient:
    """One allocation. `over_stream` tells whether the server is reached by TCP or TLS."""

    def __init__(
        self, *, username: str, password: str, random_bytes: Callable[[int], bytes], over_stream: bool = False
    ) -> None:
        self._random_bytes = random_bytes
        self._framer = StreamFramer() if over_stream else None
        self._peers = Peers()
        self._outbox: list[bytes] = []
        self._allocation = Allocation(
            Credentials(username, password),
            self._peers,
            random_bytes,
            self._outbox.append,
            self._deliver,
            over_stream=over_stream,
        )
        self.counters = TurnCounters()

    @property
    def state(self) -> TurnState:
        """Where the allocation is."""
        return self._allocation.state

    def allocate(self, now: float, *, family: Family = Family.IPV4) -> None:
        """Ask the server for relayed addresses.

        :raises LocalProtocolError: when that was done before.
        """
        if self.state is not TurnState.NEW:
            raise LocalProtocolError("an allocation is made once")
        self._allocation.begin(family, now)

    def close(self, now: float) -> None:
        """Give the allocation back. What `data_to_send` returns then should still be sent."""
        self._outbox.clear()
        self._allocation.end(now)

    def refresh(self, now: float) -> None:
        """Find out whether the server still knows us: our address may be another one, as it sees it."""
        self._allocation.refresh(now)

    def permit(self, host: str, now: float) -> None:
        """Have the server let packets from and to `host` through, before there is anything to send."""
        permission = self._peers.permission(host, now)
        if permission is not None:
            self._allocation.ask_permission(permission, now)

    def wrap(self, destination: Address, payload: bytes, now: float) -> bytes | None:
        """Return what is to be sent to the server to have `payload` sent to `destination`.

        None: nothing now. The payload waits for the server's permission and comes out of `data_to_send`, or it was
        dropped because the server refuses that host.
        """
        permission = self._peers.permission(destination[0], now)
        if permission is None or permission.is_refused or self.state is not TurnState.ALLOCATED:
            self.counters.payloads_refused += 1
            return None
        self.counters.payloads_sent += 1
        channel = self._peers.channel(destination)
        if channel is not None and channel.expires_at > now:
            return channel_data(channel.number, payload, padded=self._framer is not None)
        if permission.expires_at <= now:
            permission.hold(destination, payload)
            self._allocation.ask_permission(permission, now)
            return None
        if payload[:1] > _LAST_STUN_BYTE:
            channel = channel or self._peers.new_channel(destination)
            if channel is not None:
                self._allocation.ask_channel(channel, now)
        return self._indication(destination, payload)

    def wrap_batch(self, destination: Address, payloads: bytes, segment_size: int, now: float) -> tuple[bytes, int]:
        """Wrap equal-sized payloads that lie one behind the other; the last may be shorter.

        The answer has the same form: the messages one behind the other, and the size of each but the last.
        """
        step = segment_size or len(payloads) or 1
        pieces = [self.wrap(destination, payloads[at : at + step], now) for at in range(0, len(payloads), step)]
        wrapped = [piece for piece in pieces if piece is not None]
        return b"".join(wrapped), len(wrapped[0]) if wrapped else 0

    def receive(self, data: bytes, now: float) -> list[tuple[Address, bytes]]:
        """Take a datagram from the server, or bytes of its stream; return the relayed (source, payload) in it."""
        try:
            messages = [data] if self._framer is None else self._framer.receive(data)
        except RemoteProtocolError as error:
            self._allocation.fail(400, str(error))
            return []
        relayed = [item for message in messages if (item := self._receive_message(message, now)) is not None]
        self.counters.payloads_received += len(relayed)
        return relayed

    def data_to_send(self, now: float) -> list[bytes]:
        """Do what is due and return the messages to send to the server."""
        self._allocation.handle_timeout(now)
        outbox = self._outbox.copy()
        self._outbox.clear()
        return outbox

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` has something to do."""
        return self._allocation.next_timeout()

    def handle_timeout(self, now: float) -> None:
        """Repeat, refresh and give up what is due."""
        self._allocation.handle_timeout(now)

    def poll_events(self) -> list[TurnEvent]:
        """Return what happened since the last call."""
        events, self._allocation.events = self._allocation.events, []
        return events

    def _deliver(self, destination: Address, payload: bytes) -> None:
        self._outbox.append(self._indication(destination, payload))

    def _indication(self, destination: Address, payload: bytes) -> bytes:
        message = Message(Method.SEND, MessageClass.INDICATION, self._random_bytes(12))
        return message.add(XOR_PEER_ADDRESS, destination).add(DATA, payload).to_bytes(fingerprint=False)

    def _receive_message(self, data: bytes, now: float) -> tuple[Address, bytes] | None:
        if is_channel_data(data):
            return self._receive_channel_data(data)
        try:
            message = parse(data)
        except StunError:
            self.counters.malformed += 1
            return None
        if message.message_class is MessageClass.INDICATION:
            source, payload = message.get(XOR_PEER_ADDRESS), message.get(DATA)
            if message.method == Method.DATA and source is not None and payload is not None:
                return source, payload
            self.counters.malformed += 1
        elif message.message_class is MessageClass.REQUEST or not self._allocation.receive_answer(message, now):
            self.counters.unmatched += 1
        return None

    def _receive_channel_data(self, data: bytes) -> tuple[Address, bytes] | None:
        read = read_channel_data(data)
        address = None if read is None else self._peers.address_of(read[0])
        if read is None or address is None:
            self.counters.malformed += 1
            return None
        return address, read[1]
