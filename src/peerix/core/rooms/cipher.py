"""Encryption of signalling payloads: AES-256-GCM (NIST SP 800-38D) without additional data.

The encrypted form is a 12-byte random IV, the ciphertext and a 16-byte tag.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_LENGTH = 32
IV_LENGTH = 12
TAG_LENGTH = 16


class DecryptionError(ValueError):
    """The data was not encrypted with this key, or was changed."""


def encrypt(key: bytes, plain: bytes, iv: bytes) -> bytes:
    """Encrypt. `iv` is 12 random bytes, never used twice with one key."""
    return iv + AESGCM(key).encrypt(iv, plain, None)


def decrypt(key: bytes, data: bytes) -> bytes:
    """Decrypt what `encrypt` made.

    :raises DecryptionError: too short, or the tag does not fit.
    """
    if len(data) < IV_LENGTH + TAG_LENGTH:
        raise DecryptionError("shorter than an IV and a tag")
    try:
        return AESGCM(key).decrypt(data[:IV_LENGTH], data[IV_LENGTH:], None)
    except InvalidTag:
        raise DecryptionError("the tag does not fit") from None
