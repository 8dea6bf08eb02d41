"""Keys of the STUN credential mechanisms (RFC 8489 section 9).

User names, realms and passwords are prepared by RFC 8265's OpaqueString profile: what a user types is
normalised, so that the same password typed on two keyboards gives the same key.
"""

from __future__ import annotations

import hashlib
import unicodedata


def opaque_string(text: str) -> str:
    """Return `text` prepared by the OpaqueString profile (RFC 8265 4.2.2): plain spaces, NFC.

    Characters that the profile forbids are left as they are; the server then says no.
    """
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in text)
    return unicodedata.normalize("NFC", spaced)


def short_term_key(password: str) -> bytes:
    """Return the key of the short-term mechanism, which ICE uses (RFC 8489 9.1.1)."""
    return password.encode("utf-8", "surrogateescape")


def _long_term_text(username: str, realm: str, password: str) -> bytes:
    return f"{username}:{realm}:{opaque_string(password)}".encode("utf-8", "surrogateescape")


def long_term_key(username: str, realm: str, password: str) -> bytes:
    """Return the MD5 key of the long-term mechanism, which TURN uses (RFC 8489 18.5.1.1)."""
    return hashlib.md5(_long_term_text(username, realm, password), usedforsecurity=False).digest()


def long_term_key_sha256(username: str, realm: str, password: str) -> bytes:
    """Return the SHA-256 key of the long-term mechanism (RFC 8489 18.5.1.2)."""
    return hashlib.sha256(_long_term_text(username, realm, password)).digest()


def user_hash(username: str, realm: str) -> bytes:
    """Return what USERHASH carries instead of a user name (RFC 8489 14.4)."""
    return hashlib.sha256(f"{username}:{realm}".encode("utf-8", "surrogateescape")).digest()
