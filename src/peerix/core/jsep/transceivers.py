"""The transceivers of a connection: who owns them, which section each has, and what an offer has to say of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from peerix.core.jsep.codecs import bind_codecs
from peerix.core.jsep.media_sections import PROTOCOLS, MediaPlan, answered_codecs, intersect, media_section
from peerix.core.jsep.rtp_parameters import (
    receive_parameters,
    receive_rids,
    send_parameters,
    send_rids,
    streams_of,
)
from peerix.core.jsep.transceiver import UNASSOCIATED, Association, CreatedBy, Outgoing, Transceiver
from peerix.core.sdp import MAX_SSRC, Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from peerix.core.jsep.capabilities import Codec, MediaCapabilities, MediaKind
    from peerix.core.jsep.descriptions import AgreedSection
    from peerix.core.jsep.parameters import LocalTransport
    from peerix.core.jsep.payload_types import Numbering
    from peerix.core.jsep.transceiver import RtpParameters
    from peerix.core.sdp import Description, MediaSection, Setup


class Transceivers:
    """Owns the transceivers.

    What a pending description changes in them is undone by `roll_back`: the associations of the last stable
    state are kept.
    """

    __slots__ = ("_capabilities", "_cname", "_random_bytes", "_stable", "items")

    def __init__(self, capabilities: MediaCapabilities, random_bytes: Callable[[int], bytes]) -> None:
        self.items: list[Transceiver] = []
        self._capabilities = capabilities
        self._random_bytes = random_bytes
        self._cname = ""
        self._stable: dict[Transceiver, Association] = {}

    def add(
        self,
        kind: MediaKind,
        created_by: CreatedBy,
        direction: Direction,
        *,
        track: str | None = None,
        streams: Sequence[str] = (),
        rids: Sequence[str] = (),
    ) -> Transceiver:
        """Make a transceiver that has no section yet; `track` None gives the track a name of its own."""
        if not self._cname:
            self._cname = self._random_bytes(12).hex()
        outgoing = Outgoing(track or self._random_bytes(16).hex(), *self._ssrcs(), tuple(streams), tuple(rids))
        transceiver = Transceiver(kind, created_by, outgoing, direction)
        self.items.append(transceiver)
        return transceiver

    def at(self, index: int) -> Transceiver | None:
        """Give the transceiver whose section is at an index, in the descriptions in force or proposed."""
        return next((t for t in self.items if t.association.index == index and not t.stopped), None)

    def serves(self, section: MediaSection) -> bool:
        """Tell whether we can serve a section that the other side offers."""
        if section.kind not in ("audio", "video") or section.protocol not in PROTOCOLS or not section.rtcp_mux:
            return False
        owner = next((t for t in self.items if t.mid is not None and t.mid == section.mid), None)
        if owner is not None and owner.stopping:
            return False
        return bool(bind_codecs(section, self._codecs_of(owner, section.kind)))

    @property
    def receiving(self) -> tuple[Transceiver, ...]:
        """Those for which there is a track of the other side."""
        return tuple(transceiver for transceiver in self.items if transceiver.association.receiving)

    # -- writing sections

    def offer(
        self,
        transceiver: Transceiver,
        mid: str | None,
        numbering: Numbering,
        transport: LocalTransport,
        setup: Setup,
        *,
        previous: MediaSection | None,
    ) -> MediaSection:
        """Write the section of a transceiver for an offer; `previous` is the one in force."""
        plan = MediaPlan(
            transceiver.kind,
            mid,
            transceiver.direction,
            transceiver.outgoing,
            self._cname,
            numbering.codecs(self._codecs_of(transceiver, transceiver.kind), previous),
            numbering.extensions(transceiver.kind, previous),
            send_rids=transceiver.outgoing.rids if transceiver.direction.sends else (),
        )
        return media_section(plan, transport, setup)

    def answer(
        self, index: int, offered: MediaSection, transport: LocalTransport, setup: Setup, *, mixed: bool
    ) -> MediaSection | None:
        """Write the section that answers another; None when there is no transceiver for it."""
        transceiver = self.at(index)
        if transceiver is None or transceiver.stopping:
            return None
        direction = intersect(transceiver.direction, offered.direction or Direction.SENDRECV)
        known = {extension.uri for extension in self._capabilities.extensions_of(offered.kind)}
        wanted = self._codecs_of(transceiver, offered.kind)
        bound = bind_codecs(offered, wanted)
        if transceiver.codec_preferences:
            bound = tuple(sorted(bound, key=lambda each: wanted.index(each.codec)))
        taken = receive_rids(offered)
        plan = MediaPlan(
            offered.kind,
            offered.mid,
            direction,
            transceiver.outgoing,
            self._cname,
            answered_codecs(bound),
            tuple((e.id, e.uri) for e in offered.header_extensions if e.uri in known),
            send_rids=tuple(rid for rid in transceiver.outgoing.rids if rid in taken) if direction.sends else (),
            receive_rids=send_rids(offered) if direction.receives else (),
            reduced_size_rtcp=offered.rtcp_rsize,
            mixed_extensions=mixed,
        )
        return media_section(plan, transport, setup, protocol=offered.protocol)

    # -- what descriptions do to transceivers

    def propose(self, sections: Iterable[tuple[int, str | None, Transceiver]]) -> None:
        """Our offer was set: its sections belong to these transceivers now."""
        self.roll_back()
        for index, mid, transceiver in sections:
            transceiver.association = replace(transceiver.association, mid=mid, index=index)

    def take_offer(self, offer: Description, served: Collection[int]) -> None:
        """Their offer was set: find or make a transceiver for each section that we serve."""
        self.roll_back()
        for index, section in enumerate(offer.media):
            if section.kind == "application":
                continue
            on = index in served
            transceiver = self._owner(index, section.mid)
            if transceiver is None and on:
                transceiver = self._matching(section) or self._made_for(section)
            if transceiver is not None:
                sends = on and (section.direction or Direction.SENDRECV).sends
                transceiver.association = replace(
                    transceiver.association,
                    mid=section.mid,
                    index=index,
                    receiving=sends,
                    streams=streams_of(section) if sends else (),
                )

    def settle(
        self, sections: Sequence[AgreedSection], on: Collection[int], *, answer_is_ours: bool, final: bool
    ) -> None:
        """An answer was set: what both sides say is in force; after a `final` one there is no way back."""
        for transceiver in self.items:
            index = transceiver.association.index
            if index is not None and index < len(sections):
                self._settle_one(transceiver, sections[index], on=index in on, answer_is_ours=answer_is_ours)
        if final:
            for transceiver in self.items:
                never_had_one = transceiver.stopping and transceiver.association.index is None
                transceiver.stopped = transceiver.stopped or never_had_one
            self.items = [transceiver for transceiver in self.items if not transceiver.stopped]
            self._stable = {transceiver: transceiver.association for transceiver in self.items}

    def roll_back(self) -> None:
        """What was proposed is void: every transceiver is as it was, those that their offer made are gone."""
        for transceiver in self.items:
            transceiver.association = self._stable.get(transceiver, UNASSOCIATED)
        self.items = [t for t in self.items if t in self._stable or t.created_by is not CreatedBy.REMOTE]

    def _settle_one(self, transceiver: Transceiver, agreed: AgreedSection, *, on: bool, answer_is_ours: bool) -> None:
        local, remote = agreed.local, agreed.remote
        if not on:
            # A section that is off ends its transceiver; one that was left out of the BUNDLE merely has no transport.
            transceiver.stopped = not agreed.active
            idle = Association(transceiver.association.mid, transceiver.association.index, Direction.INACTIVE)
            transceiver.association = UNASSOCIATED if transceiver.stopped else idle
            return
        theirs = remote.direction or Direction.SENDRECV
        direction = intersect(local.direction or Direction.SENDRECV, theirs)
        send: RtpParameters | None = None
        if direction.sends:
            send = send_parameters(local, remote, self._capabilities, answer_is_ours=answer_is_ours)
        transceiver.association = replace(
            transceiver.association,
            direction=direction,
            receiving=direction.receives,
            streams=streams_of(remote) if direction.receives else (),
            send=send,
            receive=receive_parameters(local, remote, self._capabilities) if direction.receives else None,
        )

    # -- finding and making them

    def _owner(self, index: int, mid: str | None) -> Transceiver | None:
        """Give the transceiver that has this section already; a section of another name at its place is a new one."""
        transceiver = self.at(index)
        return transceiver if transceiver is not None and transceiver.mid == mid else None

    def _matching(self, section: MediaSection) -> Transceiver | None:
        """Give the first track of ours that waits for a section which could be this one (RFC 9429 5.10)."""
        theirs = section.direction or Direction.SENDRECV
        return next(
            (
                t
                for t in self.items
                if t.created_by is CreatedBy.ADD_TRACK
                and t.association.index is None
                and t.kind == section.kind
                and not t.stopping
                and theirs.receives
            ),
            None,
        )

    def _made_for(self, section: MediaSection) -> Transceiver:
        kind: MediaKind = "audio" if section.kind == "audio" else "video"
        return self.add(kind, CreatedBy.REMOTE, Direction.RECVONLY)

    def _codecs_of(self, transceiver: Transceiver | None, kind: str) -> tuple[Codec, ...]:
        if transceiver is not None and transceiver.codec_preferences:
            return transceiver.codec_preferences
        return self._capabilities.codecs_of(kind)

    def _ssrcs(self) -> tuple[int, int]:
        """Choose two SSRCs that none of ours has; 0 is no SSRC for some receivers."""
        used = {0, *(ssrc for t in self.items for ssrc in (t.outgoing.ssrc, t.outgoing.rtx_ssrc))}
        chosen: list[int] = []
        for _ in range(2):
            ssrc = int.from_bytes(self._random_bytes(4), "big")
            while ssrc in used:
                ssrc = (ssrc + 1) & MAX_SSRC
            used.add(ssrc)
            chosen.append(ssrc)
        return chosen[0], chosen[1]
