"""A TURN server in virtual time, for one client: enough of RFC 8656 to check what the client does."""

from __future__ import annotations

import random

from peerix.core.stun import Message, MessageClass, Method, parse, response_to
from peerix.core.stun.attributes import (
    CHANNEL_NUMBER,
    DATA,
    ERROR_CODE,
    LIFETIME,
    NONCE,
    REALM,
    USERNAME,
    XOR_MAPPED_ADDRESS,
    XOR_PEER_ADDRESS,
    XOR_RELAYED_ADDRESS,
    ErrorCode,
)
from peerix.core.stun.credentials import long_term_key
from peerix.core.turn import TurnClient, TurnEvent, TurnState
from peerix.core.turn.framing import channel_data, is_channel_data, read_channel_data

Address = tuple[str, int]

RELAYED = ("203.0.113.1", 40000)
MAPPED = ("198.51.100.1", 5000)
PEER = ("192.0.2.9", 9000)
KEY = long_term_key("user", "example.org", "pass")


class Server:
    """Answers a client and notes what it asked for and relayed.

    :ivar addresses: what it relays from, and what it sees of the client.
    """

    def __init__(self, relayed: Address = RELAYED, mapped: Address = MAPPED) -> None:
        self.addresses = relayed, mapped
        self.nonce = b"nonce-1"
        self.realm = "example.org"
        self.lifetime = 600
        self.is_allocated = False
        self.is_dead = False
        self.is_fickle = False
        """Every challenge is void as soon as it is told."""
        self.permissions: set[str] = set()
        self.channels: dict[int, Address] = {}
        self.refuse: dict[int, ErrorCode] = {}
        self.asked: list[tuple[float, str, int]] = []
        self.relayed: list[tuple[Address, bytes]] = []

    def receive(self, data: bytes, now: float) -> list[bytes]:
        if self.is_dead:
            self.asked.append((now, "lost", 0))
            return []
        if is_channel_data(data):
            read = read_channel_data(data)
            assert read is not None
            self.relayed.append((self.channels[read[0]], read[1]))
            return []
        message = parse(data)
        if message.message_class is MessageClass.INDICATION:
            peer, payload = message.get(XOR_PEER_ADDRESS), message.get(DATA)
            assert peer is not None
            assert payload is not None
            assert message.method == Method.SEND
            if peer[0] in self.permissions:
                self.relayed.append((peer, payload))
            return []
        return [self.answer(message, now)]

    def answer(self, message: Message, now: float) -> bytes:
        lifetime = message.get(LIFETIME)
        self.asked.append((now, Method(message.method).name, -1 if lifetime is None else lifetime))
        if message.get(USERNAME) != "user" or not message.is_signed_with(KEY) or message.get(NONCE) != self.nonce:
            stale = message.is_signed_with(KEY)
            return self.challenge(message, 438 if stale else 401)
        if message.method in self.refuse:
            error = response_to(message, error=True).add(ERROR_CODE, self.refuse[message.method])
            return error.to_bytes(key=KEY)
        answer = response_to(message)
        peer = message.get(XOR_PEER_ADDRESS)
        if message.method == Method.ALLOCATE:
            self.is_allocated = True
            answer.add(XOR_RELAYED_ADDRESS, self.addresses[0]).add(XOR_MAPPED_ADDRESS, self.addresses[1])
            answer.add(LIFETIME, self.lifetime)
        elif message.method == Method.REFRESH:
            self.is_allocated = lifetime != 0
            answer.add(LIFETIME, self.lifetime if lifetime else 0)
        elif peer is not None:
            self.permissions.add(peer[0])
            number = message.get(CHANNEL_NUMBER)
            if number is not None:
                self.channels[number] = peer
        return answer.to_bytes(key=KEY)

    def challenge(self, message: Message, code: int) -> bytes:
        answer = response_to(message, error=True).add(ERROR_CODE, ErrorCode(code, "challenge"))
        data = answer.add(REALM, self.realm).add(NONCE, self.nonce).to_bytes()
        if self.is_fickle:
            self.nonce += b"!"
        return data

    def relay_in(self, source: Address, payload: bytes) -> bytes:
        """What the server sends when a peer's packet comes."""
        for number, address in self.channels.items():
            if address == source:
                return channel_data(number, payload, padded=False)
        message = Message(Method.DATA, MessageClass.INDICATION, bytes(12))
        return message.add(XOR_PEER_ADDRESS, source).add(DATA, payload).to_bytes()


class World:
    """A client and its server, 10 ms apart."""

    def __init__(self, *, over_stream: bool = False) -> None:
        self.server = Server()
        self.client = TurnClient(
            username="user", password="pass", random_bytes=random.Random(1).randbytes, over_stream=over_stream
        )
        self.now = 100.0
        self.events: list[TurnEvent] = []
        self.received: list[tuple[Address, bytes]] = []
        self._answers: list[tuple[float, bytes]] = []

    def flush(self) -> None:
        for data in self.client.data_to_send(self.now):
            self._answers += [(self.now + 0.01, answer) for answer in self.server.receive(data, self.now)]
        self.events += self.client.poll_events()

    def run(self, seconds: float = 1.0) -> None:
        end = self.now + seconds
        steps = 0
        while self.now < end:
            steps += 1
            assert steps < 20000, "the client spins"
            self.flush()
            timeout = self.client.next_timeout()
            times = [end, *(at for at, _ in self._answers)] + ([] if timeout is None else [timeout])
            self.now = max(self.now, min(times))
            due = [data for at, data in self._answers if at <= self.now]
            self._answers = [item for item in self._answers if item[0] > self.now]
            for data in due:
                self.received += self.client.receive(data, self.now)
            self.client.handle_timeout(self.now)
        self.flush()

    def allocate(self) -> None:
        self.client.allocate(self.now)
        self.run()
        self.server.asked.clear()

    def send(self, payload: bytes, destination: Address = PEER) -> bytes | None:
        data = self.client.wrap(destination, payload, self.now)
        if data is not None:
            self.server.receive(data, self.now)
        return data

    def state(self) -> TurnState:
        return self.client.state

    def names(self) -> list[str]:
        return [name for _, name, _ in self.server.asked]
