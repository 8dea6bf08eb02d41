"""What goes into a negotiation from the transport, and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from peerix.core.jsep.state import SignalingState
from peerix.core.jsep.transceiver import Transceiver
from peerix.core.sdp import Fingerprint

DtlsRole: TypeAlias = Literal["client", "server"]

MAX_MESSAGE_SIZE = 262144
"""Bytes of the largest message that we take, as `a=max-message-size` announces it.

What Chromium takes, too.
"""


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """Our end of the one transport that all sections share: what a description says of it.

    `candidates` are those known so far, each as `candidate:...`; `end_of_candidates` tells that there will be
    no others.
    """

    ufrag: str
    pwd: str
    fingerprints: Sequence[Fingerprint]
    candidates: Sequence[str] = ()
    end_of_candidates: bool = False


@dataclass(frozen=True, slots=True)
class IceParameters:
    """The ICE credentials of the other side (RFC 8839 5.4)."""

    ufrag: str
    pwd: str


@dataclass(frozen=True, slots=True)
class SctpParameters:
    """The other side's end of the SCTP association (RFC 8841).

    `max_message_size` is in bytes; 0 means that there is no limit.
    """

    port: int
    max_message_size: int


@dataclass(frozen=True, slots=True)
class TrackChanges:
    """The transceivers for which a track of the other side was added or removed."""

    added: tuple[Transceiver, ...] = ()
    removed: tuple[Transceiver, ...] = ()


NO_TRACK_CHANGES = TrackChanges()


@dataclass(frozen=True, slots=True)
class Applied:
    """What a description changed, once it is in force.

    `ice_parameters`, `ice_lite`, `remote_candidates`, `end_of_candidates` and `fingerprints` are what the other side
    last said of its transport, None and empty as long as it said nothing that we can use. `ice_restarted` is set when
    the credentials are now others than before: by an ICE restart, or by a rollback that takes one back.

    `dtls_role` and `ice_controlling` are ours; the first is known from the first answer on and then stays,
    the second from the first offer on. `sctp` is None while no data section is in force. `rolled_back` tells
    that an offer was withdrawn, ours or theirs: what it alone had brought is void.

    `tracks` tells for which transceivers the other side began or ceased to send.
    """

    signaling_state: SignalingState
    ice_restarted: bool = False
    ice_parameters: IceParameters | None = None
    ice_lite: bool = False
    remote_candidates: Sequence[str] = ()
    end_of_candidates: bool = False
    fingerprints: Sequence[Fingerprint] = ()
    dtls_role: DtlsRole | None = None
    ice_controlling: bool | None = None
    sctp: SctpParameters | None = None
    rolled_back: bool = False
    tracks: TrackChanges = NO_TRACK_CHANGES
