"""The long-term credential mechanism (RFC 8489 9.2), as TURN uses it.

Only MD5 keys with MESSAGE-INTEGRITY are used: every server takes them (RFC 8489 9.2.4), and the password is never sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.stun.attributes import ERROR_CODE, NONCE, REALM, USERNAME
from peerix.core.stun.credentials import long_term_key

if TYPE_CHECKING:
    from peerix.core.stun import Message

UNAUTHENTICATED = 401
STALE_NONCE = 438


class Credentials:
    """User name and password, and what the server told: its realm and its latest nonce."""

    __slots__ = ("_key", "_nonce", "_password", "_realm", "_username")

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password
        self._realm: str | None = None
        self._nonce = b""
        self._key: bytes | None = None

    @property
    def key(self) -> bytes | None:
        """The key of our signatures; None before the server told its realm."""
        return self._key

    def sign(self, message: Message) -> bytes:
        """Return a request as a datagram, signed as soon as the realm is known."""
        if self._realm is not None:
            message.add(USERNAME, self._username).add(REALM, self._realm).add(NONCE, self._nonce)
        return message.to_bytes(key=self._key)

    def learn(self, answer: Message) -> bool:
        """Take realm and nonce from a 401 or 438 answer; tell whether asking again makes sense.

        A 401 to a signed request with the realm that we know means that the credential is wrong (RFC 8489 9.2.5).
        """
        error, realm, nonce = answer.get(ERROR_CODE), answer.get(REALM), answer.get(NONCE)
        if error is None or error.code not in {UNAUTHENTICATED, STALE_NONCE} or nonce is None:
            return False
        realm = self._realm if realm is None else realm
        if realm is None or (error.code == UNAUTHENTICATED and realm == self._realm):
            return False
        if realm != self._realm:
            self._realm = realm
            self._key = long_term_key(self._username, realm, self._password)
        self._nonce = nonce
        return True
