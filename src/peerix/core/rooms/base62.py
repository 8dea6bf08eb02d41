"""Base62: the text form of keys, peer ids and hashed namespaces.

The byte string is one big-endian integer, the digits are `0-9`, `a-z`, `A-Z` in this order. Leading zero
bytes do not survive, so a reader has to know the length.
"""

from __future__ import annotations

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

_VALUES = {digit: value for value, digit in enumerate(ALPHABET)}


class Base62Error(ValueError):
    """The text has a character that is no digit."""


def encode_base62(data: bytes) -> str:
    """Give the text of `data`; nothing for nothing, "0" for zero bytes only. Quadratic: for short data."""
    if not data:
        return ""
    number = int.from_bytes(data, "big")
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits)) or ALPHABET[0]


def decode_base62(text: str, length: int | None = None) -> bytes:
    """Give the bytes of `text`, padded with zeros on the left up to `length` bytes.

    Empty text is no bytes. Without `length` the result is as short as possible. A number too large for
    `length` keeps its low-order bytes only: browsers do the same, and a wrong id must mean the same to all.

    :raises Base62Error: a character is no base62 digit.
    """
    if not text:
        return b""
    number = 0
    for character in text:
        value = _VALUES.get(character)
        if value is None:
            raise Base62Error(f"not a base62 digit: {character!r}")
        number = number * 62 + value
    if length is None:
        length = max((number.bit_length() + 7) // 8, 1)
    return (number & ((1 << (8 * length)) - 1)).to_bytes(length, "big")
