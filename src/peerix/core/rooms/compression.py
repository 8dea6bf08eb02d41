"""Compression of signalling payloads: the zlib format (RFC 1950)."""

from __future__ import annotations

import zlib


class InflateLimitError(ValueError):
    """The data would inflate to more than the caller allows."""


def deflate(data: bytes) -> bytes:
    """Compress; the result may be longer than the input."""
    return zlib.compress(data)


def inflate(data: bytes, limit: int) -> bytes:
    """Inflate to at most `limit` bytes.

    Data that is not a whole zlib stream comes back as it is: browsers that run Peerix do so, hence a packet
    marked as compressed may hold plain JSON. Bytes behind the stream are ignored.

    :raises InflateLimitError: there is more than `limit` bytes in it.
    """
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data, limit + 1)
    except zlib.error:
        return data
    if len(plain) > limit:
        raise InflateLimitError(f"inflates to more than {limit} bytes")
    return plain if inflater.eof else data
