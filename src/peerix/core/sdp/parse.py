"""From text to `Description` (RFC 8866, as RFC 9429 5.8 reads it).

The parser is total: any text gives a description or raises `SdpError` with the number of the line at fault.
It takes CRLF and bare LF, lines of a section in any order, and attributes that it does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sdp.description import Attribute, Attributes, Description, Line, MediaSection
from peerix.core.sdp.errors import SdpError
from peerix.core.sdp.rtp import (
    Fmtp,
    HeaderExtension,
    Rid,
    RtcpFeedback,
    RtpMap,
    Simulcast,
    Ssrc,
    SsrcGroup,
)
from peerix.core.sdp.values import (
    MAX_UINT64,
    Fingerprint,
    Group,
    Msid,
    Origin,
    SctpMap,
    parse_ice_pwd,
    parse_ice_ufrag,
    parse_setup,
    parse_token,
    parse_uint,
    shorten,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_SDP_LENGTH = 1 << 20
"""Characters of a description that are read.

A browser's video section has 6,000, so this is well over 100 of them.
"""

MAX_MEDIA_SECTIONS = 512
"""Sections of a description that are read; a BUNDLE of more than that is an attack or a leak of sections."""

_SESSION_LINES = frozenset("iuepcbtrzk")
_MEDIA_LINES = frozenset("icbk")

# RFC 9429 5.8: a line that is not well formed fails the description, even where its value would not be used.
_KNOWN_ATTRIBUTES: dict[str, Callable[[str], object]] = {
    "extmap": HeaderExtension.parse,
    "fingerprint": Fingerprint.parse,
    "fmtp": Fmtp.parse,
    "group": Group.parse,
    "ice-pwd": parse_ice_pwd,
    "ice-ufrag": parse_ice_ufrag,
    "max-message-size": lambda value: parse_uint(value, MAX_UINT64),
    "mid": parse_token,
    "msid": Msid.parse,
    "rid": Rid.parse,
    "rtcp-fb": RtcpFeedback.parse,
    "rtpmap": RtpMap.parse,
    "sctp-port": lambda value: parse_uint(value, 65535),
    "sctpmap": SctpMap.parse,
    "setup": parse_setup,
    "simulcast": Simulcast.parse,
    "ssrc": Ssrc.parse,
    "ssrc-group": SsrcGroup.parse,
}


def parse(text: str) -> Description:
    """Read a session description.

    :raises SdpError: if it is not one, or larger than `MAX_SDP_LENGTH` or `MAX_MEDIA_SECTIONS`.
    """
    if len(text) > MAX_SDP_LENGTH:
        raise SdpError(f"the description has {len(text)} characters, more than {MAX_SDP_LENGTH}")
    reader = _Reader()
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        try:
            reader.read_line(line.removesuffix("\r"))
        except SdpError as error:
            raise SdpError(error.reason, line=number) from None
    return reader.finish()


class _Section:
    """The lines of the session or of one media section, while they are being read."""

    __slots__ = ("attributes", "lines", "media")

    def __init__(self, media: MediaSection | None) -> None:
        self.media = media
        self.lines: list[Line] = []
        self.attributes: list[Attribute] = []


class _Reader:
    """What has been read so far."""

    __slots__ = ("name", "origin", "sections", "version")

    def __init__(self) -> None:
        self.version: str | None = None
        self.origin: Origin | None = None
        self.name: str | None = None
        self.sections = [_Section(None)]

    def read_line(self, line: str) -> None:
        kind, equals, value = line[:1], line[1:2], line[2:]
        if equals != "=" or "\r" in value or "\x00" in value:
            raise SdpError(f"{shorten(line)} is not a line of SDP")
        if self.name is None:
            self._read_head(kind, value)
        elif kind == "a":
            self.sections[-1].attributes.append(_parse_attribute(value))
        elif kind == "m":
            if len(self.sections) > MAX_MEDIA_SECTIONS:
                raise SdpError(f"more than {MAX_MEDIA_SECTIONS} media sections")
            self.sections.append(_Section(_parse_media_line(value)))
        elif kind in (_SESSION_LINES if len(self.sections) == 1 else _MEDIA_LINES):
            self.sections[-1].lines.append(Line(kind, value))
        else:
            raise SdpError(f"{kind}= does not belong here")

    def _read_head(self, kind: str, value: str) -> None:
        if kind == "v" and self.version is None and value.strip() == "0":
            self.version = value
        elif kind == "o" and self.version is not None and self.origin is None:
            self.origin = Origin.parse(value)
        elif kind == "s" and self.origin is not None:
            self.name = value
        else:
            raise SdpError("a description begins with v=0, o= and s=")

    def finish(self) -> Description:
        if self.origin is None or self.name is None:
            raise SdpError("a description begins with v=0, o= and s=")
        session, *media = self.sections
        return Description(
            self.origin,
            self.name,
            tuple(session.lines),
            Attributes(session.attributes),
            tuple(
                MediaSection(
                    head.kind,
                    head.port,
                    head.protocol,
                    head.formats,
                    head.port_count,
                    tuple(section.lines),
                    Attributes(section.attributes),
                )
                for section in media
                if (head := section.media) is not None
            ),
        )


def _parse_attribute(text: str) -> Attribute:
    name, colon, value = text.partition(":")
    if not name or name != name.strip():
        raise SdpError(f"{shorten(text)} is not an attribute")
    check = _KNOWN_ATTRIBUTES.get(name)
    if check is not None:
        check(value)
    return Attribute(name, value if colon else None)


def _parse_media_line(text: str) -> MediaSection:
    fields = text.split()
    if len(fields) < 4:
        raise SdpError(f"m= needs at least four fields, got {len(fields)}")
    port, slash, count = fields[1].partition("/")
    return MediaSection(
        kind=fields[0],
        port=parse_uint(port, 65535),
        protocol=fields[2],
        formats=tuple(fields[3:]),
        port_count=parse_uint(count, 65535) if slash else None,
    )
