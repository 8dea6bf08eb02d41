"""The model of a session description: immutable, and in the order in which it was written.

    Description              v= o= s= and the session's other lines
      attributes             its a= lines
      media                  one MediaSection for each m= line
        attributes           its a= lines

Every attribute is kept as it stands, known or not, so that what was read can be written back unchanged; the
properties read the known ones as typed values each time they are asked. Whoever wants another description
makes one with `dataclasses.replace`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    Direction,
    Fingerprint,
    Group,
    Msid,
    Origin,
    SctpMap,
    Setup,
    parse_setup,
    parse_uint,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_SCTP_PORT = 5000
"""The SCTP port of WebRTC when a section does not say another."""

DEFAULT_MAX_MESSAGE_SIZE = 65536
"""Bytes a receiver takes that announces no `a=max-message-size` (RFC 8841 6.1)."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One `a=` line: `a=name` when `value` is None, else `a=name:value`."""

    name: str
    value: str | None = None

    def to_sdp(self) -> str:
        """Write the line without its `a=`."""
        return self.name if self.value is None else f"{self.name}:{self.value}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is neither an attribute nor one of `v= o= s= m=`: its letter and its value."""

    type: str
    value: str


class Attributes(tuple[Attribute, ...]):
    """The attributes of a session or section, in order."""

    __slots__ = ()

    def has(self, name: str) -> bool:
        """Tell whether an attribute of this name is there."""
        # Plain loops, here and below: a generator is resumed once an attribute, and each description is asked often.
        for attribute in self:  # noqa: SIM110
            if attribute.name == name:
                return True
        return False

    def value(self, name: str) -> str | None:
        """Give the value of the first attribute of this name, None when it is absent or has no value."""
        for attribute in self:
            if attribute.name == name:
                return attribute.value
        return None

    def values(self, name: str) -> tuple[str, ...]:
        """Give the values of all attributes of this name."""
        return tuple([a.value for a in self if a.name == name and a.value is not None])

    def without(self, *names: str) -> Attributes:
        """Give the attributes that have none of these names."""
        return Attributes([attribute for attribute in self if attribute.name not in names])

    def plus(self, *more: Attribute) -> Attributes:
        """Give these attributes, followed by `more`."""
        return Attributes((*self, *more))


_NO_ATTRIBUTES = Attributes()


@dataclass(frozen=True, slots=True)
class MediaSection:
    """One `m=` line and what follows it (RFC 8866 5.14).

    `formats` are payload types for RTP, and `webrtc-datachannel` (or, in old offers, the port) for SCTP;
    `lines` are its `i= c= b= k=` lines.
    """

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    port_count: int | None = None
    lines: tuple[Line, ...] = ()
    attributes: Attributes = _NO_ATTRIBUTES

    @property
    def rejected(self) -> bool:
        """Whether the section is off.

        Port 0, without the `bundle-only` that gives port 0 another sense (RFC 9143 6).
        """
        return self.port == 0 and not self.attributes.has("bundle-only")

    @property
    def is_data(self) -> bool:
        """Whether this is a section of WebRTC data channels (RFC 8841 4, and its drafts)."""
        if self.kind != "application" or not self.protocol.endswith("DTLS/SCTP"):
            return False
        return "webrtc-datachannel" in self.formats or self.sctpmap is not None

    @property
    def mid(self) -> str | None:
        """The name of the section (RFC 5888 4)."""
        return self.attributes.value("mid")

    @property
    def ice_ufrag(self) -> str | None:
        """The ICE user name fragment of this section, None when it has none of its own."""
        return self.attributes.value("ice-ufrag")

    @property
    def ice_pwd(self) -> str | None:
        """The ICE password of this section, None when it has none of its own."""
        return self.attributes.value("ice-pwd")

    @property
    def candidates(self) -> tuple[str, ...]:
        """Its ICE candidates, each as `candidate:...`.

        The text that browsers put into `RTCIceCandidate.candidate`.
        """
        return tuple([f"candidate:{value}" for value in self.attributes.values("candidate")])

    @property
    def end_of_candidates(self) -> bool:
        """Whether no further candidates will come (RFC 8840 8.2)."""
        return self.attributes.has("end-of-candidates")

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """The certificate digests of this section."""
        return tuple([Fingerprint.parse(value) for value in self.attributes.values("fingerprint")])

    @property
    def setup(self) -> Setup | None:
        """The DTLS role that this section offers or takes, None when it says none."""
        return read_setup(self.attributes)

    @property
    def direction(self) -> Direction | None:
        """The direction of its media, None when the section says none."""
        return read_direction(self.attributes)

    @property
    def rtcp_mux(self) -> bool:
        """Whether RTP and RTCP share a port (RFC 5761)."""
        return self.attributes.has("rtcp-mux")

    @property
    def rtcp_rsize(self) -> bool:
        """Whether RTCP packets may be of reduced size (RFC 5506)."""
        return self.attributes.has("rtcp-rsize")

    @property
    def msids(self) -> tuple[Msid, ...]:
        """The media streams that its track is in."""
        return tuple(Msid.parse(value) for value in self.attributes.values("msid"))

    @property
    def rtpmaps(self) -> tuple[RtpMap, ...]:
        """Which codec each payload type is."""
        return tuple(RtpMap.parse(value) for value in self.attributes.values("rtpmap"))

    @property
    def fmtps(self) -> tuple[Fmtp, ...]:
        """The parameters of its codecs."""
        return tuple(Fmtp.parse(value) for value in self.attributes.values("fmtp"))

    @property
    def rtcp_feedbacks(self) -> tuple[RtcpFeedback, ...]:
        """Which feedback each payload type takes."""
        return tuple(RtcpFeedback.parse(value) for value in self.attributes.values("rtcp-fb"))

    @property
    def header_extensions(self) -> tuple[HeaderExtension, ...]:
        """The RTP header extensions and their ids."""
        return tuple(HeaderExtension.parse(value) for value in self.attributes.values("extmap"))

    @property
    def ssrcs(self) -> tuple[Ssrc, ...]:
        """What is said of single SSRCs."""
        return tuple(Ssrc.parse(value) for value in self.attributes.values("ssrc"))

    @property
    def ssrc_groups(self) -> tuple[SsrcGroup, ...]:
        """Which SSRCs belong together, such as a stream and its retransmissions."""
        return tuple(SsrcGroup.parse(value) for value in self.attributes.values("ssrc-group"))

    @property
    def rids(self) -> tuple[Rid, ...]:
        """The restrictions of its encodings."""
        return tuple(Rid.parse(value) for value in self.attributes.values("rid"))

    @property
    def simulcast(self) -> Simulcast | None:
        """Which encodings are sent and received at the same time."""
        value = self.attributes.value("simulcast")
        return None if value is None else Simulcast.parse(value)

    @property
    def sctpmap(self) -> SctpMap | None:
        """The association of a data section written after the drafts before RFC 8841."""
        value = self.attributes.value("sctpmap")
        return None if value is None else SctpMap.parse(value)

    @property
    def sctp_port(self) -> int:
        """The SCTP port of a data section; 5000 when it says none."""
        value = self.attributes.value("sctp-port")
        if value is not None:
            return parse_uint(value, 65535)
        return DEFAULT_SCTP_PORT if self.sctpmap is None else self.sctpmap.port

    @property
    def max_message_size(self) -> int:
        """Bytes the writer takes in one message: 64 KiB when it says nothing, 0 for no limit (RFC 8841 6)."""
        value = self.attributes.value("max-message-size")
        return DEFAULT_MAX_MESSAGE_SIZE if value is None else parse_uint(value, MAX_UINT64)


@dataclass(frozen=True, slots=True)
class Description:
    """A whole session description (RFC 8866); `lines` are its `i= u= e= p= c= b= t= r= z= k=` lines."""

    origin: Origin
    name: str = "-"
    lines: tuple[Line, ...] = (Line("t", "0 0"),)
    attributes: Attributes = _NO_ATTRIBUTES
    media: tuple[MediaSection, ...] = ()

    @property
    def groups(self) -> tuple[Group, ...]:
        """All `a=group:` attributes."""
        return tuple(Group.parse(value) for value in self.attributes.values("group"))

    @property
    def bundles(self) -> tuple[Group, ...]:
        """The groups of sections that share one transport (RFC 9143)."""
        return tuple(group for group in self.groups if group.semantics == "BUNDLE")

    @property
    def ice_lite(self) -> bool:
        """Whether the writer only answers connectivity checks (RFC 8839 5.3)."""
        return self.attributes.has("ice-lite")

    @property
    def msid_semantic(self) -> tuple[str, ...]:
        """The words of `a=msid-semantic:`, a leftover of the drafts that browsers still write."""
        return tuple((self.attributes.value("msid-semantic") or "").split())

    def section(self, mid: str) -> MediaSection | None:
        """Give the section of this mid."""
        return next((section for section in self.media if section.mid == mid), None)


def read_setup(attributes: Attributes) -> Setup | None:
    """Read `a=setup:` among the attributes of a session or section."""
    value = attributes.value("setup")
    return None if value is None else parse_setup(value)


def read_direction(attributes: Attributes) -> Direction | None:
    """Read the last of the four direction attributes of a session or section."""
    names = [attribute.name for attribute in attributes if attribute.name in _DIRECTIONS]
    return Direction(names[-1]) if names else None


def attributes_of(pairs: Iterable[tuple[str, str | None]]) -> Attributes:
    """Make attributes of names and values."""
    return Attributes(Attribute(name, value) for name, value in pairs)


_DIRECTIONS = frozenset(Direction)
