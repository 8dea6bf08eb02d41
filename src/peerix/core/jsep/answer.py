"""Making an answer (RFC 9429 5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.errors import NegotiationError
from peerix.core.jsep.remote import bundle_of, read_transport
from peerix.core.jsep.sections import compose, data_answer, rejected_section
from peerix.core.sdp import Setup

if TYPE_CHECKING:
    from peerix.core.jsep.parameters import DtlsRole, LocalTransport
    from peerix.core.sdp import Description


def create_answer(offer: Description, transport: LocalTransport, *, role: DtlsRole | None) -> Description:
    """Answer each section of an offer.

    What we can serve on the one transport is accepted, every other section is turned off by itself. `role` is
    ours in DTLS when earlier descriptions settled it.

    :raises NegotiationError: if the offer wants the other role.
    """
    setup = answer_setup(offer, role)
    served = served_section(offer)
    sections = [
        data_answer(section, transport, setup) if index == served else rejected_section(section)
        for index, section in enumerate(offer.media)
    ]
    bundle = bundle_of(offer)
    bundled = [
        section.mid
        for section in sections
        if section.mid is not None and section.mid in bundle and not section.rejected
    ]
    return compose(sections, bundled=bundled, transport=transport)


def served_section(offer: Description) -> int | None:
    """Give the index of the section that carries our data channels, None when there is none to serve."""
    transport = read_transport(offer)
    if transport is None:
        return None
    return next(
        (
            index
            for index, section in enumerate(offer.media)
            if section.is_data and not section.rejected and transport.carries(index, section)
        ),
        None,
    )


def answer_setup(offer: Description, role: DtlsRole | None) -> Setup:
    """Choose our role: the one that is settled, else the active one, unless the offer takes that itself.

    :raises NegotiationError: if the offer wants another role than the settled one (RFC 8842 5.5: that needs
        another association).
    """
    transport = read_transport(offer)
    offered = None if transport is None else transport.setup
    if offered in (None, Setup.ACTPASS):
        return Setup.PASSIVE if role == "server" else Setup.ACTIVE
    if offered is Setup.HOLDCONN:
        raise NegotiationError("the offer puts DTLS on hold (a=setup:holdconn)")
    ours = Setup.PASSIVE if offered is Setup.ACTIVE else Setup.ACTIVE
    if role is not None and ours is not (Setup.ACTIVE if role == "client" else Setup.PASSIVE):
        raise NegotiationError(f"the offer changes the DTLS roles: we are the {role} already")
    return ours
