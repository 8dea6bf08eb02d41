"""What applications exchange by signalling: descriptions and candidates, in the JSON form of the browsers.

`from_json` reads what came from another machine: it takes any object and raises the error of its class,
nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeGuard

from peerix.core.errors import IceCandidateError, NegotiationError

SdpType = Literal["offer", "pranswer", "answer", "rollback"]
"""`RTCSdpType` of W3C WebRTC 4.6.1."""

MAX_CANDIDATE_LENGTH = 4096
"""Characters of a candidate that are read; real ones have about 100, those with many extensions some 300."""

MAX_NAME_LENGTH = 256
"""Characters of a candidate's mid and ufrag that are read; RFC 8839 5.4 allows 256 for the ufrag."""


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A description and what it is for.

    `RTCSessionDescription` of W3C WebRTC 4.6.2. A rollback has an empty `sdp`.
    """

    type: SdpType
    sdp: str = ""

    def to_json(self) -> dict[str, str]:
        """Give the object that `RTCSessionDescription.toJSON()` gives."""
        return {"type": self.type, "sdp": self.sdp}

    @classmethod
    def from_json(cls, value: object) -> SessionDescription:
        """Read an `RTCSessionDescriptionInit`; the SDP itself is read when it is applied.

        :raises NegotiationError: if it is no mapping, or its members are missing or of the wrong type.
        """
        if not _is_mapping(value):
            raise NegotiationError("a session description is not an object")
        type_ = value.get("type")
        sdp = value.get("sdp", "")
        if not isinstance(sdp, str):
            raise NegotiationError("the sdp of a session description is not text")
        if not _is_sdp_type(type_):
            raise NegotiationError("the type of a session description is unknown")
        return cls(type_, sdp)


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """A candidate and where it belongs: `RTCIceCandidate` of W3C WebRTC 4.8.1.

    `candidate` is the attribute without its `a=`; empty, it says that no further candidates of this
    generation come.
    """

    candidate: str
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = None
    username_fragment: str | None = None

    def to_json(self) -> dict[str, str | int | None]:
        """Give the object that `RTCIceCandidate.toJSON()` gives."""
        return {
            "candidate": self.candidate,
            "sdpMid": self.sdp_mid,
            "sdpMLineIndex": self.sdp_m_line_index,
            "usernameFragment": self.username_fragment,
        }

    @classmethod
    def from_json(cls, value: object) -> IceCandidate:
        """Read an `RTCIceCandidateInit`; the text of the candidate is read when it is used.

        :raises IceCandidateError: if it is no mapping, its members are of the wrong type or too long, or a
            candidate names no section.
        """
        if not _is_mapping(value):
            raise IceCandidateError("a candidate is not an object")
        candidate = value.get("candidate", "")
        if not isinstance(candidate, str) or len(candidate) > MAX_CANDIDATE_LENGTH:
            raise IceCandidateError("the text of a candidate is not text, or too long")
        index = value.get("sdpMLineIndex")
        if index is not None and (type(index) is not int or not 0 <= index <= 65535):
            raise IceCandidateError("the sdpMLineIndex of a candidate is not a small number")
        mid = _read_name(value, "sdpMid")
        if candidate and mid is None and index is None:
            raise IceCandidateError("a candidate without sdpMid and sdpMLineIndex")
        return cls(candidate, mid, index, _read_name(value, "usernameFragment"))


def _read_name(value: Mapping[object, object], key: str) -> str | None:
    name = value.get(key)
    if name is not None and (not isinstance(name, str) or len(name) > MAX_NAME_LENGTH):
        raise IceCandidateError(f"the {key} of a candidate is not text, or too long")
    return name


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _is_sdp_type(value: object) -> TypeGuard[SdpType]:
    return value in ("offer", "pranswer", "answer", "rollback")
