"""A long link on loopback: a process that passes datagrams on late, loses some, and has a narrow place with a queue.

``python -m benchmarks.relay SETTINGS`` with the fields of `Link` as JSON prints the ports of its two sockets. Each
stands for one of the two ends: what is sent to it goes on to that end, from the other socket, so each end believes that
the relay is its peer. It stops when its stdin closes, and then prints what it saw, as JSON.
"""

from __future__ import annotations

import json
import random
import select
import socket
import subprocess
import sys
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Address: TypeAlias = "tuple[str, int]"

HEADERS = 28
"""Bytes of IPv4 and UDP."""

BUFFER = 4 * 1024 * 1024
BIN = 0.1
"""Seconds for which bytes are counted together."""

BATCH = 128
"""Datagrams read from one socket before the other has its turn."""


@dataclass(slots=True, frozen=True)
class Link:
    """One path, the same in both directions.

    :ivar delay: seconds one way.
    :ivar loss: chance for each datagram.
    :ivar bandwidth: bytes a second, headers included; 0 for no limit.
    :ivar queue: bytes that wait for the bandwidth.
    :ivar mtu: larger IP packets vanish, as on a path without ICMP.
    :ivar headers: bytes that each takes on the wire beyond what we see of it.
    :ivar changes: other bandwidths, each with the seconds after the first datagram from which on it holds, in order.
    """

    delay: float
    loss: float = 0.0
    bandwidth: float = 0.0
    queue: int = 262_144
    mtu: int = 1500
    seed: int = 1
    headers: int = HEADERS
    changes: Sequence[tuple[float, float]] = ()

    def bandwidth_at(self, elapsed: float) -> float:
        """Bytes a second so many seconds after the first datagram."""
        return next((bandwidth for at, bandwidth in reversed(self.changes) if elapsed >= at), self.bandwidth)


class Direction:
    """What is on its way to one end.

    :ivar waits: seconds that each datagram had to wait for the bandwidth.
    :ivar entered: bytes that came in each `BIN` after the first datagram, lost ones too.
    """

    def __init__(self, link: Link, seed: int) -> None:
        self._link = link
        self._random = random.Random(seed).random
        self._free_at = 0.0
        self._begun_at: float | None = None
        self.entered: list[int] = []
        self.on_the_way: deque[tuple[float, bytes]] = deque()
        self.waits: list[float] = []
        self.passed = 0
        self.lost = 0
        self.overflowed = 0
        self.too_large = 0

    def take(self, data: bytes, now: float) -> None:
        """A datagram enters the path."""
        link = self._link
        size = len(data) + link.headers
        elapsed = self._count(size, now)
        if size > link.mtu:
            self.too_large += 1
            return
        if link.loss and self._random() < link.loss:
            self.lost += 1
            return
        due = now
        bandwidth = link.bandwidth_at(elapsed) if link.changes else link.bandwidth
        if bandwidth:
            wait = max(self._free_at - now, 0.0)
            if wait * bandwidth + size > link.queue:
                self.overflowed += 1
                return
            self.waits.append(wait)
            due = self._free_at = now + wait + size / bandwidth
        self.passed += 1
        self.on_the_way.append((due + link.delay, data))

    def _count(self, size: int, now: float) -> float:
        """Count a datagram that comes, and give the seconds since the first one."""
        if self._begun_at is None:
            self._begun_at = now
        elapsed = now - self._begun_at
        number = int(elapsed / BIN)
        if number >= len(self.entered):
            self.entered += [0] * (number + 1 - len(self.entered))
        self.entered[number] += size
        return elapsed

    def report(self) -> dict[str, float]:
        """What happened here."""
        waits = sorted(self.waits) or [0.0]
        return {
            "passed": self.passed,
            "lost": self.lost,
            "overflowed": self.overflowed,
            "too_large": self.too_large,
            "queue_p50": waits[len(waits) // 2],
            "queue_p95": waits[len(waits) * 95 // 100],
        }


class Relay:
    """Two sockets and the two directions between them."""

    def __init__(self, link: Link) -> None:
        self.sockets = [open_socket(), open_socket()]
        self.ports = [sock.getsockname()[1] for sock in self.sockets]
        self.directions = [Direction(link, 2 * link.seed), Direction(link, 2 * link.seed + 1)]
        self._addresses: list[Address | None] = [None, None]
        """Where the end is that each socket stands for: where its datagrams to the other one came from."""

    def run(self) -> None:
        """Pass datagrams on until stdin closes."""
        stdin = sys.stdin.fileno()
        waiting: list[int | socket.socket] = [*self.sockets, stdin]
        while True:
            dues = [direction.on_the_way[0][0] for direction in self.directions if direction.on_the_way]
            timeout = max(min(dues) - time.monotonic(), 0.0) if dues else None
            readable, _, _ = select.select(waiting, (), (), timeout)
            if stdin in readable:
                return
            for number in (0, 1):
                if self.sockets[number] in readable:
                    self._read(number)
                self._deliver(number)

    def _read(self, number: int) -> None:
        """Read what the other end sends to the one that this socket stands for."""
        recvfrom, take = self.sockets[number].recvfrom, self.directions[number].take
        now = time.monotonic()
        for _ in range(BATCH):
            try:
                data, source = recvfrom(65_535)
            except (BlockingIOError, ConnectionRefusedError):
                return
            self._addresses[1 - number] = source
            take(data, now)

    def _deliver(self, number: int) -> None:
        """Hand on what is due; an end that was never heard of gets nothing."""
        on_the_way, destination = self.directions[number].on_the_way, self._addresses[number]
        sendto = self.sockets[1 - number].sendto
        now = time.monotonic()
        while on_the_way and on_the_way[0][0] <= now:
            _, data = on_the_way.popleft()
            if destination is None:
                continue
            try:
                sendto(data, destination)
            except OSError:
                self.directions[number].lost += 1


def open_socket() -> socket.socket:
    """Open one with a buffer that outlasts a slow moment."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    sock.bind(("", 0))
    sock.setblocking(False)
    return sock


@dataclass(slots=True)
class Relayed:
    """A relay in a process of its own.

    :ivar ports: of the two sockets.
    :ivar seen: what it saw of the way to each of the two ends, once it has ended.
    :ivar entered: `Direction.entered` of each of these ways.
    """

    ports: tuple[int, ...]
    seen: Sequence[dict[str, float]] = ()
    entered: Sequence[Sequence[int]] = ()


@contextmanager
def relayed(link: Link) -> Iterator[Relayed]:
    """Run a relay with these settings."""
    command = [sys.executable, "-m", "benchmarks.relay", json.dumps(asdict(link))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        running = Relayed(tuple(json.loads(process.stdout.readline())))
        try:
            yield running
        finally:
            output, _ = process.communicate()
            ended = json.loads(output)
            running.seen, running.entered = ended["seen"], ended["entered"]


def main() -> None:
    """Run the relay of the command line."""
    relay = Relay(Link(**json.loads(sys.argv[1])))
    print(json.dumps(relay.ports), flush=True)
    relay.run()
    directions = relay.directions
    ended = {"seen": [each.report() for each in directions], "entered": [each.entered for each in directions]}
    print(json.dumps(ended), flush=True)


if __name__ == "__main__":
    main()
