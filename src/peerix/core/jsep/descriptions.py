"""The four descriptions of a connection: current and pending, local and remote (RFC 9429 4.1.3 to 4.1.6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import starmap
from typing import TYPE_CHECKING

from peerix.core.jsep.state import Side
from peerix.core.sdp import Description, MediaSection, SessionDescription, write

if TYPE_CHECKING:
    from peerix.core.sdp import SdpType


class Described:
    """A description as text and as model.

    :ivar type: what the description is for.
    """

    __slots__ = ("_session", "model", "type")

    def __init__(self, type_: SdpType, model: Description, session: SessionDescription | None = None) -> None:
        self.type: SdpType = type_
        self.model = model
        self._session = session

    @property
    def session(self) -> SessionDescription:
        """The text, written when somebody asks for it: each candidate that comes makes another description."""
        if self._session is None:
            self._session = SessionDescription(self.type, write(self.model))
        return self._session


@dataclass(frozen=True, slots=True)
class Descriptions:
    """The descriptions in force, and those proposed."""

    current_local: Described | None = None
    current_remote: Described | None = None
    pending_local: Described | None = None
    pending_remote: Described | None = None

    @property
    def local(self) -> Described | None:
        """Our latest description."""
        return self.pending_local or self.current_local

    @property
    def remote(self) -> Described | None:
        """Their latest description."""
        return self.pending_remote or self.current_remote

    @property
    def agreed(self) -> tuple[AgreedSection, ...]:
        """The sections in force, in order."""
        return pair_sections(self.current_local, self.current_remote)

    @property
    def answered(self) -> tuple[AgreedSection, ...]:
        """The sections of the latest answer, even a provisional one, and its offer."""
        pending = (self.pending_local, self.pending_remote)
        return self.agreed if None in pending else pair_sections(*pending)

    def applied(self, side: Side, described: Described) -> Descriptions:
        """Give the descriptions after `described` was set; an answer makes its offer and itself current."""
        if described.type != "answer":
            if side is Side.LOCAL:
                return Descriptions(self.current_local, self.current_remote, described, self.pending_remote)
            return Descriptions(self.current_local, self.current_remote, self.pending_local, described)
        if side is Side.LOCAL:
            return Descriptions(current_local=described, current_remote=self.pending_remote)
        return Descriptions(current_local=self.pending_local, current_remote=described)

    def rolled_back(self) -> Descriptions:
        """Give the descriptions without what was proposed."""
        return replace(self, pending_local=None, pending_remote=None)


@dataclass(frozen=True, slots=True)
class AgreedSection:
    """A section of the descriptions in force, as we wrote it, and whether it is on for both sides."""

    local: MediaSection
    remote: MediaSection

    @property
    def active(self) -> bool:
        """Whether both sides have it on."""
        return not (self.local.rejected or self.remote.rejected)


def pair_sections(local: Described | None, remote: Described | None) -> tuple[AgreedSection, ...]:
    """Give the sections of an offer and its answer side by side, nothing when one of both is missing."""
    if local is None or remote is None:
        return ()
    return tuple(starmap(AgreedSection, zip(local.model.media, remote.model.media, strict=False)))
