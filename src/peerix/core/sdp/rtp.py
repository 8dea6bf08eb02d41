"""Values of the attributes that describe RTP: codecs, feedback, header extensions, sources and encodings.

Each class has `parse(text)`, which raises `SdpError` and nothing else, and `to_sdp()`; both speak of the
value alone, without `a=name:`.
"""

from __future__ import annotations

from dataclasses import dataclass

from peerix.core.sdp.errors import SdpError
from peerix.core.sdp.values import Direction, parse_uint, shorten

MAX_PAYLOAD_TYPE = 127
MAX_SSRC = (1 << 32) - 1
MAX_EXTENSION_ID = 4351
"""The largest id of `a=extmap:`; those above 255 stand for ids yet to be agreed on (RFC 8285 8)."""
_MAX_CLOCK_RATE = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class RtpMap:
    """`a=rtpmap:` (RFC 8866 6.6): payload type, encoding name, clock rate in Hz, and channels when told."""

    payload_type: int
    encoding: str
    clock_rate: int
    channels: int | None = None

    @classmethod
    def parse(cls, text: str) -> RtpMap:
        """Read the value of `a=rtpmap:`.

        :raises SdpError: if it is not `type name/rate` or `type name/rate/channels`.
        """
        payload_type, rest = _payload_type(text)
        fields = rest.split("/")
        if not 2 <= len(fields) <= 3 or not fields[0]:
            raise SdpError(f"bad rtpmap {shorten(text)}")
        channels = parse_uint(fields[2], 255) if len(fields) == 3 else None
        return cls(payload_type, fields[0], parse_uint(fields[1], _MAX_CLOCK_RATE), channels)

    def to_sdp(self) -> str:
        """Write the value."""
        end = "" if self.channels is None else f"/{self.channels}"
        return f"{self.payload_type} {self.encoding}/{self.clock_rate}{end}"


@dataclass(frozen=True, slots=True)
class Fmtp:
    """`a=fmtp:` (RFC 8866 6.15).

    The parameters of one payload type, as text because each codec has its own form.
    """

    payload_type: int
    parameters: str

    @classmethod
    def parse(cls, text: str) -> Fmtp:
        """Read the value of `a=fmtp:`.

        :raises SdpError: if it does not begin with a payload type.
        """
        return cls(*_payload_type(text))

    def to_sdp(self) -> str:
        """Write the value."""
        return f"{self.payload_type} {self.parameters}"

    def as_dict(self) -> dict[str, str]:
        """Give the parameters of a codec that writes them as `name=value;name=value`."""
        return read_parameters(self.parameters)


@dataclass(frozen=True, slots=True)
class RtcpFeedback:
    """`a=rtcp-fb:` (RFC 4585 4.2).

    Feedback that a payload type takes; `payload_type` is None for `*`, all of them.
    """

    payload_type: int | None
    type: str
    parameter: str = ""

    @classmethod
    def parse(cls, text: str) -> RtcpFeedback:
        """Read the value of `a=rtcp-fb:`.

        :raises SdpError: if it is not a payload type or `*`, and a word.
        """
        first, _, rest = text.strip().partition(" ")
        type_, _, parameter = rest.strip().partition(" ")
        if not type_:
            raise SdpError(f"bad rtcp-fb {shorten(text)}")
        payload_type = None if first == "*" else parse_uint(first, MAX_PAYLOAD_TYPE)
        return cls(payload_type, type_, parameter.strip())

    def to_sdp(self) -> str:
        """Write the value."""
        first = "*" if self.payload_type is None else str(self.payload_type)
        return " ".join(part for part in (first, self.type, self.parameter) if part)


@dataclass(frozen=True, slots=True)
class HeaderExtension:
    """`a=extmap:` (RFC 8285 8).

    The id of an RTP header extension; None as direction means that of the section.
    """

    id: int
    uri: str
    direction: Direction | None = None
    parameters: str = ""

    @classmethod
    def parse(cls, text: str) -> HeaderExtension:
        """Read the value of `a=extmap:`.

        :raises SdpError: if it is not an id, perhaps a direction, and a URI.
        """
        first, _, rest = text.strip().partition(" ")
        uri, _, parameters = rest.strip().partition(" ")
        number, slash, direction = first.partition("/")
        if not uri or (slash and direction not in _DIRECTIONS):
            raise SdpError(f"bad extmap {shorten(text)}")
        identity = parse_uint(number, MAX_EXTENSION_ID)
        return cls(identity, uri, Direction(direction) if slash else None, parameters.strip())

    def to_sdp(self) -> str:
        """Write the value."""
        first = str(self.id) if self.direction is None else f"{self.id}/{self.direction}"
        return " ".join(part for part in (first, self.uri, self.parameters) if part)


@dataclass(frozen=True, slots=True)
class Ssrc:
    """`a=ssrc:` (RFC 5576 4.1): one thing said of one source; `value` is None for a bare word."""

    ssrc: int
    attribute: str
    value: str | None = None

    @classmethod
    def parse(cls, text: str) -> Ssrc:
        """Read the value of `a=ssrc:`.

        :raises SdpError: if it is not a number and an attribute.
        """
        number, _, rest = text.strip().partition(" ")
        attribute, colon, value = rest.strip().partition(":")
        if not attribute:
            raise SdpError(f"bad ssrc {shorten(text)}")
        return cls(parse_uint(number, MAX_SSRC), attribute, value if colon else None)

    def to_sdp(self) -> str:
        """Write the value."""
        end = "" if self.value is None else f":{self.value}"
        return f"{self.ssrc} {self.attribute}{end}"


@dataclass(frozen=True, slots=True)
class SsrcGroup:
    """`a=ssrc-group:` (RFC 5576 4.2).

    FID joins a stream and its retransmissions, SIM the layers of a simulcast.
    """

    semantics: str
    ssrcs: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> SsrcGroup:
        """Read the value of `a=ssrc-group:`.

        :raises SdpError: if it is empty or names what is no SSRC.
        """
        fields = text.split()
        if not fields:
            raise SdpError("a=ssrc-group without semantics")
        return cls(fields[0], tuple(parse_uint(field, MAX_SSRC) for field in fields[1:]))

    def to_sdp(self) -> str:
        """Write the value."""
        return " ".join((self.semantics, *map(str, self.ssrcs)))


@dataclass(frozen=True, slots=True)
class Rid:
    """`a=rid:` (RFC 8851 4): one encoding, its direction (`send` or `recv`) and its restrictions as text."""

    id: str
    direction: str
    restrictions: str = ""

    @classmethod
    def parse(cls, text: str) -> Rid:
        """Read the value of `a=rid:`.

        :raises SdpError: if it is not an id and a direction.
        """
        fields = text.strip().split(None, 2)
        if len(fields) < 2 or fields[1] not in ("send", "recv"):
            raise SdpError(f"bad rid {shorten(text)}")
        return cls(fields[0], fields[1], fields[2] if len(fields) == 3 else "")

    def to_sdp(self) -> str:
        """Write the value."""
        return " ".join(part for part in (self.id, self.direction, self.restrictions) if part)


@dataclass(frozen=True, slots=True)
class SimulcastAlternative:
    """One encoding of a simulcast stream, and whether it is paused at first (`~`)."""

    rid: str
    paused: bool = False

    def to_sdp(self) -> str:
        """Write it as it stands in `a=simulcast:`."""
        return f"~{self.rid}" if self.paused else self.rid


@dataclass(frozen=True, slots=True)
class Simulcast:
    """`a=simulcast:` (RFC 8853 5.1).

    For each direction its streams, and for each stream its alternative encodings.
    """

    send: tuple[tuple[SimulcastAlternative, ...], ...] = ()
    recv: tuple[tuple[SimulcastAlternative, ...], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Simulcast:
        """Read the value of `a=simulcast:`.

        :raises SdpError: if it is not one or two directions, each with its streams.
        """
        fields = text.split()
        streams = dict(zip(fields[::2], map(_simulcast_streams, fields[1::2]), strict=False))
        if len(fields) not in (2, 4) or len(streams) != len(fields) // 2 or not streams.keys() <= {"send", "recv"}:
            raise SdpError(f"bad simulcast {shorten(text)}")
        return cls(streams.get("send", ()), streams.get("recv", ()))

    def to_sdp(self) -> str:
        """Write the value."""
        return " ".join(
            f"{name} {';'.join(','.join(a.to_sdp() for a in stream) for stream in streams)}"
            for name, streams in (("send", self.send), ("recv", self.recv))
            if streams
        )


def read_parameters(text: str) -> dict[str, str]:
    """Read `name=value;name=value`: names in lower case; a bare word has the value ``""``."""
    pairs = (part.strip().partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name}


def _simulcast_streams(text: str) -> tuple[tuple[SimulcastAlternative, ...], ...]:
    streams = tuple(
        tuple(SimulcastAlternative(word.removeprefix("~"), word.startswith("~")) for word in stream.split(","))
        for stream in text.split(";")
    )
    if not all(alternative.rid for stream in streams for alternative in stream):
        raise SdpError(f"bad simulcast {shorten(text)}")
    return streams


def _payload_type(text: str) -> tuple[int, str]:
    number, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    if not rest:
        raise SdpError(f"{shorten(text)} says nothing of its payload type")
    return parse_uint(number, MAX_PAYLOAD_TYPE), rest


_DIRECTIONS = frozenset(Direction)
