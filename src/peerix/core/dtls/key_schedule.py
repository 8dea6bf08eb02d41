"""The keys of a DTLS 1.2 association, made of what its handshake agreed on (RFC 5246 sections 5, 6.3 and 8.1)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from OpenSSL import SSL

SALT_LENGTH = 4
"""Bytes of a nonce that both ends know and never send (RFC 5288 section 3)."""

_KEY_LENGTH = {"sha256": 16, "sha384": 32}
"""AES-128-GCM goes with SHA-256, AES-256-GCM with SHA-384 (RFC 5289 section 3.2)."""


@dataclass(slots=True, frozen=True)
class WriteKeys:
    """What one end protects its records with: the key of AES-GCM and the implicit part of its nonces."""

    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)


@dataclass(slots=True, frozen=True)
class Secrets:
    """What both ends know after a handshake, and what keys are made of.

    :ivar hash_name: that of the cipher suite, as `hashlib` calls it.
    """

    hash_name: str
    master_secret: bytes = field(repr=False)
    client_random: bytes = field(repr=False)
    server_random: bytes = field(repr=False)

    @classmethod
    def of(cls, connection: SSL.Connection) -> Secrets:
        """Read them from a connection whose handshake has ended."""
        hash_name = "sha384" if (connection.get_cipher_name() or "").endswith("SHA384") else "sha256"
        master = connection.master_key() or b""
        return cls(hash_name, master, connection.client_random() or b"", connection.server_random() or b"")

    def write_keys(self) -> tuple[WriteKeys, WriteKeys]:
        """The keys of the client and of the server (RFC 5246 section 6.3; these cipher suites have no MAC keys)."""
        size = _KEY_LENGTH[self.hash_name]
        block = self._expand(b"key expansion", self.server_random + self.client_random, 2 * (size + SALT_LENGTH))
        salts = block[2 * size :]
        return (
            WriteKeys(block[:size], salts[:SALT_LENGTH]),
            WriteKeys(block[size : 2 * size], salts[SALT_LENGTH:]),
        )

    def export(self, label: bytes, length: int) -> bytes:
        """Keying material for others, without a context (RFC 5705 section 4)."""
        return self._expand(label, self.client_random + self.server_random, length)

    def _expand(self, label: bytes, seed: bytes, length: int) -> bytes:
        """The pseudo-random function of TLS 1.2 (RFC 5246 section 5)."""
        seed = chained = label + seed
        output = b""
        while len(output) < length:
            chained = hmac.digest(self.master_secret, chained, self.hash_name)
            output += hmac.digest(self.master_secret, chained + seed, self.hash_name)
        return output[:length]
