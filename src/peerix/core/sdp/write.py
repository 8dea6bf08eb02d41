"""From `Description` to text, lines ended by CRLF (RFC 8866 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sdp.errors import SdpError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerix.core.sdp.description import Description, MediaSection


def write(description: Description) -> str:
    """Write a session description; `parse` of the text gives an equal one.

    :raises SdpError: if a value holds a line break or a NUL, with which it would become more than one line.
    """
    lines = list(_session(description))
    text = "\r\n".join(lines) + "\r\n"
    if text.count("\r") != len(lines) or text.count("\n") != len(lines) or "\x00" in text:
        _refuse(lines)
    return text


def _refuse(lines: list[str]) -> None:
    for line in lines:
        if "\r" in line or "\n" in line or "\x00" in line:
            raise SdpError(f"a line break or NUL in {line!r}")


def _session(description: Description) -> Iterator[str]:
    yield "v=0"
    yield f"o={description.origin.to_sdp()}"
    yield f"s={description.name}"
    for line in description.lines:
        yield f"{line.type}={line.value}"
    for attribute in description.attributes:
        yield f"a={attribute.to_sdp()}"
    for section in description.media:
        yield from _media(section)


def _media(section: MediaSection) -> Iterator[str]:
    port = str(section.port) if section.port_count is None else f"{section.port}/{section.port_count}"
    yield " ".join((f"m={section.kind}", port, section.protocol, *section.formats))
    for line in section.lines:
        yield f"{line.type}={line.value}"
    for attribute in section.attributes:
        yield f"a={attribute.to_sdp()}"
