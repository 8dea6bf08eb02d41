"""What the descriptions mean for ICE, DTLS and SCTP."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from peerix.core.errors import NegotiationError
from peerix.core.jsep.answer import served
from peerix.core.jsep.parameters import Applied, DtlsRole, SctpParameters
from peerix.core.jsep.remote import RemoteTransport, on_sections, read_transport
from peerix.core.jsep.state import Side
from peerix.core.sdp import MediaSection, Setup

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.jsep.descriptions import Described, Descriptions
    from peerix.core.jsep.state import SignalingState
    from peerix.core.sdp import Description


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


@dataclass(frozen=True, slots=True)
class InForce:
    """Of the other side's latest description: the transport, and the sections on it, that we use or would use."""

    transport: RemoteTransport | None = None
    on: tuple[int, ...] = ()
    data: MediaSection | None = None


def in_force(descriptions: Descriptions, serves: Callable[[MediaSection], bool]) -> InForce:
    """Look for what is in force: in the sections that both sides have on, or in an offer of theirs, those we serve."""
    remote = descriptions.remote
    if remote is None:
        return InForce()
    if descriptions.pending_local is None and descriptions.pending_remote is not None:
        chosen = served(remote.model, serves)
        transport, on = chosen.transport, chosen.indexes
    else:
        active = tuple(index for index, each in enumerate(descriptions.answered) if each.active)
        transport = read_transport(remote.model, active)
        on = tuple(i for i in active if transport is not None and transport.carries(i, remote.model.media[i]))
    return InForce(transport, on, next((remote.model.media[i] for i in on if remote.model.media[i].is_data), None))


def outcome(
    state: SignalingState,
    before: InForce,
    after: InForce,
    descriptions: Descriptions,
    settled: Settled,
    *,
    rolled_back: bool,
) -> Applied:
    """Say what has changed between two states; `descriptions` and `settled` are those of the later one."""
    applied = Applied(
        state,
        rolled_back=rolled_back,
        dtls_role=settled.dtls_role,
        ice_controlling=_controlling(settled, descriptions, offer_is_ours=descriptions.pending_local is not None),
        sctp=None if after.data is None else SctpParameters(after.data.sctp_port, after.data.max_message_size),
    )
    transport = after.transport
    if transport is None:
        return applied
    old = None if before.transport is None else before.transport.parameters
    return replace(
        applied,
        ice_restarted=old not in (None, transport.parameters),
        ice_parameters=transport.parameters,
        ice_lite=transport.lite,
        remote_candidates=transport.candidates,
        end_of_candidates=transport.end_of_candidates,
        fingerprints=transport.fingerprints,
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
    transport = read_transport(answer, on_sections(answer))
    passive = transport is not None and transport.setup is Setup.PASSIVE
    return "server" if passive is (side is Side.LOCAL) else "client"
