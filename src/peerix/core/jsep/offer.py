"""Making an offer (RFC 9429 5.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.jsep.payload_types import Numbering
from peerix.core.jsep.sections import compose, data_section, rejected_section
from peerix.core.jsep.transceiver import Transceiver
from peerix.core.jsep.transceivers import Transceivers
from peerix.core.sdp import Description, Setup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.core.jsep.descriptions import AgreedSection
    from peerix.core.jsep.parameters import LocalTransport
    from peerix.core.sdp import MediaSection


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer, and which transceiver has which section of it: index, mid, transceiver."""

    description: Description
    assigned: tuple[tuple[int, str | None, Transceiver], ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an offer is to contain, beside what is agreed: where its media comes from, and whether it has data."""

    transceivers: Transceivers
    numbering: Numbering
    data: bool
    next_mid: Callable[[], str]


def create_offer(agreed: Sequence[AgreedSection], transport: LocalTransport, wanted: Wanted) -> Offer:
    """Make an offer that keeps what is agreed, and adds sections for what has none.

    The order of sections never changes; those that are off stay as they are, or are used anew under another
    name (5.2.2). The role in DTLS is left to the other side even where it is settled: it keeps to it.
    """
    draft = _Draft(transport, wanted)
    for index, each in enumerate(agreed):
        draft.keep(index, each)
    draft.add_media()
    if wanted.data and not any(each.active and each.local.is_data for each in agreed):
        draft.add(data_section(wanted.next_mid(), transport, Setup.ACTPASS))
    bundled = [section.mid for section in draft.sections if section.mid is not None and not section.rejected]
    return Offer(compose(draft.sections, bundled=bundled, transport=transport), tuple(draft.assigned))


class _Draft:
    """An offer that is being written."""

    __slots__ = ("_free", "_transport", "_wanted", "assigned", "sections")

    def __init__(self, transport: LocalTransport, wanted: Wanted) -> None:
        self.sections: list[MediaSection] = []
        self.assigned: list[tuple[int, str | None, Transceiver]] = []
        self._free: list[int] = []
        self._transport = transport
        self._wanted = wanted

    def keep(self, index: int, each: AgreedSection) -> None:
        """Write an agreed section as it is wanted now; one that was off before may be used anew."""
        transceiver = self._wanted.transceivers.at(index)
        mid = each.local.mid
        if each.active and each.local.is_data:
            section = data_section(mid or self._wanted.next_mid(), self._transport, Setup.ACTPASS)
        elif each.active and transceiver is not None and transceiver.mid == mid and not transceiver.stopping:
            mid = mid or self._wanted.next_mid()
            section = self._media(transceiver, mid, each.local)
            self.assigned.append((index, mid, transceiver))
        else:
            section = rejected_section(each.local)
            if not each.active:
                self._free.append(index)
        self.sections.append(section)

    def add_media(self) -> None:
        """Add sections for the transceivers that have none."""
        assigned = {transceiver for _, _, transceiver in self.assigned}
        for transceiver in self._wanted.transceivers.items:
            if transceiver not in assigned and not transceiver.stopping and not transceiver.stopped:
                mid = self._wanted.next_mid()
                index = self.add(self._media(transceiver, mid, None))
                self.assigned.append((index, mid, transceiver))

    def add(self, section: MediaSection) -> int:
        """Put a new section where there is room; gives its index."""
        if self._free:
            index = self._free.pop(0)
            self.sections[index] = section
            return index
        self.sections.append(section)
        return len(self.sections) - 1

    def _media(self, transceiver: Transceiver, mid: str, previous: MediaSection | None) -> MediaSection:
        return self._wanted.transceivers.offer(
            transceiver, mid, self._wanted.numbering, self._transport, Setup.ACTPASS, previous=previous
        )
