"""Path-MTU discovery for packets (RFC 8899, RFC 9260 section 7.3): probes are a HEARTBEAT and a PAD chunk (RFC 4820).

A peer that does not say that it knows PAD may end at one. Its probes are one long HEARTBEAT, which every peer answers;
since the answer is as long, such a probe only passes where the way back carries the size too.

Three sizes are tried at once: what loopback carries, a jumbo frame and an Ethernet frame. Where not even the last one
passes, the sizes of common tunnels follow. A probe that is lost says nothing about congestion, so it is
neither counted as in flight nor told to the congestion control.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from peerix.core.sctp.chunks import HEARTBEAT, PAD, write_chunk, write_tlv
from peerix.core.sctp.heartbeat import HEARTBEAT_INFO
from peerix.core.sctp.wire import HEADER_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

JUMBO = 8912
"""A packet in a DTLS record in a 9,000-byte frame, over IPv6."""

ETHERNET = 1432
"""The same in a 1,500-byte frame over IPv4."""

TUNNELS = (1412, 1352, 1252)
"""Over IPv6, over WireGuard and alike, and on paths just above the least MTU of IPv6."""

MAX_PROBES = 3
"""How often a size is tried (RFC 8899 section 5.1.2)."""

PROBE_INTERVAL = 0.25
"""Seconds at least before a size is tried again."""

PMTU_RAISE_TIMER = 600.0
"""Seconds after which larger sizes are tried anew (RFC 8899 section 5.1.1)."""

_INFO = struct.Struct("!d8sI")


def is_probe(packet: bytes) -> bool:
    """Whether a packet that is larger than the others is a probe, which must not be fragmented on its way.

    Any other packet larger than `Association.max_packet_size` holds a chunk that was cut for a path with more room; it
    only arrives if it may be fragmented.
    """
    return len(packet) > HEADER_SIZE and packet[HEADER_SIZE] == HEARTBEAT


class PathMtuDiscovery:
    """Looks for the largest packet that the path carries.

    :ivar base: the size that every path carries.
    :ivar size: the largest size that is known to pass.
    :ivar limit: the largest size to try.
    :ivar pad_chunks: whether the peer knows PAD chunks.
    """

    __slots__ = (
        "_confirming",
        "_deadline",
        "_pending",
        "_random_bytes",
        "_sent",
        "_tries",
        "base",
        "limit",
        "pad_chunks",
        "size",
        "started",
    )

    def __init__(self, base: int, limit: int, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self.base = self.size = base
        self.limit = limit & ~3
        self.pad_chunks = True
        self.started = False
        self._deadline: float | None = None
        self._pending: list[int] = []
        """Sizes of this round that did not pass yet, the largest first."""
        self._sent: dict[bytes, int] = {}
        """Sizes on the path, by nonce."""
        self._tries = 0
        self._confirming = False

    def reset(self, base: int) -> None:
        """Begin again on another path."""
        self.base = self.size = base
        self.started = False
        self._stop()

    def _stop(self) -> None:
        self._deadline = None
        self._pending.clear()
        self._sent.clear()
        self._tries = 0
        self._confirming = False

    def start(self, now: float) -> None:
        """Begin to look, when it pays."""
        self.started = True
        self._begin((self.limit, JUMBO, ETHERNET), now)

    def _begin(self, sizes: tuple[int, ...], now: float) -> None:
        self._sent.clear()
        self._tries = 0
        self._confirming = False
        self._pending = [size for size in dict.fromkeys(sizes) if self.size < size <= self.limit]
        self._deadline = now if self._pending else now + PMTU_RAISE_TIMER

    def next_timeout(self) -> float | None:
        """When probes are due."""
        return self._deadline

    def take_probes(self, rtt: float | None, now: float) -> list[bytes]:
        """Return the bodies of the packets to send now, the smallest first, each larger than packets of data."""
        if self._deadline is None or now < self._deadline:
            return []
        if not self._pending:
            self.start(now)
        elif self._tries >= MAX_PROBES:
            self._give_up(now)
        if not self._pending:
            return []
        self._tries += 1
        self._deadline = now + max(PROBE_INTERVAL, 2 * (rtt or 0.0))
        return [self._write(size, now) for size in reversed(self._pending)]

    def _give_up(self, now: float) -> None:
        """The sizes of this round do not pass."""
        if self._confirming:
            self.size = self.base
            self.start(now)
        else:
            self._begin(TUNNELS if self._pending[-1] == ETHERNET else (), now)

    def _write(self, size: int, now: float) -> bytes:
        nonce = self._random_bytes(8)
        self._sent[nonce] = size
        info = _INFO.pack(now, nonce, size)
        if not self.pad_chunks:
            info = info.ljust(size - HEADER_SIZE - 8, b"\0")
        heartbeat = write_chunk(HEARTBEAT, 0, write_tlv(HEARTBEAT_INFO, info, last=True))
        if not self.pad_chunks:
            return heartbeat
        return heartbeat + write_chunk(PAD, 0, bytes(size - HEADER_SIZE - len(heartbeat) - 4))

    def receive_ack(self, value: bytes, now: float) -> bool:
        """Take the answer to a probe; False when it is none of ours."""
        if len(value) < 4 + _INFO.size:
            return False
        _, nonce, _ = _INFO.unpack_from(value, 4)
        size = self._sent.pop(nonce, None)
        if size is None:
            return False
        if size > self.size or self._confirming:
            self.size = max(self.size, size)
            self._pending = [larger for larger in self._pending if larger > size]
            if not self._pending:
                self._stop()
                self._deadline = now + PMTU_RAISE_TIMER
        return True

    def confirm(self, now: float) -> None:
        """Packets vanish, perhaps since the path carries less than before: see whether this size still passes.

        If it does not, it goes back to the base, and larger sizes are looked for anew (RFC 8899 section 4.3).
        """
        if self.size > self.base and not self._confirming:
            self._stop()
            self._confirming = True
            self._pending = [self.size]
            self._deadline = now
