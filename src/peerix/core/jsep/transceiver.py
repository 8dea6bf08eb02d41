"""Transceivers: what an application wants of a media section, and what has become of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from peerix.core.errors import LocalProtocolError
from peerix.core.jsep.capabilities import Codec, MediaKind
from peerix.core.jsep.codecs import BoundCodec
from peerix.core.sdp import Direction


class CreatedBy(Enum):
    """Where a transceiver comes from; only one of `add_track` may take a section that the other side offers."""

    ADD_TRACK = "add_track"
    ADD_TRANSCEIVER = "add_transceiver"
    REMOTE = "remote"


@dataclass(frozen=True, slots=True)
class Source:
    """An SSRC of the other side, that of its retransmissions, and its canonical name, as far as they are told."""

    ssrc: int
    rtx_ssrc: int | None = None
    cname: str | None = None


@dataclass(frozen=True, slots=True)
class RtpParameters:
    """How RTP is sent or received in a section (`RTCRtpParameters` of W3C WebRTC 5.2).

    `codecs` has the preferred one first; `extensions` are ids and URIs; `rids` the encodings of a simulcast,
    empty when there is one encoding only; `sources` what the other side announced of its SSRCs.
    """

    mid: str | None
    codecs: tuple[BoundCodec, ...] = ()
    extensions: tuple[tuple[int, str], ...] = ()
    rids: tuple[str, ...] = ()
    reduced_size_rtcp: bool = False
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Association:
    """What the descriptions have made of a transceiver; replaced as a whole, so that a rollback can put it back.

    `direction` is the one in force (`currentDirection`), None before the first answer. `receiving` tells
    whether the other side's description sends: a track is there for it. `streams` are the ids of the media
    streams that the track is in.
    """

    mid: str | None = None
    index: int | None = None
    direction: Direction | None = None
    receiving: bool = False
    streams: tuple[str, ...] = ()
    send: RtpParameters | None = None
    receive: RtpParameters | None = None


UNASSOCIATED = Association()

_TOKEN = re.compile(r"[!-~]{1,256}")
_RID = re.compile(r"[A-Za-z0-9_-]{1,255}")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What our descriptions say of the track that a transceiver sends.

    `streams` are the ids of its media streams, `rids` the names of its encodings when it sends several.

    :raises LocalProtocolError: if a name is not made of visible ASCII characters, or an encoding is not of letters and
        digits (RFC 8830 2, RFC 8851 10).
    """

    track: str
    ssrc: int
    rtx_ssrc: int
    streams: tuple[str, ...] = ()
    rids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse names that would not be one word of a description."""
        for pattern, names in ((_TOKEN, (self.track, *self.streams)), (_RID, self.rids)):
            for name in names:
                if not pattern.fullmatch(name):
                    raise LocalProtocolError(f"{name!r} cannot be a name in a description")


@dataclass(slots=True, eq=False)
class Transceiver:
    """A pair of a sender and a receiver that share a section (`RTCRtpTransceiver` of W3C WebRTC 5.4).

    The application writes `direction`, `outgoing` and `codec_preferences` and calls `stop`; an offer and
    answer makes that true. The negotiator alone writes `association` and `stopped`.
    """

    kind: MediaKind
    created_by: CreatedBy
    outgoing: Outgoing
    direction: Direction = Direction.SENDRECV
    codec_preferences: tuple[Codec, ...] = ()
    stopping: bool = False
    stopped: bool = False
    association: Association = UNASSOCIATED

    @property
    def mid(self) -> str | None:
        """The name of its section; None as long as it has none."""
        return self.association.mid

    @property
    def current_direction(self) -> Direction | None:
        """The direction in force; None before the first answer and after the stop."""
        return None if self.stopped else self.association.direction

    def stop(self) -> None:
        """End it: the next offer turns its section off."""
        self.stopping = True
