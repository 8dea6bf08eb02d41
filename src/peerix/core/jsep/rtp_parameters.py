"""Reading from the two descriptions of a section how media is sent and received in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.jsep.codecs import bind_codecs
from peerix.core.jsep.transceiver import RtpParameters, Source

if TYPE_CHECKING:
    from peerix.core.jsep.capabilities import MediaCapabilities
    from peerix.core.sdp import MediaSection

MAX_SOURCES = 16
"""SSRCs of a section that are noted; a simulcast of three layers with retransmissions has six."""

MAX_RIDS = 8
"""Encodings of a section that are taken; browsers send at most three."""


def send_parameters(
    local: MediaSection, remote: MediaSection, capabilities: MediaCapabilities, *, answer_is_ours: bool
) -> RtpParameters:
    """Give how we send: with the numbers of the other side, who says what it receives (RFC 3264 5.1).

    The codecs are those of the answer, in its order, whoever wrote it (RFC 3264 6.1).
    """
    accepted = receive_rids(remote)
    codecs = capabilities.codecs_of(remote.kind)
    ours = [each.codec for each in bind_codecs(local, codecs)]
    bound = [each for each in bind_codecs(remote, codecs) if each.codec in ours]
    if answer_is_ours:
        bound.sort(key=lambda each: ours.index(each.codec))
    return RtpParameters(
        remote.mid or local.mid,
        tuple(bound),
        tuple((extension.id, extension.uri) for extension in remote.header_extensions),
        tuple(rid for rid in send_rids(local) if rid in accepted),
        reduced_size_rtcp=remote.rtcp_rsize,
    )


def receive_parameters(local: MediaSection, remote: MediaSection, capabilities: MediaCapabilities) -> RtpParameters:
    """Give how we receive: with our numbers, from the sources that the other side announced."""
    offered = send_rids(remote)
    return RtpParameters(
        local.mid,
        bind_codecs(local, capabilities.codecs_of(local.kind)),
        tuple((extension.id, extension.uri) for extension in local.header_extensions),
        tuple(rid for rid in receive_rids(local) if rid in offered),
        reduced_size_rtcp=local.rtcp_rsize,
        sources=_sources(remote),
    )


def streams_of(section: MediaSection) -> tuple[str, ...]:
    """Give the ids of the media streams that the writer of a section sends in it.

    They stand in `a=msid:`, or before RFC 8830 among the attributes of an SSRC; `-` stands for none.
    """
    streams = [msid.stream for msid in section.msids]
    if not streams:
        old = [ssrc.value for ssrc in section.ssrcs if ssrc.attribute == "msid" and ssrc.value]
        streams = [value.split()[0] for value in old if value.split()]
    return tuple(dict.fromkeys(stream for stream in streams if stream != "-"))


def send_rids(section: MediaSection) -> tuple[str, ...]:
    """Give the encodings that the writer of a section offers to send at the same time, the first of alternatives."""
    simulcast = section.simulcast
    return () if simulcast is None else tuple(stream[0].rid for stream in simulcast.send[:MAX_RIDS])


def receive_rids(section: MediaSection) -> tuple[str, ...]:
    """Give the encodings that the writer of a section takes at the same time, the first of alternatives."""
    simulcast = section.simulcast
    return () if simulcast is None else tuple(stream[0].rid for stream in simulcast.recv[:MAX_RIDS])


def _sources(section: MediaSection) -> tuple[Source, ...]:
    pairs = {
        group.ssrcs[0]: group.ssrcs[1]
        for group in section.ssrc_groups
        if group.semantics == "FID" and len(group.ssrcs) == 2
    }
    retransmitting = set(pairs.values())
    names: dict[int, str | None] = {}
    for line in section.ssrcs:
        names.setdefault(line.ssrc, None)
        if line.attribute == "cname":
            names[line.ssrc] = line.value
    primary = [ssrc for ssrc in names if ssrc not in retransmitting][:MAX_SOURCES]
    return tuple(Source(ssrc, pairs.get(ssrc), names[ssrc]) for ssrc in primary)
