"""Making an answer (RFC 9429 5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.errors import NegotiationError
from peerix.core.jsep.remote import RemoteTransport, bundle_of, read_transport
from peerix.core.jsep.sections import compose, data_answer, rejected_section
from peerix.core.sdp import Setup

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.jsep.parameters import DtlsRole, LocalTransport
    from peerix.core.jsep.transceivers import Transceivers
    from peerix.core.sdp import Description, MediaSection


@dataclass(frozen=True, slots=True)
class Served:
    """What we accept of an offer: the indexes of its sections, and the transport that they share."""

    transport: RemoteTransport | None
    indexes: tuple[int, ...]


def served(offer: Description, serves: Callable[[MediaSection], bool]) -> Served:
    """Choose the sections of an offer that we accept.

    Those that `serves` takes, as far as they are on one transport, and of several data sections the first.
    """
    wanted = [i for i, section in enumerate(offer.media) if not section.rejected and serves(section)]
    data = [index for index in wanted if offer.media[index].is_data]
    wanted = [index for index in wanted if index not in data[1:]]
    transport = read_transport(offer, wanted)
    if transport is None:
        return Served(None, ())
    return Served(transport, tuple(i for i in wanted if transport.carries(i, offer.media[i])))


def create_answer(
    offer: Description,
    transport: LocalTransport,
    *,
    role: DtlsRole | None,
    serves: Callable[[MediaSection], bool],
    transceivers: Transceivers,
) -> Description:
    """Answer each section of an offer.

    What `serves` takes and is on the one transport is accepted, every other section is turned off by itself.
    `role` is ours in DTLS when earlier descriptions settled it.

    :raises NegotiationError: if the offer wants the other role.
    """
    chosen = served(offer, serves)
    setup = answer_setup(chosen.transport, role)
    sections: list[MediaSection] = []
    for index, section in enumerate(offer.media):
        ours: MediaSection | None = None
        if index in chosen.indexes and section.is_data:
            ours = data_answer(section, transport, setup)
        elif index in chosen.indexes:
            mixed = any(owner.has("extmap-allow-mixed") for owner in (offer.attributes, section.attributes))
            ours = transceivers.answer(index, section, transport, setup, mixed=mixed)
        sections.append(ours or rejected_section(section))
    bundle = bundle_of(offer)
    bundled = [
        section.mid
        for section in sections
        if section.mid is not None and section.mid in bundle and not section.rejected
    ]
    return compose(sections, bundled=bundled, transport=transport)


def answer_setup(offered: RemoteTransport | None, role: DtlsRole | None) -> Setup:
    """Choose our role: the one that is settled, else the active one, unless the offer takes that itself.

    :raises NegotiationError: if the offer wants another role than the settled one (RFC 8842 5.5: that needs
        another association).
    """
    setup = None if offered is None else offered.setup
    if setup in (None, Setup.ACTPASS):
        return Setup.PASSIVE if role == "server" else Setup.ACTIVE
    if setup is Setup.HOLDCONN:
        raise NegotiationError("the offer puts DTLS on hold (a=setup:holdconn)")
    ours = Setup.PASSIVE if setup is Setup.ACTIVE else Setup.ACTIVE
    if role is not None and ours is not (Setup.ACTIVE if role == "client" else Setup.PASSIVE):
        raise NegotiationError(f"the offer changes the DTLS roles: we are the {role} already")
    return ours
