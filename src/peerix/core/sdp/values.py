"""Values of session and transport attributes: what stands behind `o=`, `a=group:`, `a=fingerprint:` ...

Each class has `parse(text)`, which raises `SdpError` and nothing else, and `to_sdp()`, which writes the value
back. Both speak of the value alone, without `a=name:`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from peerix.core.sdp.errors import SdpError

MAX_UINT64 = (1 << 64) - 1

# RFC 8839 5.4 allows letters, digits, + and / only; libwebrtc also takes the four others, so somebody sends
# them.
_ICE_UFRAG = re.compile(r"[A-Za-z0-9+/=#_-]{4,256}")
_ICE_PWD = re.compile(r"[A-Za-z0-9+/=#_-]{22,256}")
_HASH = re.compile(r"[A-Za-z0-9-]{1,32}")
_HEX_BYTES = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){1,127}")
_TOKEN = re.compile(r"[^\s\x00]+")


class Direction(StrEnum):
    """Which way media flows in a section, seen from whoever wrote the description (RFC 8866 6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """Whether the writer of the description sends."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """Whether the writer of the description receives."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def reversed(self) -> Direction:
        """The same flow, seen from the other side."""
        return direction_of(sends=self.receives, receives=self.sends)


def direction_of(*, sends: bool, receives: bool) -> Direction:
    """Give the direction of a side that sends and receives as told."""
    if sends:
        return Direction.SENDRECV if receives else Direction.SENDONLY
    return Direction.RECVONLY if receives else Direction.INACTIVE


class Setup(StrEnum):
    """Who starts the DTLS handshake: the active side is the client (RFC 4145 4, RFC 8842 5)."""

    ACTIVE = "active"
    PASSIVE = "passive"
    ACTPASS = "actpass"
    HOLDCONN = "holdconn"


@dataclass(frozen=True, slots=True)
class Origin:
    """The `o=` line (RFC 8866 5.2): who made the session, and which version of it this is."""

    username: str
    session_id: int
    session_version: int
    network_type: str
    address_type: str
    address: str

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Read the value of an `o=` line.

        :raises SdpError: if it has not six fields, or numbers beyond 64 bits.
        """
        fields = text.split()
        if len(fields) != 6:
            raise SdpError(f"o= needs six fields, got {len(fields)}")
        username, session_id, session_version, network_type, address_type, address = fields
        return cls(
            username,
            parse_uint(session_id, MAX_UINT64),
            parse_uint(session_version, MAX_UINT64),
            network_type,
            address_type,
            address,
        )

    def to_sdp(self) -> str:
        """Write the value of the line."""
        return (
            f"{self.username} {self.session_id} {self.session_version}"
            f" {self.network_type} {self.address_type} {self.address}"
        )


@dataclass(frozen=True, slots=True)
class Group:
    """`a=group:` (RFC 5888 5): sections that belong together, such as those of a BUNDLE (RFC 9143)."""

    semantics: str
    mids: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Group:
        """Read the value of `a=group:`.

        :raises SdpError: if it is empty.
        """
        fields = text.split()
        if not fields:
            raise SdpError("a=group without semantics")
        return cls(fields[0], tuple(fields[1:]))

    def to_sdp(self) -> str:
        """Write the value."""
        return " ".join((self.semantics, *self.mids))


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`a=fingerprint:` (RFC 8122 5): the digest of a certificate; `value` is upper-case hex with colons."""

    algorithm: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """Read the value of `a=fingerprint:`; the algorithm becomes lower case, the digest upper case.

        :raises SdpError: if it is not a hash name and hex bytes.
        """
        algorithm, _, value = text.strip().partition(" ")
        if not _HASH.fullmatch(algorithm) or not _HEX_BYTES.fullmatch(value):
            raise SdpError(f"bad fingerprint {shorten(text)}")
        return cls(algorithm.lower(), value.upper())

    def to_sdp(self) -> str:
        """Write the value."""
        return f"{self.algorithm} {self.value}"


@dataclass(frozen=True, slots=True)
class Msid:
    """`a=msid:` (RFC 8830 2): the media stream, and in older offers the track, that a section carries.

    `stream` is `-` for a track that is in no stream.
    """

    stream: str
    track: str | None = None

    @classmethod
    def parse(cls, text: str) -> Msid:
        """Read the value of `a=msid:`.

        :raises SdpError: if it is empty or has more than two fields.
        """
        fields = text.split()
        if not 1 <= len(fields) <= 2:
            raise SdpError(f"bad msid {shorten(text)}")
        return cls(fields[0], fields[1] if len(fields) == 2 else None)

    def to_sdp(self) -> str:
        """Write the value."""
        return self.stream if self.track is None else f"{self.stream} {self.track}"


@dataclass(frozen=True, slots=True)
class SctpMap:
    """`a=sctpmap:` of the drafts before RFC 8841: port, application and number of streams."""

    port: int
    application: str
    streams: int | None = None

    @classmethod
    def parse(cls, text: str) -> SctpMap:
        """Read the value of `a=sctpmap:`.

        :raises SdpError: if it is not a port, a name and at most one number.
        """
        fields = text.split()
        if not 2 <= len(fields) <= 3:
            raise SdpError(f"bad sctpmap {shorten(text)}")
        streams = parse_uint(fields[2], MAX_UINT64) if len(fields) == 3 else None
        return cls(parse_uint(fields[0], 65535), fields[1], streams)

    def to_sdp(self) -> str:
        """Write the value."""
        end = "" if self.streams is None else f" {self.streams}"
        return f"{self.port} {self.application}{end}"


def parse_uint(text: str, maximum: int) -> int:
    """Read an unsigned decimal number.

    :raises SdpError: if it is none, or above `maximum`.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise SdpError(f"{shorten(text)} is not a number")
    number = int(text)
    if number > maximum:
        raise SdpError(f"{number} is above {maximum}")
    return number


def parse_token(text: str) -> str:
    """Read a value that is one word, such as a mid.

    :raises SdpError: if it is empty or holds white space.
    """
    if not _TOKEN.fullmatch(text):
        raise SdpError(f"{shorten(text)} is not a token")
    return text


def parse_ice_ufrag(text: str) -> str:
    """Read the value of `a=ice-ufrag:` (RFC 8839 5.4).

    :raises SdpError: if it is shorter than 4 or longer than 256 characters, or has others than ICE allows.
    """
    if not _ICE_UFRAG.fullmatch(text):
        raise SdpError(f"bad ice-ufrag {shorten(text)}")
    return text


def parse_ice_pwd(text: str) -> str:
    """Read the value of `a=ice-pwd:` (RFC 8839 5.4).

    :raises SdpError: if it is shorter than 22 or longer than 256 characters, or has others than ICE allows.
    """
    if not _ICE_PWD.fullmatch(text):
        raise SdpError("bad ice-pwd")  # the value is a secret: it does not belong into logs
    return text


def parse_setup(text: str) -> Setup:
    """Read the value of `a=setup:`.

    :raises SdpError: if RFC 4145 does not know it.
    """
    try:
        return Setup(text.strip().lower())
    except ValueError:
        raise SdpError(f"unknown setup {shorten(text)}") from None


def shorten(text: str) -> str:
    """Quote a piece of somebody else's text for an error message, cut to a readable length."""
    return repr(text if len(text) <= 60 else text[:60] + "...")
