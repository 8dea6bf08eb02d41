"""Reading what the other side says: its transport, and whether its description fits what came before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.errors import NegotiationError
from peerix.core.jsep.parameters import IceParameters
from peerix.core.sdp import Fingerprint, Setup, read_setup

if TYPE_CHECKING:
    from collections.abc import Collection

    from peerix.core.jsep.descriptions import AgreedSection
    from peerix.core.sdp import Description, MediaSection

MAX_REMOTE_CANDIDATES = 256
"""Candidates of a description that are used; browsers with many interfaces and servers send a few dozen."""


@dataclass(frozen=True, slots=True)
class RemoteTransport:
    """The one transport of the other side that we use, and which sections are on it.

    `mids` are the names of a BUNDLE; empty, when there is none and the section at `index` has a transport of
    its own.
    """

    index: int
    mid: str | None
    mids: frozenset[str]
    parameters: IceParameters
    lite: bool
    fingerprints: Sequence[Fingerprint]
    setup: Setup | None
    candidates: Sequence[str]
    end_of_candidates: bool

    def carries(self, index: int, section: MediaSection) -> bool:
        """Tell whether a section is on this transport."""
        return index == self.index or (section.mid is not None and section.mid in self.mids)


def on_sections(description: Description) -> tuple[int, ...]:
    """Give the indexes of the sections that are on."""
    return tuple(index for index, section in enumerate(description.media) if not section.rejected)


def bundle_of(description: Description) -> tuple[str, ...]:
    """Give the mids of the first BUNDLE group, empty when there is none."""
    groups = description.bundles
    return groups[0].mids if groups else ()


def read_transport(description: Description, on: Collection[int]) -> RemoteTransport | None:
    """Find the transport of the sections at the indexes `on`: those that both sides use, or that we could.

    It is that of the BUNDLE, else of the data section, else of the first that is complete. Within a BUNDLE
    the first of `on` that has all attributes stands for the others (RFC 9143 7.2.1 and 7.3.1), which may
    leave them out; one that is not of `on` only does when it is alone in having them. None when nothing can
    be used.
    """
    bundle = bundle_of(description)
    indexed = [(i, section) for i, section in enumerate(description.media) if not section.rejected]
    order = {mid: position for position, mid in enumerate(bundle)}
    # A BUNDLE of nothing but sections that we cannot use says nothing about the one beside it.
    if any(index in on and section.mid in order for index, section in indexed):
        members = [pair for pair in indexed if pair[1].mid in order]
        members.sort(key=lambda pair: (pair[0] not in on, order[pair[1].mid or ""]))
    else:
        members = sorted((pair for pair in indexed if pair[0] in on), key=lambda pair: not pair[1].is_data)
        bundle = ()
    for index, section in members:
        transport = _read_section(description, index, section, frozenset(bundle))
        if transport is not None:
            return transport
    return None


def _read_section(
    description: Description, index: int, section: MediaSection, mids: frozenset[str]
) -> RemoteTransport | None:
    """Read what one section says of its transport; the session stands in for what it leaves out."""
    session = description.attributes
    ufrag = section.ice_ufrag or session.value("ice-ufrag")
    pwd = section.ice_pwd or session.value("ice-pwd")
    fingerprints = section.fingerprints or tuple(Fingerprint.parse(value) for value in session.values("fingerprint"))
    if ufrag is None or pwd is None or not fingerprints:
        return None
    return RemoteTransport(
        index=index,
        mid=section.mid,
        mids=mids,
        parameters=IceParameters(ufrag, pwd),
        lite=description.ice_lite,
        fingerprints=fingerprints,
        setup=section.setup or read_setup(session),
        candidates=section.candidates[:MAX_REMOTE_CANDIDATES],
        end_of_candidates=section.end_of_candidates or session.has("end-of-candidates"),
    )


def check_offer(offer: Description, agreed: Sequence[AgreedSection]) -> None:
    """Check an offer against the sections that are in force (RFC 9429 5.10, RFC 3264 8).

    :raises NegotiationError: if sections vanished, changed their kind or name while on, or share a name.
    """
    check_mids(offer)
    if len(offer.media) < len(agreed):
        raise NegotiationError(f"the offer has {len(offer.media)} sections, there were {len(agreed)} before")
    for index, (old, new) in enumerate(zip(agreed, offer.media, strict=False)):
        if old.active and (old.local.kind != new.kind or (new.mid and old.local.mid != new.mid)):
            raise NegotiationError(f"section {index} is {old.local.kind} and on, the offer makes it another")


def check_answer(answer: Description, offer: Description) -> None:
    """Check an answer against our offer (RFC 9429 5.11, RFC 3264 6).

    :raises NegotiationError: if the sections do not match, one is on that the offer turned off, or none of
        those that are on has a transport that we can use.
    """
    check_mids(answer)
    if len(answer.media) != len(offer.media):
        raise NegotiationError(f"the answer has {len(answer.media)} sections, the offer {len(offer.media)}")
    for index, (ours, theirs) in enumerate(zip(offer.media, answer.media, strict=True)):
        if ours.kind != theirs.kind:
            raise NegotiationError(f"section {index} is {ours.kind} in the offer, {theirs.kind} in the answer")
        if theirs.mid is not None and theirs.mid != ours.mid:
            raise NegotiationError(f"section {index} has another mid in the answer than in the offer")
        if ours.rejected and not theirs.rejected:
            raise NegotiationError(f"section {index} is off in the offer, on in the answer")
    if not all(section.rejected for section in answer.media):
        _check_answered_transport(answer)


def _check_answered_transport(answer: Description) -> None:
    transport = read_transport(answer, on_sections(answer))
    if transport is None:
        raise NegotiationError("the answer has no section with ICE credentials and a fingerprint")
    if transport.setup in (Setup.HOLDCONN, Setup.ACTPASS):
        raise NegotiationError(f"the answer takes no DTLS role (a=setup:{transport.setup}, RFC 8842 5.3)")


def check_credentials(answer: Description, previous: Description) -> None:
    """Check that an answer to an offer without an ICE restart keeps the credentials of `previous`.

    :raises NegotiationError: if it changes them: only an offer may restart ICE (RFC 8839 4.4.1.1.1, RFC 9429 5.11).
    """
    new, old = (read_transport(each, on_sections(each)) for each in (answer, previous))
    if new is not None and old is not None and new.parameters != old.parameters:
        raise NegotiationError("the answer changes the ICE credentials, but the offer did not restart ICE")


def check_mids(description: Description) -> None:
    """Check the names of sections.

    :raises NegotiationError: if two sections share one.
    """
    mids = [section.mid for section in description.media if section.mid is not None]
    if len(mids) != len(set(mids)):
        raise NegotiationError("two sections have the same mid")
