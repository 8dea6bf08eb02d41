"""Building blocks of our descriptions: sections, transport attributes, BUNDLE."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from peerix.core.jsep.origin import UNSTAMPED
from peerix.core.jsep.parameters import MAX_MESSAGE_SIZE
from peerix.core.sdp import (
    DEFAULT_SCTP_PORT,
    Attribute,
    Attributes,
    Description,
    Group,
    Line,
    MediaSection,
    SctpMap,
    attributes_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from peerix.core.jsep.parameters import LocalTransport
    from peerix.core.sdp import Setup

DISCARD_PORT = 9
"""The port of a section whose candidates are not known yet (RFC 8840 4.1.3)."""

NO_ADDRESS = Line("c", "IN IP4 0.0.0.0")
"""The `c=` line of such a section."""

_SCTPMAP_STREAMS = 1024
_CANDIDATE_ATTRIBUTES = ("candidate", "end-of-candidates")


def data_section(mid: str | None, transport: LocalTransport, setup: Setup) -> MediaSection:
    """Make the section of our data channels, as RFC 8841 writes it."""
    sctp = attributes_of((("sctp-port", str(DEFAULT_SCTP_PORT)), ("max-message-size", str(MAX_MESSAGE_SIZE))))
    return MediaSection(
        kind="application",
        port=DISCARD_PORT,
        protocol="UDP/DTLS/SCTP",
        formats=("webrtc-datachannel",),
        lines=(NO_ADDRESS,),
        attributes=Attributes((*transport_attributes(mid, transport, setup), *sctp)),
    )


def data_answer(offered: MediaSection, transport: LocalTransport, setup: Setup) -> MediaSection:
    """Make the section that accepts data channels, in the form of the offer.

    That of RFC 8841, or of its drafts.
    """
    section = replace(data_section(offered.mid, transport, setup), protocol=offered.protocol, formats=offered.formats)
    if offered.sctpmap is None:
        return section
    sctpmap = SctpMap(DEFAULT_SCTP_PORT, "webrtc-datachannel", _SCTPMAP_STREAMS)
    attributes = section.attributes.without("sctp-port").plus(Attribute("sctpmap", sctpmap.to_sdp()))
    return replace(section, formats=(str(DEFAULT_SCTP_PORT),), attributes=attributes)


def rejected_section(section: MediaSection) -> MediaSection:
    """Make the section that turns `section` off, or keeps it off.

    Port 0, and no more than its name (RFC 9429 5.3.1).
    """
    names: list[tuple[str, str | None]] = [("mid", section.mid)] if section.mid is not None else []
    if section.kind != "application":
        names.append(("inactive", None))
    return MediaSection(
        kind=section.kind,
        port=0,
        protocol=section.protocol,
        formats=section.formats,
        lines=(NO_ADDRESS,),
        attributes=attributes_of(names),
    )


def transport_attributes(mid: str | None, transport: LocalTransport, setup: Setup) -> Iterator[Attribute]:
    """Give what a section says of its transport, its candidates aside."""
    yield Attribute("ice-ufrag", transport.ufrag)
    yield Attribute("ice-pwd", transport.pwd)
    yield Attribute("ice-options", "trickle")
    for fingerprint in transport.fingerprints:
        yield Attribute("fingerprint", fingerprint.to_sdp())
    yield Attribute("setup", setup)
    if mid is not None:
        yield Attribute("mid", mid)


def compose(sections: Sequence[MediaSection], *, bundled: Sequence[str], transport: LocalTransport) -> Description:
    """Make a description of sections, those of `bundled` sharing the transport."""
    groups = [("group", Group("BUNDLE", tuple(bundled)).to_sdp())] if bundled else []
    description = Description(UNSTAMPED, attributes=attributes_of(groups), media=tuple(sections))
    return with_candidates(description, transport)


def with_candidates(description: Description, transport: LocalTransport) -> Description:
    """Put the candidates of `transport` into a description of ours.

    They stand in the first section that is on: all share its transport, and browsers write them there alone.
    A description of other ICE credentials is left as it is: the candidates are not of its generation.
    """
    for index, section in enumerate(description.media):
        if not section.rejected:
            if section.ice_ufrag != transport.ufrag:
                return description
            complete = _gathered(section, transport)
            if complete is section:
                return description
            media = list(description.media)
            media[index] = complete
            return replace(description, media=tuple(media))
    return description


def _gathered(section: MediaSection, transport: LocalTransport) -> MediaSection:
    candidates = [Attribute("candidate", text.removeprefix("candidate:")) for text in transport.candidates]
    if transport.end_of_candidates:
        candidates.append(Attribute("end-of-candidates"))
    rest = section.attributes.without(*_CANDIDATE_ATTRIBUTES)
    port, address = default_destination(transport.candidates)
    attributes = Attributes((*candidates, *rest))
    if (port, (address,), attributes) == (section.port, section.lines, section.attributes):
        return section
    return MediaSection(
        section.kind, port, section.protocol, section.formats, section.port_count, (address,), attributes
    )


def default_destination(candidates: Iterable[str]) -> tuple[int, Line]:
    """Choose the port and `c=` line for who does not know ICE (RFC 8839 4.2.1.2).

    A relayed address is reached most likely, then a reflexive one; IPv4 goes before IPv6. Host names are
    never written: they are those of multicast DNS, and hide an address.
    """
    best = (0, DISCARD_PORT, NO_ADDRESS)
    for candidate in candidates:
        fields = candidate.split()
        if len(fields) < 8 or fields[2].lower() != "udp" or not fields[5].isdigit():
            continue
        host, port, kind = fields[4], int(fields[5]), fields[7]
        family = 6 if ":" in host else 4
        if family == 4 and not host.replace(".", "").isdigit():
            continue
        rank = 2 * _TYPE_RANK.get(kind, 0) + (1 if family == 4 else 0)
        if rank > best[0]:
            best = (rank, port, Line("c", f"IN IP{family} {host}"))
    return best[1:]


_TYPE_RANK = {"host": 1, "srflx": 2, "relay": 3}
