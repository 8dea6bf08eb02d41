"""Files as messages: what is told about a file, and which names a receiver accepts.

A file is a message of bytes whose `info` is a JSON object with `name`, `size` in bytes, `type` (MIME) and
`sha256` (64 hexadecimal digits), each but the name only when it is known.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.errors import PeerixError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .json import JsonValue

MAX_NAME_BYTES = 240
"""Bytes of a name in UTF-8: what file systems take, 255, less room for a number."""

MAX_TYPE_LENGTH = 255
"""Characters of a MIME type (RFC 6838, 4.2); a longer one counts as unknown."""

MAX_NUMBER = 9999
"""The largest number that is added to a name that is taken."""

MAX_SIZE = 2**53 - 1
"""The largest size that JavaScript can tell exactly."""

_SHA256 = re.compile("[0-9a-f]{64}")
_WINDOWS_CHARACTERS = frozenset('<>:"|?*')
_DEVICES = frozenset(
    (
        *("CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"),
        *(port + number for port in ("COM", "LPT") for number in "0123456789\u00b9\u00b2\u00b3"),
    )
)
# Controls could drive a terminal, directional overrides hide an extension, lone surrogates fit no disk.
_HIDING_CATEGORIES = frozenset(("Cc", "Cs", "Zl", "Zp"))
_HIDING_DIRECTIONS = frozenset(("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"))


class UnsafeNameError(PeerixError):
    """A file name that could do harm, or that some system gives another meaning."""


@dataclass(slots=True)
class FileInfo:
    """What a sender tells about a file. None stands for unknown."""

    name: str
    size: int | None = None
    type: str | None = None
    sha256: str | None = None

    def to_json(self) -> dict[str, str | int]:
        """Give the `info` of the message."""
        members = {"name": self.name, "size": self.size, "type": self.type, "sha256": self.sha256}
        return {name: value for name, value in members.items() if value is not None}


def read_file_info(info: JsonValue) -> FileInfo | None:
    """Read the `info` of a message; None when it tells of no file. The name is not checked yet.

    Members that are not what they should be count as unknown. A checksum that is none is kept as the empty
    text: the file cannot match it.
    """
    if not isinstance(info, dict):
        return None
    name, size, kind, sha256 = (info.get(member) for member in ("name", "size", "type", "sha256"))
    if not isinstance(name, str):
        return None
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= MAX_SIZE:
        size = None
    if not isinstance(kind, str) or not kind or len(kind) > MAX_TYPE_LENGTH:
        kind = None
    if sha256 is not None:
        sha256 = sha256.lower() if isinstance(sha256, str) and _SHA256.fullmatch(sha256.lower()) else ""
    return FileInfo(name, size, kind, sha256)


def safe_name(name: str, *, windows: bool = False) -> str:
    """Give back a name that can be used inside a folder without harm.

    :param windows: refuse also the characters that only Windows forbids.
    :raises UnsafeNameError: it is empty, `.` or `..`, has a separator, a control character or a directional
        override, ends in a dot or space, begins with a space, is too long, or names a device.
    """
    if not name or name in (".", ".."):
        raise UnsafeNameError("the file has no name")
    if "/" in name or "\\" in name:
        raise UnsafeNameError("the file name has a separator")
    if any(map(_is_hiding, name)):
        raise UnsafeNameError("the file name has a control character")
    if name[0] == " " or name[-1] in " .":
        raise UnsafeNameError("the file name begins with a space, or ends with a space or dot")
    if windows and not _WINDOWS_CHARACTERS.isdisjoint(name):
        raise UnsafeNameError("the file name has a character that this system forbids")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise UnsafeNameError(f"the file name has more than {MAX_NAME_BYTES} bytes")
    if name.partition(".")[0].rstrip().upper() in _DEVICES:
        raise UnsafeNameError("the file name is a device's")
    return name


def _is_hiding(character: str) -> bool:
    return (
        unicodedata.category(character) in _HIDING_CATEGORIES
        or unicodedata.bidirectional(character) in _HIDING_DIRECTIONS
    )


def numbered_name(name: str, number: int) -> str:
    """Give the name with a number before its extension: "a (1).txt"; 0 gives the name itself."""
    if not number:
        return name
    stem, dot, extension = name.rpartition(".")
    return f"{stem} ({number}){dot}{extension}" if stem else f"{name} ({number})"


def free_name(name: str, is_taken: Callable[[str], bool]) -> str:
    """Give the first of "a.txt", "a (1).txt", ... that is not taken.

    :raises UnsafeNameError: all of them are.
    """
    for number in range(MAX_NUMBER + 1):
        candidate = numbered_name(name, number)
        if not is_taken(candidate):
            return candidate
    raise UnsafeNameError(f"there are {MAX_NUMBER} files of this name already")
