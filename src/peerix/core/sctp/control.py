"""Control chunks that wait for the next packet."""

from __future__ import annotations

MAX_CONTROL_CHUNKS = 64
"""Chunks that wait; answers to a peer that asks faster than we send are dropped."""


class ControlQueue:
    """Chunks other than DATA, in the order in which they leave."""

    __slots__ = ("chunks",)

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def add(self, chunk: bytes) -> None:
        """Queue a chunk."""
        if len(self.chunks) < MAX_CONTROL_CHUNKS:
            self.chunks.append(chunk)

    def add_first(self, chunk: bytes) -> None:
        """Queue a chunk before all others: a SACK belongs in front (RFC 9260 section 6.10)."""
        self.chunks.insert(0, chunk)

    def take(self, room: int) -> list[bytes]:
        """Take the chunks that fit into one packet, one at least."""
        chunks = self.chunks
        if not chunks:
            return []
        count = 0
        for chunk in chunks:
            room -= len(chunk)
            if room < 0 and count:
                break
            count += 1
        taken = chunks[:count]
        del chunks[:count]
        return taken
