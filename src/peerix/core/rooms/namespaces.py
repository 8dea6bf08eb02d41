"""Namespaces: the names under which a signalling driver carries packets.

A member listens to two of them: the room's and its own. The name of a room is its id, the name of a member is
the text of its id.
"""

from __future__ import annotations

import re
from hashlib import sha256

from .base62 import encode_base62
from .json import encode_text

_UNSAFE = re.compile("[^A-Za-z0-9_-]")


def namespace(name: str, *, hashing: bool = True) -> str:
    """Give the namespace of a room or member called `name`.

    With `hashing` brokers see neither room names nor ids, and distinct names stay distinct. Without it every
    code point that a broker might treat specially becomes one underscore, so that different names can meet.
    """
    if hashing:
        return encode_base62(sha256(encode_text(name)).digest())
    return _UNSAFE.sub("_", name)


def address(prefix: str, name: str) -> str:
    """Give a broker's subject, topic or channel: the prefix stands in front with no separator of its own."""
    return prefix + name
