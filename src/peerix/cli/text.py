"""Text from others on our terminal, and numbers for people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from peerix.remote_peer import RemotePeer

MAX_NAME = 40
"""Characters of somebody's name that are shown."""

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_UNITS = ("B", "kB", "MB", "GB", "TB")
_SUFFIXES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def printable(text: str) -> str:
    """Text that cannot drive a terminal: control characters and directional overrides are shown as what they are."""
    return _UNPRINTABLE.sub(lambda match: f"\\x{ord(match.group()):02x}", text)


def one_line(text: str) -> str:
    """The same without line breaks."""
    return printable(text).replace("\n", "\\n").replace("\t", " ")


def name_of(remote: RemotePeer) -> str:
    """How to call a remote peer: by the name it gives itself, else by the beginning of its id."""
    metadata = remote.metadata
    name = cast("dict[str, object]", metadata).get("name") if isinstance(metadata, dict) else None
    if isinstance(name, str) and name.strip():
        return one_line(name.strip())[:MAX_NAME]
    return one_line(remote.id[:8])


def size_text(size: float) -> str:
    """A number of bytes for people: 20.5 kB."""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size /= 1000
        unit += 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def rate_text(size: float, seconds: float) -> str:
    """Bytes in so many seconds as a rate."""
    return f"{size_text(size / max(seconds, 1e-9))}/s"


def parse_size(text: str) -> int:
    """Read a number of bytes: 500, 20k, 1.5G (powers of ten).

    :raises ValueError: it is none
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is not a size: use a number, or 20k, 5M, 1.5G")
    return int(float(match[1]) * _SUFFIXES[match[2]])
