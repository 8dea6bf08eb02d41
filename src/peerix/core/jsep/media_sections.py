"""Writing audio and video sections (RFC 9429 5.2.1 and 5.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from peerix.core.jsep.codecs import BoundCodec, answer_parameters
from peerix.core.jsep.sections import DISCARD_PORT, NO_ADDRESS, transport_attributes
from peerix.core.jsep.transceiver import Outgoing
from peerix.core.sdp import (
    Attribute,
    Attributes,
    Direction,
    MediaSection,
    Msid,
    Rid,
    RtpMap,
    Simulcast,
    SimulcastAlternative,
    SsrcGroup,
    direction_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerix.core.jsep.parameters import LocalTransport
    from peerix.core.sdp import Setup

PROTOCOLS = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVPF", "RTP/SAVPF", "RTP/SAVP"})
"""What an `m=` line may say that means RTP over DTLS-SRTP (RFC 9429 5.1.2); which one makes no difference."""


@dataclass(frozen=True, slots=True)
class MediaPlan:
    """The contents of an audio or video section.

    `receive_rids` are encodings of the other side, `send_rids` ours, each when there are several.
    """

    kind: str
    mid: str | None
    direction: Direction
    outgoing: Outgoing
    cname: str
    codecs: Sequence[BoundCodec]
    extensions: Sequence[tuple[int, str]]
    send_rids: tuple[str, ...] = ()
    receive_rids: tuple[str, ...] = ()
    reduced_size_rtcp: bool = True
    mixed_extensions: bool = True


def media_section(
    plan: MediaPlan, transport: LocalTransport, setup: Setup, *, protocol: str = "UDP/TLS/RTP/SAVPF"
) -> MediaSection:
    """Write a section."""
    formats = [
        str(number)
        for bound in plan.codecs
        for number in (bound.payload_type, bound.rtx_payload_type)
        if number is not None
    ]
    return MediaSection(
        kind=plan.kind,
        port=DISCARD_PORT,
        protocol=protocol,
        formats=tuple(formats),
        lines=(NO_ADDRESS,),
        attributes=Attributes((*transport_attributes(plan.mid, transport, setup), *_attributes(plan))),
    )


def answered_codecs(offered: Sequence[BoundCodec]) -> tuple[BoundCodec, ...]:
    """Give codecs that were found in an offer as they are answered: with its numbers and our parameters."""
    return tuple(replace(bound, parameters=answer_parameters(bound)) for bound in offered)


def intersect(ours: Direction, theirs: Direction) -> Direction:
    """Give our direction as far as theirs allows it."""
    return direction_of(sends=ours.sends and theirs.receives, receives=ours.receives and theirs.sends)


def _attributes(plan: MediaPlan) -> Iterator[Attribute]:
    if plan.mixed_extensions:
        yield Attribute("extmap-allow-mixed")
    for number, uri in plan.extensions:
        yield Attribute("extmap", f"{number} {uri}")
    yield Attribute(plan.direction)
    if plan.direction.sends:
        for stream in plan.outgoing.streams or ("-",):
            yield Attribute("msid", Msid(stream, plan.outgoing.track).to_sdp())
    yield Attribute("rtcp-mux")
    if plan.reduced_size_rtcp:
        yield Attribute("rtcp-rsize")
    for bound in plan.codecs:
        yield from _codec(bound, plan.codecs)
    yield from _simulcast(plan)
    if plan.direction.sends and not plan.send_rids:
        yield from _sources(plan)


def _codec(bound: BoundCodec, codecs: Sequence[BoundCodec]) -> Iterator[Attribute]:
    codec, number = bound.codec, bound.payload_type
    yield Attribute("rtpmap", RtpMap(number, codec.name, codec.clock_rate, codec.channels).to_sdp())
    for feedback in bound.feedback:
        yield Attribute("rtcp-fb", f"{number} {feedback}")
    parameters = bound.parameters
    if codec.redundancy_of is not None:
        primary = next((str(b.payload_type) for b in codecs if b.codec.name == codec.redundancy_of), None)
        parameters = "" if primary is None else f"{primary}/{primary}"
    if parameters:
        yield Attribute("fmtp", f"{number} {parameters}")
    if bound.rtx_payload_type is not None:
        yield Attribute("rtpmap", RtpMap(bound.rtx_payload_type, "rtx", codec.clock_rate).to_sdp())
        yield Attribute("fmtp", f"{bound.rtx_payload_type} apt={number}")


def _simulcast(plan: MediaPlan) -> Iterator[Attribute]:
    for rids, direction in ((plan.send_rids, "send"), (plan.receive_rids, "recv")):
        for rid in rids:
            yield Attribute("rid", Rid(rid, direction).to_sdp())
    if plan.send_rids or plan.receive_rids:
        yield Attribute("simulcast", Simulcast(_streams(plan.send_rids), _streams(plan.receive_rids)).to_sdp())


def _streams(rids: Sequence[str]) -> tuple[tuple[SimulcastAlternative, ...], ...]:
    return tuple((SimulcastAlternative(rid),) for rid in rids)


def _sources(plan: MediaPlan) -> Iterator[Attribute]:
    """Name the SSRCs, which RFC 9429 leaves out: receivers that do not route by MID need them."""
    outgoing = plan.outgoing
    ssrcs = [outgoing.ssrc]
    if any(bound.rtx_payload_type is not None for bound in plan.codecs):
        ssrcs.append(outgoing.rtx_ssrc)
        yield Attribute("ssrc-group", SsrcGroup("FID", tuple(ssrcs)).to_sdp())
    for ssrc in ssrcs:
        yield Attribute("ssrc", f"{ssrc} cname:{plan.cname}")
