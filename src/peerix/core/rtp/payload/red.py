"""Redundant audio (RFC 2198): a packet repeats the ones before it, so that a loss needs no round trip.

|1| block PT    |  timestamp offset, 14 bits  | length, 10 bits |  for each repeated block
|0| block PT    |                                               |  for the primary one
the data of the blocks, the primary one last
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_OFFSET = (1 << 14) - 1
MAX_LENGTH = (1 << 10) - 1

MAX_BLOCKS = 8
"""Blocks read of one packet."""


@dataclass(slots=True)
class RedBlock:
    """One block: `offset` is how much its timestamp is before that of the packet."""

    payload_type: int
    offset: int
    data: bytes


def write_red(blocks: list[RedBlock]) -> bytes:
    """Write blocks, the oldest first; the last one is the primary, with offset 0."""
    *repeated, primary = blocks
    heads = [
        (0x80000000 | block.payload_type << 24 | block.offset << 10 | len(block.data)).to_bytes(4, "big")
        for block in repeated
    ]
    return b"".join((*heads, bytes((primary.payload_type,)), *(block.data for block in blocks)))


def read_red(payload: bytes) -> list[RedBlock] | None:
    """Read the blocks in their order; None when lengths and payload do not agree."""
    heads: list[tuple[int, int, int]] = []
    offset = 0
    while True:
        if offset >= len(payload) or len(heads) >= MAX_BLOCKS:
            return None
        if payload[offset] < 0x80:
            break
        head = int.from_bytes(payload[offset : offset + 4], "big")
        if offset + 4 >= len(payload):
            return None
        heads.append((head >> 24 & 0x7F, head >> 10 & MAX_OFFSET, head & MAX_LENGTH))
        offset += 4
    primary = payload[offset]
    offset += 1
    blocks: list[RedBlock] = []
    for payload_type, timestamp_offset, length in heads:
        blocks.append(RedBlock(payload_type, timestamp_offset, payload[offset : offset + length]))
        offset += length
    if offset > len(payload):
        return None
    return [*blocks, RedBlock(primary, 0, payload[offset:])]


class RedEncoder:
    """Puts the last `distance` packets before each new one, as far as they fit the fields of RFC 2198."""

    __slots__ = ("_distance", "_payload_type", "_sent")

    def __init__(self, payload_type: int, distance: int = 1) -> None:
        self._payload_type = payload_type
        self._distance = distance
        self._sent: list[tuple[int, bytes]] = []

    def encode(self, payload: bytes, timestamp: int, limit: int) -> bytes:
        """Make one payload of at most `limit` bytes; the oldest repetitions are left out first."""
        blocks: list[RedBlock] = [RedBlock(self._payload_type, 0, payload)]
        size = 1 + len(payload)
        for before, data in reversed(self._sent):
            offset = timestamp - before & 0xFFFFFFFF
            size += 4 + len(data)
            if offset > MAX_OFFSET or len(data) > MAX_LENGTH or size > limit:
                break
            blocks.insert(0, RedBlock(self._payload_type, offset, data))
        self._sent = [*self._sent, (timestamp, payload)][-self._distance :]
        return write_red(blocks)
