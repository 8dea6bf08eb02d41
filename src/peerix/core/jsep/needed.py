"""Whether the transceivers want something that no description says yet (W3C WebRTC 4.7.3, step 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.jsep.media_sections import intersect
from peerix.core.jsep.rtp_parameters import streams_of
from peerix.core.sdp import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peerix.core.jsep.descriptions import Descriptions
    from peerix.core.jsep.transceiver import Transceiver


def media_needed(transceivers: Iterable[Transceiver], descriptions: Descriptions) -> bool:
    """Tell whether any transceiver asks for an offer."""
    return any(_needs(transceiver, descriptions) for transceiver in transceivers)


def _needs(transceiver: Transceiver, descriptions: Descriptions) -> bool:
    index = transceiver.association.index
    if transceiver.stopped:
        return False
    if index is None:
        return not transceiver.stopping  # one that never had a section ends without an offer
    if transceiver.stopping:
        return True
    agreed = descriptions.agreed
    local = descriptions.current_local
    if local is None or index >= len(agreed):
        return True
    ours, theirs = agreed[index].local, agreed[index].remote
    if transceiver.direction.sends and set(streams_of(ours)) != set(transceiver.outgoing.streams):
        return True
    said = ours.direction or Direction.SENDRECV
    heard = theirs.direction or Direction.SENDRECV
    if local.type == "offer":
        return transceiver.direction not in (said, heard.reversed)
    return said is not intersect(transceiver.direction, heard)
