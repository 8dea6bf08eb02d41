"""Source descriptions and goodbyes (RFC 3550 sections 6.5 and 6.6)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from peerix.core.rtp.rtcp.header import GOODBYE, SOURCE_DESCRIPTION, write_block

CNAME = 1
MID = 15
"""RFC 9143 section 15."""

MAX_ITEM = 255
"""Bytes of one item, or of the reason of a goodbye."""


@dataclass(slots=True)
class SourceChunk:
    """What is said of one source: item types and their UTF-8 values."""

    ssrc: int
    items: tuple[tuple[int, bytes], ...]

    @property
    def cname(self) -> bytes | None:
        """The canonical name: the same for all streams that share a clock."""
        return next((value for kind, value in self.items if kind == CNAME), None)


@dataclass(slots=True)
class SourceDescription:
    """SDES."""

    chunks: tuple[SourceChunk, ...]


@dataclass(slots=True)
class Goodbye:
    """BYE: these sources end."""

    ssrcs: tuple[int, ...]
    reason: bytes = b""


def write_source_description(description: SourceDescription) -> bytes:
    """Write at most 31 chunks, with values of at most 255 bytes."""
    parts: list[bytes] = []
    for chunk in description.chunks:
        items = b"".join(bytes((kind, len(value))) + value for kind, value in chunk.items)
        # At least one zero byte ends the items, and the chunk ends on a word.
        parts.append(chunk.ssrc.to_bytes(4, "big") + items + bytes(4 - len(items) % 4))
    return write_block(len(description.chunks), SOURCE_DESCRIPTION, b"".join(parts))


def read_source_description(count: int, body: bytes) -> SourceDescription | None:
    """Read the body of a source description."""
    chunks: list[SourceChunk] = []
    offset = 0
    for _ in range(count):
        if offset + 8 > len(body):
            return None
        ssrc = int.from_bytes(body[offset : offset + 4], "big")
        read = _read_items(body, offset + 4)
        if read is None:
            return None
        items, offset = read
        chunks.append(SourceChunk(ssrc, items))
    return SourceDescription(tuple(chunks))


def _read_items(body: bytes, offset: int) -> tuple[tuple[tuple[int, bytes], ...], int] | None:
    items: list[tuple[int, bytes]] = []
    while offset < len(body) and body[offset]:
        if offset + 2 > len(body):
            return None
        end = offset + 2 + body[offset + 1]
        if end > len(body):
            return None
        items.append((body[offset], body[offset + 2 : end]))
        offset = end
    if offset >= len(body):
        return None
    return tuple(items), (offset & ~3) + 4


def write_goodbye(goodbye: Goodbye) -> bytes:
    """Write a goodbye of at most 31 sources."""
    body = struct.pack(f"!{len(goodbye.ssrcs)}I", *goodbye.ssrcs)
    if goodbye.reason:
        text = bytes((len(goodbye.reason),)) + goodbye.reason
        body += text + bytes(-len(text) % 4)
    return write_block(len(goodbye.ssrcs), GOODBYE, body)


def read_goodbye(count: int, body: bytes) -> Goodbye | None:
    """Read the body of a goodbye; a malformed reason is as if absent."""
    if len(body) < 4 * count:
        return None
    reason = body[4 * count + 1 : 4 * count + 1 + body[4 * count]] if len(body) > 4 * count else b""
    return Goodbye(struct.unpack_from(f"!{count}I", body), reason)
