"""User name fragment and password of one ICE session (RFC 8445 5.3, RFC 8839 5.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.errors import IceCandidateError

if TYPE_CHECKING:
    from collections.abc import Callable

MIN_UFRAG_LENGTH = 4
MIN_PWD_LENGTH = 22
MAX_LENGTH = 256
"""RFC 8839 5.4: both are at most 256 characters."""

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def _random_text(random_bytes: Callable[[int], bytes], length: int) -> str:
    # 64 characters: the low six bits of a byte choose one without bias.
    return random_bytes(length).translate(4 * _ALPHABET).decode("ascii")


@dataclass(frozen=True, slots=True)
class IceParameters:
    """The user name fragment and the password that one side chose for one ICE session.

    :raises IceCandidateError: when one of them is not what RFC 8839 5.4 allows.
    """

    ufrag: str
    pwd: str

    def __post_init__(self) -> None:
        # The lower bounds are not enforced: what is too short is the other side's risk, and older stacks send
        # it.
        for text in (self.ufrag, self.pwd):
            if not 0 < len(text) <= MAX_LENGTH or not text.isascii() or text.split() != [text] or ":" in text:
                raise IceCandidateError("an ICE user name fragment or password is malformed")

    @classmethod
    def generate(cls, random_bytes: Callable[[int], bytes]) -> IceParameters:
        """Return fresh parameters with 48 random bits in the fragment and 144 in the password."""
        return cls(_random_text(random_bytes, 8), _random_text(random_bytes, 24))
