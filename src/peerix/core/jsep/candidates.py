"""Candidates that come after a description and are noted in it (RFC 9429 3.5.2 and 4.1.19)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from peerix.core.errors import IceCandidateError
from peerix.core.jsep.descriptions import Described, Descriptions
from peerix.core.jsep.remote import MAX_REMOTE_CANDIDATES
from peerix.core.jsep.sections import with_candidates
from peerix.core.sdp import Attribute

if TYPE_CHECKING:
    from peerix.core.jsep.parameters import LocalTransport
    from peerix.core.sdp import Description, IceCandidate


def gathered(descriptions: Descriptions, transport: LocalTransport) -> Descriptions:
    """Put our candidates into our descriptions, as far as these have the credentials of `transport`."""
    current = _gathered(descriptions.current_local, transport)
    pending = _gathered(descriptions.pending_local, transport)
    if current is descriptions.current_local and pending is descriptions.pending_local:
        return descriptions
    return Descriptions(current, descriptions.current_remote, pending, descriptions.pending_remote)


def noted(descriptions: Descriptions, index: int, candidate: IceCandidate) -> Descriptions:
    """Add a candidate of theirs to the section at `index`, as far as their descriptions have its ufrag.

    :raises IceCandidateError: if its text is not a line.
    """
    text = candidate.candidate.removeprefix("candidate:")
    if "\r" in text or "\n" in text or "\x00" in text:
        raise IceCandidateError("a line break or NUL in a candidate")
    attribute = Attribute("candidate", text) if text else Attribute("end-of-candidates")
    ufrag = candidate.username_fragment
    return Descriptions(
        descriptions.current_local,
        _noted(descriptions.current_remote, index, attribute, ufrag),
        descriptions.pending_local,
        _noted(descriptions.pending_remote, index, attribute, ufrag),
    )


def find_section(description: Description, candidate: IceCandidate) -> int:
    """Give the index of the section that a candidate is for; its mid counts more than its index.

    :raises IceCandidateError: if there is none.
    """
    mid, index = candidate.sdp_mid, candidate.sdp_m_line_index
    if mid is not None:
        index = next((i for i, section in enumerate(description.media) if section.mid == mid), None)
    if index is None or index >= len(description.media):
        raise IceCandidateError(f"no section has mid {mid!r} or index {candidate.sdp_m_line_index}")
    return index


def _gathered(described: Described | None, transport: LocalTransport) -> Described | None:
    if described is None:
        return None
    model = with_candidates(described.model, transport)
    return described if model is described.model else Described(described.type, model)


def _noted(described: Described | None, index: int, attribute: Attribute, ufrag: str | None) -> Described | None:
    if described is None or index >= len(described.model.media):
        return described
    section = described.model.media[index]
    described_ufrag = section.ice_ufrag or described.model.attributes.value("ice-ufrag")
    if ufrag not in (None, described_ufrag) or attribute in section.attributes:
        return described
    if attribute.value is not None and len(section.candidates) >= MAX_REMOTE_CANDIDATES:
        return described
    media = list(described.model.media)
    media[index] = replace(section, attributes=section.attributes.plus(attribute))
    return Described(described.type, replace(described.model, media=tuple(media)))
