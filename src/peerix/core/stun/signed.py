"""Signed messages out of ready parts: ICE sends the same few all the time, each with another transaction id.

A message as `Message` writes it with a key, and so a message with the same attributes, is

    header, attributes, MESSAGE-INTEGRITY, FINGERPRINT

(RFC 8489 5, 14.5, 14.7). To write what is expected and compare takes a fifth of reading and checking what came.
"""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from hashlib import sha1
from typing import TYPE_CHECKING, TypeVar

from peerix.core.errors import LocalProtocolError
from peerix.core.stun.attributes import FINGERPRINT, MAGIC_COOKIE, MESSAGE_INTEGRITY, XOR_MAPPED_ADDRESS
from peerix.core.stun.message import FINGERPRINT_XOR

if TYPE_CHECKING:
    from peerix.core.stun.attributes import Attribute

T = TypeVar("T")

BINDING_REQUEST = 0x0001
BINDING_SUCCESS = 0x0101
"""Message types (RFC 8489 5)."""

TRAILER_LENGTH = 32
"""MESSAGE-INTEGRITY and FINGERPRINT with their headers."""

MAX_MAPPED = 1024
"""Addresses whose XOR-MAPPED-ADDRESS is kept: each answer names one, mostly the same."""

_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_FINGERPRINT = struct.Struct("!HHI")
_INTEGRITY_HEADER = _ATTRIBUTE.pack(MESSAGE_INTEGRITY.code, 20)


class IntegrityKey:
    """A key of MESSAGE-INTEGRITY, its two pads made ready (HMAC-SHA1, RFC 2104 section 2)."""

    __slots__ = ("_inner", "_outer", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        block = (raw if len(raw) <= _BLOCK else sha1(raw, usedforsecurity=False).digest()).ljust(_BLOCK, b"\0")
        self._inner = block.translate(_INNER)
        self._outer = block.translate(_OUTER)

    def digest(self, data: bytes) -> bytes:
        """Return the HMAC of `data`. OpenSSL takes longer to set up its own than for two plain hashes."""
        inner = sha1(self._inner + data, usedforsecurity=False).digest()
        return sha1(self._outer + inner, usedforsecurity=False).digest()


def write_signed(kind: int, transaction_id: bytes, attributes: bytes, key: IntegrityKey) -> bytes:
    """Return a signed message with a FINGERPRINT; `attributes` are at most a few hundred bytes."""
    length = len(attributes)
    # RFC 8489 14.5: the signature covers a header whose length counts the signature, but not what comes after it.
    integrity = key.digest(_HEADER.pack(kind, length + 24, MAGIC_COOKIE, transaction_id) + attributes)
    header = _HEADER.pack(kind, length + TRAILER_LENGTH, MAGIC_COOKIE, transaction_id)
    data = b"".join((header, attributes, _INTEGRITY_HEADER, integrity))
    return data + _FINGERPRINT.pack(FINGERPRINT.code, 4, zlib.crc32(data) ^ FINGERPRINT_XOR)


def write_attribute(attribute: Attribute[T], value: T, transaction_id: bytes = b"") -> bytes:
    """Return an attribute with its header and padding.

    :raises LocalProtocolError: when the attribute cannot carry the value.
    """
    data = attribute.encode(value, transaction_id)
    return b"".join((_ATTRIBUTE.pack(attribute.code, len(data)), data, bytes(-len(data) % 4)))


def write_mapped(host: str, port: int, transaction_id: bytes) -> bytes | None:
    """Return a XOR-MAPPED-ADDRESS (RFC 8489 14.2); None when `host` is a name."""
    # Only with IPv6 is it another one in each transaction.
    return _mapped(host, port, transaction_id if ":" in host else b"")


@lru_cache(maxsize=MAX_MAPPED)
def _mapped(host: str, port: int, transaction_id: bytes) -> bytes | None:
    try:
        return write_attribute(XOR_MAPPED_ADDRESS, (host, port), transaction_id)
    except LocalProtocolError:
        return None
