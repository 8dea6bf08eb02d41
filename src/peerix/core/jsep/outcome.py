"""What the descriptions mean for ICE, DTLS and SCTP."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from peerix.core.errors import NegotiationError
from peerix.core.jsep.answer import served_section
from peerix.core.jsep.parameters import Applied, SctpParameters
from peerix.core.jsep.remote import read_transport
from peerix.core.jsep.state import Side
from peerix.core.sdp import Setup

if TYPE_CHECKING:
    from peerix.core.jsep.descriptions import Described, Descriptions
    from peerix.core.jsep.parameters import DtlsRole
    from peerix.core.jsep.state import SignalingState
    from peerix.core.sdp import Description, MediaSection


@dataclass(frozen=True, slots=True)
class Settled:
    """What the first answer settles for the life of the connection; None before it."""

    dtls_role: DtlsRole | None = None
    ice_controlling: bool | None = None


def settle(settled: Settled, descriptions: Descriptions, side: Side, described: Described) -> Settled:
    """Give what is settled after `described`, written by `side`, was set; offers settle nothing.

    :raises NegotiationError: if an answer changes the DTLS roles.
    """
    if described.type == "offer" or not any(each.active for each in descriptions.answered):
        return settled
    role = _answered_role(side, described.model)
    if settled.dtls_role is None:
        return Settled(role, _controlling(settled, descriptions, offer_is_ours=side is Side.REMOTE))
    if role != settled.dtls_role:
        # RFC 8842 5.5: other roles need another association, and so another certificate.
        raise NegotiationError(f"the answer changes the DTLS roles: we are the {settled.dtls_role} already")
    return settled


def outcome(
    state: SignalingState, before: Descriptions, after: Descriptions, settled: Settled, *, rolled_back: bool
) -> Applied:
    """Say what has changed between two states of the descriptions."""
    applied = Applied(
        state,
        rolled_back=rolled_back,
        dtls_role=settled.dtls_role,
        ice_controlling=_controlling(settled, after, offer_is_ours=after.pending_local is not None),
        sctp=_sctp(after),
    )
    transport = None if after.remote is None else read_transport(after.remote.model)
    if transport is None:
        return applied
    old = None if before.remote is None else read_transport(before.remote.model)
    new_description = after.remote is not before.remote and not (rolled_back and after.pending_remote is None)
    return replace(
        applied,
        ice_restarted=new_description and old is not None and old.parameters != transport.parameters,
        ice_parameters=transport.parameters,
        ice_lite=transport.lite,
        remote_candidates=transport.candidates,
        end_of_candidates=transport.end_of_candidates,
        fingerprints=transport.fingerprints,
        remote_mid=transport.mid,
    )


def local_ufrag(description: Description) -> str | None:
    """Give the ufrag of a description of ours, None when all its sections are off."""
    return next((section.ice_ufrag for section in description.media if not section.rejected), None)


def _controlling(settled: Settled, descriptions: Descriptions, *, offer_is_ours: bool) -> bool | None:
    """Tell whether we control ICE.

    The first offerer does, but never an agent that is lite (RFC 8445 6.1.1).
    """
    if settled.ice_controlling is not None:
        return settled.ice_controlling
    if descriptions.local is None and descriptions.remote is None:
        return None
    lite = descriptions.remote is not None and descriptions.remote.model.ice_lite
    return lite or offer_is_ours


def _answered_role(side: Side, answer: Description) -> DtlsRole:
    """Read our role from an answer; one that says none takes the active part (RFC 4145 4.1)."""
    transport = read_transport(answer)
    passive = transport is not None and transport.setup is Setup.PASSIVE
    return "server" if passive is (side is Side.LOCAL) else "client"


def _sctp(descriptions: Descriptions) -> SctpParameters | None:
    section = _data_section(descriptions)
    return None if section is None else SctpParameters(section.sctp_port, section.max_message_size)


def _data_section(descriptions: Descriptions) -> MediaSection | None:
    offer = descriptions.pending_remote
    if offer is not None and descriptions.pending_local is None:
        index = served_section(offer.model)
        return None if index is None else offer.model.media[index]
    return next((each.remote for each in descriptions.answered if each.active and each.local.is_data), None)
