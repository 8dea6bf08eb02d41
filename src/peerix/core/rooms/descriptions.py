"""Session descriptions and candidates as they stand in signalling packets and control frames."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from peerix.core.errors import SignalingError

if TYPE_CHECKING:
    from .json import JsonValue

MAX_CANDIDATE_LENGTH = 2048
"""Characters of one text of a candidate; a longer one is no candidate."""

CandidateInit: TypeAlias = "dict[str, JsonValue]"
"""RTCIceCandidateInit: candidate, sdpMid, sdpMLineIndex, usernameFragment; only the first is a must."""

_UFRAG = re.compile(r"a=ice-ufrag:(\S+)")
_TEXTS = ("candidate", "sdpMid", "usernameFragment")


@dataclass(slots=True)
class SignalDescription:
    """An offer or answer."""

    type: str
    sdp: str

    def to_json(self) -> dict[str, str]:
        """Give the form that travels."""
        return {"type": self.type, "sdp": self.sdp}


def read_description(value: JsonValue) -> SignalDescription:
    """Read an offer or answer.

    :raises SignalingError: it is none.
    """
    if isinstance(value, dict):
        kind = value.get("type")
        sdp = value.get("sdp")
        if isinstance(kind, str) and kind in ("offer", "answer") and isinstance(sdp, str):
            return SignalDescription(kind, sdp)
    raise SignalingError("a session description has a type, offer or answer, and an sdp")


def read_candidate(value: JsonValue) -> CandidateInit | None:
    """Give the known members of a candidate; None when it is none. Absent members stay absent."""
    if not isinstance(value, dict) or not isinstance(value.get("candidate"), str):
        return None
    candidate: CandidateInit = {}
    for name in _TEXTS:
        if name in value:
            text = value[name]
            if text is not None and not (isinstance(text, str) and len(text) <= MAX_CANDIDATE_LENGTH):
                return None
            candidate[name] = text
    index = value.get("sdpMLineIndex")
    if index is not None and (isinstance(index, bool) or not isinstance(index, int)):
        return None
    if "sdpMLineIndex" in value:
        candidate["sdpMLineIndex"] = index
    return candidate


def ufrag_of(sdp: str) -> str | None:
    """Give the first ICE username fragment of a description."""
    match = _UFRAG.search(sdp)
    return match[1] if match else None
