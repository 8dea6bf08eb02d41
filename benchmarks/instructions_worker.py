"""Fixed work to count the instructions of: ``python -m benchmarks.instructions_worker WORKLOAD ...``.

Each workload does the same each time: seeded randomness, virtual time, no sockets, no event loop. It runs in a child of
its own of one process that has imported everything, so that the instructions of a child above those of the child that
does nothing are those of its work. Prints the process id of each, as JSON.
"""

from __future__ import annotations

import datetime as dt
import gc
import json
import os
import random
import struct
import sys
from typing import TYPE_CHECKING, TypeAlias

from peerix.core.datachannel import ChannelMessage, ChannelMessages, ChannelReceived
from peerix.core.dtls import Certificate, OpenSslDtls
from peerix.core.sctp import Association, MessageReceived, MessagesReceived, SctpConfig
from peerix.core.session import ConnectionState, GatheringNeeded, Session
from peerix.core.session.media import FrameReceived, SessionMedia

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.datachannel import Channel

Workload: TypeAlias = "Callable[[], object]"

FLUSH = 64
"""Packets that leave together."""

STEP = 0.0002
"""Seconds of virtual time between two flushes: that of a fast path."""

START = 100.0
PICTURE = 1 / 30
HIGH_WATER = 1_048_576
MAX_UNREAD = 2048

REFERENCE_PACKETS = 30_000
KEPT = 64

NOTHING = "nothing"
"""The name of the child that does nothing."""


class WentWrongError(Exception):
    """The work was not done as planned, so that its instructions say nothing."""


# -- the yardstick


def reference() -> None:
    """Plain Python of the kind that protocols are made of: calls, attributes, dicts, packed numbers, slices."""
    header = struct.Struct("!HHII")
    counter = Counter()
    kept: dict[int, bytes] = {}
    body = bytes(range(256)) * 4
    for number in range(REFERENCE_PACKETS):
        packet = header.pack(number & 0xFFFF, 5000, number, 7) + body[number & 0xFF :]
        source, _, sequence, _ = header.unpack_from(packet)
        kept[sequence] = packet[12:140]
        if sequence >= KEPT:
            counter.take(len(kept.pop(sequence - KEPT)), source)
    if counter.packets != REFERENCE_PACKETS - KEPT:
        raise WentWrongError("the yardstick is not what it was")


class Counter:
    """Counts, as an object does."""

    __slots__ = ("packets", "size", "sources")

    def __init__(self) -> None:
        self.packets = 0
        self.size = 0
        self.sources: list[int] = []

    def take(self, size: int, source: int) -> None:
        """Take note of a packet."""
        self.packets += 1
        self.size += size
        if source & 7 == 0:
            self.sources.append(source)


# -- two associations


class Associations:
    """Two SCTP associations that know each other; the first one sends."""

    def __init__(self, packet_size: int, loss: float = 0.0) -> None:
        chance = random.Random(7)
        config = SctpConfig(path_mtu_discovery=False)
        self.now = START
        self._loss = loss
        self._chance = chance
        self.ends = [
            Association(random_bytes=chance.randbytes, max_packet_size=packet_size, config=config) for _ in range(2)
        ]
        for end in self.ends:
            end.connect(self.now)
        for _ in range(4):
            self._exchange()

    def _exchange(self) -> int:
        """Let packets go both ways; returns how many messages came."""
        a, b = self.ends
        self.now += STEP
        packets = a.packets_to_send(self.now, FLUSH)
        if self._loss:
            packets = [packet for packet in packets if self._chance.random() >= self._loss]
        b.receive_packets(packets, self.now)
        received = 0
        for event in b.poll_events():
            if isinstance(event, MessageReceived):
                received += 1
                b.release(len(event.data))
            elif isinstance(event, MessagesReceived):
                received += len(event.messages)
                b.release(sum(map(len, event.messages)))
        a.receive_packets(b.packets_to_send(self.now, FLUSH), self.now)
        a.poll_events()
        for end in self.ends:
            deadline = end.next_timeout()
            if deadline is not None and deadline <= self.now:
                end.handle_timeout(self.now)
        return received

    def move(self, size: int, count: int) -> None:
        """Send so many messages of a size, with about 1 MiB of them waiting, until all are there."""
        message = random.Random(size).randbytes(size)
        a = self.ends[0]
        sent = received = rounds = 0
        while received < count:
            rounds += 1
            if rounds > 100 * count:
                raise WentWrongError(f"{received} of {count} messages")
            while sent < count and a.total_buffered < HIGH_WATER and sent - received < MAX_UNREAD:
                a.send_message(0, 53, message, now=self.now)
                sent += 1
            received += self._exchange()


# -- two sessions


class Sessions:
    """Two whole sessions, ICE, DTLS and all, which have negotiated; the first one sends."""

    def __init__(self, max_packet_size: int | None = None, *, media: bool = False) -> None:
        self.now = START
        self.frames = 0
        self.messages = 0
        self.channels: list[Channel] = []
        self.ends = [self._make(number, max_packet_size, media) for number in range(2)]
        a = self.ends[0]
        if media:
            a.negotiation.negotiator.add_transceiver("video")
        else:
            self.channels.append(a.channels.open("work", now=self.now))
            a.data_channel_added()
        self._negotiate()
        self.run_until(lambda: all(end.connection_state is ConnectionState.CONNECTED for end in self.ends))
        if not media:
            self.run_until(lambda: len(self.channels) == 2)

    def _make(self, number: int, max_packet_size: int | None, media: bool) -> Session:
        certificate = Certificate.generate(dt.datetime.now(dt.UTC))
        chance = random.Random(number)
        return Session(
            random_bytes=chance.randbytes,
            dtls=OpenSslDtls(certificate),
            fingerprints=certificate.fingerprints,
            receive_limit=4_194_304,
            max_packet_size=max_packet_size,
            media=SessionMedia(chance.randbytes, 1_000_000.0) if media else None,
        )

    def _negotiate(self) -> None:
        for here, there in (self.ends, self.ends[::-1]):
            here.set_local_description(None, self.now)
            self._take_events(here)
            description = here.negotiation.local_description
            if description is None:
                raise WentWrongError("no description")
            there.set_remote_description(description, self.now)
            self._take_events(there)

    def _take_events(self, end: Session) -> None:
        while events := end.poll_events():
            for event in events:
                if isinstance(event, ChannelMessage):
                    self.messages += 1
                    end.association.release(event.size)
                elif isinstance(event, ChannelMessages):
                    self.messages += len(event.messages)
                    end.association.release(event.size)
                elif isinstance(event, FrameReceived):
                    self.frames += 1
                elif isinstance(event, ChannelReceived):
                    self.channels.append(event.channel)
                elif isinstance(event, GatheringNeeded):
                    end.add_local_address(self._host(end), 5000, 0, 65_535, self.now)
                    end.end_of_gathering(self.now)

    def _host(self, end: Session) -> str:
        return f"192.0.2.{1 + self.ends.index(end)}"

    def exchange(self) -> None:
        """Let time pass, and datagrams go both ways once."""
        self.now += STEP
        for end, other in (self.ends, self.ends[::-1]):
            source = self._host(end), 5000
            batch = [(source, data, max(size, 0)) for _, _, data, size in end.datagrams_to_send(self.now)]
            if batch:
                other.receive_datagrams(0, batch, self.now)
                self._take_events(other)
            deadline = end.next_timeout()
            if deadline is not None and deadline <= self.now:
                end.handle_timeout(self.now)
                self._take_events(end)

    def run_until(self, done: Callable[[], bool]) -> None:
        """Let time pass until something is so."""
        for _ in range(100_000):
            if done():
                return
            self.exchange()
        raise WentWrongError("the sessions got nowhere")

    def move(self, size: int, count: int) -> None:
        """Send so many messages of a size until all are there."""
        message = random.Random(size).randbytes(size)
        a, channel = self.ends[0], self.channels[0]
        sent = 0
        while sent < count:
            while sent < count and a.association.total_buffered < HIGH_WATER:
                a.channels.send(channel, message, self.now)
                sent += 1
            self.exchange()
        self.run_until(lambda: self.messages == count)

    def show(self, size: int, count: int) -> None:
        """Send so many pictures of a size, 30 a second, until all are there."""
        a = self.ends[0]
        if a.media is None or (transport := a.media.transport) is None:
            raise WentWrongError("no media were agreed on")
        (mid,) = transport.sending
        due = self.now
        for number in range(count):
            transport.send(mid, vp8_frame(size, key=number == 0), number * 3000, self.now)
            due += PICTURE
            while self.now < due:
                self._sleep(due)
        self.run_until(lambda: self.frames == count)

    def _sleep(self, until: float) -> None:
        """Go to the next moment at which something is due."""
        self.exchange()
        times = [time for end in self.ends if (time := end.next_timeout()) is not None]
        self.now = max(self.now, min(until, *times) - STEP)


def vp8_frame(size: int, *, key: bool) -> bytes:
    """Something that is a frame of VP8 as far as its header goes (RFC 6386 section 9.1)."""
    head = b"\x10\0\0\x9d\x01\x2a\0\5\xd0\2" if key else b"\x11\0\0"
    return head + random.Random(size).randbytes(size)


WORKLOADS: dict[str, Workload] = {
    "reference": reference,
    "SCTP, 1,200 bytes": lambda: Associations(1160).move(65_536, 100),
    "SCTP, 16 KiB": lambda: Associations(16_368).move(65_536, 400),
    "SCTP, 1,200 bytes, 1 % lost": lambda: Associations(1160, 0.01).move(65_536, 80),
    "SCTP, messages of 64 bytes": lambda: Associations(1160).move(64, 6000),
    "session, set-up": lambda: [Sessions() for _ in range(3)],
    "session, 1,200 bytes": lambda: Sessions(1200).move(65_536, 50),
    "session, packet size found": lambda: Sessions().move(65_536, 150),
    "pictures over SRTP": lambda: Sessions(media=True).show(12_000, 50),
}
"""What is counted. Each takes 0.1 s or less without the counting."""


def run_in_child(work: Workload) -> int:
    """Do something in a child; returns its process id.

    :raises WentWrongError: the child failed; it has said why.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            raise
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if status:
        raise WentWrongError("a child failed")
    return child


def warm_up() -> None:
    """Use everything once: valgrind translates each piece of code before it counts, and children inherit that."""
    Sessions().move(65_536, 5)
    Sessions(media=True).show(12_000, 3)


def main(names: list[str]) -> None:
    """Do the work of these names, each from the same state."""
    warm_up()
    gc.collect()
    gc.freeze()  # what was imported is nothing that a workload has to look through
    children = {NOTHING: run_in_child(lambda: None)}
    for name in names:
        children[name] = run_in_child(WORKLOADS[name])
    print(json.dumps(children))


if __name__ == "__main__":
    main(sys.argv[1:])
