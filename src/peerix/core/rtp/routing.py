"""Which media section and encoding a packet belongs to (RFC 9143 section 9.2, RFC 8852).

The MID of a packet is believed first, then what is known of its SSRC, then a payload type that only one section uses.
What a MID or RID told of an SSRC is remembered, since senders stop to repeat it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.core.rtp.header_extensions import HeaderExtensions
    from peerix.core.rtp.packet import RtpPacket

MAX_LATCHED = 256
"""SSRCs remembered; the one learnt first is forgotten for a new one."""


@dataclass(frozen=True, slots=True)
class SectionRoutes:
    """What the descriptions say of one section that receives.

    `rids` are the encodings of a simulcast, empty when there is one. `sources` are the SSRCs that the other side
    announced, those of retransmissions among them.
    """

    mid: str
    payload_types: frozenset[int]
    rtx_payload_types: frozenset[int] = frozenset()
    rids: tuple[str, ...] = ()
    sources: tuple[int, ...] = ()


@dataclass(slots=True)
class Route:
    """Where a packet goes: `rid` is empty in a section without simulcast. Not frozen: one is made a packet."""

    mid: str
    rid: str
    retransmission: bool


@dataclass(slots=True)
class RoutingCounters:
    """Packets that belong nowhere, by reason."""

    unknown_mid: int = 0
    unknown_rid: int = 0
    unknown_source: int = 0
    wrong_payload_type: int = 0


class Router:
    """Routes the packets of one transport."""

    __slots__ = ("_by_payload_type", "_latched", "_sections", "counters")

    def __init__(self) -> None:
        self._sections: dict[str, SectionRoutes] = {}
        self._by_payload_type: dict[int, str | None] = {}
        self._latched: dict[int, tuple[str, str]] = {}
        self.counters = RoutingCounters()

    def set_sections(self, sections: Sequence[SectionRoutes]) -> None:
        """Take what a negotiation agreed on; what was learnt of sections that remain stays."""
        self._sections = {section.mid: section for section in sections}
        self._by_payload_type = {}
        for section in sections:
            for payload_type in section.payload_types | section.rtx_payload_types:
                unique = payload_type not in self._by_payload_type
                self._by_payload_type[payload_type] = section.mid if unique else None
        self._latched = {ssrc: place for ssrc, place in self._latched.items() if self._exists(*place)}
        for section in sections:
            for ssrc in () if section.rids else section.sources:
                self._latch(ssrc, section.mid, "")

    def route(self, packet: RtpPacket, extensions: HeaderExtensions) -> Route | None:
        """Tell where a packet goes; None, and counted, when it goes nowhere."""
        ssrc = packet.ssrc
        place = self._latched.get(ssrc)
        said = extensions.mid
        if (
            extensions.rid is not None
            or extensions.repaired_rid is not None
            or (said and not (place and place[0] == said))
        ):
            place = self._learn(ssrc, extensions, place)
            if place is None:
                return None
        if place is None:
            place = self._place_by_payload_type(packet)
            if place is None:
                self.counters.unknown_source += 1
                return None
        mid, rid = place
        section = self._sections[mid]
        if packet.payload_type in section.payload_types:
            return Route(mid, rid, retransmission=False)
        if packet.payload_type in section.rtx_payload_types:
            return Route(mid, rid, retransmission=True)
        self.counters.wrong_payload_type += 1
        return None

    def place_of(self, ssrc: int) -> tuple[str, str] | None:
        """Tell the MID and RID of a source that RTCP speaks of."""
        return self._latched.get(ssrc)

    def forget_source(self, ssrc: int) -> None:
        """Forget what was learnt of a source that ended."""
        self._latched.pop(ssrc, None)

    def _learn(self, ssrc: int, extensions: HeaderExtensions, known: tuple[str, str] | None) -> tuple[str, str] | None:
        mid = extensions.mid if extensions.mid is not None else known and known[0]
        if mid is None:
            mid = self._only_mid_of_rid(extensions)
        if mid not in self._sections:
            self.counters.unknown_mid += 1
            return None
        # A packet of retransmissions may carry both; the repaired one is where it belongs.
        rid = extensions.repaired_rid or extensions.rid or (known[1] if known is not None and known[0] == mid else "")
        rids = self._sections[mid].rids
        if not rids:
            rid = ""  # a sender may name its only encoding
        elif rid not in rids:
            self.counters.unknown_rid += 1
            return None
        if known != (mid, rid):
            self._latch(ssrc, mid, rid)
        return mid, rid

    def _only_mid_of_rid(self, extensions: HeaderExtensions) -> str | None:
        """Give the section of a packet that has a RID and no MID, when one only has such an encoding."""
        rid = extensions.repaired_rid or extensions.rid
        found = [section.mid for section in self._sections.values() if rid in section.rids]
        return found[0] if len(found) == 1 else None

    def _place_by_payload_type(self, packet: RtpPacket) -> tuple[str, str] | None:
        mid = self._by_payload_type.get(packet.payload_type)
        if mid is None or self._sections[mid].rids:
            return None  # without a RID nobody can tell the encodings apart
        self._latch(packet.ssrc, mid, "")
        return mid, ""

    def _latch(self, ssrc: int, mid: str, rid: str) -> None:
        self._latched.pop(ssrc, None)
        if len(self._latched) >= MAX_LATCHED:
            del self._latched[next(iter(self._latched))]
        self._latched[ssrc] = (mid, rid)

    def _exists(self, mid: str, rid: str) -> bool:
        section = self._sections.get(mid)
        return section is not None and (rid in section.rids if section.rids else not rid)
