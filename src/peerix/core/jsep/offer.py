"""Making an offer (RFC 9429 5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.jsep.sections import compose, data_section, rejected_section
from peerix.core.sdp import Setup

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.jsep.descriptions import AgreedSection
    from peerix.core.jsep.parameters import LocalTransport
    from peerix.core.sdp import Description


def create_offer(
    agreed: tuple[AgreedSection, ...],
    transport: LocalTransport,
    *,
    data_wanted: bool,
    next_mid: Callable[[], str],
) -> Description:
    """Make an offer that keeps what is agreed, and adds a data section where one is wanted.

    The order of sections never changes; those that are off stay as they are, or are used anew under another
    name (5.2.2). The role in DTLS is left to the other side even where it is settled: it keeps to it.
    """
    sections = [
        data_section(each.local.mid or next_mid(), transport, Setup.ACTPASS)
        if each.active
        else rejected_section(each.local)
        for each in agreed
    ]
    if data_wanted and not any(each.active and each.local.is_data for each in agreed):
        section = data_section(next_mid(), transport, Setup.ACTPASS)
        free = next((index for index, each in enumerate(sections) if each.rejected), None)
        if free is None:
            sections.append(section)
        else:
            sections[free] = section
    bundled = [section.mid for section in sections if section.mid is not None and not section.rejected]
    return compose(sections, bundled=bundled, transport=transport)
